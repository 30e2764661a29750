"""The options of `meterhouse import`, and their meaning when they are left out."""

from pathlib import Path
from typing import Annotated

import typer

from meterhouse.cli.importing.formats import Format
from meterhouse.cli.importing.times import TimeFormat
from meterhouse.model.units import PLACES

File = Annotated[Path, typer.Argument(help="The file, also compressed with gzip or zstd; - is stdin.")]
FileFormat = Annotated[
    Format | None, typer.Option("--format", help="Guessed from the name or the first lines when absent.")
]
Type = Annotated[str | None, typer.Option("--type", help="The events' type; usage.api_call for access logs.")]
TypeFrom = Annotated[
    str | None,
    typer.Option("--type-from", metavar="COLUMN", help="The column with each row's type, instead of --type."),
]
Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="COLUMN",
        help="The column that identifies each event, e.g. request_id: one key counts once, whatever else the "
        "row has. Without it the row's text does; =row says so for CloudEvents.",
    ),
]
Round = Annotated[
    int | None,
    typer.Option(
        "--round",
        min=0,
        max=PLACES,
        metavar="PLACES",
        help="Round units half-even to decimal places, e.g. 9.",
    ),
]
Units = Annotated[str, typer.Option("--units", help="A column, a sum such as A+B, or a number.")]
Customer = Annotated[
    str | None,
    typer.Option(
        "--customer", help="The column that names the customer, or =REF for one; logs: the client's address."
    ),
]
Product = Annotated[str | None, typer.Option("--product", help="The product's ref, for every event.")]
Timestamp = Annotated[
    str | None, typer.Option("--timestamp", help="The column with the time; guessed when absent.")
]
TimeForm = Annotated[
    TimeFormat | None,
    typer.Option(
        "--time-format",
        help="What the times are, where their text does not tell: numbers since 1970, compact dates such as "
        "20261130, or a spreadsheet's days such as 46356.4167.",
    ),
]
Timezone = Annotated[str, typer.Option("--timezone", help="IANA zone of times that carry no offset.")]
Properties = Annotated[
    list[str] | None, typer.Option("--property", metavar="NAME=COLUMN", help="Repeatable.")
]
Also = Annotated[
    list[str] | None,
    typer.Option(
        "--also", metavar="TYPE=COLUMN", help="A second event of each row, of that many units. Repeatable."
    ),
]
CreateCustomers = Annotated[
    bool, typer.Option("--create-customers", help="Make the customers that nobody has as external ref.")
]
Source = Annotated[
    str,
    typer.Option("--source", help="Part of the keys: tells apart files whose rows may look the same."),
]
AfterLine = Annotated[
    int,
    typer.Option(
        "--after-line",
        min=0,
        help="Go on after this line (of JSON: this item); the rows before it are read, not sent.",
    ),
]
Rejects = Annotated[
    Path | None,
    typer.Option("--rejects", help="Write rows that were not imported here, as NDJSON with the reasons."),
]
