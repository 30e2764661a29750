"""Numbers for names (types, refs, meters, outcomes), in the order in which the log first mentions them."""

from collections.abc import Sequence

from duckdb import DuckDBPyConnection

from meterhouse.model.event import LogRecord

_UNKNOWN = -1


class Names:
    """Held in memory whole, some 150 bytes a name: every batch and every answer translates."""

    def __init__(self, connection: DuckDBPyConnection) -> None:
        rows = connection.execute("SELECT text FROM name ORDER BY id").fetchall()
        self._texts: list[str] = [text for (text,) in rows]
        self._ids: dict[str | None, int | None] = {text: i for i, text in enumerate(self._texts)}
        self._ids[None] = None

    def text(self, name: int | None) -> str | None:
        return None if name is None else self._texts[name]

    def id_or_unknown(self, text: str) -> int:
        """Return the number of a name, or one that no row has."""
        found = self._ids.get(text)
        return _UNKNOWN if found is None else found

    def ids(self, texts: Sequence[str] | Sequence[str | None]) -> list[int | None]:
        """Raises KeyError for a name that was not added."""
        ids = self._ids
        return [ids[text] for text in texts]

    def add_new(self, connection: DuckDBPyConnection, records: Sequence[LogRecord]) -> None:
        """Number the names that are new, in the transaction of the rows that need them.

        Row by row, so that the numbers do not depend on how the log was cut into batches: ties are
        broken by them, and a rebuilt warehouse must break them alike.
        """
        first_new = len(self._texts)
        for record in records:
            columns = _columns_of_names(record)
            if set[str | None]().union(*columns) <= self._ids.keys():
                continue
            for row in zip(*columns, strict=True):
                for text in row:
                    if text is not None and text not in self._ids:
                        self._ids[text] = len(self._texts)
                        self._texts.append(text)
        if new := self._texts[first_new:]:
            connection.execute(
                "INSERT INTO name SELECT unnest(range(?, ?)), unnest(?::VARCHAR[])",
                (first_new, first_new + len(new), new),
            )


def _columns_of_names(record: LogRecord) -> Sequence[Sequence[str | None]]:
    events, metered = record.events, record.metered
    columns: tuple[Sequence[str | None], ...] = (events.type, events.customer_ref, events.product_ref)
    return columns if metered is None else (*columns, metered.meter, metered.outcome, metered.purchase_ref)
