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
        value = current.shown(each.name)
        table.add_row(f"METERHOUSE_{each.name.upper()}", value, each.default, each.unit, each.meaning)
    Console(width=None).print(table)
