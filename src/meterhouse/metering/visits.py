"""Who comes with a link to a hosted page (contract §3.3, §3.7)."""

from msgspec import Struct

from meterhouse.model.errors import SessionEnded, SessionNotFound
from meterhouse.model.hosted import Hosted, HostedKind, HostedStatus
from meterhouse.model.merchant import Merchant
from meterhouse.model.tenant import Caller
from meterhouse.ports import Catalog


class Visit(Struct, frozen=True, kw_only=True):
    """A session, and who it belongs to. status: as it is now."""

    session_id: str
    session: Hosted
    status: HostedStatus
    caller: Caller
    merchant: Merchant


async def find_visit(catalog: Catalog, kind: HostedKind, session_id: str) -> Visit:
    """Return a session of a kind with its owner, ended ones too. Raises SessionNotFound."""
    session = await catalog.hosted.find(session_id)
    if session is None or session.kind is not kind:
        raise SessionNotFound
    scope = await catalog.providers.scope_by_id(session.scope_id)
    return Visit(
        session_id=session_id,
        session=session,
        status=session.status_at(catalog.hosted.now()),
        caller=Caller(scope, f"customer:{session.customer_ref}"),
        merchant=await catalog.providers.merchant(scope.provider_ref),
    )


def check_active(visit: Visit) -> None:
    if visit.status is not HostedStatus.ACTIVE:
        raise SessionEnded
