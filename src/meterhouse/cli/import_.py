"""`meterhouse import`: access logs, CSV and JSON, each row once, however often it is imported."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, tzinfo
from itertools import chain
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from msgspec.structs import replace
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from meterhouse.cli.client import ApiKey, Url, connected
from meterhouse.cli.importing import cloudevents, options
from meterhouse.cli.importing.amounts import Rounding
from meterhouse.cli.importing.formats import LOGS, Format, Opened, guess, guess_time, open_rows
from meterhouse.cli.importing.keys import ColumnKeys, Keys, TextKeys
from meterhouse.cli.importing.mapping import Asked, Meaning
from meterhouse.cli.importing.report import Refusal, Report, refusal_line
from meterhouse.cli.importing.rows import Columns
from meterhouse.cli.importing.run import Run, Stream, opened_file
from meterhouse.cli.importing.sending import Customers
from meterhouse.cli.importing.streams import DAMAGED
from meterhouse.cli.importing.times import Times
from meterhouse.cli.options import sentences
from meterhouse.model.ref import Prefix, is_ref
from meterhouse_sdk import Meterhouse

_LOG_TYPE: Final = "usage.api_call"
_LOG_ABSENT: Final = "-"
_MAX_SOURCE_BYTES: Final = 64
_BY_ROW: Final = "=row"
_IDS: Final = ("idempotency_key", "idempotencykey", "event_id", "request_id", "message_id", "id")


def import_(  # noqa: PLR0913, PLR0917 - the options of the command
    file: options.File,
    url: Url = None,
    api_key: ApiKey = None,
    format_: options.FileFormat = None,
    type_: options.Type = None,
    type_from: options.TypeFrom = None,
    units: options.Units = "1",
    round_: options.Round = None,
    customer: options.Customer = None,
    product: options.Product = None,
    timestamp: options.Timestamp = None,
    time_format: options.TimeForm = None,
    timezone: options.Timezone = "UTC",
    key: options.Key = None,
    properties: options.Properties = None,
    also: options.Also = None,
    create_customers: options.CreateCustomers = False,  # noqa: FBT002 - a flag of the command line
    source: options.Source = "",
    after_line: options.AfterLine = 0,
    rejects: options.Rejects = None,
) -> None:
    """Import usage from a file; again, or after it has grown, only its new rows.

    Exits with 1 when a row could not be read or was refused.
    """
    said = Asked(
        type=type_ or "", type_from=type_from, units=units, customer=customer or "",
        timestamp=timestamp or "", key=() if key is None else (key,),
        product=product, properties=properties or (), also=also or (),
    )  # fmt: skip
    with sentences(), ExitStack() as stack:
        report = Report(stack.enter_context(_kept(rejects)))
        times = Times(_zone(timezone), time_format)
        stream = stack.enter_context(opened_file(file))
        format_, opened = _opened(format_, file, stream)
        absent = _LOG_ABSENT if format_ in LOGS else None
        meaning = Meaning(_asked(opened, format_, said), opened.columns, times, absent, Rounding(round_))
        keys = _keys(meaning.asked, _source(source), absent)
        client = stack.enter_context(connected(url, api_key))
        _check_refs(client, meaning.asked, create=create_customers)
        run = Run(client, Customers(client, create=create_customers), report, keys, after_line)
        try:
            run.whole(stream, opened, meaning)
        finally:
            _tell(report, chain(opened.notes(), times.notes(), meaning.notes()))
    if report.unreadable or report.refused:
        raise typer.Exit(1)


def _opened(asked: Format | None, file: Path, stream: Stream) -> tuple[Format, Opened]:
    """Begin to read. Raises ValueError or RuntimeError with a sentence."""
    try:
        format_ = _chosen(asked, file, stream)
        return format_, open_rows(stream.file, format_)
    except DAMAGED as error:
        raise RuntimeError(f"{file} cannot be read: {error}.") from None


def _keys(asked: Asked, source: str, absent: str | None) -> Keys:
    if asked.key:
        return ColumnKeys(asked.key, source, absent)
    return TextKeys(source)


def _source(text: str) -> str:
    if len(text.encode()) > _MAX_SOURCE_BYTES:
        raise ValueError(f"--source takes at most {_MAX_SOURCE_BYTES} bytes.")
    return text


@contextmanager
def _kept(path: Path | None) -> Iterator[Callable[[Refusal], object]]:
    """Give the function that is called with every refusal. Raises ValueError with a sentence."""
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
    """Return the format; a guess is said."""
    if asked is not None:
        return asked
    guessed = guess(str(file), stream.file)
    _say(f"Format: {guessed.format}, because {guessed.reason} (--format).")
    return guessed.format


def _asked(opened: Opened, format_: Format, said: Asked) -> Asked:
    """Fill in the options that were not given. Raises ValueError with a sentence: one cannot be guessed."""
    if said.type and said.type_from:
        raise ValueError("Give --type TYPE or --type-from COLUMN, not both.")
    if opened.cloud_events:
        said = _asked_of_events(said)
    elif format_ in LOGS:
        said = replace(
            said,
            type=said.type or ("" if said.type_from else _LOG_TYPE),
            customer=said.customer or "address",
            timestamp=said.timestamp or "time",
        )
    if said.key == (_BY_ROW,):
        said = replace(said, key=())
    elif not said.key and opened.columns and (id_ := _id_column(opened.columns)):
        _say(f"A row is known by its text; --key {id_} knows it by that column, also in another export.")
    there = f" The columns are: {opened.columns}." if opened.columns else ""
    if not said.type and not said.type_from:
        raise ValueError(
            "Say of what type the events are: --type TYPE, e.g. --type usage.token, or --type-from COLUMN."
        )
    if not said.customer:
        raise ValueError(
            f"Say which customer the rows are for: --customer COLUMN, or --customer =REF for one.{there}"
        )
    if said.timestamp:
        return said
    timestamp = guess_time(opened.columns)
    _say(f"Time: the column {timestamp} (--timestamp).")
    return replace(said, timestamp=timestamp)


def _id_column(columns: Columns) -> str | None:
    lower = {column.lower(): column for column in columns.names}
    return next((lower[name] for name in _IDS if name in lower), None)


def _asked_of_events(said: Asked) -> Asked:
    """Fill in the attributes of CloudEvents; an option that was given stays."""
    _say("The rows are CloudEvents: source and id are the key (--key).")
    return replace(
        said,
        type_from=said.type_from if said.type or said.type_from else cloudevents.TYPE,
        customer=said.customer or cloudevents.CUSTOMER,
        timestamp=said.timestamp or cloudevents.TIME,
        key=said.key or cloudevents.KEY,
    )


def _check_refs(client: Meterhouse, asked: Asked, *, create: bool) -> None:
    """Raises MeterhouseError: no such customer or product; better now than once for every row."""
    customer = asked.customer.removeprefix("=")
    if asked.customer.startswith("=") and not create and is_ref(customer, Prefix.CUSTOMER):
        client.get_customer(customer)
    if asked.product is not None:
        client.get_product(asked.product)


def _tell(report: Report, notes: Iterable[str]) -> None:
    """Say the outcome of every row: a table on stdout, the rest on stderr."""
    for line in chain(notes, report.problems()):
        _say(line)
    table = Table("type", "stored now", "there already", "refused", "units stored now")
    for cells in report.table():
        table.add_row(*map(escape, cells))
    skipped = f", {report.skipped} before them skipped" if report.skipped else ""
    blank = f", {report.blank} blank" if report.blank else ""
    typer.echo(f"{report.rows} rows{skipped}{blank}")
    Console().print(table)


def _say(text: str) -> None:
    typer.echo(text, err=True)
