"""What the sandbox's payment processor knows, on SQLite."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from meterhouse.model.payment import Intent, PaymentStatus
from meterhouse.stores.embedded.database import Database

_COLUMNS: Final = "id, client_secret, status, failure"


class SqliteSandboxIntents:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: str, intent: Intent) -> Intent:
        def work(connection: sqlite3.Connection) -> Intent:
            connection.execute(
                f"INSERT INTO sandbox_intent (key, {_COLUMNS}) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (key, intent.id, intent.client_secret, intent.status, intent.failure),
            )
            row = connection.execute(f"SELECT {_COLUMNS} FROM sandbox_intent WHERE key = ?", (key,))
            return _intent(row.fetchone())

        return await self._database.write(work)

    async def get(self, intent_id: str) -> Intent | None:
        found = self._database.reader().execute(
            f"SELECT {_COLUMNS} FROM sandbox_intent WHERE id = ?", (intent_id,)
        )
        row = found.fetchone()
        return None if row is None else _intent(row)

    async def end(self, intent_id: str, status: PaymentStatus, failure: str | None) -> None:
        await self._database.write(
            lambda connection: connection.execute(
                "UPDATE sandbox_intent SET (status, failure) = (?, ?) WHERE id = ? AND status != ?",
                (status, failure, intent_id, PaymentStatus.SUCCEEDED),
            )
        )


def _intent(row: Sequence[str]) -> Intent:
    intent_id, client_secret, status, failure = row
    return Intent(id=intent_id, client_secret=client_secret, status=PaymentStatus(status), failure=failure)
