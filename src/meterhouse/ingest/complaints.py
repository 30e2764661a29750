"""What msgspec complains of, as the field and the sentence that callers read."""

import re
from collections.abc import Sequence
from typing import Any, Final

from msgspec import inspect

from meterhouse.model.errors import FieldError

_PATH: Final = re.compile(r" - at `\$(.*)`$")
_STEP: Final = re.compile(r"\[(\d+|\.\.\.)\]|([^.\[\]]+)")
_EXPECTED: Final = re.compile(r"Expected `(.+?)`, got `(.+)`")
_TOO_LONG: Final = re.compile(r"Expected `str` of length <= (\d+)")
_MISSING: Final = re.compile(r"Object missing required field `(.+)`")
_ANY_NAME: Final = "..."  # of a member of a free-form object: it is not told which
_KINDS: Final = {
    "object": "an object", "array": "an array", "str": "a string", "int": "a whole number",
    "float": "a number", "bool": "true or false", "null": "null",
}  # fmt: skip
_GIVEN: Final = _KINDS | {"int": "a number", "bool": "a boolean"}


def field_error(message: str, of: Any = None) -> FieldError:  # Any: a type
    """Read a sentence such as "Expected `str`, got `int` - at `$.events[3].type`".

    of: what was to be decoded, so that the values of an enum can be listed.
    """
    found = _PATH.search(message)
    steps = [index or name for index, name in _STEP.findall(found[1])] if found else []
    said = message[: found.start()] if found else message
    if missing := _MISSING.fullmatch(said):
        steps.append(missing[1])
    sentence = sentence_of(said, () if of is None else _choices(inspect.type_info(of), steps))
    if not steps:
        return FieldError("", sentence.replace("an object", "a JSON object"))
    if _ANY_NAME in steps:
        return FieldError(".".join(steps[: steps.index(_ANY_NAME)]), f"has a member that {sentence}")
    return FieldError(".".join(steps), sentence)


def sentence_of(said: str, choices: Sequence[str]) -> str:
    """Return what there is to do about it. choices: the values of the enum it is about, if any."""
    if choices:
        return f"must be one of {', '.join(choices)}"
    if found := _EXPECTED.fullmatch(said):
        wanted = [_KINDS.get(kind, kind) for kind in found[1].split(" | ") if kind != "null"]
        return f"must be {' or '.join(wanted)}, not {_GIVEN.get(found[2], found[2])}"
    if found := _TOO_LONG.fullmatch(said):
        return f"must have at most {found[1]} characters"
    if _MISSING.fullmatch(said):
        return "is required"
    return said[0].lower() + said[1:].replace("`", "")


def choices_of(annotation: Any) -> Sequence[str]:  # Any: a type
    """Return the values of an enum or literal, also of one that may be left out; of any other type none."""
    return _choices(inspect.type_info(annotation), ())


def _choices(node: inspect.Type, steps: Sequence[str]) -> Sequence[str]:
    """Return the values of the enum or literal that is found below a type by these steps."""
    match node:
        case inspect.UnionType():
            return next((found for each in node.types if (found := _choices(each, steps))), ())
        case inspect.EnumType() | inspect.LiteralType() if not steps:
            values = [each.value for each in node.cls] if isinstance(node, inspect.EnumType) else node.values
            return [str(value) for value in values]
        case inspect.StructType() if steps:
            fields = {field.encode_name: field.type for field in node.fields}
            return _choices(fields[steps[0]], steps[1:]) if steps[0] in fields else ()
        case inspect.ListType() if steps:
            return _choices(node.item_type, steps[1:])
        case inspect.DictType() if steps:
            return _choices(node.value_type, steps[1:])
    return ()
