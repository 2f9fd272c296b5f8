from __future__ import annotations

import json
import os
from pathlib import Path

from click.testing import CliRunner

from selfheal_ci.cli import main
from selfheal_ci.commands.doctor import examine
from selfheal_ci.engines.holding import LOCK
from selfheal_ci.engines.states import RECORD


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


def test_tells_in_which_way_the_sandbox_works_here() -> None:
    found = {check.name: check for check in examine(os.environ)}

    assert found["local sandbox"].said.startswith("starts, by bubblewrap ")
    assert found["overlays"].works
    assert found["network of setup"].said or found["network of setup"].hint


def test_clean_removes_the_prepared_states(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    state = cache / "state-1"
    state.mkdir(parents=True, mode=0o700)
    (state / LOCK).touch()
    (state / RECORD).write_text(json.dumps({"tree": "t", "prepared": 1.0, "size": 3 << 20, "exact": False}))

    shown = CliRunner().invoke(main, ["doctor", "--cache-dir", str(cache)], env={"PATH": os.environ["PATH"]})
    cleaned = CliRunner().invoke(main, ["doctor", "--clean", "--cache-dir", str(cache)])

    assert f"ok  prepared states: 1 in {cache}, 3 MB" in shown.output
    assert (cleaned.exit_code, cleaned.output) == (0, f"removed 3 MB of prepared states from {cache}\n")
    assert list(cache.iterdir()) == []


def test_a_cache_that_others_can_write_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)

    shown = CliRunner().invoke(main, ["doctor", "--cache-dir", str(tmp_path)], env={"PATH": os.environ["PATH"]})

    assert f"--  prepared states: others can write into {tmp_path}" in shown.output
