from __future__ import annotations

import time

import pytest

from selfheal_ci.redact import Redactor
from selfheal_ci.remedies.model.edits import EditFlaw, apply
from selfheal_ci.remedies.model.proposal import Edit
from selfheal_ci.values import Changes, Content
from tests.fakes import MemoryFiles, a_place

FILE = b"""import os


def first(a):
    if a:
        return 1
    return 2


def second(b):
    if b:
        return 3
    return 2
"""
TABS = b"class A:\n\tdef f(self):\n\t\treturn 1\n\n\tdef g(self):\n\t\treturn 2\n"


def edit(old: str, new: str, path: str = "a.py") -> Edit:
    return Edit(path=path, old_str=old, new_str=new)


def after(data: bytes, *edits: Edit) -> bytes | str:
    """The bytes of a.py after the edits, or why they do not apply."""
    match apply(edits, a_place({"a.py": data}, {}).lab):
        case Changes(files):
            content = files.get("a.py")
            return content.data if content else data
        case EditFlaw(reason=reason):
            return reason


@pytest.mark.parametrize(
    ("data", "old", "new", "result"),
    [
        # 1: exact
        pytest.param(b"a\nb\nc\n", "b\n", "x\n", b"a\nx\nc\n", id="exact lines"),
        pytest.param(b"total = 1 + 2\n", "1 + 2", "3", b"total = 3\n", id="exact part of a line"),
        pytest.param(b"a\nb\nc", "c", "d", b"a\nb\nd", id="exact, no final newline"),
        pytest.param(b"a\nb\nc\n", "b\n", "", b"a\nc\n", id="exact deletion"),
        pytest.param(b"a\nb\n", "a\nb\n", "b\na\n", b"b\na\n", id="the whole file"),
        pytest.param(b"a  \nb\na\n", "a  ", "c", b"c\nb\na\n", id="exact comes before what is like it"),
        pytest.param(b"x = 'a\\tb'\n", "a\\tb", "a\\nb", b"x = 'a\\nb'\n", id="backslashes are text"),
        pytest.param("ж = 1\n".encode(), "ж = 1", "ж = 2", "ж = 2\n".encode(), id="not ASCII"),
        pytest.param(FILE, "return 3", "x = 3\n        return x", FILE.replace(b"return 3", b"x = 3\n        return x"), id="after the indentation, the further lines have theirs"),
        pytest.param(FILE, "if b:\n        return 3", "if b:\n        return 4\n\n\nx = 1", FILE.replace(b"return 3", b"return 4\n\n\nx = 1"), id="after the indentation of the first of several lines"),
        # 2: line endings and trailing space
        pytest.param(b"a\r\nb\r\nc\r\n", "a\nb", "x\ny", b"x\r\ny\r\nc\r\n", id="CRLF file, LF quoted"),
        pytest.param(b"a\r\nb\r\nc\r\n", "b", "x\ny", b"a\r\nx\r\ny\r\nc\r\n", id="CRLF file, one line becomes two"),
        pytest.param(b"  f(\r\n    a)\r\n", "f(\n    a)", "g(\n    b)", b"  g(\r\n    b)\r\n", id="CRLF, from within a line"),
        pytest.param(b"a\nb\nc\n", "a\r\nb\r\n", "x\r\ny\r\n", b"x\ny\nc\n", id="LF file, CRLF quoted"),
        pytest.param(b"a\rb\rc\r", "a\nb", "x\ny", b"x\ry\rc\r", id="CR file"),
        pytest.param(b"a\r\nb\nc\r\n", "b\nc", "x\ny", b"a\r\nx\ny\r\n", id="mixed endings, the place's own are kept"),
        pytest.param(b"a  \nb\t\nc\n", "a\nb\n", "x\ny\n", b"x\ny\nc\n", id="trailing space in the file"),
        pytest.param(b"a\nb\nc\n", "a  \nb ", "x\ny", b"x\ny\nc\n", id="trailing space quoted"),
        pytest.param(b"a \nb", "a\nb", "x\ny\n", b"x\ny", id="no final newline is kept"),
        pytest.param(b"a \nb\nc\n", "a\nb\n", "", b"c\n", id="lines deleted"),
        pytest.param(b"f(1) \n\n  \ng(2)\n", "f(1)\n\n\ng(2)", "h()", b"h()\n", id="blank lines with space in them"),
        # 3: line numbers
        pytest.param(b"a\nb\nc\n", "    2\tb\n    3\tc", "    2\tx\n    3\ty", b"a\nx\ny\n", id="numbers and tabs"),
        pytest.param(b"a\nb\nc\n", "2\tb\n3\tc", "x\ny", b"a\nx\ny\n", id="numbers in the old lines only"),
        pytest.param(b"a\nb\nc\n", "2: b\n3: c", "2: x\n3: y\n4: z", b"a\nx\ny\nz\n", id="numbers and colons"),
        pytest.param(b"a\n  b\nc\n", "2 |   b\n3 | c", "2 |   x\n3 | c", b"a\n  x\nc\n", id="numbers and bars"),
        pytest.param(b"a\n  b\n", "1→a\n2→  b", "1→x\n2→  b", b"x\n  b\n", id="numbers and arrows"),
        pytest.param(b"a\n  b\n  c\n", "2:  b\n3:  c", "2:  x\n3:  y", b"a\n  x\n  y\n", id="numbers as grep has them"),
        pytest.param(b"a\n\nb\n", "1: a\n2: ", "1: a\n2: x", b"a\nx\nb\n", id="numbers, the last line is blank"),
        # 4: indentation
        pytest.param(
            FILE, "if b:\n    return 3\nreturn 2", "if b:\n    return 4\nreturn 2", FILE.replace(b"3", b"4"), id="too little"
        ),
        pytest.param(
            b"def f():\n    return 1\n", "    def f():\n        return 1", "    def f():\n        return 2",
            b"def f():\n    return 2\n", id="too much",
        ),
        pytest.param(
            TABS, "def g(self):\n\treturn 2", "def g(self):\n\tif x:\n\t\treturn 3\n\n\treturn 2",
            TABS.replace(b"\t\treturn 2", b"\t\tif x:\n\t\t\treturn 3\n\n\t\treturn 2"), id="tabs",
        ),
        pytest.param(
            b"  a:\r\n    b\r\n", "a:\n  b", "a:\n  c\n  d", b"  a:\r\n    c\r\n    d\r\n", id="indentation and CRLF"
        ),
        # 5: one blank line too many
        pytest.param(b"a\nb\nc\n", "\nb\n", "\nx\n", b"a\nx\nc\n", id="exact after all: a line end, not a blank line"),
        pytest.param(b"a \nb\nc\n", "\na\nb", "\nx\ny", b"x\ny\nc\n", id="leading blank line"),
        pytest.param(b"a\nb \nc\n", "a\nb\n\n", "x\ny\n\n", b"x\ny\nc\n", id="trailing blank line"),
        pytest.param(b"a\nb \nc\n", "\na\nb\n\n", "x\ny", b"x\ny\nc\n", id="both, in the old lines only"),
        # 6: elision
        pytest.param(
            FILE, "def second(b):\n...\n        return 3", "def second(c):\n...\n        return 4",
            FILE.replace(b"second(b)", b"second(c)").replace(b"3", b"4"), id="dots between",
        ),
        pytest.param(
            FILE, "import os\n...\ndef second(b):\n...\n", "import sys\n...\ndef second(c):\n...\n",
            FILE.replace(b"import os", b"import sys").replace(b"second(b)", b"second(c)"), id="dots between and at the end",
        ),
        pytest.param(b"def f():\n    ...\n", "    ...", "    return 1", b"def f():\n    return 1\n", id="dots that are code"),
    ],
)  # fmt: skip
def test_applies(data: bytes, old: str, new: str, result: bytes) -> None:
    assert after(data, edit(old, new)) == result


@pytest.mark.parametrize(
    ("data", "old", "new", "reason"),
    [
        pytest.param(b"a\nb\na\n", "a\n", "x\n", "2 times, in lines 1, 3", id="exact twice"),
        pytest.param(b"aaa\n", "aa", "b", "2 times, in lines 1, 1", id="twice, overlapping"),
        pytest.param(FILE, "    return 2\n", "    return 5\n", "2 times, in lines 7, 13", id="two functions"),
        pytest.param(b"a \nb\na\t\nb\n", "a\nb", "x", "2 times, in lines 1, 3", id="twice, but for trailing space"),
        pytest.param(b"  a\n  b\n    a\n    b\n", "a\nb", "x\ny", "2 times, in lines 1, 3", id="twice, but for indentation"),
        pytest.param(FILE, "    return 2\n...\n    return 3", "x\n...\ny", "2 times, in lines 7, 13", id="a piece twice"),
        pytest.param(b"a\n" * 30, "a", "b", "lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …", id="thirty times"),
        pytest.param(b"\n\n\n", "\n", "x", "3 times", id="nothing but a line end"),
        pytest.param(
            FILE, "return 3", "x = 3\nreturn x", "quote whole lines in both", id="where the lines belong is unclear"
        ),
        pytest.param(FILE, "def third(c):\n    pass", "x", "nowhere in the file", id="nowhere"),
        pytest.param(FILE, "def first(x):\n    if a:", "def first(a):\n    if a:", "is already there", id="done already"),
        pytest.param(b"\ta\n\tb\n", "    a\n    b", "    x\n    b", "nowhere", id="spaces for tabs"),
        pytest.param(b"    a\n  b\n", "a\nb", "x\ny", "nowhere", id="indentation that is not uniform"),
        pytest.param(b"a\nb\n", "1\ta\nb", "x", "nowhere", id="a number on one line only"),
        pytest.param(b"a\nb\n", "1\ta\n7\tb", "x", "nowhere", id="numbers that do not count up"),
        pytest.param(b"a\nb\n", "1\ta\n2\tb", "1\tx\ny", "nowhere", id="a number on one new line only"),
        pytest.param(FILE, "import os\n...\ndef first(a):", "import sys", "nowhere", id="dots that do not pair up"),
        pytest.param(FILE, "def second(b):\n...\nimport os", "x\n...\ny", "nowhere", id="pieces in the wrong order"),
        pytest.param(FILE, "import os\n...\n", "import os\n...\nimport sys", "nowhere", id="something new after dots"),
        pytest.param(b"", "a", "b", "nowhere", id="an empty file"),
        pytest.param(b"a\0b\n", "a", "b", "it is binary", id="binary"),
        pytest.param(b"a\n" * (1 << 20), "a", "b", "larger than 1 MB", id="large"),
        pytest.param("é\n".encode("latin-1"), "é", "ж", "Latin-1, which has no", id="a letter Latin-1 has not"),
        pytest.param(FILE, "", "x", "the file is there already", id="empty old_str on a file"),
        pytest.param(b"", "", "x", "the file is there already", id="empty old_str on an empty file"),
    ],
)
def test_refuses(data: bytes, old: str, new: str, reason: str) -> None:
    why = after(data, edit(old, new))

    assert isinstance(why, str)
    assert reason in why
    assert why.startswith(("edit 1 of a.py", "a.py"))


def test_every_line_end_stays_what_it_was_around_an_edit_in_a_crlf_file() -> None:
    data = b"a\r\nb\r\nc\r\n"

    assert after(data, edit("\nb", "\nx")) == b"a\r\nx\r\nc\r\n"
    assert after(data, edit("b\n", "x\n")) == b"a\r\nx\r\nc\r\n"


@pytest.mark.parametrize(
    ("data", "result"),
    [
        pytest.param("\ufeffä = 1\r\n".encode(), "\ufeffä = 2\r\n".encode(), id="byte order mark"),
        pytest.param("ä = 1\n".encode("latin-1"), "ä = 2\n".encode("latin-1"), id="Latin-1"),
        pytest.param(b"\xff\x80 = 1\n", b"\xff\x80 = 2\n", id="any bytes"),
        pytest.param("a\u2028b = 1\x0c\n".encode(), "a\u2028b = 2\x0c\n".encode(), id="other separators are text"),
    ],
)
def test_keeps_the_encoding(data: bytes, result: bytes) -> None:
    assert after(data, edit("= 1", "= 2")) == result


def test_a_byte_order_mark_is_not_in_the_way() -> None:
    assert after("\ufeffa = 1\n".encode(), edit("a = 1\n", "a = 2\n")) == "\ufeffa = 2\n".encode()


def test_several_edits_of_a_file_apply_in_order() -> None:
    assert after(b"a\nb\n", edit("a\n", "b2\n"), edit("b2\n", "c\n"), edit("b\n", "d\n")) == b"c\nd\n"


def test_all_or_nothing() -> None:
    lab = a_place({"a.py": b"a\n", "b.py": b"b\n"}, {}).lab

    assert apply([edit("a", "x"), edit("q", "y", "b.py")], lab) == EditFlaw(
        "b.py", "edit 2 of b.py: old_str is nowhere in the file"
    )


def test_makes_a_new_file_once() -> None:
    lab = a_place({"a.py": b"a\n"}, {}).lab

    assert apply([edit("", "new\n", "b/c.py")], lab) == Changes({"b/c.py": Content(b"new\n")})
    assert apply([edit("", "one\n", "b.py"), edit("one", "two", "b.py")], lab) == Changes({"b.py": Content(b"two\n")})
    twice = apply([edit("", "one\n", "b.py"), edit("", "two\n", "b.py")], lab)
    assert isinstance(twice, EditFlaw)
    assert "there already" in twice.reason


def test_keeps_the_mode_and_leaves_out_files_that_stay_the_same() -> None:
    files = MemoryFiles()
    place = a_place({"a.sh": b"a\n", "b.py": b"b\n"}, {})
    tree = files.tree({"a.sh": b"a\n", "b.py": b"b\n"}, {"a.sh": "100755"})
    object.__setattr__(place.lab, "tree", tree)

    assert apply([edit("a", "x", "a.sh"), edit("b", "b", "b.py")], place.lab) == Changes({"a.sh": Content(b"x\n", "100755")})


def test_does_not_write_through_a_link() -> None:
    place = a_place({"link": b"/etc/passwd"}, {})
    object.__setattr__(place.lab, "tree", place.files.tree({"link": b"/etc/passwd"}, {"link": "120000"}))

    for old in ("", "/etc"):
        assert isinstance(apply([edit(old, "x", "link")], place.lab), EditFlaw)


def test_reads_what_earlier_groups_were_healed_with() -> None:
    lab = a_place({"a.py": b"a\n"}, {}).lab.with_changes(Changes({"a.py": Content(b"b\n"), "c.py": Content(b"c\n")}))

    assert apply([edit("b", "x"), edit("c", "y", "c.py")], lab) == Changes(
        {"a.py": Content(b"x\n"), "c.py": Content(b"y\n")}
    )


@pytest.mark.parametrize(
    "path", ["/a.py", "../a.py", "b/../a.py", "b//a.py", "", ".", "b\\a.py", "a.py\0", "a\n.py", ".git/config", "C:\\a.py"]
)
def test_refuses_a_path_that_is_none(path: str) -> None:
    flaw = apply([edit("", "x", path)], a_place({"a.py": b"a\n"}, {}).lab)

    assert isinstance(flaw, EditFlaw)
    assert "this is no path of a file here" in flaw.reason


def test_a_path_may_begin_with_a_dot_and_a_slash() -> None:
    assert after(b"a\n", edit("a", "b", "./a.py")) == b"b\n"


@pytest.mark.parametrize("path", ["shop/carts.py", "cart.py"])
def test_says_which_file_was_meant(path: str) -> None:
    flaw = apply([edit("a", "b", path)], a_place({"shop/cart.py": b"a\n", "x.py": b""}, {}).lab)

    assert flaw == EditFlaw(path, f"edit 1 of {path}: there is no such file; did you mean shop/cart.py?")


def test_shows_the_nearest_lines() -> None:
    flaw = apply([edit("def second(x):\n    if b:\n        return 4", "x")], a_place({"a.py": FILE}, {}).lab)

    assert isinstance(flaw, EditFlaw)
    assert "   10\tdef second(b):\n   11\t    if b:\n   12\t        return 3" in flaw.nearest


def test_shows_the_nearest_line_where_no_line_is_the_same() -> None:
    flaw = apply([edit("def secnd(b):", "x")], a_place({"a.py": FILE}, {}).lab)

    assert isinstance(flaw, EditFlaw)
    assert "   10\tdef second(b):" in flaw.nearest


SECRETS = Redactor({"TOKEN": "s3cr3t-value", "OTHER": "another-value"})


@pytest.mark.parametrize(
    ("path", "old", "new", "result"),
    [
        ("a.py", "a = '<secret:TOKEN:1>'", "b = '<secret:TOKEN:1>'", b"b = 's3cr3t-value'\n"),
        ("a.py", "a = ", "a = '<secret:OTHER:1>' + ", b"a = '<secret:OTHER:1>' + 's3cr3t-value'\n"),
        ("b.py", "b = 1", "b = '<secret:TOKEN:1>'", b"b = '<secret:TOKEN:1>'\n"),
        ("c.py", "", "c = '<secret:TOKEN:1>'\n", b"c = '<secret:TOKEN:1>'\n"),
        ("<secret:TOKEN:1>.py", "", "d = 1\n", b"d = 1\n"),
    ],
)
def test_a_placeholder_stands_for_what_it_hides_where_the_file_has_that(
    path: str, old: str, new: str, result: bytes
) -> None:
    lab = a_place({"a.py": b"a = 's3cr3t-value'\n", "b.py": b"b = 1\n"}, {}).lab

    assert apply([edit(old, new, path)], lab, SECRETS.restore) == Changes({path: Content(result)})


def test_a_placeholder_in_the_name_of_a_file_that_is_there_is_understood() -> None:
    lab = a_place({"s3cr3t-value.py": b"a = 1\n"}, {}).lab

    changed = apply([edit("a = 1", "a = 2", "<secret:TOKEN:1>.py")], lab, SECRETS.restore)

    assert changed == Changes({"s3cr3t-value.py": Content(b"a = 2\n")})


@pytest.mark.parametrize(
    ("data", "old"),
    [
        pytest.param(b"}\n" * 300_000, "}\n" * 150_000 + "{", id="the same line all over"),
        pytest.param(b"  x\n" * 200_000, "y\n" + "x\n" * 1000, id="indentation"),
        pytest.param(b"a" * 1_000_000, "a" * 400_000 + "b", id="one long line"),
        pytest.param(b"".join(b"x%d = y\n" % n for n in range(70_000)), "x7 = z\n" * 5000, id="lines that are alike"),
        pytest.param(b"x\n" * 200_000, "...\n" * 1000 + "x", id="dots"),
    ],
)  # fmt: skip
def test_is_quick_whatever_the_file(data: bytes, old: str) -> None:
    began = time.process_time()

    assert isinstance(after(data, edit(old, "new")), str)
    assert time.process_time() - began < 5
