"""A question that needs more temporary disk than there is fails alone."""

import asyncio
import resource
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from meterhouse.model.errors import QueryTooLarge
from meterhouse.model.question import Filter
from meterhouse.stores.embedded.warehouse.source import View
from meterhouse.stores.embedded.warehouse.store import DuckWarehouse

LARGE = (
    "SELECT count(*) FROM (SELECT i, count(*) AS c, string_agg(s, '') FROM (SELECT (i * 7919) % 3000000 AS i,"
    " md5(i::VARCHAR) AS s FROM range(6000000) t(i)) GROUP BY i ORDER BY c, i)"
)


def large(view: View) -> None:
    view.connection.execute(LARGE).fetchall()


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let the disk refuse larger files, as a full one does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_question_over_the_bound_on_temporary_disk_is_too_large(tmp_path: Path) -> None:
    with closing(DuckWarehouse(tmp_path / "w.duckdb", 64, 2, spill_megabytes=20)) as warehouse:
        beside = asyncio.create_task(warehouse.time_span(Filter(scope_id=1)))
        with pytest.raises(QueryTooLarge):
            await warehouse._ask(large)
        assert await beside is None
        assert await warehouse.time_span(Filter(scope_id=1)) is None


async def test_a_full_disk_fails_the_question_that_spills_alone(tmp_path: Path) -> None:
    with closing(DuckWarehouse(tmp_path / "w.duckdb", 64, 2)) as warehouse:
        opened = warehouse._connection
        with files_of_at_most(8 * 1024 * 1024), pytest.raises(QueryTooLarge, match="temporary disk"):
            await warehouse._ask(large)
        assert warehouse._connection is opened  # else other questions would have been refused
        assert await warehouse.time_span(Filter(scope_id=1)) is None
