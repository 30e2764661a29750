"""`meterhouse import`: access logs, CSV and NDJSON, each row once, however often it is imported."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from msgspec.structs import replace
from rich.console import Console
from rich.table import Table

from meterhouse.cli.client import ApiKey, Url, connected
from meterhouse.cli.importing import options
from meterhouse.cli.importing.formats import LOGS, Format, Opened, guess, guess_time, open_rows
from meterhouse.cli.importing.mapping import Asked, Meaning
from meterhouse.cli.importing.report import Refusal, Report, refusal_line
from meterhouse.cli.importing.run import Run, Stream, opened_file
from meterhouse.cli.importing.sending import Customers
from meterhouse.cli.importing.times import Times
from meterhouse.cli.options import sentences
from meterhouse.model.ref import Prefix, is_ref
from meterhouse.model.units import written
from meterhouse_sdk import Meterhouse

_LOG_TYPE: Final = "usage.api_call"
_LOG_ABSENT: Final = "-"
_MAX_SOURCE_BYTES: Final = 64


def import_(  # noqa: PLR0913, PLR0917 - the options of the command
    file: options.File,
    url: Url = None,
    api_key: ApiKey = None,
    format_: options.FileFormat = None,
    type_: options.Type = None,
    units: options.Units = "1",
    customer: options.Customer = None,
    product: options.Product = None,
    timestamp: options.Timestamp = None,
    timezone: options.Timezone = "UTC",
    properties: options.Properties = None,
    also: options.Also = None,
    create_customers: options.CreateCustomers = False,  # noqa: FBT002 - a flag of the command line
    source: options.Source = "",
    after_line: options.AfterLine = 0,
    rejects: options.Rejects = None,
) -> None:
    """Import usage from a file; again, or after it has grown, only the rows that are new.

    Exits with 1 when a row could not be read or was refused.
    """
    said = Asked(
        type=type_ or "", units=units, customer=customer or "", timestamp=timestamp or "",
        product=product, properties=properties or (), also=also or (),
    )  # fmt: skip
    with sentences(), ExitStack() as stack:
        report = Report(stack.enter_context(_kept(rejects)))
        times = Times(_zone(timezone))
        stream = stack.enter_context(opened_file(file))
        opened, meaning = _understood(stream, _chosen(format_, file, stream), said, times)
        client = stack.enter_context(connected(url, api_key))
        _check_refs(client, meaning.asked, create=create_customers)
        run = Run(client, Customers(client, create=create_customers), report, _source(source), after_line)
        try:
            run.whole(stream, opened, meaning)
        finally:
            _tell(report, times, timezone)
    if report.unreadable or report.refused:
        raise typer.Exit(1)


def _understood(stream: Stream, format_: Format, said: Asked, times: Times) -> tuple[Opened, Meaning]:
    """Begin to read, and settle what rows mean. Raises ValueError with a sentence."""
    opened = open_rows(stream.file, format_)
    absent = _LOG_ABSENT if format_ in LOGS else None
    return opened, Meaning(_asked(opened, format_, said), opened.columns, times, absent)


def _source(text: str) -> str:
    if len(text.encode()) > _MAX_SOURCE_BYTES:
        raise ValueError(f"--source takes at most {_MAX_SOURCE_BYTES} bytes.")
    return text


@contextmanager
def _kept(path: Path | None) -> Iterator[Callable[[Refusal], object]]:
    """Give what is to be called with every refusal. Raises ValueError with a sentence."""
    if path is None:
        yield lambda _refusal: None
        return
    try:
        file = path.open("wb")
    except OSError as error:
        raise ValueError(f"--rejects: {path} cannot be written: {error.strerror}.") from None
    with file:
        yield lambda refusal: file.write(refusal_line(refusal))


def _zone(name: str) -> tzinfo:
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"--timezone takes an IANA name, e.g. Europe/Stockholm, not {name!r}.") from None


def _chosen(asked: Format | None, file: Path, stream: Stream) -> Format:
    """Return the format, and say so where it was guessed."""
    if asked is not None:
        return asked
    guessed = guess(str(file), stream.file)
    _say(f"Format: {guessed.format}, because {guessed.reason} (--format).")
    return guessed.format


def _asked(opened: Opened, format_: Format, said: Asked) -> Asked:
    """Fill in what was not said. Raises ValueError with a sentence where nothing can be guessed."""
    if format_ in LOGS:
        return replace(
            said,
            type=said.type or _LOG_TYPE,
            customer=said.customer or "address",
            timestamp=said.timestamp or "time",
        )
    there = f" The columns are: {', '.join(opened.columns)}." if opened.columns else ""
    if not said.type:
        raise ValueError("Say of what type the events are: --type TYPE, e.g. --type usage.token.")
    if not said.customer:
        raise ValueError(f"Say whose the rows are: --customer COLUMN, or --customer =REF for one.{there}")
    if said.timestamp:
        return said
    timestamp = guess_time(opened.columns)
    _say(f"Time: the column {timestamp} (--timestamp).")
    return replace(said, timestamp=timestamp)


def _check_refs(client: Meterhouse, asked: Asked, *, create: bool) -> None:
    """Raises MeterhouseError: no such customer or product; better now than once for every row."""
    customer = asked.customer.removeprefix("=")
    if asked.customer.startswith("=") and not create and is_ref(customer, Prefix.CUSTOMER):
        client.get_customer(customer)
    if asked.product is not None:
        client.get_product(asked.product)


def _tell(report: Report, times: Times, timezone: str) -> None:
    """Say what became of everything: a table on stdout, the rest on stderr."""
    if times.cut:
        _say(f"{times.cut} times had more than 6 decimal places and were truncated to microseconds; "
             f"{times.lost} of them lost a digit other than 0.")  # fmt: skip
    if times.without_offset:
        _say(f"{times.without_offset} times had no offset and were taken as {timezone} (--timezone).")
    if times.twice:
        _say(f"{times.twice} of them happened twice, around a clock change; the first was taken.")
    for line in report.problems():
        _say(line)
    table = Table("type", "stored now", "there already", "refused", "units stored now")
    for type_, became in report.types.items():
        counts = (became.stored, became.present, became.refused)
        table.add_row(type_, *map(str, counts), written(became.units))
    skipped = f", {report.skipped} before them skipped" if report.skipped else ""
    typer.echo(f"{report.rows} rows{skipped}")
    Console().print(table)


def _say(text: str) -> None:
    typer.echo(text, err=True)
