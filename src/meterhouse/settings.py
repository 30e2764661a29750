"""Every setting, once: type, default, unit and meaning; the command line and the docs read them from here."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Final, get_args, get_type_hints

import msgspec
from msgspec import Meta, Struct

_PREFIX: Final = "METERHOUSE_"
_NOT_SETTINGS: Final = {"API_KEY", "URL", "TEST_DATA"}  # read by the SDK, the examples and the tests


def _unit(unit: str, meaning: str) -> Meta:
    return Meta(description=meaning, extra={"unit": unit})


def _number(unit: str, meaning: str, least: int, most: int) -> Meta:
    return Meta(description=meaning, extra={"unit": unit}, ge=least, le=most)


def _text(unit: str, meaning: str, rule: str, pattern: str) -> Meta:
    """rule: what a value must be, after "must be". pattern: the same for the machine."""
    return Meta(description=meaning, extra={"unit": unit, "rule": rule}, pattern=pattern)


def _secret(meaning: str) -> Meta:
    return Meta(description=meaning, extra={"unit": "secret", "secret": True})


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Read from flags, else from METERHOUSE_<NAME>, else the default."""

    data: Annotated[
        str,
        _text(
            "path",
            "Directory of everything the server keeps; made when absent.",
            "the path of a directory",
            r"^[^\0]+\Z",
        ),
    ] = "data"
    host: Annotated[
        str,
        _text(
            "address",
            "Address to listen on.",
            "an IP address or a host name, such as 0.0.0.0",
            r"^[^\s\0]+\Z",
        ),
    ] = "127.0.0.1"
    port: Annotated[int, _number("port", "Port to listen on; 0 takes a free one.", 0, 65535)] = 8080
    public_url: Annotated[
        str,
        _text(
            "URL",
            "Where a proxy in front lets browsers in, for printed links; empty: host and port.",
            "empty or an http:// or https:// URL without a slash at its end, such as https://meter.example.com",
            r"^(https?://[^\s\0]*[^\s\0/])?\Z",
        ),
    ] = ""
    log_json: Annotated[bool, _unit("true or false", "Log lines are JSON instead of text.")] = False
    max_waiting_events: Annotated[
        int,
        _number(
            "events",
            "Events that may wait for the disk; beyond it answers are 503 overloaded.",
            1,
            10_000_000,
        ),
    ] = 200_000
    consumer_batch_events: Annotated[
        int, _number("events", "Most events handed to the warehouse together.", 1, 1_000_000)
    ] = 50_000
    consumer_pause_ms: Annotated[
        int,
        _number(
            "milliseconds", "How long events gather between two batches; seen at the latest then.", 1, 60_000
        ),
    ] = 100
    warehouse_memory_megabytes: Annotated[
        int, _number("megabytes", "Memory the warehouse may use; larger work spills to disk.", 64, 1_048_576)
    ] = 160
    warehouse_threads: Annotated[int, _number("threads", "Threads that answer one question.", 1, 1_024)] = 2
    usage_max_age_days: Annotated[
        int, _number("days", "How far back a usage record may lie; 0 takes any time since 1970.", 0, 36_500)
    ] = 30
    activation_topup_first: Annotated[
        bool, _unit("true or false", "A usage-based plan is activated only for customers with credits.")
    ] = False
    auto_recharges_a_day: Annotated[
        int,
        _number("charges", "Most automatic top-ups of one customer on one UTC day; 0 for none.", 0, 1_000),
    ] = 5
    stripe_secret_key: Annotated[
        str, _secret("Stripe's secret key, for payments in live; empty: live takes none. Never printed.")
    ] = ""
    stripe_publishable_key: Annotated[
        str, _unit("text", "The publishable key that goes with it; browsers see it.")
    ] = ""
    stripe_api_url: Annotated[
        str,
        _text(
            "URL",
            "Address of Stripe's API; tests and gateways set another.",
            "an http:// or https:// URL without a slash at its end, such as https://api.stripe.com",
            r"^https?://[^\s\0]*[^\s\0/]\Z",
        ),
    ] = "https://api.stripe.com"
    shutdown_seconds: Annotated[
        int, _number("seconds", "How long requests in flight may take once the server is to stop.", 1, 3_600)
    ] = 8

    def __repr__(self) -> str:
        said = (f"{name}={self.shown(name)}" for name in self.__struct_fields__)
        return f"Settings({', '.join(said)})"

    def shown(self, name: str) -> str:
        """Return a setting's value for people; of a secret, whether there is one."""
        value = getattr(self, name)
        if name in _SECRETS and value:
            return "(set)"
        return str(value).lower() if isinstance(value, bool) else str(value)

    @classmethod
    def load(cls, environment: Mapping[str, str], flags: Mapping[str, Any]) -> "Settings":
        """Read every setting; a flag of None is not given.

        Raises ValueError with a sentence that names the flag or variable, its value, and what it must be.
        """
        found: dict[str, tuple[str, Any]] = {}  # Any: flags are typed by the command line, the rest is text
        for variable, text in environment.items():
            name = variable.removeprefix(_PREFIX)
            if variable.startswith(_PREFIX) and name not in _NOT_SETTINGS:
                if name.lower() not in cls.__struct_fields__:
                    raise ValueError(_unknown(variable))
                found[name.lower()] = (variable, text)
        found |= {
            name: (f"--{name.replace('_', '-')}", value) for name, value in flags.items() if value is not None
        }
        return cls(**{name: _converted(name, said, value) for name, (said, value) in found.items()})


def _unknown(variable: str) -> str:
    known = [f"{_PREFIX}{name.upper()}" for name in Settings.__struct_fields__]
    similar = get_close_matches(variable.upper(), known, n=1, cutoff=0.8)
    asked = f"; is it {similar[0]}?" if similar else "."
    return f"{variable} is not a setting{asked} `meterhouse settings` lists them."


def _converted(name: str, said: str, value: Any) -> Any:  # Any: each setting has its own type
    """Return a setting's value. said: the flag or variable. Raises ValueError with a sentence."""
    hint = _HINTS[name]
    try:
        return msgspec.convert(value, hint, strict=False)
    except msgspec.ValidationError:
        shown = "what was given" if name in _SECRETS else repr(value)
        raise ValueError(f"{said} must be {_rule(hint)}, not {shown}.") from None


def _rule(hint: Any) -> str:  # Any: an annotated type
    """Return what a value of this type must be, for a sentence."""
    kind, meta = get_args(hint)
    if kind is bool:
        return "true or false"
    if kind is int:
        return f"a whole number from {meta.ge} to {meta.le}"
    return str((meta.extra or {}).get("rule", "text"))


_HINTS: Final = get_type_hints(Settings, include_extras=True)
_METAS: Final[Mapping[str, Meta]] = {name: get_args(_HINTS[name])[1] for name in Settings.__struct_fields__}
_SECRETS: Final = {name for name, meta in _METAS.items() if (meta.extra or {}).get("secret")}


class Described(Struct, frozen=True):
    """A setting, in texts for people."""

    name: str
    default: str
    unit: str
    meaning: str


def describe() -> Iterator[Described]:
    """Yield every setting, in the order of declaration."""
    for field in msgspec.structs.fields(Settings):
        meta = _METAS[field.name]
        default = field.default
        text = str(default).lower() if isinstance(default, bool) else str(default) or "empty"
        yield Described(field.name, text, (meta.extra or {})["unit"], meta.description or "")
