"""`python -m tests.power.small LEVEL serve …`: a server whose stores write, merge and fold every few seconds.

LEVEL: SQLite's `synchronous`; the product's is FULL. Any other shows that the tests notice.
"""

import sqlite3
import sys

import duckdb

from meterhouse.cli import main
from meterhouse.stores.embedded import key_index
from meterhouse.stores.embedded.accounts import state
from meterhouse.stores.embedded.database import Database
from meterhouse.stores.embedded.warehouse.store import DuckWarehouse

level = sys.argv.pop(1)
connected = Database._connect
opened = DuckWarehouse._opened


def synced_at_level(database: Database) -> sqlite3.Connection:
    connection = connected(database)
    connection.execute(f"PRAGMA synchronous = {level}")
    return connection


def with_small_log(warehouse: DuckWarehouse) -> duckdb.DuckDBPyConnection:
    connection = opened(warehouse)
    connection.execute("SET wal_autocheckpoint = '64KB'")
    return connection


key_index._MEMTABLE_BYTES = state._MEMTABLE_BYTES = 64 * 1024  # type: ignore[misc]  # RocksDB's smallest
DuckWarehouse.__init__.__defaults__ = (500,)  # events until they are folded
DuckWarehouse._opened = with_small_log  # type: ignore[method-assign, assignment]
Database._connect = synced_at_level  # type: ignore[method-assign, assignment]
main()
