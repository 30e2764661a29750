"""Which customers the bodies of a request name by the seller's own ids."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from meterhouse.ports import Directory


class _Named(Protocol):
    @property
    def external_ref(self) -> str | None: ...


async def refs_of_externals(
    directory: Directory, scope_id: int, bodies: Iterable[_Named]
) -> Mapping[str, str]:
    """Return the ref of each customer that a body names by an external ref; an unknown one is missing."""
    wanted = {body.external_ref for body in bodies if body.external_ref}
    return await directory.refs_of_externals(scope_id, wanted) if wanted else {}
