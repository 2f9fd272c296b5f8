"""A project in memory: files, tests that are functions of the files, and the lab on them. No process is started."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from selfheal_ci.detect import gave_out
from selfheal_ci.errors import UsageError
from selfheal_ci.lab import Lab, Meter
from selfheal_ci.values import (
    NOTHING,
    Attested,
    Base,
    Changes,
    Command,
    Commit,
    Content,
    Entry,
    Failure,
    Finding,
    Green,
    Hunk,
    Kind,
    Limits,
    Output,
    Recipe,
    Red,
    Result,
    Run,
    Source,
    Step,
    Stop,
    Tree,
    Unclear,
)

LIMITS = Limits(memory=100 << 20)
Project = Mapping[str, bytes]
Check = Callable[[Project], str | None]  # why the test fails; None when it passes


def blob_of(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


@dataclass
class MemoryFiles:
    """The port Files over a dictionary."""

    blobs: dict[str, bytes] = field(default_factory=dict)

    def tree(self, files: Project, modes: Mapping[str, str] | None = None) -> Tree:
        entries = {}
        for path, data in files.items():
            self.blobs[blob_of(data)] = data
            entries[path] = Entry((modes or {}).get(path, "100644"), blob_of(data))
        return self._tree(entries)

    def _tree(self, entries: Mapping[str, Entry]) -> Tree:
        said = json.dumps({path: [entry.mode, entry.blob] for path, entry in sorted(entries.items())})
        return Tree(blob_of(said.encode()), Path("/project"), entries)

    def read(self, entry: Entry) -> bytes:
        return self.blobs[entry.blob]

    def export(self, tree: Tree, into: Path) -> None:
        for path, entry in tree.entries.items():
            (into / path).parent.mkdir(parents=True, exist_ok=True)
            (into / path).write_bytes(self.read(entry))

    def write(self, tree: Tree, changes: Changes) -> Tree:
        entries = dict(tree.entries)
        for path, content in changes.files.items():
            entries.pop(path, None)
            if content:
                self.blobs[blob_of(content.data)] = content.data
                entries[path] = Entry(content.mode, blob_of(content.data))
        return self._tree(entries)

    def patch(self, old: Tree, new: Tree) -> bytes:
        return f"{old.id}..{new.id}".encode()


@dataclass
class MemoryHistory:
    """The port History over named trees; hunks are whole files unless given."""

    trees: Mapping[str, Tree]
    files: MemoryFiles
    given: Collection[Hunk] = ()

    def tree(self, revision: str) -> Tree:
        if revision not in self.trees:
            raise UsageError(f"there is no revision {revision!r}")
        return self.trees[revision]

    def commits(self, old: str, new: str) -> list[Commit]:
        return [Commit(new, "the change", tuple(hunk.path for hunk in self.given))]

    def before(self, revision: str, most: int) -> list[str]:
        return [name for name in self.trees if name.startswith(f"{revision}~")][:most]

    def hunks(self, old: Tree, new: Tree) -> list[Hunk]:
        return list(self.given)

    def healed(self, fingerprints: Collection[str]) -> list[Commit]:
        return []


@dataclass
class MemorySandbox:
    """Runs the checks of a project on its files plus changes; every run is kept in `seen` and `commands`.

    A check that answers "HANG" never ends; "HUNGRY" needs more memory than it may, and then says the rest of its answer.
    """

    files: MemoryFiles
    tree: Tree
    checks: Mapping[str, Check]
    concurrency: int = 2
    seen: list[tuple[str, Changes]] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    fixers: Mapping[str, Callable[[Project], Project]] = field(default_factory=dict)
    limits: Limits = LIMITS
    made: tuple[str, ...] = ()

    def stop(self) -> None:
        pass

    def run(self, command: Command, changes: Changes = NOTHING) -> Run:
        self.seen.append((command.shell, changes))
        self.commands.append(command)
        now = {path: self.files.read(entry) for path, entry in self.tree.entries.items()}
        now |= {path: content.data for path, content in changes.files.items() if content}
        now = {path: data for path, data in now.items() if changes.files.get(path, True) is not None}
        if command.shell in self.fixers:
            fixed = self.fixers[command.shell](now)
            return a_run(command.shell, changed=Changes({p: Content(d) for p, d in fixed.items() if now.get(p) != d}))
        wanted = json.loads(command.shell)
        said = {id_: check(now) for id_, check in self.checks.items() if wanted is None or id_ in wanted}
        if command.more is Stop.MEMORY:
            said = {id_: why.removeprefix("HUNGRY").strip() or None if why else why for id_, why in said.items()}
        run = a_run(command.shell, exit_code=int(any(said.values())), output=json.dumps(said))
        if any(why and why.startswith("HUNGRY") for why in said.values()):
            return replace(run, stop=Stop.MEMORY)
        return replace(run, stop=Stop.TIMEOUT, seconds=command.timeout) if "HANG" in said.values() else run


class MemoryRunner:
    """The runner of MemorySandbox. A check that answers "ABSENT" is not there."""

    name = "memory"

    def recognise(self, command: str) -> bool:
        return True

    def command(self, step: Step, ids: Collection[str] | None = None) -> Command:
        selectable = ids is not None and not any(id_.startswith("step:") for id_ in ids)
        return Command(json.dumps(sorted(ids or ()) if selectable else None), step.timeout)

    def read(self, run: Run, step: Step) -> Result:
        said = {id_: why for id_, why in json.loads(run.output.text).items() if why != "ABSENT"}
        if run.stop is not Stop.EXITED:
            return Unclear(run, gave_out(run))
        passed = frozenset(id_ for id_, why in said.items() if why is None)
        failures = tuple(a_failure(id_, why) for id_, why in said.items() if why is not None)
        return Red(run, passed, failures) if failures else Green(run, passed | {f"step:{step.name}"})


def a_run(shell: str = "true", *, exit_code: int = 0, output: str = "", changed: Changes = NOTHING) -> Run:
    return Run(shell, Stop.EXITED, exit_code, Output(tail=output.encode()), 0.01, {}, changed)


def a_failure(id_: str = "tests/test_a.py::test_a", message: str = "assert 1 == 2") -> Failure:
    return Failure(id_, f"1:{message}", message, "a.py", 1, "AssertionError", message)


def a_step(name: str = "tests", run: str = "pytest", **more: object) -> Step:
    return Step(name, run, **{"timeout": 30.0, **more})  # type: ignore[arg-type]


@dataclass
class Place:
    """A project under test, with everything a stage needs."""

    files: MemoryFiles
    tree: Tree
    sandbox: MemorySandbox
    lab: Lab
    source: Source
    heard: list[object]


def a_place(
    project: Project,
    checks: Mapping[str, Check],
    *,
    step: Step | None = None,
    base: Base | None = None,
    fixers: Mapping[str, Callable[[Project], Project]] | None = None,
    minutes: float = 1.0,
) -> Place:
    files = MemoryFiles()
    tree = files.tree(project)
    sandbox = MemorySandbox(files, tree, checks, fixers=fixers or {})
    heard: list[object] = []
    meter = Meter(time.monotonic() + minutes * 60)

    def prepare(other: Tree) -> MemorySandbox:
        return MemorySandbox(files, other, checks)

    lab = Lab(tree, step or a_step(), sandbox, MemoryRunner(), files, meter, heard.append, prepare, Recipe())
    return Place(files, tree, sandbox, lab, Source("project", "main", "c1", tree, False, base), heard)


def a_finding(kind: Kind = Kind.REGRESSION, **more: object) -> Finding:
    return Finding(kind, "it broke", **more)  # type: ignore[arg-type]


def a_guess(commit: str = "green") -> Base:
    return Base(commit, Attested.GUESS)
