from __future__ import annotations

import pytest

from selfheal_ci.gate.scripts import scripts
from tests.fakes import MemoryFiles, a_step

FILES = {
    "ci/run.sh": b"#!/bin/sh\nset -e\npython tools/check.py --all\n",
    "tools/check.py": b"print(1)\n",
    "tools/helper.py": b"print(1)\n",
    "run.py": b"import shop\n",
    "shop/cart.py": b"x = 1\n",
    "shop/run.py": b"x = 1\n",
    ".ci/go.sh": b"true\n",
    "link.sh": b"ci/run.sh",
    "bin/judge": b"#!/usr/bin/env python\n",
}


def named(run: str, more: dict[str, bytes] | None = None, build: tuple[str, ...] = ()) -> set[str]:
    files = MemoryFiles()
    return set(
        scripts(a_step(run=run, build=build), files.tree({**FILES, **(more or {})}, {"link.sh": "120000"}), files.read)
    )


@pytest.mark.parametrize(
    ("run", "found"),
    [
        ("pytest -q", set()),
        ("pytest shop/cart.py", set()),
        ("ruff check shop/cart.py", set()),
        ("python -m shop.cart", set()),
        ("python -c 'import run'", set()),
        ("python run.py", {"run.py"}),
        ("python3.11 -W error ./run.py --fast", {"run.py"}),
        ("PYTHONPATH=. python -u run.py", {"run.py"}),
        ("uv run python run.py", {"run.py"}),
        ("timeout 60 ./bin/judge", {"bin/judge"}),
        ("bin/judge shop/cart.py", {"bin/judge"}),
        ("coverage run run.py", {"run.py"}),
        ("bash .ci/go.sh", {".ci/go.sh"}),
        ("$TOOL", set()),
        ("ls", set()),
        ("bash nowhere.sh link.sh", set()),
        ("sh link.sh", {"link.sh"}),
        ("bash ci/run.sh", {"ci/run.sh", "tools/check.py"}),
        (". ci/run.sh && pytest", {"ci/run.sh", "tools/check.py"}),
        ("cd ci && ./run.sh", {"ci/run.sh", "tools/check.py"}),
        ("sh -c 'python run.py'", {"run.py"}),
        ("if true; then python run.py; fi", {"run.py"}),
    ],
)
def test_what_the_command_starts(run: str, found: set[str]) -> None:
    assert named(run) == found


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("Makefile", "test:\n\t@bash ci/run.sh\n"),
        ("Makefile", "test:\n\t-./ci/run.sh $(ARGS)\n"),
        ("package.json", '{"scripts": {"test": "bash ci/run.sh && node x"}}'),
        ("tox.ini", "[testenv]\ncommands = bash ci/run.sh\n"),
        ("tox.ini", "[testenv]\ncommands =\n    bash ci/run.sh {posargs}\n"),
        ("noxfile.py", "def test(s):\n    s.run('bash ci/run.sh')\n"),
        ("package.json", '{"scripts": {"test": "bash ci/run.sh \\q"}}'),
        ("noxfile.py", "def test(s):\n    s.run('bash', 'ci/run.sh', '-q')\n"),
        ("justfile", "test:\n    bash ci/run.sh\n"),
        ("pyproject.toml", '[tool.poe.tasks]\ntest = "bash ci/run.sh"\n'),
    ],
)
def test_what_the_files_name_that_steer(path: str, text: str) -> None:
    assert named("make test", {path: text.encode()}) == {"ci/run.sh", "tools/check.py"}


def test_what_builds_it_too() -> None:
    assert named("pytest", build=("python run.py",)) == {"run.py"}


def test_scripts_that_name_each_other_come_to_an_end() -> None:
    assert named("sh a.sh", {"a.sh": b"sh b.sh\n", "b.sh": b"sh a.sh\n"}) == {"a.sh", "b.sh"}


def test_a_file_that_is_only_named_is_not_started() -> None:
    assert (
        named("pytest", {"setup.py": b"setup(version=find('shop/cart.py'))\n", "noxfile.py": b"FILES = ['shop/cart.py']\n"})
        == set()
    )
