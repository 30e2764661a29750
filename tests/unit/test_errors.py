"""Every error has a sentence of its own, which is the same in a Python that strips docstrings."""

import subprocess
import sys
from collections.abc import Iterator

from meterhouse.model.errors import MeterhouseError

RENDER = """
import inspect
from meterhouse.http.problems import render
from meterhouse.model.errors import MeterhouseError

def walk(kind):
    yield kind
    for each in kind.__subclasses__():
        yield from walk(each)

def given(parameter):
    name = inspect.formatannotation(parameter.annotation)
    return () if "Sequence" in name else {"str": "live", "int": 7}[name]

for kind in walk(MeterhouseError):
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    error = kind(*[given(each) for each in parameters if each.default is each.empty])
    print(kind.__name__, *render(error, "req_1"))
"""


def kinds(kind: type[MeterhouseError] = MeterhouseError) -> Iterator[type[MeterhouseError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from kinds(each)


def test_every_error_has_a_sentence_of_its_own() -> None:
    every = list(kinds())
    assert len(every) > 50
    for kind in every:
        assert vars(kind).get("sentence"), f"{kind.__name__} has no sentence"
    assert len({kind.sentence for kind in every}) == len(every)


def test_errors_render_alike_in_a_python_without_docstrings() -> None:
    plain, stripped = (
        subprocess.run(
            [sys.executable, *flags, "-c", RENDER], check=True, capture_output=True, text=True, timeout=60
        ).stdout
        for flags in ((), ("-OO",))
    )
    assert plain == stripped
    assert len(plain.splitlines()) == len(list(kinds()))
    assert "None" not in plain
