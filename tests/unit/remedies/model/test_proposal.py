from __future__ import annotations

import json
from typing import Any

import pytest

from selfheal_ci.remedies.model import strict_json
from selfheal_ci.remedies.model.proposal import Edit, Proposal, ProposalError, read_input, read_text, tool

GOOD: dict[str, Any] = {
    "verdict": "fix",
    "root_cause": "a.py:1 is wrong",
    "edits": [{"path": "a.py", "old_str": "a", "new_str": "b"}],
    "risk": "low",
    "expected_tests": ["t::a"],
}
TEXT = """The sum is wrong.

### shop/cart.py
```python
<<<<<<< SEARCH
    return a
=======
    return a + b
>>>>>>> REPLACE
```
"""


def test_reads_the_input_of_the_tool() -> None:
    assert read_input(json.dumps(GOOD)) == Proposal(
        verdict="fix",
        root_cause="a.py:1 is wrong",
        edits=[Edit(path="a.py", old_str="a", new_str="b")],
        risk="low",
        expected_tests=["t::a"],
    )


def test_the_schema_names_what_is_read() -> None:
    schema = tool()["input_schema"]

    assert set(schema["properties"]) == set(Proposal.model_fields)
    assert set(schema["properties"]["edits"]["items"]["properties"]) == set(Edit.model_fields)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("", "it is no JSON"),
        ("{", "it is no JSON"),
        ("null", "wrong at the top"),
        ("[]", "wrong at the top"),
        (json.dumps(GOOD | {"verdict": "merge"}), "wrong at verdict"),
        (json.dumps(GOOD | {"extra": 1}), "wrong at extra"),
        (json.dumps(GOOD | {"risk": None}), "wrong at risk"),
        (json.dumps(GOOD | {"edits": {}}), "wrong at edits"),
        (json.dumps(GOOD | {"edits": [{"path": "a"}]}), "wrong at edits.0.old_str"),
        (json.dumps(GOOD | {"edits": [{"path": 1, "old_str": "", "new_str": ""}]}), "wrong at edits.0.path"),
        (json.dumps(GOOD | {"root_cause": ["x"]}), "wrong at root_cause"),
        (json.dumps({key: GOOD[key] for key in GOOD if key != "risk"}), "wrong at risk"),
        (json.dumps(GOOD).replace('"verdict"', '"verdict": "flaky", "verdict"'), "it says 'verdict' twice"),
        (json.dumps(GOOD | {"risk": float("nan")}), "it has NaN"),
        (json.dumps(GOOD | {"risk": float("-inf")}), "it has -Infinity"),
        (json.dumps(GOOD).replace('"low"', "1e999"), "too large"),
        (json.dumps(GOOD).replace('"low"', "9" * 10_000), "too many digits"),
        (json.dumps(GOOD).replace('"low"', '"\\udc00"'), "characters that are none"),
        ("[" * 200_000, "nested deeper"),
        ('{"a":' * 65 + "1" + "}" * 65, "nested deeper"),
        (json.dumps(GOOD | {"root_cause": "x" * (1 << 20)}), "larger than 1 MB"),
        ('"' + '\\"' * 500_000, "it is no JSON"),
    ],
)
def test_refuses_other_input(data: str, why: str) -> None:
    with pytest.raises(ProposalError) as no:
        read_input(data)

    assert why in str(no.value)


def test_brackets_in_strings_are_not_depth() -> None:
    assert strict_json.loads(json.dumps("[" * 1000)) == "[" * 1000


def test_reads_blocks_in_a_text() -> None:
    proposal = read_text(TEXT)

    assert proposal.edits == [Edit(path="shop/cart.py", old_str="    return a\n", new_str="    return a + b\n")]
    assert (proposal.verdict, proposal.root_cause) == ("fix", "The sum is wrong.")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(TEXT.replace("```python\n", "").replace("```\n", ""), id="no fence"),
        pytest.param(TEXT.replace("```", "``````"), id="long fence"),
        pytest.param(TEXT.rstrip("\n`"), id="no final newline, no end of the fence"),
        pytest.param(TEXT.replace("<<<<<<<", "<<<<<").replace("=======", "====="), id="five marks"),
        pytest.param(TEXT.replace(">>>>>>>", ">>>>>>>>>"), id="nine marks"),
        pytest.param(TEXT.replace("### shop/cart.py", "### `shop/cart.py`:"), id="path in backticks"),
        pytest.param(TEXT.replace("### shop/cart.py", "## **shop/cart.py**"), id="path in stars"),
        pytest.param(TEXT.replace("\n", "\r\n"), id="CRLF"),
        pytest.param(TEXT.replace("```python\n", "```python\n\n"), id="blank line"),
        pytest.param(TEXT.replace("SEARCH", "SEARCH  "), id="space after the mark"),
    ],
)
def test_reads_a_block_written_a_little_differently(text: str) -> None:
    (edit,) = read_text(text).edits

    plain = (edit.path, edit.old_str.replace("\r\n", "\n"), edit.new_str.replace("\r\n", "\n"))
    assert plain == ("shop/cart.py", "    return a\n", "    return a + b\n")


def test_several_blocks_follow_one_path() -> None:
    block = TEXT[TEXT.index("<<<<<<<") :]

    assert [edit.path for edit in read_text(f"{TEXT}\n{block}\n### b.py\n{block}").edits] == [
        "shop/cart.py",
        "shop/cart.py",
        "b.py",
    ]


def test_an_empty_search_makes_a_file() -> None:
    (edit,) = read_text("### new.py\n<<<<<<< SEARCH\n=======\nx = 1\n>>>>>>> REPLACE\n").edits

    assert edit == Edit(path="new.py", old_str="", new_str="x = 1\n")


def test_a_heading_underlined_like_a_divider_is_text() -> None:
    (edit,) = read_text("### a.rst\n<<<<<<< SEARCH\nTitle\n=====\n=======\nName\n=====\n>>>>>>> REPLACE").edits

    assert (edit.old_str, edit.new_str) == ("Title\n=====\n", "Name\n=====\n")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "neither"),
        ("I think the test is wrong.", "neither"),
        (TEXT.replace("### shop/cart.py\n", ""), "no `### path` line"),
        (TEXT.replace(">>>>>>> REPLACE", ""), "has no end"),
        (TEXT.replace("=======\n", ""), "has no lines `=======`"),
        (TEXT.replace("=======", "=======\nx\n======="), "has 2 lines `=======`"),
        (TEXT.replace("    return a\n=", "<<<<<<< SEARCH\n    return a\n="), "begins before"),
    ],
)
def test_refuses_a_text(text: str, why: str) -> None:
    with pytest.raises(ProposalError) as no:
        read_text(text)

    assert why in str(no.value)
