from __future__ import annotations

import pytest

from selfheal_ci.paths import is_build_file, is_judge, protected, untouchable


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
