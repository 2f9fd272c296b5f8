"""Runs find their changes committed: a check that compares with git asks what the step changes, not what we did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from selfheal_ci.checks import runs_tests
from selfheal_ci.ports import Engine
from selfheal_ci.store.around import AroundSandbox
from selfheal_ci.values import NOTHING, SUPPORT, Changes, Command, Recipe, Run, Tree

PATHS = "selfheal-committed"
# In a repository of ours in the sandbox; where there is none, or no git, there is nothing to compare with.
COMMIT = f"""{{
git update-index --add --remove -z --stdin <{SUPPORT}/{PATHS} &&
git -c user.name=selfheal -c user.email=selfheal@localhost -c commit.gpgsign=false -c core.hooksPath=/dev/null \\
  commit --quiet --allow-empty --message 'The changes under test'
}} >/dev/null 2>&1 || :
"""


@dataclass(frozen=True)
class CommittedEngine:
    """An engine whose runs find their changes in the last commit of `.git`."""

    inner: Engine

    @property
    def name(self) -> str:
        """See Engine."""
        return self.inner.name

    @contextmanager
    def prepare(self, tree: Tree, recipe: Recipe) -> Iterator[CommittedSandbox]:
        """See Engine."""
        with self.inner.prepare(tree, recipe) as sandbox:
            yield CommittedSandbox(sandbox)


@dataclass(frozen=True)
class CommittedSandbox(AroundSandbox):
    """A sandbox that commits changes before it runs what may compare with git; tests are spared that."""

    def run(self, command: Command, changes: Changes = NOTHING) -> Run:
        """See Sandbox."""
        if not changes or runs_tests(command.shell):
            return self.inner.run(command, changes)
        paths = b"".join(path.encode("utf-8", "surrogateescape") + b"\0" for path in sorted(changes.files))
        support = {**command.support, PATHS: paths}
        run = self.inner.run(replace(command, shell=COMMIT + command.shell, support=support), changes)
        return replace(run, shell=command.shell)
