"""Git repositories on disk, built by plain git commands in an environment of their own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from selfheal_ci.values import Publication

Files = Mapping[str, str | bytes | None]  # None deletes

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_AUTHOR_DATE": "@1700000000 +0000",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_COMMITTER_DATE": "@1700000000 +0000",
}


def git(folder: Path, *words: str, stdin: bytes = b"") -> str:
    """What git says in a folder."""
    done = subprocess.run(["git", "-C", folder, *words], env=ENVIRONMENT, input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, f"git {words}: {done.stderr.decode()}"
    return done.stdout.decode("utf-8", "surrogateescape").strip()


def a_repository(path: Path, *commits: Files, remote: Path | None = None, object_format: str = "sha1") -> Path:
    """A checkout on `main` with these commits, one after the other, pushed to a new bare remote where one is named."""
    path.mkdir(parents=True)
    git(path, "init", "--quiet", "--initial-branch=main", f"--object-format={object_format}")
    for number, files in enumerate(commits, 1):
        commit(path, files, f"commit {number}")
    if remote:
        git(path, "init", "--quiet", "--bare", "--initial-branch=main", f"--object-format={object_format}", str(remote))
        git(path, "remote", "add", "origin", str(remote))
        git(path, "push", "--quiet", "origin", "HEAD:refs/heads/main")
    return path


def commit(path: Path, files: Files, subject: str = "a commit") -> str:
    """Commit these files on top, and tell the commit's id."""
    put(path, files)
    git(path, "add", "--all", "--force", "--", *(name for name in files)) if files else None
    git(path, "-c", "core.autocrlf=false", "commit", "--quiet", "--allow-empty", "--message", subject)
    return git(path, "rev-parse", "HEAD")


def put(path: Path, files: Files) -> None:
    """Write files into a folder."""
    for name, data in files.items():
        place = path / name
        if data is None:
            place.unlink()
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data.encode() if isinstance(data, str) else data)


def blob(repository: Path, revision: str, path: str) -> bytes:
    """The bytes that git keeps of a path."""
    id_ = git(repository, "rev-parse", "--verify", f"{revision}:{path}")
    words: list[str | Path] = ["git", "-C", repository, "cat-file", "blob", id_]
    return subprocess.run(words, env=ENVIRONMENT, capture_output=True, check=True).stdout


def fix_branch(remote: Path) -> str:
    """The one branch of a bare repository that holds a fix."""
    [name] = [branch for branch in branches(remote) if branch.startswith("selfheal/")]
    return name


def branches(remote: Path) -> dict[str, str]:
    """The branches of a bare repository, with their commits."""
    told = git(remote, "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads")
    return dict(line.split(" ") for line in told.splitlines())


def a_publication(**more: object) -> Publication:
    """A publication of one file; give `files` and `commit` from the repository."""
    facts: dict[str, object] = {
        "key": "1a2b3c4d" * 8,
        "step": "tests",
        "commit": "0" * 40,
        "target": "main",
        "files": (),
        "branch": "selfheal/tests-1a2b3c4d",
        "title": "fix(ci): make tests pass",
        "message": f"fix(ci): make tests pass\n\nSelfheal-Key: {'1a2b3c4d' * 8}\n",
        "body": "What happened.",
    }
    return Publication(**(facts | more))  # type: ignore[arg-type]
