"""`python -m bench`: every row of design §9, ratios first, then bench/results.json."""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from bench import backup, load, rows
from bench.dataset import CUSTOMERS, dataset
from bench.ledger import ledger
from bench.rebuilding import rebuilding
from bench.rows import Row, Scale

_HERE: Final = Path(__file__).parent
_FULL: Final = Scale(events=10_000_000, customers=CUSTOMERS, runs=5, seconds=5, questions=40)
_QUICK: Final = Scale(events=300_000, customers=10_000, runs=1, seconds=3, questions=20, metered=100_000)
_LARGE: Final = Scale(events=100_000_000, customers=CUSTOMERS, runs=3, seconds=5, questions=40)


def main() -> int:
    """Return 1 when a row misses its floor."""
    arguments = _arguments()
    load.require_wrk()
    data: Path = arguments.data
    data.mkdir(parents=True, exist_ok=True)
    file_system = _file_system(data)
    if file_system == "tmpfs":
        raise SystemExit(f"{data} is in memory (tmpfs): fsync would mean nothing. Give --data on a disk.")
    scale = _QUICK if arguments.quick else _LARGE if arguments.large else _FULL
    started = time.perf_counter()
    found = _measure(data, scale, large=arguments.large)
    _show(found, file_system, time.perf_counter() - started)
    if not arguments.quick:
        name = "results-large.json" if arguments.large else "results.json"
        (_HERE / name).write_bytes(
            msgspec.json.format(msgspec.json.encode(_report(found, file_system)), indent=2) + b"\n"
        )
    return int(any(row.meets_floor is False for row in found))


def _measure(data: Path, scale: Scale, *, large: bool) -> list[Row]:
    keyed = dataset(data, scale.events, keyed=True, customers=scale.customers)
    plain_events = min(scale.events, 2_000_000)
    plain = dataset(data, plain_events, keyed=False, customers=scale.customers)
    work = data / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    found = rows.disk(keyed, scale.events, plain, plain_events)
    found += rows.questions(keyed, work, scale)
    if not large:
        found += rows.one_event_per_request(work, scale)
        found += rows.metering(ledger(data, scale.metered), work, scale)
        found += rows.freshness(keyed, work, scale)
        found += rebuilding(keyed, work, scale)
        found += backup.backing_up(keyed, work, scale)
    found += rows.bulk(keyed, work, scale)
    shutil.rmtree(work, ignore_errors=True)
    return sorted(found, key=lambda row: row.unit != "×")


def _show(found: list[Row], file_system: str, seconds: float) -> None:
    table = Table("what", "measured", "floor", "end", "", "acknowledged")
    for row in found:
        bounds = ("" if bound is None else f"{bound:,g}" for bound in (row.floor, row.end))
        verdict = {None: "", True: "[green]meets[/]", False: "[red]misses[/]"}[row.meets_floor]
        digits = 2 if row.value < 100 else 0
        table.add_row(row.what, f"{row.value:,.{digits}f} {row.unit}", *bounds, verdict, row.acknowledged)
    console = Console(width=130)
    console.print(table)
    console.print(
        f"{os.cpu_count()} cores, data on {file_system}, Python {platform.python_version()}, {seconds:.0f} s in all"
    )


def _report(found: list[Row], file_system: str) -> dict[str, object]:
    return {
        "measuredAt": time.strftime("%Y-%m-%d", time.gmtime()),
        "cores": os.cpu_count(),
        "fileSystem": file_system,
        "python": platform.python_version(),
        "rows": found,
    }


def _file_system(path: Path) -> str:
    done = subprocess.run(["stat", "-f", "-c", "%T", str(path)], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="small data and short runs: under 2 minutes")
    size.add_argument("--large", action="store_true", help="the questions and bulks at 100 M events")
    parser.add_argument("--data", type=Path, default=_HERE / "data", help="where to keep the data; on a disk")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
