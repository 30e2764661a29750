"""Help pages and complaints that name the kind of a value in plain words, not by Python's types."""

import re
from typing import Any, Final

from typer import BadParameter
from typer.core import TyperGroup

_WORDS: Final = {
    "<bool>": "",
    "<str>": "TEXT",
    "<list[str]>": "TEXT",
    "<int>": "NUMBER",
    "<int range>": "NUMBER",
    "<float>": "NUMBER",
    "<float range>": "NUMBER",
    "<path>": "PATH",
}
_COMPLAINTS: Final = (
    (re.compile(r"Value error, "), ""),
    (re.compile(r"Input should be a valid integer.*"), "must be a whole number"),
    (re.compile(r"Input should be less than or equal to "), "must be at most "),
    (re.compile(r"Input should be greater than or equal to "), "must be at least "),
    (re.compile(r"Input should be"), "must be"),
)


class PlainGroup(TyperGroup):
    """The top of the command line; the help of every command below it is worded too."""

    def invoke(self, ctx: Any) -> Any:  # Any: Typer keeps these classes to itself
        try:
            return super().invoke(ctx)
        except BadParameter as error:
            for said, plain in _COMPLAINTS:
                error.message = said.sub(plain, error.message)
            raise

    def get_params(self, ctx: Any) -> Any:  # Any: as above
        return [_worded(param, ctx) for param in super().get_params(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # Any: as above
        found = super().get_command(ctx, cmd_name)
        for command in (found, *getattr(found, "commands", {}).values()) if found else ():
            for param in command.get_params(ctx):
                _worded(param, ctx)
        return found


def _worded(param: Any, ctx: Any) -> Any:  # Any: as above
    """Let a parameter show a word in place of its type; its own metavar stays. Again is a no-op."""
    word = _WORDS.get(param.display_type(ctx))
    if word is not None and (param.metavar is None or param.param_type_name == "argument"):
        param.display_type_rich = lambda ctx: word  # noqa: ARG005 - Typer gives it by name
    return param
