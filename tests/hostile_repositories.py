"""Checkouts, and remotes beside them, in which plain git runs a program that somebody planted; and the commands that do."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.builders import ENVIRONMENT, git, put
from tests.faults import HEAL, PUBLISH, Ended, Scene, a_scene

ATTRIBUTES = ".git/info/attributes"
COMMANDS: Mapping[str, Sequence[str]] = {
    "heal": HEAL,
    "dry-run": (*PUBLISH, "--dry-run"),
    "publish": PUBLISH,
    "apply": ("apply",),
    "doctor": ("doctor",),
}


@dataclass(frozen=True)
class Trap:
    """One way to have a program run. `{run}` is the program, `{place}` the folder of the checkout and its remote."""

    name: str
    spring: str  # a shell line with plain git that runs it, in the checkout
    settings: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)  # below the place; programs where they begin with #!
    config: str = "project/.git/config"

    @property
    def mark(self) -> str:
        """What is left where it was sprung."""
        return self.name.replace(" ", "-")


def key(name: str, spring: str, *, attributes: str = "", files: Mapping[str, str] = {}, **more: str) -> Trap:
    """A setting whose value is a program. more: further settings, with `__` for the dot."""
    settings = {name: "{run}"} | {other.replace("__", "."): value for other, value in more.items()}
    given = {f"project/{ATTRIBUTES}": f"* {attributes}\n"} if attributes else {}
    return Trap(name, spring, settings, given | dict(files))


def hook(name: str, spring: str) -> Trap:
    return Trap(f"hook {name}", spring, files={f"project/.git/hooks/{name}": "#!/bin/sh\n{run} <&-\n"})


def remote(name: str, settings: Mapping[str, str] = {}, files: Mapping[str, str] = {}) -> Trap:
    """Something in the repository that `origin` leads to."""
    spring = "git push origin HEAD:refs/heads/new"
    return Trap(
        f"remote {name}", spring, settings, {f"origin.git/{path}": text for path, text in files.items()}, "origin.git/config"
    )


EDIT = "echo >>core.py; "
PROGRAM = "#!/bin/sh\n{run} <&-\n"
CHECKOUT = (
    key("core.fsmonitor", "git status"),
    key("core.sshCommand", "git ls-remote ssh://127.0.0.1/x"),
    key("core.gitProxy", "git ls-remote git://127.0.0.1/x"),
    key("core.editor", "git commit --allow-empty"),
    key("sequence.editor", "git rebase -i HEAD~1"),
    key("core.alternateRefsCommand", "git fetch origin", files={"project/.git/objects/info/alternates": "{place}/origin.git/objects\n"}),
    key("diff.external", EDIT + "git diff"),
    key("diff.x.command", EDIT + "git diff", attributes="diff=x"),
    key("diff.x.textconv", EDIT + "git diff", attributes="diff=x"),
    key("filter.x.clean", EDIT + "git add core.py", attributes="filter=x"),
    key("filter.x.smudge", "rm core.py; git checkout core.py", attributes="filter=x"),
    key("filter.x.process", EDIT + "git add core.py", attributes="filter=x"),
    key("merge.x.driver", "git checkout -b o HEAD~1; echo 1 >core.py; git commit -am o; git merge main", attributes="merge=x"),
    key("difftool.x.cmd", EDIT + "git difftool -y -t x"),
    key("gpg.program", "git commit --allow-empty -m x", commit__gpgSign="true"),
    key("gpg.ssh.program", "git commit --allow-empty -S -m x", gpg__format="ssh", user__signingKey="key::ssh-ed25519 AAAA"),
    key("gpg.x509.program", "git commit --allow-empty -S -m x", gpg__format="x509"),
    key("gpg.ssh.defaultKeyCommand", "git commit --allow-empty -S -m x", gpg__format="ssh"),
    key("remote.origin.receivepack", "git push origin HEAD:refs/heads/new"),
    key("remote.origin.uploadpack", "git fetch origin"),
    key("credential.helper", "printf 'protocol=https\\nhost=x\\n\\n' | git credential fill"),
    key("trailer.x.cmd", "git commit --allow-empty -m x --trailer x=y"),
    key("tar.x.command", "git archive --format=x HEAD"),
    key("core.hooksPath", "git commit --allow-empty -m x"),
    Trap("alias", "git x", {"alias.x": "!{run}"}),
    Trap("url ext", "git fetch evil", {"remote.evil.url": "ext::{run}", "protocol.ext.allow": "always"}),
    Trap("include.path", "git status", {"include.path": "{place}/more"}, {"more": "[core]\n\tfsmonitor = {run}\n"}),
    Trap("includeIf", "git status", {"includeIf.gitdir:/.path": "{place}/if"}, {"if": "[core]\n\tfsmonitor = {run}\n"}),
    Trap(
        "config.worktree", "git status", {"extensions.worktreeConfig": "true"},
        {"project/.git/config.worktree": "[core]\n\tfsmonitor = {run}\n"},
    ),
    Trap(
        "core.attributesFile", EDIT + "git add core.py", {"core.attributesFile": "{place}/attributes", "filter.y.clean": "{run}"},
        {"attributes": "* filter=y\n"},
    ),
    hook("pre-commit", "git commit --allow-empty -m x"),
    hook("prepare-commit-msg", "git commit --allow-empty -m x"),
    hook("commit-msg", "git commit --allow-empty -m x"),
    hook("post-commit", "git commit --allow-empty -m x"),
    hook("post-checkout", "git checkout -b x"),
    hook("post-index-change", "git reset --hard"),
    hook("reference-transaction", "git branch x"),
    hook("pre-push", "git push origin HEAD:refs/heads/new"),
    hook("post-merge", "git checkout -b o HEAD~1; git merge --no-ff main"),
    hook("post-rewrite", "git commit --amend -m x"),
    hook("applypatch-msg", "git format-patch -1 --stdout >../p; git reset --hard HEAD~1; git am ../p"),
    Trap(
        "submodule.x.update",
        "printf '[submodule \"x\"]\\npath=sub\\nurl=.\\n' >.gitmodules; git add .gitmodules; "
        "git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),sub; git submodule update --init",
        {"submodule.x.update": "!{run}", "submodule.x.url": "{place}/origin.git", "submodule.x.active": "true"},
    ),
)  # fmt: skip
REMOTES = (
    remote("pre-receive", files={"hooks/pre-receive": PROGRAM}),
    remote("update", files={"hooks/update": PROGRAM}),
    remote("post-receive", files={"hooks/post-receive": PROGRAM}),
    remote("post-update", files={"hooks/post-update": PROGRAM}),
    remote("reference-transaction", files={"hooks/reference-transaction": PROGRAM}),
    remote("proc-receive", {"receive.procReceiveRefs": "refs/heads"}, {"hooks/proc-receive": PROGRAM}),
    remote("core.hooksPath", {"core.hooksPath": "{place}/origin.git/other"}, {"other/post-update": PROGRAM}),
    remote("include.path", {"include.path": "more"}, {"more": "[core]\n\thooksPath = other\n", "other/post-update": PROGRAM}),
    remote(
        "core.alternateRefsCommand", {"core.alternateRefsCommand": "{run}"},
        {"objects/info/alternates": "{place}/project/.git/objects\n"},
    ),
    remote("gitfile", {}, {".git": "gitdir: {place}/origin.git\n", "hooks/update": PROGRAM}),
    remote(
        "commondir", {}, {"commondir": "../common\n", "../common/config": "[core]\n\thooksPath = {place}/origin.git/other\n",
                          "../common/objects/.keep": "", "../common/refs/.keep": "", "other/post-update": PROGRAM},
    ),
)  # fmt: skip
TRAPS = (*CHECKOUT, *REMOTES)


@dataclass(frozen=True)
class Hostile:
    """A broken project with traps in it."""

    scene: Scene

    @property
    def ran(self) -> list[str]:
        """The traps that were sprung."""
        return sorted(path.name for path in (self.scene.place / "ran").iterdir())

    def plant(self, traps: Sequence[Trap]) -> None:
        (self.scene.place / "ran").mkdir(exist_ok=True)
        for trap in traps:
            run = self._program(trap.mark)
            for name, value in trap.settings.items():
                given = f"{run.parent}" if name == "core.hooksPath" and value == "{run}" else self._filled(value, run)
                git(self.scene.place, "config", "--file", str(self.scene.place / trap.config), name, given)
            for path, text in trap.files.items():
                put(self.scene.place, {path: self._filled(text, run)})
                if text.startswith("#!"):
                    (self.scene.place / path).chmod(0o755)

    def spring(self, trap: Trap) -> None:
        """Do what a person or another tool would do there."""
        env = ENVIRONMENT | {"GIT_ALLOW_PROTOCOL": "file:ssh:git:ext", "GIT_TERMINAL_PROMPT": "0"}
        words = ["sh", "-c", trap.spring]
        subprocess.run(words, cwd=self.scene.project, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False)

    def use(self) -> dict[str, Ended]:
        """Every command of ours, in the hostile checkout."""
        return {name: self.scene.run(words) for name, words in COMMANDS.items()}

    def _program(self, mark: str) -> Path:
        """One that leaves a mark; its folder serves as a folder of hooks."""
        folder = self.scene.place / "programs" / mark
        text = f"#!/bin/sh\n: >{self.scene.place}/ran/{mark}\nexit 0\n"
        put(folder, {"run": text, "pre-commit": text})
        for path in folder.iterdir():
            path.chmod(0o755)
        return folder / "run"

    def _filled(self, text: str, run: Path) -> str:
        return text.replace("{run}", os.fspath(run)).replace("{place}", os.fspath(self.scene.place))


@contextmanager
def a_hostile_repository(*traps: Trap, healed: bool = False) -> Iterator[Hostile]:
    """One with these traps, planted before or after it was healed."""
    with a_scene(healed=healed) as scene:
        hostile = Hostile(scene)
        hostile.plant(traps)
        yield hostile
