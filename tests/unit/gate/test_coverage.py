"""Changed lines that the failing tests do not execute are named."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from selfheal_ci.gate.coverage import in_words, unexecuted
from selfheal_ci.values import Changes, Content, Line

OLD = b"def f(x):\n    if x:\n        return 1\n    return 2\n"
NEW = b"# f\ndef f(x):\n    if x:\n        return 3\n    elif x is None:\n        return 4\n    return 2\n"
READ: Mapping[str, bytes] = {"a.py": OLD, "b.py": b"", "c.txt": b""}


@pytest.mark.parametrize(
    ("ran", "left"),
    [
        ((("a.py", 3), ("a.py", 4)), (("a.py", 5), ("a.py", 6))),
        ((("a.py", 3), ("a.py", 5), ("a.py", 6)), (("a.py", 4),)),
        ((("a.py", 4), ("a.py", 5), ("a.py", 6)), ()),
        ((), ()),
    ],
    ids=["a branch", "the other", "all of it", "nothing is known"],
)
def test_names_changed_code_that_no_test_executes(ran: tuple[Line, ...], left: tuple[Line, ...]) -> None:
    assert unexecuted(Changes({"a.py": Content(NEW)}), ran, READ.get) == left


def test_new_files_count_and_what_is_no_python_or_deleted_does_not() -> None:
    changes = Changes({"a.py": None, "b.py": Content(b"x = 1\n\n\ny = 2\n"), "c.txt": Content(b"x = 1\n")})

    left = unexecuted(changes, (("b.py", 1),), READ.get)

    assert in_words(left) == "b.py:4"
