from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from selfheal_ci.commands.demo_project import CONVERSATION
from selfheal_ci.errors import UsageError
from selfheal_ci.remedies.model.conversation import Conversation, NoAnswerError, Reply
from selfheal_ci.remedies.model.proposal import read_input
from selfheal_ci.remedies.model.purse import Purse
from selfheal_ci.remedies.model.scripted import ScriptedModel, read_script
from selfheal_ci.values import Cost, Lack

TALK = Conversation("rules", "project", "case", "volatile")
EDIT = {"path": "a.py", "old_str": "a", "new_str": "b"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "script.json"


def replies(file: Path, script: Any, count: int, *, cap: float = 1.0) -> list[Reply]:
    file.write_text(json.dumps(script))
    read = read_script(file)
    model = ScriptedModel(read, Purse(cap, read.prices))
    return [model.ask(TALK, model="any") for _ in range(count)]


def test_says_its_replies_in_order_and_then_that_it_cannot_fix_it(file: Path) -> None:
    said = replies(file, [{"verdict": "fix", "edits": [EDIT]}, {"text": "hm"}], 4)

    proposals = [read_input(reply.proposal) if reply.proposal else reply.text for reply in said]
    assert [proposal if isinstance(proposal, str) else proposal.verdict for proposal in proposals] == [
        "fix",
        "hm",
        "cannot_fix",
        "cannot_fix",
    ]
    assert "no more replies" in (said[2].proposal or "")
    assert sum((reply.cost for reply in said), Cost()) == Cost(calls=4)


def test_costs_what_the_script_says(file: Path) -> None:
    script = {"prices": [2, 10], "replies": [{"text": "x", "usage": {"input_tokens": 1000, "output_tokens": 100}}]}

    assert [reply.cost for reply in replies(file, script, 1)] == [Cost(1, 1000, 100, 0, 0.003)]


def test_stops_at_the_cap(file: Path) -> None:
    script = {"prices": [2, 10], "replies": [{"text": "x", "usage": {"output_tokens": 100}}] * 3}

    with pytest.raises(NoAnswerError) as no:
        replies(file, script, 3, cap=0.0025)

    assert no.value.shortfall.lack is Lack.MONEY


def test_the_demo_has_a_script(file: Path) -> None:
    assert [reply.proposal is not None for reply in replies(file, CONVERSATION, 2)] == [True, True]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is broken: it is no JSON"),
        ("3", "is no script"),
        ("{}", "is no script"),
        ('{"replies": [], "more": 1}', "is no script"),
        ("[3]", "reply 1 of"),
        ('[{"text": "x"}, {"text": 3}]', "reply 2 of"),
        ('[{"text": "x", "more": 1}]', "wrong at more"),
        ('[{"verdict": "maybe"}]', "wrong at verdict"),
        ('[{"verdict": "fix", "edits": [{"path": "a"}]}]', "wrong at edits.0.old_str"),
        ('[{"text": "x", "usage": {"tokens": 1}}]', "wrong at tokens"),
        ('[{"text": "x", "usage": {"input_tokens": -1}}]', "wrong at input_tokens"),
        ('{"replies": [], "prices": [1]}', "prices in"),
        ('[{"text": "x", "text": "y"}]', "it says 'text' twice"),
    ],
)
def test_a_broken_script_is_named(file: Path, text: str, why: str) -> None:
    file.write_text(text)

    with pytest.raises(UsageError) as no:
        read_script(file)

    assert why in str(no.value)
    assert str(file) in str(no.value)


def test_a_script_that_is_not_there_is_named(file: Path) -> None:
    with pytest.raises(UsageError, match=r"script\.json cannot be read: No such file"):
        read_script(file)
