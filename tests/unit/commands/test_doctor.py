from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from selfheal_ci import shell
from selfheal_ci.cli import main
from selfheal_ci.commands.doctor import examine
from selfheal_ci.engines.bridge import Bridge
from selfheal_ci.engines.holding import LOCK
from selfheal_ci.engines.states import RECORD
from tests.dagger_stub import Stub


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


def test_finds_a_place_that_the_uid_of_a_run_reaches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    found = {check.name: check for check in examine(os.environ)}

    assert found["isolation"].works, found


def test_a_bridge_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    bridge = Bridge("pasta", ("/bin/sh", "-c", "echo no device for you >&2; exit 1", "sh"), "192.0.2.1")
    monkeypatch.setattr("selfheal_ci.engines.local.bridges", lambda: [bridge])

    check = next(each for each in examine(os.environ) if each.name == "network of setup")

    assert check.said.endswith("(pasta: no device for you)")
    assert "install" not in check.hint.replace("installed", "")


DOCKERS = {
    "answers": ("echo 27.1", True, "docker 27.1 answers; it starts an engine when one is used"),
    "does not": ("echo Cannot connect >&2; exit 1", False, "docker is installed, and does not answer: Cannot connect"),
    "hangs": ("exec sleep 60", False, "docker did not end within 0 s"),
}


@pytest.mark.parametrize(("does", "works", "said"), DOCKERS.values(), ids=DOCKERS.keys())
def test_docker_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str, said: str, *, works: bool) -> None:
    monkeypatch.setattr("selfheal_ci.engines.docker.PATIENCE", 0.3 if "sleep" in does else 20.0)
    (tmp_path / "docker").write_text(f"#!/bin/sh\n{does}\n")
    (tmp_path / "docker").chmod(0o755)

    check = next(each for each in examine({"PATH": f"{tmp_path}:{os.environ['PATH']}"}) if each.name == "dagger")

    assert (check.works, check.said.replace(f"{tmp_path}/", "")) == (works, said)


def test_a_dagger_engine_that_is_given_is_tried(tmp_path: Path) -> None:
    with Stub.serving(tmp_path / "stub") as stub:
        found = {check.name: check for check in examine({**os.environ, **stub.environ})}

    assert found["dagger"].said == "DAGGER_SESSION_PORT is set: engine v0.21.8 answers"
    assert found["isolation on dagger"].said == "a step reaches no network"
    assert found["engine"].said == "dagger where `setup` is configured (DAGGER_SESSION_PORT is set), else local"


def test_a_dagger_engine_that_is_not_there_says_why() -> None:
    environ = {**os.environ, "DAGGER_SESSION_PORT": "9", "DAGGER_SESSION_TOKEN": "t"}

    check = next(each for each in examine(environ) if each.name == "dagger")

    assert not check.works
    assert check.said.startswith("DAGGER_SESSION_PORT is set: the Dagger engine is gone")


def test_what_stops_the_sandbox_is_told_and_sends_nobody_here_again(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"]}
    tools = {"tar", "df", "chmod", "rm", "prlimit", "unshare", "mount", "setpriv", "chown"}
    with pytest.MonkeyPatch.context() as patched:
        for name in tools - {"tar"}:
            (tmp_path / name).symlink_to(shutil.which(name) or "")
        patched.setattr(shell, "PATH", str(tmp_path))
        done = CliRunner().invoke(main, ["doctor"], env=env)

    assert "no  local sandbox: the local sandbox needs tar" in done.output
    assert "selfheal doctor" not in done.output


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
