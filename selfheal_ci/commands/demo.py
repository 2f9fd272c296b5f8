"""Breaks a small project, heals it twice and publishes the fixes to a bare repository, told as a story."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from selfheal_ci import shell
from selfheal_ci.commands.demo_project import COMMITS, CONVERSATION
from selfheal_ci.errors import ToolError
from selfheal_ci.wiring import Saying, deliver_healing, run_publish

ENGINE = (
    "DAGGER_|_EXPERIMENTAL_DAGGER_|DOCKER_|XDG_|(HTTPS?|NO)_PROXY$|(https?|no)_proxy$"  # what says where a Dagger engine is
)
SETUP = "python3 -c 'import pytest' 2>/dev/null || python3 -m pip install --user --quiet pytest"
AUTHOR = {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org"}
COMMITTER = {"GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org"}


def run_demo(*, environ: Mapping[str, str], engine: str) -> int:
    """Both rounds; 0 when both were healed and published."""
    path = f"{sys.prefix}/bin:{environ.get('PATH', shell.PATH)}"
    clean = {"PATH": path, "HOME": environ.get("HOME", "/nonexistent"), "LANG": environ.get("LANG", "C.UTF-8")}
    where: dict[str, object] = {"engine": engine}
    if engine == "dagger":
        clean |= {name: value for name, value in environ.items() if re.match(ENGINE, name)}
        where["setup"] = (SETUP,)
    with tempfile.TemporaryDirectory(prefix="selfheal-demo-") as folder:
        place = Path(folder)
        script = place / "conversation.json"
        script.write_text(json.dumps(CONVERSATION))
        git = _repository(place)
        _chapter("A project with history", "the last of three commits has four hunks; one of them is a mistake")
        click.echo(git("log", "--oneline", "--stat=60").rstrip())
        _chapter("First round: no model", "the hunk that did it is found, and as little of it as heals is put back")
        first = _round(place, {**where, "no_model": True}, clean, remote="first.git")
        _chapter(
            "Second round: a scripted model",
            "as if nothing cheaper had helped: it is told what its first try got wrong",
        )
        asked = {**where, "model": f"scripted:{script}", "ladder": ("model",)}
        second = _round(place, asked, clean, remote="second.git")
        click.echo("\nAll of this was in a temporary folder, which is gone now.")
        return first or second


def _round(place: Path, asked: Mapping[str, object], environ: Mapping[str, str], *, remote: str) -> int:
    output = place / "project" / "selfheal-out"
    source = {"source": str(place / "project"), "output": str(output), "cache_dir": str(place / "cache")}
    healed = deliver_healing({**source, **asked}, (), environ=environ, saying=Saying(stream=sys.stdout))
    if healed.exit_code:
        return healed.exit_code
    _chapter("The patch", "selfheal-out/fix.patch")
    click.echo((output / "fix.patch").read_text().rstrip())
    _chapter("The branch", "made in a store of its own, pushed to a bare repository")
    published = run_publish(
        {"source": source["source"], "remote": str(place / remote)},
        str(output),
        environ=environ,
        saying=Saying(stream=sys.stdout),
    )
    if published == 0:
        log = shell.run(_git(place / remote, "log", "--oneline", "--graph", "--all", "--decorate"), env=environ)
        click.echo(log.stdout.decode().rstrip())
    return published


def _chapter(title: str, what: str) -> None:
    click.echo(f"\n== {title} — {what}")


def _repository(place: Path) -> Callable[..., str]:
    """The project with its commits, and two bare repositories that have them too; gives git in the project."""
    project = place / "project"
    project.mkdir()
    env = {"PATH": shell.PATH, "HOME": str(place), "GIT_CONFIG_NOSYSTEM": "1", **AUTHOR, **COMMITTER}

    def git(*words: str) -> str:
        done = shell.run(_git(project, *words), env=env)
        if done.exit_code:
            raise ToolError(f"git {words[0]} failed: {done.stderr.decode().strip()}")
        return done.stdout.decode()

    git("init", "--quiet", "--initial-branch=main")
    for subject, files in COMMITS:
        for path, text in files.items():
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            (project / path).write_text(text)
        git("add", "--all")
        git("commit", "--quiet", "--message", subject)
    for remote in ("first.git", "second.git"):
        git("init", "--quiet", "--bare", "--initial-branch=main", str(place / remote))
        git("push", "--quiet", str(place / remote), "main")
    return git


def _git(folder: Path, *words: str) -> list[str]:
    return ["git", "-C", str(folder), *words]
