"""The comparison of answers with what pages show: it overlooks what is new each time, and nothing else."""

import json

import pytest

from tests.docs.answers import Example, examples, lasting

SHOWN = """
{"holdRef":"hld_3441d3c88b000001","remaining":97,"plan":"pln_free","product":{"reference":"prd_chat"},
"expiresAt":"2026-11-24T17:34:02.936Z","balance":{"credits":0.4979},"points":[{"start":"2026-11-01T00:00:00Z"}]}
"""


def test_an_answer_is_as_shown_whatever_its_spaces() -> None:
    assert lasting(json.dumps(json.loads(SHOWN), indent=2), "") == lasting(SHOWN, "")


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ('"remaining":97', '"remaining":96'),
        ('"remaining":97', '"remaining":97.0'),
        ('"remaining":97', '"remaining":"97"'),
        ('"credits":0.4979', '"credits":0.49790000000000000001'),
        ('"remaining":97,', ""),
        ('"remaining":97,', '"remaining":97,"withinLimits":true,'),
        ('"plan":"pln_free"', '"plan":"pln_paid"'),
        ('"plan":"pln_free"', '"plan":null'),
        ('{"reference":"prd_chat"}', "{}"),
        ('[{"start":"2026-11-01T00:00:00Z"}]', "[]"),
        ('[{"start":"2026-11-01T00:00:00Z"}]', '[{"start":"2026-11-01T00:00:00Z"},1]'),
        ("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"),
        ("2026-11-24T17:34:02.936Z", "2026-11-24T17:34:02Z"),
        ("2026-11-24T17:34:02.936Z", ""),
        ("hld_3441d3c88b000001", "evt_3441d3c88b000001"),
        ("hld_3441d3c88b000001", "hld_1"),
    ],
)
def test_another_number_text_or_kind_and_a_field_too_few_or_too_many_are_told(
    shown: str, printed: str
) -> None:
    assert shown in SHOWN
    assert lasting(SHOWN.replace(shown, printed), "") != lasting(SHOWN, "")


def test_true_is_not_one() -> None:
    assert lasting('{"debited":true}', "") != lasting('{"debited":1}', "")


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("pur_7H58J5RQ", "pur_Z3M4N5P6"),
        ("usage_3441d3c908c00000", "usage_3441d3c908c00001"),
        ("http://host/checkout?id=" + "e3f1c2d4" * 4, "http://host/checkout?id=" + "0a1b2c3d" * 4),
        ("sk_sandbox_aB3aB3aB3", "sk_sandbox_xY9xY9xY9xY9"),
        ("2026-11-24T17:34:02.936Z", "2027-01-01T00:00:00.000Z"),
    ],
)
def test_of_what_the_server_makes_the_kind_is_enough(shown: str, printed: str) -> None:
    assert lasting(json.dumps(shown), "") == lasting(json.dumps(printed), "")


def test_the_current_month_of_a_spending_limit_is_not_compared() -> None:
    shown, printed = ('{"monthlySpendPeriod":"2026-11"}', '{"monthlySpendPeriod": "2027-01"}')
    assert lasting(shown, "") == lasting(printed, "")
    assert lasting(shown, "") != lasting('{"monthlySpendPeriod":null}', "")


def test_two_that_are_shown_as_the_same_are_the_same() -> None:
    one, same, other = (
        '["pur_7H58J5RQ","pur_7H58J5RQ"]',
        '["pur_222222ZZ","pur_222222ZZ"]',
        '["pur_7H58J5RQ","pur_222222ZZ"]',
    )
    assert lasting(one, "") == lasting(same, "")
    assert lasting(one, "") != lasting(other, "")


def test_what_the_reader_typed_comes_back_as_it_was_typed() -> None:
    assert lasting('"cus_3C4D5E6F"', "") == lasting('"cus_7H58J5RQ"', "")
    typed = "curl …/cus_3C4D5E6F"
    assert lasting('"cus_3C4D5E6F"', typed) != lasting('"cus_7H58J5RQ"', typed)


@pytest.mark.parametrize("printed", ["", "<html>", '{"a":1}{"b":2}'])
def test_what_is_not_one_json_is_no_answer(printed: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        lasting(printed, "")


def test_an_answer_stands_right_below_its_command() -> None:
    page = """Ask:

```sh
curl one
```

It answers

```json
1
```

```json
2
```

```sh
make serve
```

```sh
one=$(curl three)
```
"""
    assert examples(page) == [Example("curl one\n", "1\n"), Example("one=$(curl three)\n", None)]
