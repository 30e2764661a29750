"""`meterhouse demo`: sales and traffic of an AI company that does not exist, sent to a real server."""

import signal
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated, Final

import typer
from msgspec import Struct
from rich.console import Console
from rich.live import Live
from rich.progress import Progress

from meterhouse.cli.client import ApiKey, Url, connected
from meterhouse.cli.options import sentences
from meterhouse.cli.simulation.board import Board
from meterhouse.cli.simulation.pace import Clock, batches
from meterhouse.cli.simulation.sales import check, metered, open_shop, sales
from meterhouse.cli.simulation.stage import first_day, set_up
from meterhouse.cli.simulation.traffic import Plan, Sending, Traffic
from meterhouse.model.event import from_microseconds, to_microseconds
from meterhouse_sdk import Meterhouse, NewEvent

_REFRESHES_A_SECOND: Final = 4


def demo(  # noqa: PLR0913, PLR0917 - the options of the command
    url: Url = None,
    api_key: ApiKey = None,
    rate: Annotated[
        float, typer.Option(min=0.01, max=5_000, help="Events a second, on average over a week.")
    ] = 2.0,
    customers: Annotated[int, typer.Option(min=1, max=10_000, help="How many the company has.")] = 120,
    backfill_days: Annotated[int, typer.Option(min=0, max=3_650, help="Send so much history first.")] = 0,
    speed: Annotated[
        float | None,
        typer.Option(min=1, help="Send history so many times faster than it happened; else at once."),
    ] = None,
    events: Annotated[int | None, typer.Option(min=1, help="Stop after so many.")] = None,
    seed: Annotated[int, typer.Option(help="Another number is another company.")] = 1,
) -> None:
    """Simulate a company until stopped: its plans, purchases and credits, and its customers' usage.

    Usage has rhythms, growth, bursts, repeats, late and bad events. Calls of the chat and search products
    also count towards limits, and limits are checked. Give it a key of its own, sandbox. The same options
    send the same events for the same minutes, with the same keys: what was sent before counts once.
    """
    console = Console(stderr=True)
    board = Board()
    with sentences(), connected(url, api_key) as client:
        now = datetime.now(UTC)
        day = datetime.combine(first_day(client, now.date()), datetime.min.time(), UTC)
        traffic = Traffic(Plan(seed, customers, rate, to_microseconds(day)))
        with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
            task = progress.add_task("customers", total=customers)
            refs = set_up(client, traffic.company, now.date(), lambda: progress.advance(task))
            sold = list(sales(traffic.company, seed))
            task = progress.add_task("purchases", total=len(sold))
            open_shop(client, sold, refs, f"{seed}-{customers}", lambda: progress.advance(task))
        shop = Shop(client, refs, to_microseconds(datetime.now(UTC)), board)
        start_us = to_microseconds(now - timedelta(days=backfill_days))
        clock = Clock(lambda: time.time_ns() // 1000, time.sleep)
        sendings = islice(traffic.since(start_us), events)
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
        try:
            with _shown(board, console):
                for batch in batches(sendings, start_us, speed, clock):
                    _send(shop, batch)
        except KeyboardInterrupt:
            pass
        finally:
            signal.signal(signal.SIGTERM, before)
            typer.echo(board.line())


def _shown(board: Board, console: Console) -> AbstractContextManager[object]:
    """A line that is always of now, where there is a terminal to show it."""
    if not console.is_terminal:
        return nullcontext()
    return Live(board, console=console, refresh_per_second=_REFRESHES_A_SECOND)


class Shop(Struct, frozen=True):
    """refs: the customers' by external ref. opened_us: calls before it count towards no limit."""

    client: Meterhouse
    refs: dict[str, str]
    opened_us: int
    board: Board


def _send(shop: Shop, batch: Iterable[Sending]) -> None:
    sendings = list(batch)
    result = shop.client.create_events(_event(sending, shop.refs) for sending in sendings)
    shop.board.note(result.results, sendings[-1].at)
    counted = metered(sendings, shop.refs, shop.opened_us, sendings[-1].at)
    if counted:
        shop.client.record_meter_events(counted)
        shop.board.note_metered(len(counted), check(shop.client, counted))


def _event(sending: Sending, refs: dict[str, str]) -> NewEvent:
    return NewEvent(
        type=sending.type,
        customer_ref=refs.get(sending.customer, sending.customer),
        product_ref=sending.product,
        units=sending.units,
        timestamp=from_microseconds(sending.timestamp),
        idempotency_key=sending.key,
        properties=sending.properties,
    )
