"""CloudEvents in JSON: which objects are events, and which of their attributes an import reads.

The attributes are those of version 1.0 of the specification, https://cloudevents.io.
"""

from typing import Final

from meterhouse.cli.importing.rows import Values

KEY: Final = ("source", "id")  # together they are unique
TYPE: Final = "type"
TIME: Final = "time"
CUSTOMER: Final = "subject"


def is_event(values: Values) -> bool:
    """Whether the object has the attributes that every CloudEvent has."""
    required = (values.get(name) for name in ("specversion", TYPE, *KEY))
    return all(isinstance(value, str) and value for value in required)
