"""Where a step runs changes nothing of what is found: each case on the local engine and on Dagger's, over the stub of its
session; with --dagger on a real engine, from the image that SELFHEAL_TEST_IMAGE names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.builders import Files, a_repository
from tests.dagger_stub import Stub
from tests.e2e.test_heal import BROKEN, GREEN, Ended, selfheal

CORE = str(GREEN["calc/core.py"])
TESTS = "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q"
CHECK = "sed -i s/tab/space/ notes.txt; git diff --exit-code"
COPIED = "from calc.made import add\n\n\ndef test_made():\n    assert add(2, 3) == 5\n"


@dataclass(frozen=True)
class Case:
    """A project that was green, what broke it, and how it is healed."""

    broken: Files
    words: tuple[str, ...] = ()
    run: str = TESTS
    setup: str = "true"
    green: Files = field(default_factory=dict)

    def project(self, folder: Path, image: str) -> Path:
        text = f"image = {image!r}\nsetup = [{self.setup!r}]\n[steps.tests]\nrun = {self.run!r}\n"
        files = {**GREEN, **self.green, ".selfheal.toml": text + "timeout-minutes = 1\n"}
        return a_repository(folder, files, self.broken)


CASES = {
    "a regression": Case(BROKEN),
    "a new test": Case({"tests/test_new.py": "from calc.core import half\n\n\ndef test_half():\n    assert half(4) == 2\n"}),
    "no failure": Case({"README.md": "x\n"}),
    "none, though known": Case({"README.md": "x\n"}, words=("--failed",)),
    "a leak": Case(
        {"calc/core.py": CORE.replace("return a + b", "return len(bytearray(600 << 20)) and a + b")},
        words=("--max-memory", "300m"),
    ),
    "a flood": Case(
        {"calc/core.py": CORE.replace("return a + b", "return open('flood', 'wb').write(bytes(150 << 20)) and a + b")},
        words=("--max-disk", "80m"),
    ),
    "what the step changes": Case({"notes.txt": "a tab\n"}, run=CHECK, green={"notes.txt": "a space\n"}),
    "a copy that setup makes": Case(
        BROKEN, setup="cp calc/core.py calc/made.py", green={"tests/test_made.py": COPIED, ".gitignore": "calc/made.py\n"}
    ),
}


@pytest.fixture
def dagger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mapping[str, str]]:
    """The variables that say where an engine is."""
    if request.config.getoption("--dagger"):
        yield {
            name: value for name, value in os.environ.items() if name.startswith(("DAGGER_", "_EXPERIMENTAL_", "DOCKER_"))
        }
        return
    (tmp_path / "stub").mkdir()
    with Stub.serving(tmp_path / "stub") as stub:
        yield stub.environ


def verdict(ended: Ended) -> dict[str, Any]:
    """What may not depend on where it ran."""
    told = ended.told
    diagnosis = told["diagnosis"] or {}
    return {
        "exit code": ended.exit_code,
        "status": told["status"],
        "failures": [(each["id"], each["kind"]) for each in told["failures"]],
        "diagnosis": (diagnosis.get("kind"), diagnosis.get("culprit")),
        "attempts": [(each["remedy"], each["verdict"]) for each in told["attempts"]],
        "patch": told["patch"],
        "evidence": told["evidence"],
    }


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_both_engines_say_the_same(case: Case, tmp_path: Path, dagger: Mapping[str, str]) -> None:
    project = case.project(tmp_path / "project", os.environ.get("SELFHEAL_TEST_IMAGE", "python:3.11-slim"))
    seen = []
    for engine, environ in (("local", {}), ("dagger", dagger)):
        words = ("--ladder", "own-changes,shrunk-revert,revert", "--engine", engine, *case.words)
        ended = selfheal(project, "heal", *words, environ=environ)
        assert ended.told["engine"] == engine, ended.stderr
        seen.append(verdict(ended))

    assert seen[0] == seen[1]
