"""The `.git` that runs see: one commit of the tree, the nearest tag, and nothing of the real one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from selfheal_ci.store.git import Git
from selfheal_ci.store.trees import make_commit

WHO, SECONDS = "selfheal <selfheal@localhost>", 1700000000
VALUES = ("true", "yes", "on", "1", "input", "crlf", "lf", "native", "false", "no", "off", "0")  # of core.autocrlf, core.eol


def put_repository(
    git: Git, tree: str, into: Path, *, branch: str | None, tag: str | None, settings: Mapping[str, str]
) -> None:
    """Make a repository in a folder that holds the tree's files: versions come from tags, and checks compare with HEAD.

    `settings` say how files are converted.
    """
    commit = make_commit(git, tree, "The tree under repair", who=WHO, seconds=SECONDS)
    ours = Git(into / ".git", git.object_format)
    ours.run("init", "--quiet", "--template=", f"--object-format={git.object_format}")
    ours.run(
        "index-pack",
        "--stdin",
        stdin=git.run("pack-objects", "--revs", "--stdout", "-q", "--window=0", stdin=commit.encode()),
    )
    for name, value in settings.items():
        if value in VALUES:
            ours.run("config", name, value)
    head = f"refs/heads/{branch or 'main'}"
    ours.run("update-ref", head, commit)
    ours.run("symbolic-ref", "HEAD", head)
    if tag:
        ours.run("update-ref", f"refs/tags/{tag}", commit)
    ours.run("read-tree", commit)


def nearest_tag(git: Git, commit: str) -> str | None:
    """The tag that `git describe` would start from."""
    answer = git.ask("describe", "--tags", "--abbrev=0", commit, "--")
    return answer.stdout.decode("utf-8", "surrogateescape").strip() or None if answer.exit_code == 0 else None
