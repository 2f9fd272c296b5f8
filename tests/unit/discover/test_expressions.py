from __future__ import annotations

import pytest

from selfheal_ci.discover.expressions import Unknown, evaluate, filled, holds

CONTEXTS = {
    "matrix": {"python": "3.11", "os": "ubuntu-latest", "tox": "", "extra": {"name": "x"}, "list": ["a", "b"]},
    "github": {"ref": "refs/heads/main", "event_name": Unknown("`github.event_name`")},
    "env": {"MODE": "fast"},
}


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("py${{ matrix.python }}", "py3.11"),
        ("${{ matrix.tox || format('py{0}', matrix.python) }}", "py3.11"),
        ("${{ matrix.os == 'Ubuntu-Latest' && 'yes' || 'no' }}", "yes"),
        ("${{ matrix.extra.name }}${{ matrix['python'] }}${{ matrix.list[1] }}", "x3.11b"),
        ('${{ contains(fromJSON(\'["2.7", "3.11"]\'), matrix.python) }}', "true"),
        ("${{ !startsWith(matrix.os, 'win') && env.MODE }}", "fast"),
        ("${{ matrix.python >= 3.1 }} ${{ 1 == '1' }} ${{ 'it''s' }}", "true true it's"),
        ("${{ matrix.nothing }}|${{ null }}|${{ false }}", "||false"),
        ("no expression", "no expression"),
    ],
)
def test_answers_what_needs_no_forge(text: str, answer: str) -> None:
    assert filled(text, CONTEXTS) == answer


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("${{ secrets.TOKEN }}", "`secrets.TOKEN`"),
        ("${{ hashFiles('a') }}", "`hashFiles()`"),
        ("${{ github.event_name }}", "`github.event_name`"),
        ("${{ matrix. }}", "`matrix.` cannot be read"),
        ("${{ (1 }}", "`(1` cannot be read"),
        ("${{ format('{9}', 1) }}", "`format('{9}', 1)` cannot be read"),
        ("${{ " + "(" * 5000 + " }}", "`" + "(" * 5000 + "` cannot be read"),
        ("${{ " + "!" * 5000 + "1 }}", "`" + "!" * 5000 + "1` cannot be read"),
    ],
)
def test_says_what_it_cannot_answer(text: str, why: str) -> None:
    answer = filled(text, CONTEXTS)

    assert isinstance(answer, Unknown)
    assert answer.why == why


@pytest.mark.parametrize(
    ("condition", "answer"),
    [
        ("matrix.os == 'windows-latest'", False),
        ("${{ matrix.python == '3.11' }}", True),
        ("always() && startsWith(github.ref, 'refs/tags')", False),
        ("failure()", False),
        ("github.event_name == 'push' && false", False),
        ("true || github.event_name == 'push'", True),
        (True, True),
    ],
)
def test_tells_whether_a_step_runs(condition: str | bool, answer: bool) -> None:
    assert holds(condition, CONTEXTS) is answer


def test_what_is_unknown_stays_unknown_until_it_does_not_matter() -> None:
    assert isinstance(holds("github.event_name == 'push'", CONTEXTS), Unknown)
    assert isinstance(evaluate("github.event_name && 'x'", CONTEXTS), Unknown)
