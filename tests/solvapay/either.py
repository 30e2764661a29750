"""The client's two forms, called alike, so that every test holds for both."""

from typing import Any, Final

from solvapay import AsyncSolvaPay, SolvaPay

_ELSEWHERE: Final = {"platform.get_config": "merchant.get_platform_config"}


class Either:
    """Calls an operation by the name the client's own registry has for it, such as `customers.ensure`."""

    def __init__(self, client: SolvaPay | AsyncSolvaPay) -> None:
        self.client = client

    async def __call__(self, operation: str, *args: Any, **named: Any) -> Any:  # Any: each has its own
        namespace, _, name = _ELSEWHERE.get(operation, operation).partition(".")
        operations = getattr(self.client, namespace)
        if isinstance(self.client, AsyncSolvaPay):
            return await getattr(operations, f"a{name}")(*args, **named)
        return getattr(operations, name)(*args, **named)
