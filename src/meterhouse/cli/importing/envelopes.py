"""The envelopes that container runtimes and syslog put around each line of a log."""

import re
from typing import Any, Final

import msgspec

_STAMP: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)"
_SYSLOG_STAMP: Final = rf"(?:{_STAMP}|[A-Z][a-z]{{2}} [ \d]\d(?: \d{{4}})? \d\d:\d\d:\d\d(?:\.\d+)?)"
_CRI: Final = re.compile(rf"{_STAMP} (stdout|stderr) ([FP])(?::\S+)? ", re.ASCII)
_ELEMENT: Final = r'\[(?:[^"\]]|"(?:[^"\\]|\\.)*")*\]'
_PREFIXES: Final = (
    # RFC 5424: priority, version, time, host, application, process, message id, structured data
    re.compile(
        rf"(?:<\d{{1,3}}>)?1 (?:{_STAMP}|-) \S+ \S+ \S+ \S+ (?:-|(?:{_ELEMENT})+) (?:\ufeff)?", re.ASCII
    ),
    # RFC 3164, with the time of rsyslog too: priority, time, host, tag; a time alone is kubectl's
    re.compile(rf"(?:<\d{{1,3}}>)?{_SYSLOG_STAMP} (?:(?:\S+ )?[^\s:\[\]]+(?:\[[^\]\s]*\])?: )?", re.ASCII),
    re.compile(r"\[pod/\S+\] |[\w.-]+ +\| ", re.ASCII),  # kubectl --prefix; docker compose
)
_MOST: Final = 4  # a runtime's prefix around syslog's, and the like
_SPLIT_BYTES: Final = 16 * 1024  # Docker cuts longer lines
_docker: Final = msgspec.json.Decoder(dict[str, Any]).decode  # Any: any JSON value


class Envelopes:
    """Takes lines of one file out of their envelopes, in their order."""

    def __init__(self) -> None:
        self._cut: set[str] = set()
        """Streams whose last line goes on in the next."""

    def inside(self, text: str) -> str:
        """Return the line inside. Raises ValueError with the end of a sentence: it is a part of a line."""
        if text.startswith("{") and (found := _in_docker(text)) is not None:
            line, stream = found
            text = line.removesuffix("\n").removesuffix("\r")
            self._check_whole(stream, goes_on=line == text and len(line.encode()) >= _SPLIT_BYTES)
        elif cri := _CRI.match(text):
            self._check_whole(cri[1], goes_on=cri[2] == "P")
            text = text[cri.end() :]
        return without_prefixes(text)

    def _check_whole(self, stream: str, *, goes_on: bool) -> None:
        part = goes_on or stream in self._cut
        if goes_on:
            self._cut.add(stream)
        else:
            self._cut.discard(stream)
        if part:
            raise ValueError("is a part of a line that the container runtime cut; join the parts first")


def without_prefixes(text: str) -> str:
    """Return the text without prefixes of syslog, kubectl and docker compose."""
    for _ in range(_MOST):
        found = next((match for each in _PREFIXES if (match := each.match(text))), None)
        if found is None:
            break
        text = text[found.end() :]
    return text


def _in_docker(text: str) -> tuple[str, str] | None:
    try:
        record = _docker(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    line, stream = record.get("log"), record.get("stream")
    return (line, str(stream)) if isinstance(line, str) else None
