"""What `ports.Operators` and `ports.Sessions` promise, on every adapter."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from meterhouse.model.audit import Action, AuditEntry
from meterhouse.model.errors import NotSignedIn, OperatorNotFound, OperatorTaken, ProviderNotFound
from meterhouse.model.event import from_microseconds
from meterhouse.model.key import digest
from meterhouse.model.operator import (
    FREE_FAILURES,
    FREE_FAILURES_OF_ACCOUNT,
    SESSION_IDLE_US,
    Failures,
    Session,
)
from meterhouse.model.tenant import Environment
from meterhouse.ports import Catalog
from tests.contract.catalogs import Clock, EmbeddedCatalog, OpenedCatalog

LINK, ONE, TWO = digest("link"), digest("one"), digest("two")
SECOND = timedelta(seconds=1)
HOME = "192.0.2.1"
HASH = "$argon2id$…"


@pytest.fixture(params=[EmbeddedCatalog])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OpenedCatalog]:
    async with AsyncExitStack() as stack:
        opened: OpenedCatalog = await stack.enter_async_context(request.param(tmp_path))
        await opened.catalog.providers.create("acme", "cli")
        await opened.catalog.providers.create("rival", "cli")
        yield opened


@pytest.fixture
def catalog(opened: OpenedCatalog) -> Catalog:
    return opened.catalog


@pytest.fixture
def clock(opened: OpenedCatalog) -> Clock:
    return opened.clock


async def signed_in(catalog: Catalog, secret: bytes = ONE) -> Session:
    await catalog.sessions.add_link("acme", LINK, "cli")
    return await catalog.sessions.open_with_link(LINK, secret)


async def entries(
    catalog: Catalog, provider: str = "acme", environment: Environment = Environment.SANDBOX
) -> list[AuditEntry]:
    """What the audit says was done after the provider was made, the oldest first."""
    scope = await catalog.providers.scope(provider, environment)
    return [*reversed((await catalog.audit.page(scope.id, 1000)).entries)][1:]


# Links


async def test_a_link_opens_one_session_once(catalog: Catalog) -> None:
    session = await signed_in(catalog)
    assert (session.provider.name, session.email) == ("acme", None)
    assert await catalog.sessions.find(ONE) == session
    with pytest.raises(NotSignedIn):
        await catalog.sessions.open_with_link(LINK, TWO)
    assert await catalog.sessions.find(TWO) is None


async def test_a_link_that_two_open_at_once_lets_one_in(opened: OpenedCatalog) -> None:
    await opened.catalog.sessions.add_link("acme", LINK, "cli")
    outcomes = await asyncio.gather(
        *(opened.catalog.sessions.open_with_link(LINK, digest(f"a{n}")) for n in range(5)),
        *(opened.beside.sessions.open_with_link(LINK, digest(f"b{n}")) for n in range(5)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, Session) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, NotSignedIn) for outcome in outcomes) == 9


async def test_a_link_is_good_for_15_minutes(catalog: Catalog, clock: Clock) -> None:
    await catalog.sessions.add_link("acme", LINK, "cli")
    await catalog.sessions.add_link("acme", digest("late"), "cli")
    clock.advance(timedelta(minutes=15) - SECOND)
    await catalog.sessions.open_with_link(LINK, ONE)
    clock.advance(SECOND)
    with pytest.raises(NotSignedIn):
        await catalog.sessions.open_with_link(digest("late"), TWO)


@pytest.mark.parametrize("jump", [timedelta(days=-40), timedelta(days=40)])
async def test_links_are_good_for_15_minutes_after_a_jump(
    catalog: Catalog, clock: Clock, jump: timedelta
) -> None:
    await catalog.sessions.add_link("acme", digest("before"), "cli")
    clock.advance(jump)
    with pytest.raises(NotSignedIn):
        await catalog.sessions.open_with_link(digest("before"), ONE)
    await catalog.sessions.add_link("acme", LINK, "cli")
    await catalog.sessions.open_with_link(LINK, ONE)


async def test_a_session_of_the_wrong_future_has_ended(catalog: Catalog, clock: Clock) -> None:
    clock.advance(timedelta(days=40))
    await signed_in(catalog)
    clock.advance(timedelta(days=-40))
    assert await catalog.sessions.find(ONE) is None


async def test_a_session_used_in_the_wrong_future_ends_when_idle(catalog: Catalog, clock: Clock) -> None:
    await signed_in(catalog)
    clock.advance(timedelta(hours=11))
    assert await catalog.sessions.find(ONE) is not None
    clock.advance(timedelta(hours=-11))
    assert await catalog.sessions.find(ONE) is not None
    clock.advance(timedelta(hours=12))
    assert await catalog.sessions.find(ONE) is None


async def test_a_link_leads_to_its_own_provider(catalog: Catalog) -> None:
    await catalog.sessions.add_link("rival", LINK, "cli")
    session = await catalog.sessions.open_with_link(LINK, ONE)
    for environment in Environment:
        assert session.scopes[environment] == await catalog.providers.scope("rival", environment)
    with pytest.raises(ProviderNotFound):
        await catalog.sessions.add_link("nobody", TWO, "cli")


# Sessions


async def test_a_session_ends_after_12_idle_hours(catalog: Catalog, clock: Clock) -> None:
    await signed_in(catalog)
    for _ in range(3):
        clock.advance(timedelta(hours=11))
        assert await catalog.sessions.find(ONE) is not None
        await catalog.sessions.end(TWO)  # the use is written by now
    clock.advance(timedelta(hours=12))
    assert await catalog.sessions.find(ONE) is None


async def test_a_session_ends_after_7_days_however_much_it_is_used(catalog: Catalog, clock: Clock) -> None:
    session = await signed_in(catalog)
    begun = clock()
    while clock() < begun + timedelta(days=7) - timedelta(hours=6):
        clock.advance(timedelta(hours=6))
        assert await catalog.sessions.find(ONE) is not None
        await catalog.sessions.end(TWO)
    clock.advance(timedelta(hours=6))
    assert from_microseconds(session.expires_at) == clock()
    assert await catalog.sessions.find(ONE) is None


async def test_a_session_that_is_ended_opens_nothing_in_any_process(opened: OpenedCatalog) -> None:
    await signed_in(opened.catalog)
    assert await opened.beside.sessions.find(ONE) is not None
    await opened.catalog.sessions.end(ONE)
    assert await opened.catalog.sessions.find(ONE) is None
    assert await opened.beside.sessions.find(ONE) is None
    before = await entries(opened.catalog)
    await opened.catalog.sessions.end(ONE)
    assert await entries(opened.catalog) == before


# Operators


async def test_an_operator_signs_in_to_their_own_provider(catalog: Catalog) -> None:
    operator = await catalog.operators.create("acme", " Ada@Example.com", HASH, "cli")
    assert operator.ref.startswith("opr_")
    assert operator.email == "ada@example.com"
    assert await catalog.operators.password_hash("ADA@example.com ") == HASH
    assert await catalog.operators.password_hash("bob@example.com") is None
    session = await catalog.sessions.open_for("Ada@example.com", ONE, HOME)
    assert (session.provider.name, session.email) == ("acme", "ada@example.com")
    assert session.caller(Environment.LIVE).actor == "operator:ada@example.com"
    assert await catalog.sessions.find(ONE) == session
    assert await catalog.operators.all() == [operator]


async def test_an_email_belongs_to_one_operator(catalog: Catalog) -> None:
    await catalog.operators.create("acme", "ada@example.com", HASH, "cli")
    for provider in ("acme", "rival"):
        with pytest.raises(OperatorTaken):
            await catalog.operators.create(provider, "ADA@example.com", HASH, "cli")
    with pytest.raises(ProviderNotFound):
        await catalog.operators.create("nobody", "bob@example.com", HASH, "cli")


async def test_who_is_removed_or_gets_a_new_password_is_signed_out(catalog: Catalog) -> None:
    await catalog.operators.create("acme", "ada@example.com", HASH, "cli")
    await catalog.sessions.open_for("ada@example.com", ONE, HOME)
    await signed_in(catalog, TWO)
    await catalog.operators.change_password("Ada@example.com", "another", "cli")
    assert await catalog.sessions.find(ONE) is None
    assert await catalog.operators.password_hash("ada@example.com") == "another"
    await catalog.sessions.open_for("ada@example.com", ONE, HOME)
    await catalog.operators.remove("Ada@example.com", "cli")
    assert await catalog.sessions.find(ONE) is None
    assert await catalog.sessions.find(TWO) is not None
    assert await catalog.operators.all() == []
    for call in (
        catalog.operators.remove("ada@example.com", "cli"),
        catalog.operators.change_password("ada@example.com", HASH, "cli"),
    ):
        with pytest.raises(OperatorNotFound):
            await call
    with pytest.raises(NotSignedIn):
        await catalog.sessions.open_for("ada@example.com", digest("three"), HOME)


@pytest.mark.parametrize("email", ["ada@example.com", "nobody@example.com"])
async def test_wrong_passwords_in_a_row_bar_the_email_whoever_has_it(
    catalog: Catalog, clock: Clock, email: str
) -> None:
    await catalog.operators.create("acme", "ada@example.com", HASH, "cli")
    minutes = []
    for _ in range(FREE_FAILURES + 6):
        failures = await catalog.operators.note_failure(email.upper(), HOME)
        assert await catalog.operators.failures(email, HOME) == failures
        minutes.append(max(0, failures.barred_until - failures.last_at) // 60_000_000)
    assert minutes == [0, 0, 0, 0, 1, 2, 4, 8, 15, 15, 15]
    clock.advance(timedelta(hours=1))
    assert await catalog.operators.failures(email, HOME) == Failures()
    assert (await catalog.operators.note_failure(email, HOME)).count == 1


async def test_one_address_does_not_bar_another_and_many_together_bar_the_account(
    catalog: Catalog, clock: Clock
) -> None:
    email = "ada@example.com"
    for _ in range(FREE_FAILURES):
        await catalog.operators.note_failure(email, "198.51.100.1")
    assert (await catalog.operators.failures(email, "198.51.100.1")).barred_until > 0
    assert (await catalog.operators.failures("bob@example.com", "198.51.100.1")).barred_until == 0
    assert (await catalog.operators.failures(email, HOME)).barred_until == 0
    for i in range(FREE_FAILURES, FREE_FAILURES_OF_ACCOUNT):
        assert (await catalog.operators.failures(email, HOME)).barred_until == 0
        await catalog.operators.note_failure(email, f"203.0.113.{i}")
    barred = await catalog.operators.failures(email, HOME)
    assert barred.barred_until == barred.of_account_at + 60_000_000
    clock.advance(timedelta(hours=1))
    assert await catalog.operators.failures(email, HOME) == Failures()


async def test_open_sessions_are_listed_and_ended_by_their_ids(catalog: Catalog, clock: Clock) -> None:
    await catalog.operators.create("acme", "ada@example.com", HASH, "cli")
    await signed_in(catalog, TWO)
    clock.advance(SECOND)
    await catalog.sessions.open_for("ada@example.com", ONE, HOME)
    newest, oldest = await catalog.sessions.all()
    assert (newest.email, oldest.email) == ("ada@example.com", None)
    assert newest.opened_at == newest.used_at == oldest.opened_at + 1_000_000
    assert newest.expires_at == newest.used_at + SESSION_IDLE_US
    assert await catalog.sessions.end_listed("nothing", "cli") == 0
    assert await catalog.sessions.end_listed(newest.id, "cli") == 1
    assert await catalog.sessions.find(ONE) is None
    assert await catalog.sessions.all() == [oldest]
    assert (await entries(catalog, "acme"))[-1].actor == "cli"
    assert await catalog.sessions.end_listed(None, "cli") == 1
    assert await catalog.sessions.all() == []


async def test_a_session_that_expired_is_not_listed(catalog: Catalog, clock: Clock) -> None:
    await signed_in(catalog, TWO)
    clock.advance(timedelta(microseconds=SESSION_IDLE_US))
    assert await catalog.sessions.all() == []


async def test_signing_in_forgets_the_wrong_passwords(catalog: Catalog) -> None:
    await catalog.operators.create("acme", "ada@example.com", HASH, "cli")
    await catalog.operators.note_failure("ada@example.com", HOME)
    await catalog.sessions.open_for("ada@example.com", ONE, HOME)
    assert await catalog.operators.failures("ada@example.com", HOME) == Failures()


async def test_everything_is_in_the_audit_of_both_environments_and_of_no_other_provider(
    catalog: Catalog,
) -> None:
    operator = await catalog.operators.create("acme", "ada@example.com", HASH, "cli")
    await signed_in(catalog, TWO)
    await catalog.sessions.open_for("ada@example.com", ONE, HOME)
    await catalog.sessions.end(ONE)
    for _ in range(FREE_FAILURES + 1):
        await catalog.operators.note_failure("ada@example.com", HOME)
    await catalog.operators.change_password("ada@example.com", HASH, "cli")
    await catalog.operators.remove("ada@example.com", "cli")
    for environment in Environment:
        scope = await catalog.providers.scope("acme", environment)
        found = await entries(catalog, "acme", environment)
        assert [(entry.action, entry.actor, entry.ref) for entry in found] == [
            (Action.OPERATOR_CREATED, "cli", operator.ref),
            (Action.LINK_CREATED, "cli", scope.provider_ref),
            (Action.SESSION_OPENED, "operator:link", scope.provider_ref),
            (Action.SESSION_OPENED, "operator:ada@example.com", operator.ref),
            (Action.SESSION_ENDED, "operator:ada@example.com", operator.ref),
            (Action.OPERATOR_BARRED, "sign-in", operator.ref),
            (Action.OPERATOR_PASSWORD_CHANGED, "cli", operator.ref),
            (Action.OPERATOR_REMOVED, "cli", operator.ref),
        ]
        assert HASH not in "".join(entry.changes for entry in found)
    assert await entries(catalog, "rival") == []
