from __future__ import annotations

import pytest

from selfheal_ci.paths import folded, is_build_file, is_judge, is_mixed, is_prose, malformed, protected, untouchable


@pytest.mark.parametrize("path", ["numpy/testing/utils.py", "src/pandas/testing.py", "shop/latest.py", "contests/a.py"])
def test_what_only_sounds_like_a_test_is_source(path: str) -> None:
    assert protected(path) is None


def test_a_folder_named_testing_judges_at_the_top_alone() -> None:
    assert is_judge("testing/helpers.py")
    assert not is_judge("numpy/testing/helpers.py")
    assert not is_judge("testing.py")


def test_requirements_in_a_folder_are_a_build_file() -> None:
    assert is_build_file("requirements/dev.txt")
    assert is_build_file("environment.yml")


def test_what_no_fix_may_touch_is_told_in_words() -> None:
    told = untouchable(("money/*",))

    assert "/testing/" in told
    assert "*.dist-info/" in told
    assert told.endswith("protected by the configuration (money/*)")


@pytest.mark.parametrize("path", ["README.md", "docs/guide.RST", "notes.txt", "a/LICENSE", "docs/CHANGELOG", "x.adoc"])
def test_prose_is_for_people(path: str) -> None:
    assert is_prose(path)
    assert not is_prose("shop/cart.py")


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("A/B.py", "a/b.py"),
        ("a. /b.", "a/b"),
        ("a/...", "a/..."),
        ("stra\u00dfe", "strasse"),
        ("\ufb01le", "file"),
        ("e\u0301", "\u00e9"),
    ],
)
def test_folded_is_how_the_most_forgiving_file_system_reads_it(path: str, plain: str) -> None:
    assert folded(path) == plain


@pytest.mark.parametrize(
    "path", ["a\\b", "a\tb", "a\x1fb", "a\x7fb", "a\ud800b", "a\u200bb", "a/./b", "a/../b", "/a", "a//b", ""]
)
def test_names_that_no_file_of_a_tree_has(path: str) -> None:
    assert malformed(path)


@pytest.mark.parametrize("path", ["a b", "a~b", "a/b.c/d", "caf\u00e9", "confg.py", "\u65e5\u672c.py"])
def test_names_that_a_file_may_have(path: str) -> None:
    assert malformed(path) is None


@pytest.mark.parametrize(
    ("name", "mixed"),
    [("total", False), ("t\u043etal", True), ("\u0438\u043c\u044f", False), ("\u65e5\u672ca", False), ("\u03b1lpha", True)],
)
def test_letters_of_two_scripts(name: str, mixed: bool) -> None:
    assert is_mixed(name) == mixed
