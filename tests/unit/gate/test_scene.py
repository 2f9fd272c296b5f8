from __future__ import annotations

from collections.abc import Mapping

from selfheal_ci.gate.scene import Known, scene_of
from selfheal_ci.gate.suspicion import Scene
from selfheal_ci.values import Changes, Content, diagnostic_id
from tests.fakes import MemoryFiles, a_step

TEST = "tests/test_cart.py::test_total"
FAILING = {
    "cart.py": b"one\n",
    "latin.py": b"# caf\xe9\n",
    "logo.png": b"\x89PNG\0",
    "run.py": b"import requests\n",
    "link.py": b"cart.py",
    "tests/test_cart.py": b"EXPECTED = [99]\n\ndef test_total():\n    assert total(7) == EXPECTED\n",
}


def a_scene(changes: Mapping[str, bytes | None], green: Mapping[str, bytes] | None = None, target: str = TEST) -> Scene:
    files = MemoryFiles()
    tree = files.tree(FAILING, {"link.py": "120000"})
    known = Known(
        {target},
        ["KeyError: 'x'"],
        {"cart.py::cart.total"},
        a_step(),
        files.tree(green) if green is not None else None,
        ["old.py"],
    )
    return scene_of(
        Changes({path: None if data is None else Content(data) for path, data in changes.items()}),
        tree,
        files.read,
        known,
        before=FAILING.get,
    )


def test_texts_of_what_changes_before_after_and_on_green() -> None:
    scene = a_scene({"cart.py": b"two\n", "new.py": b"x\n"}, {"cart.py": b"zero\n", "old.py": b"was\n"})

    assert scene.before == {"cart.py": "one\n"}
    assert scene.after == {"cart.py": "two\n", "new.py": "x\n"}
    assert scene.green == {"cart.py": "zero\n", "old.py": "was\n"}  # what is not there may have come from another file


def test_of_green_only_the_same_files_where_all_are_there() -> None:
    assert a_scene({"cart.py": b"two\n"}, {"cart.py": b"zero\n", "old.py": b"was\n"}).green == {"cart.py": "zero\n"}
    assert a_scene({"cart.py": b"two\n"}).green == {}


def test_latin_text_is_text_and_binary_is_none() -> None:
    scene = a_scene({"latin.py": None, "logo.png": b"\x89PNG\0\0"})

    assert scene.before == {"latin.py": "# caf\xe9\n"}
    assert scene.after == {}


def test_what_the_failing_tests_expect() -> None:
    assert a_scene({"cart.py": b""}).raised == {"KeyError"}
    assert {7, 99} <= set(a_scene({"cart.py": b""}).expected)


def test_which_of_its_files_the_step_runs_as_doctests() -> None:
    assert a_scene({"cart.py": b"", "run.py": b""}).doctests == {"cart.py"}


def test_whether_a_checker_judges() -> None:
    assert not a_scene({"cart.py": b""}).judged_by_tools
    assert a_scene({"cart.py": b""}, None, diagnostic_id("cart.py", "ruff", "F401", "unused")).judged_by_tools


def test_the_projects_own_sources_are_asked_where_it_matters() -> None:
    assert {"requests", "cart", "run"} <= a_scene({"cart.py": b""}).known


def test_without_single_tests_the_step_says_what_it_expects() -> None:
    files = MemoryFiles()
    source = b'def total(n):\n    """Says.\n\n    >>> total(17)\n    "seven"\n    """\n'
    tree = files.tree(
        {"cart.py": source, "check.py": b"assert total(5) == 23\n", "pytest.ini": b"addopts = --doctest-modules\n"}
    )
    changes, known = (
        Changes({"cart.py": Content(b"x\n")}),
        Known({"step:tests"}, step=a_step(run="python check.py 99 'a b'")),
    )

    scene = scene_of(changes, tree, files.read, known, before=lambda path: source)

    assert {5, 23, 99, "a b", 17, "seven"} <= set(scene.expected)
    assert scene.doctests == {"cart.py"}
    assert scene.exit_code_alone
    assert scene.scripts == {"check.py"}


def test_python_is_read_as_python_reads_it() -> None:
    hidden = b"# coding: utf-7\n# harmless +AAo-import os\n"

    assert "\nimport os" in a_scene({"cart.py": hidden}).after["cart.py"]
    assert a_scene({"cart.py": b"# coding: nonsense\nx = 1\n"}).after["cart.py"].endswith("x = 1\n")
