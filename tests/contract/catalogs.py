"""Every catalog adapter behind one face: a clock to turn, and a second process on the same data."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from meterhouse.model.audit import Action
from meterhouse.model.customer import NewCustomer
from meterhouse.model.once import Once
from meterhouse.model.tenant import Caller
from meterhouse.ports import Catalog
from meterhouse.stores.embedded.catalog.catalog import FirstStart, first_start, open_catalog
from meterhouse.stores.embedded.database import Database


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 11, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def advance(self, by: timedelta) -> None:
        self.time += by


class OpenedCatalog(Protocol):
    clock: Clock
    catalog: Catalog
    beside: Catalog
    """The same catalog as another process has it open."""

    async def first_start(self) -> FirstStart | None: ...


class EmbeddedCatalog:
    def __init__(self, directory: Path) -> None:
        self._path = directory / "meterhouse.db"
        self.clock = Clock()

    async def __aenter__(self) -> Self:
        self._database, self._other = Database(self._path), Database(self._path)
        self.catalog = open_catalog(self._database, self.clock)
        self.beside = open_catalog(self._other, self.clock)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()
        self._other.close()

    async def first_start(self) -> FirstStart | None:
        return await first_start(self._database, self.clock, actor="cli", with_key=True)


ADA = NewCustomer(email="ada@example.com", name="Ada", external_ref="auth0|5")


async def actions(catalog: Catalog, caller: Caller) -> list[tuple[Action, str]]:
    """What the audit says was done in the scope after its provider was made, the oldest first."""
    page = await catalog.audit.page(caller.scope.id, 1000)
    return [(entry.action, entry.ref) for entry in reversed(page.entries)][1:]


def emails(number: int) -> NewCustomer:
    return NewCustomer(email=f"{number:03}@example.com", name=f"Name {number % 7}")


def once(fingerprint: bytes = b"1", operation: str = "createCustomer") -> Once:
    return Once(operation, "key", fingerprint)
