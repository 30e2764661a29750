"""A page's commands with the answers that it shows, and what of an answer is the same in every run."""

import json
import re
from itertools import pairwise
from typing import NamedTuple

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CALL = re.compile(r"\b(?:curl|api) ")  # `api` is what docs/api.md makes for itself
_TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_MONTH = re.compile(r'("monthlySpendPeriod":\s*")\d{4}-\d\d"')  # the current one, UTC
_MADE = re.compile(
    r"\b([a-z]+_)(?:[2-9A-HJKMNP-TV-Z]{8}|[0-9a-f]{16})\b"  # a reference
    r"|\b(sk_(?:sandbox|live)_)\w+"
    r"|\b()[0-9a-f]{32}\b"  # a session
)


class Example(NamedTuple):
    """answer: the JSON that the page shows right below the command; None where it shows none."""

    command: str
    answer: str | None


class Number(NamedTuple):
    """As it is written: 97.0 is not 97, and 1 is not true."""

    digits: str


def examples(page: str) -> list[Example]:
    """Return the commands of a page that call the server, in order."""
    blocks = [(block[1], block[2]) for block in _BLOCK.finditer(page)]
    return [
        Example(text, below if kind == "json" else None)
        for (language, text), (kind, below) in pairwise([*blocks, ("", "")])
        if language == "sh" and _CALL.search(text)
    ]


def lasting(answer: str, typed: str) -> object:
    """Return a JSON answer without what the server makes anew in each run, to be compared.

    Of references, sessions and secrets the kind is left, and which of them are the same; of times to the
    millisecond and of the current month, that there is one. What the reader has `typed` comes back as it was
    typed.
    Raises JSONDecodeError: it is something else than JSON.
    """
    made: list[str] = []

    def in_order(found: re.Match[str]) -> str:
        if found[0] in typed:
            return found[0]
        if found[0] not in made:
            made.append(found[0])
        return f"{found[found.lastindex or 0]}…{made.index(found[0])}"

    text = _MONTH.sub(r'\1…"', _TIME.sub("…", _MADE.sub(in_order, answer)))
    return json.loads(text, parse_int=Number, parse_float=Number)
