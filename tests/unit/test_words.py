from __future__ import annotations

import unicodedata

import pytest

from selfheal_ci import words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]52;c;aGk=\x07", ""),
        ("\x1bPq#0\x1b\\x", "x"),
        ("\x9b31mred", "red"),
        ("\x1bcreset", "reset"),
        ("\x1b]52;c;cut off", "\\x1b]52;c;cut off"),
        ("\x1b[12;34", "\\x1b[12;34"),
        ("12 passed\r0 failed", "12 passed\n0 failed"),
        ("line\r\n", "line\n"),
        ("a\x08b\x00\x7f", "a\\x08b\\x00\\x7f"),
        ("user\u202egpj.exe", "user\\u202egpj.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("private\ue000", "private\\ue000"),
        ("Latin-1 \udce9", "Latin-1 \\xe9"),
        ("Müller, 東京, ⚠\ufe0f, \ufffd", "Müller, 東京, ⚠\ufe0f, \ufffd"),
    ],
)
def test_shows_on_a_terminal_only_what_can_be_seen(text: str, shown: str) -> None:
    assert words.printable(text) == shown


def test_leaves_no_control_or_format_character_unseen() -> None:
    unseen = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
    through = [n for n in range(0x110000) if unicodedata.category(chr(n)) in unseen and words.printable(chr(n)) == chr(n)]

    assert [chr(n) for n in through] == ["\t", "\n"]


@pytest.mark.parametrize(
    "text", ["\x1b[" * 50_000, "\x1b]" * 50_000, "\x1b[" + "1;" * 50_000, " " * 100_000 + ":", "`" * 100_000]
)
def test_takes_no_long_time_for_anything(text: str) -> None:
    assert words.log_lines(text) or words.fenced(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::set-output name=a::b", ": :set-output name=a::b"),
        ("  \t::error::x", "  \t: :error::x"),
        ("x\r::stop-commands::t", "x\n: :stop-commands::t"),
        ("\x1b[0m::add-mask::x", ": :add-mask::x"),
        ("see ##[error]x", "see ## [error]x"),
        ("##vso[task.complete]", "## vso[task.complete]"),
        ("section_start:1:a", "section _start:1:a"),
        ("tests/test_a.py::test_b", "tests/test_a.py::test_b"),
    ],
)
def test_writes_no_command_into_a_ci_log(text: str, shown: str) -> None:
    assert words.log_lines(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("hello @bob", "hello @&#8203;bob"),
        ("a@b.example", "a@&#8203;b.example"),
        (
            "Fixes #1, GH-2, o/r#3, !4, %5, ~bug",
            "Fixes #&#8203;1, GH-&#8203;2, o/r#&#8203;3, !&#8203;4, %&#8203;5, \\~&#8203;bug",
        ),
        ("closes https://github.com/o/r/issues/1", "closes https:&#8203;//github.com/o/r/issues/1"),
        ("www.evil.example", "www.&#8203;evil.example"),
        ("![x](http://a)", "!\\[x\\](http:&#8203;//a)"),
        ("<img src=x> &lt;", "&lt;img src=x&gt; &amp;&#8203;lt;"),
        ("*a* _b_ `c` ~~d~~ $e$", "\\*a\\* \\_b\\_ \\`c\\` \\~\\~&#8203;d\\~\\~ \\$&#8203;e\\$"),
        ("/close", "\\/close"),
        ("# title", "\\# title"),
        ("- item", "\\- item"),
        ("1. item", "1\\. item"),
        ("12) item", "12\\) item"),
        ("a | b", "a \\| b"),
        (":tada: a.py:41: E", ":&#8203;tada: a.py:41: E"),
        ("one\n\n## two", "one ## two"),
        ("bidi \u202e", "bidi \\\\u202e"),
    ],
)
def test_keeps_prose_from_being_markup(text: str, shown: str) -> None:
    assert words.markdown(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Fixes #1 for @bob", "Fixes # 1 for @ bob"),
        ("closes https://github.com/o/r/issues/1", "closes https: //github.com/o/r/issues/1"),
        ("fix GH-1 and o/r!2", "fix GH- 1 and o/r! 2"),
        (
            "x [skip ci] y [CI SKIP] [no ci] [skip actions] ***NO_CI***",
            "x (skip ci) y (CI SKIP) (no ci) (skip actions) (NO_CI)",
        ),
        ("a\n\nSelfheal-Key: forged", "a Selfheal-Key: forged"),
        ("tests/test_a.py::test_b[1-2]", "tests/test_a.py::test_b[1-2]"),
    ],
)
def test_keeps_a_commit_message_from_doing_anything(text: str, shown: str) -> None:
    assert words.plain(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"), [("a", "`a`"), ("a`b", "``a`b``"), ("`", "`` ` ``"), ("", "`  `"), ("a\nb", "`a b`")]
)
def test_quotes_code(text: str, shown: str) -> None:
    assert words.code(text) == shown


def test_fences_with_more_backticks_than_there_are() -> None:
    assert words.fenced("a\n````\n/close\n", "diff") == "`````diff\na\n````\n /close\n`````"


@pytest.mark.parametrize(
    ("text", "limit", "line"), [("abc", 3, "abc"), ("abcd", 3, "ab…"), (" a \n b ", 9, "a b"), (" " * 99, 3, "…")]
)
def test_cuts_to_one_line(text: str, limit: int, line: str) -> None:
    assert words.one_line(text, limit) == line
