"""`python -m tests.e2e.unsynced LEVEL serve …`: a server that does not sync, to show that tests notice."""

import sqlite3
import sys

from meterhouse.cli import main
from meterhouse.stores.embedded.database import Database

level = sys.argv.pop(1)
synced = Database._connect


def unsynced(database: Database) -> sqlite3.Connection:
    connection = synced(database)
    connection.execute(f"PRAGMA synchronous = {level}")
    return connection


Database._connect = unsynced  # type: ignore[method-assign, assignment]  # the one lie this file is for
main()
