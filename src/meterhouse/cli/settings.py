"""`meterhouse settings`: every knob, with its value here and now."""

from rich.console import Console
from rich.table import Table

from meterhouse.cli.options import load
from meterhouse.settings import describe


def settings() -> None:
    """Print each setting with its value, default, unit and meaning."""
    current = load()
    table = Table("setting", "value", "default", "unit", "meaning")
    for each in describe():
        value = getattr(current, each.name)
        text = str(value).lower() if isinstance(value, bool) else str(value)
        table.add_row(f"METERHOUSE_{each.name.upper()}", text, each.default, each.unit, each.meaning)
    Console(width=None).print(table)
