from __future__ import annotations

import os
from pathlib import Path

from click.testing import CliRunner

from selfheal_ci.cli import main
from selfheal_ci.commands.doctor import examine


def test_tries_the_sandbox_and_its_isolation() -> None:
    found = {check.name: check for check in examine(os.environ)}

    assert found["local sandbox"].works, found["local sandbox"].said
    assert found["isolation"].said == "a step reaches no network"
    assert found["git"].works


def test_what_is_missing_has_a_hint_and_an_exit_code(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["doctor"], env={"PATH": str(tmp_path), "ANTHROPIC_API_KEY": ""})

    assert done.exit_code == 7
    assert "no  git: not found\n      install git" in done.output
    assert "--  model: no key\n      set ANTHROPIC_API_KEY" in done.output
