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
    (state / RECORD).write_text(json.dumps({"tree": "t", "prepared": 1.0, "size": 3 << 20, "made": []}))

    shown = CliRunner().invoke(main, ["doctor", "--cache-dir", str(cache)], env={"PATH": os.environ["PATH"]})
    cleaned = CliRunner().invoke(main, ["doctor", "--clean", "--cache-dir", str(cache)])

    assert f"ok  prepared states: 1 in {cache}, 3 MB" in shown.output
    assert (cleaned.exit_code, cleaned.output) == (0, f"removed 3 MB of prepared states from {cache}\n")
    assert [path.name for path in cache.iterdir()] == [".gitignore"]


def test_a_cache_that_others_can_write_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)

    shown = CliRunner().invoke(main, ["doctor", "--cache-dir", str(tmp_path)], env={"PATH": os.environ["PATH"]})

    assert f"--  prepared states: others can write into {tmp_path}" in shown.output


def cleaned(cache: object, **environ: str) -> tuple[int, str]:
    words = ["--cache-dir", str(cache)] if cache else []
    done = CliRunner().invoke(main, ["doctor", "--clean", *words], env={"XDG_CACHE_HOME": "", **environ})
    return done.exit_code, done.output


def test_clean_says_in_one_line_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert cleaned(tmp_path / "file") == (2, f"selfheal: nothing can be removed from {tmp_path}/file: File exists\n")
    assert cleaned(tmp_path / "none") == (0, f"nothing is kept: there is no {tmp_path}/none\n")
    assert cleaned(None, HOME="") == (0, "nothing is kept: no folder is named for prepared states, HOME is not set either\n")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_clean_removes_what_was_left_half_made(tmp_path: Path) -> None:
    half_made = tmp_path / "cache/new-x"
    half_made.mkdir(parents=True)
    (half_made / LOCK).touch()
    (half_made / "big").write_bytes(b"x" * (3 << 20))
    half_made.parent.chmod(0o700)

    shown = CliRunner().invoke(main, ["doctor", "--cache-dir", str(half_made.parent)], env={"PATH": os.environ["PATH"]})

    assert f"prepared states: 1 in {half_made.parent}, 3 MB" in shown.output
    assert cleaned(half_made.parent) == (0, f"removed 3 MB of prepared states from {half_made.parent}\n")
    assert not half_made.exists()


def test_a_cache_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    shown = CliRunner().invoke(main, ["doctor", "--cache-dir", str(tmp_path / "file")], env={"PATH": os.environ["PATH"]})

    assert f"--  prepared states: {tmp_path}/file: File exists\n" in shown.output
