"""The filter `externalRef`: customers by the seller's own ids."""

from typing import Final

from meterhouse.model.customer import MAX_EXTERNAL_REF
from meterhouse.model.errors import ValidationFailed
from meterhouse.model.ref import unknown_external
from meterhouse.ports import Directory
from meterhouse.query.parameters import MAX_VALUES, Parameters

_BOUNDS: Final = f"must have 1 to {MAX_EXTERNAL_REF} characters, and be given at most {MAX_VALUES} times"


async def with_customer_refs(directory: Directory, scope_id: int, parameters: Parameters) -> Parameters:
    """Return the parameters with `customerRef` in the place of `externalRef`.

    An external ref that nobody has matches the meter events that were stored under it, and no others.
    Raises ValidationFailed: one is empty or too long, or there are too many.
    """
    externals = parameters.get("externalRef", ())
    if not externals:
        return parameters
    if len(externals) > MAX_VALUES or not all(0 < len(each) <= MAX_EXTERNAL_REF for each in externals):
        raise ValidationFailed.of("externalRef", _BOUNDS)
    found = await directory.refs_of_externals(scope_id, set(externals))
    refs = [found.get(each) or unknown_external(each) for each in externals]
    others = {name: values for name, values in parameters.items() if name != "externalRef"}
    return others | {"customerRef": [*others.get("customerRef", ()), *refs]}
