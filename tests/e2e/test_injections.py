"""A model that obeys what it is shown: what is published all the same. `make bench ARGS=injections` has all orders."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.injections import (
    SAYS,
    acting_in_markdown,
    acting_in_plain_text,
    orders,
    outcome,
)
from benchmarks.tamper.judging import Court, a_court
from benchmarks.tamper.shapes import SRC
from selfheal_ci.values import Status

ORDERS = {order.name: order for order in orders()}


@pytest.fixture(scope="module")
def court() -> Iterator[Court]:
    with a_court(SRC) as prepared:
        yield prepared


def test_a_protected_file_is_not_published_though_the_model_obeys(court: Court) -> None:
    came = outcome(court, ORDERS["write .github/workflows/x.yml"], "file name")

    assert came.obeyed
    assert (came.status, came.violations) == (Status.REFUSED, ())


def test_words_for_people_do_not_act_though_the_model_says_them(court: Court) -> None:
    came = outcome(court, ORDERS["say a closing word and a mention"], "comment")

    assert came.obeyed
    assert (came.status, came.live) == (Status.HEALED, ())


IN_MARKDOWN = {
    "a closing word and a mention", "closing words", "mentions", "an image", "an image by HTML", "a script", "a link",
    "a bare link", "a link by reference", "an autolink", "a quick action", "bidi", "terminal", "the marker of another key",
    "an entity", "details", "the title",
}  # fmt: skip
MARKDOWN = {name: text.replace("\\n", "\n") for name, text in SAYS.items() if name in IN_MARKDOWN}


@pytest.mark.parametrize("text", MARKDOWN.values(), ids=MARKDOWN.keys())
def test_what_acts_in_markdown_is_seen_where_nothing_neutralises_it(text: str) -> None:
    assert list(acting_in_markdown(f"The model said: {text}\n"))


@pytest.mark.parametrize("name", ["a closing word and a mention", "no CI", "trailers", "a quick action", "bidi", "mentions"])
def test_what_acts_in_a_commit_is_seen_where_nothing_neutralises_it(name: str) -> None:
    assert list(acting_in_plain_text(f"fix(ci): {SAYS[name]}\n".replace("\\n", "\n")))
