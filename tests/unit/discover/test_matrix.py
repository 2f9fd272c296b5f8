from __future__ import annotations

import pytest

from selfheal_ci.discover.found import Machine
from selfheal_ci.discover.matrix import best, combinations


def test_crosses_excludes_and_includes() -> None:
    matrix = {
        "os": ["ubuntu", "windows"],
        "py": ["3.9", "3.11"],
        "exclude": [{"os": "windows", "py": "3.9"}],
        "include": [{"os": "ubuntu", "extra": "x"}, {"os": "macos", "py": "3.12"}],
    }

    assert combinations(matrix) == [
        {"os": "ubuntu", "py": "3.9", "extra": "x"},
        {"os": "ubuntu", "py": "3.11", "extra": "x"},
        {"os": "windows", "py": "3.11"},
        {"os": "macos", "py": "3.12"},
    ]


def test_a_matrix_of_includes_alone_is_a_list() -> None:
    assert combinations({"include": [{"py": "3.9"}, {"py": "3.9", "os": "mac"}]}) == [
        {"py": "3.9"},
        {"py": "3.9", "os": "mac"},
    ]


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        (["3.9", "3.11", "3.14"], "3.11"),
        (["3.14", "3.9"], "3.9"),
        (["py310", "py311"], "py311"),
        (["3.11t", "pypy-3.11", "3.11"], "3.11"),
        (["3.14", "3.15"], "3.14"),
        (["windows-py311", "ubuntu-py311"], "ubuntu-py311"),
        (["1.3.11", "x"], "1.3.11"),
    ],
)
def test_takes_what_this_machine_has(given: list[str], chosen: str) -> None:
    assert best([{"v": each} for each in given], Machine("3.11", ("3.9",))) == {"v": chosen}


def test_a_huge_matrix_costs_little() -> None:
    assert len(combinations({name: list("abcdefghij") for name in "abcdefgh"})) == 500
