from __future__ import annotations

import time

import pytest

from selfheal_ci.shell_words import commands, parts, simple_commands, substitutions


def test_commands_begin_at_their_programs() -> None:
    line = "A=1 b c && (d; e|f)\nif ! g; then sh -c 'h i'; fi # j\nk 'l\n"

    assert [words[0] for words in commands(line)] == ["b", "d", "e", "f", "g", "sh", "h", "fi", "k"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ruff check 'a b' \"c d\" e\\ f", ["ruff", "check", "a b", "c d", "e f"]),
        ("ruff check . >log 2>&1", ["ruff", "check", "."]),
        ("ruff check \\\n  .", ["ruff", "check", "."]),
        ("ruff check $(git ls-files '*.py')", ["ruff", "check", "$(git ls-files *.py)"]),
        ("ruff check a#b # c", ["ruff", "check", "a#b"]),
        ("ruff check 'a\nb'", ["ruff", "check", "a\nb"]),
    ],
)
def test_words_are_without_quotes_redirections_and_comments(line: str, words: list[str]) -> None:
    assert list(commands(line)) == [words]


def test_words_know_how_and_where_they_are_written() -> None:
    [[program, path]] = simple_commands("A=1 black 'a b'")

    assert (program.raw, program.start, path.raw, path.start) == ("black", 4, "'a b'", 10)


def test_a_line_has_parts() -> None:
    assert parts("cd web && a | b || exit 1; (c && d) & e\nf") == ["cd web", "a | b", "exit 1", "(c && d)", "e", "f"]
    assert parts("for f in *; do a $f; done") == ["for f in *; do a $f; done"]


def test_what_runs_for_its_output_is_found() -> None:
    assert substitutions('test -z "$(gofmt -l $(dirs))" && [ -z `a b` ]') == ["gofmt -l $(dirs)", "a b"]


@pytest.mark.parametrize("text", ["$(", "'", '"\\', "`", "a=", "(", "2>", "\\"])
def test_no_text_takes_long(text: str) -> None:
    began = time.process_time()

    list(commands(text * 5_000))
    parts(text * 5_000)

    assert time.process_time() - began < 2
