"""Every knob, once: type, default, unit and meaning; the command line and the docs read them from here."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, get_args, get_type_hints

import msgspec
from msgspec import Meta, Struct

_PREFIX: Final = "METERHOUSE_"
_NOT_SETTINGS: Final = {"API_KEY", "URL", "TEST_DATA"}  # read by the SDK, the examples and the tests


def _unit(unit: str, meaning: str, *, ge: int | None = None, le: int | None = None) -> Meta:
    return Meta(description=meaning, extra={"unit": unit}, ge=ge, le=le)


def _secret(meaning: str) -> Meta:
    return Meta(description=meaning, extra={"unit": "secret", "secret": True})


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Read from flags, else from METERHOUSE_<NAME>, else the default."""

    data: Annotated[str, _unit("path", "Directory of everything the server keeps; made when absent.")] = (
        "data"
    )
    host: Annotated[str, _unit("address", "Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, _unit("port", "Port to listen on; 0 takes a free one.", ge=0, le=65535)] = 8080
    public_url: Annotated[
        str,
        _unit("URL", "Where a proxy in front lets browsers in, for printed links; empty: host and port."),
        Meta(pattern="^(https?://.*[^/])?$"),
    ] = ""
    log_json: Annotated[bool, _unit("true or false", "Log lines are JSON instead of text.")] = False
    max_waiting_events: Annotated[
        int,
        _unit("events", "Events that may wait for the disk; beyond it answers are 503 overloaded.", ge=1),
    ] = 200_000
    consumer_batch_events: Annotated[
        int, _unit("events", "Most events handed to the warehouse together.", ge=1, le=1_000_000)
    ] = 50_000
    consumer_pause_ms: Annotated[
        int,
        _unit("milliseconds", "How long events gather between two batches; seen at the latest then.", ge=1),
    ] = 100
    warehouse_memory_megabytes: Annotated[
        int, _unit("megabytes", "Memory the warehouse may use; larger work spills to disk.", ge=64)
    ] = 160
    warehouse_threads: Annotated[int, _unit("threads", "Threads that answer one question.", ge=1)] = 2
    usage_max_age_days: Annotated[
        int, _unit("days", "How far back a usage record may lie; 0 takes any time since 1970.", ge=0)
    ] = 30
    activation_topup_first: Annotated[
        bool, _unit("true or false", "A usage-based plan is activated only for customers with credits.")
    ] = False
    auto_recharges_a_day: Annotated[
        int, _unit("charges", "Most automatic top-ups of one customer on one UTC day; 0 for none.", ge=0)
    ] = 5
    stripe_secret_key: Annotated[
        str, _secret("Stripe's secret key, for payments in live; empty: live takes none. Never printed.")
    ] = ""
    stripe_publishable_key: Annotated[
        str, _unit("text", "The publishable key that goes with it; browsers see it.")
    ] = ""
    shutdown_seconds: Annotated[
        int, _unit("seconds", "How long requests in flight may take once the server is to stop.", ge=1)
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
        """Raises ValueError with a sentence that names the setting: a wrong value, or an unknown name."""
        found: dict[str, Any] = {  # Any: flags are typed by the command line, the rest is text
            name.removeprefix(_PREFIX).lower(): text
            for name, text in environment.items()
            if name.startswith(_PREFIX) and name.removeprefix(_PREFIX) not in _NOT_SETTINGS
        }
        for name in found.keys() - set(cls.__struct_fields__):
            raise ValueError(f"{_PREFIX}{name.upper()} is not a setting; `meterhouse settings` lists them.")
        found |= {name: value for name, value in flags.items() if value is not None}
        try:
            return msgspec.convert(found, cls, strict=False)
        except msgspec.ValidationError as error:
            raise ValueError(f"A setting is wrong: {error}") from None


def _metas() -> dict[str, Meta]:
    hints = get_type_hints(Settings, include_extras=True)
    return {name: get_args(hints[name])[1] for name in Settings.__struct_fields__}


_SECRETS: Final = {name for name, meta in _metas().items() if (meta.extra or {}).get("secret")}


class Described(Struct, frozen=True):
    """A setting as people read of it."""

    name: str
    default: str
    unit: str
    meaning: str


def describe() -> Iterator[Described]:
    """Yield every setting, in the order of declaration."""
    metas = _metas()
    for field in msgspec.structs.fields(Settings):
        meta = metas[field.name]
        default = field.default
        text = str(default).lower() if isinstance(default, bool) else str(default) or "empty"
        yield Described(field.name, text, (meta.extra or {})["unit"], meta.description or "")
