"""Fetches releases and the tools of their suites into `.bench-cache/`, once."""

from __future__ import annotations

import os
import sys
import tarfile
from pathlib import Path

from benchmarks.regressions.projects import TOOLS, Project
from selfheal_ci import shell

CACHE = Path(__file__).resolve().parents[2] / ".bench-cache"
NOT_OURS = (".egg-info/", ".dist-info/", "/.git/")


def environment() -> Path:
    """The programs of a virtual environment with the suites' tools."""
    place = CACHE / "venv"
    ready = place / "ready"
    wanted = "\n".join(TOOLS)
    if not ready.exists() or ready.read_text() != wanted:
        _run(sys.executable, "-m", "venv", "--clear", place)
        _run(place / "bin" / "pip", "install", "--quiet", *TOOLS)
        ready.write_text(wanted)
    return place / "bin"


def release(project: Project, version: str) -> dict[str, bytes]:
    """The files of a release's source distribution."""
    sdists = CACHE / "sdists" / f"{project.name}-{version}"
    if not list(sdists.glob("*.tar.gz")):
        options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-binary", ":all:")
        _run(environment() / "pip", "download", *options, "--dest", sdists, f"{project.name}=={version}")
    [archive] = sdists.glob("*.tar.gz")
    files = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            _, _, path = member.name.partition("/")
            if member.isfile() and path and path != "PKG-INFO" and not any(part in f"/{path}" for part in NOT_OURS):
                opened = tar.extractfile(member)
                files[path] = opened.read() if opened else b""
    return files


def _run(*words: str | Path) -> None:
    done = shell.run(words, env=dict(os.environ), timeout=600)
    if done.exit_code:
        raise SystemExit(f"{' '.join(map(str, words))} failed:\n{done.stderr.decode()}")
