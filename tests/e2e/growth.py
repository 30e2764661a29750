"""What a server holds while it runs: samples of its process, its files and the rows of its tables."""

import sqlite3
import statistics
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from tests.e2e.server import Server

_KEPT: Final = {
    "log": "every event is kept",
    "log_digest": "one row for 1 000 records of the log",
    "ingest_tally": "one row for each scope, hour and code",
    "audit": "every write of the catalog is kept, for as long as its retention says",
    "once": "idempotency keys of writes are kept",
}
"""Tables that grow by design; docs/operating.md says how much."""
_FREE: Final = {
    "memory, MB": (0.05, 20.0),
    "descriptors": (0.05, 8.0),
    "threads": (0.0, 2.0),
    "files": (0.05, 12.0),
}
"""Growth that is no fault, as a share and as an amount: the larger counts. RocksDB opens and merges files."""
_BOUNDS: Final = {"rows of rejection": 1_000.0 + 128.0}
"""Tables that fill up to a bound: 1 000 rejections of a scope, pruned every 128."""
_FREE_ROWS: Final = (0.02, 16.0)

Sample = Mapping[str, float]


def sample(server: Server) -> Sample:
    """Return what the server holds now."""
    process = Path(f"/proc/{server.process.pid}")
    status = (process / "status").read_text(encoding="ascii")
    found: dict[str, float] = {
        "memory, MB": int(status.partition("VmRSS:")[2].split()[0]) / 1024,
        "threads": int(status.partition("Threads:")[2].split()[0]),
        "descriptors": len(list((process / "fd").iterdir())),
        "files": sum(path.is_file() for path in server.data.rglob("*")),
    }
    uri = f"{(server.data / 'meterhouse.db').as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        tables = connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 AND name <> 'log'"
        ).fetchall()
        for (name,) in tables:
            (rows,) = connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()
            found[f"rows of {name}"] = rows
    return found


def slopes(samples: Sequence[Sample]) -> list[str]:
    """Return a sentence for each measure that grew from the second third of the samples to the last one.

    The first third is warm-up. Medians, because single samples catch a commit, a merge or a collection.
    """
    third = len(samples) // 3
    found = []
    for name in samples[-1]:
        middle = statistics.median(each.get(name, 0.0) for each in samples[third : 2 * third])
        last = statistics.median(each.get(name, 0.0) for each in samples[2 * third :])
        share, amount = _FREE.get(name, _FREE_ROWS)
        if name.removeprefix("rows of ") in _KEPT or last <= _BOUNDS.get(name, 0.0):
            continue
        if last - middle > max(share * middle, amount):
            found.append(f"{name} grew from {middle:g} to {last:g}")
    return found


def table(samples: Sequence[Sample]) -> str:
    """Return the first, the middle and the last sample as a Markdown table."""
    picked = (samples[0], samples[len(samples) // 2], samples[-1])
    lines = ["| | start | middle | end |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {' | '.join(f'{each.get(name, 0):g}' for each in picked)} |" for name in picked[-1]
    ]
    return "\n".join(lines)
