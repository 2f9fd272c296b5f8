"""The store itself: a bare repository of ours that borrows the checkout's objects and knows its refs."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from selfheal_ci.errors import UsageError
from selfheal_ci.ports import Engine
from selfheal_ci.store.bare import EMPTY_TREE, make_store
from selfheal_ci.store.changes import DIFF, LINKS, named, read_commits, read_healed, read_hunks
from selfheal_ci.store.checkout import IDS, Checkout, read_checkout, with_personal
from selfheal_ci.store.committed import CommittedEngine
from selfheal_ci.store.conversions import ATTRIBUTES_FILE, Conversions, read_conversions
from selfheal_ci.store.git import Git
from selfheal_ci.store.index import Index
from selfheal_ci.store.objects import Objects
from selfheal_ci.store.snapshot import Snapshot
from selfheal_ci.store.synthetic import nearest_tag, put_repository
from selfheal_ci.store.trees import make_tree, private_index, read_tree, replaced, without_submodules
from selfheal_ci.store.working import ConvertingEngine, Forms
from selfheal_ci.store.worktree import (
    ALWAYS_ENVIRONMENT,
    JUNK,
    OUTPUT,
    WorkTree,
    copy_environment,
    is_environment,
    is_gits_own,
    outermost,
)
from selfheal_ci.values import Attested, Base, Changes, Commit, Content, Entry, Hunk, Source, Tree, blob_id
from selfheal_ci.words import one_line

MAIL = b"From: selfheal-ci <selfheal-ci@users.noreply.github.com>\nSubject: [PATCH] fix(ci): what selfheal verified\n\n---\n"
DEFAULT_BRANCHES = ("main", "master")
FAR_BACK = 10_000  # commits in which one that was green is looked for


@contextmanager
def open_store(source: Path, work: Path, *, home: Path | None = None) -> Iterator[Store]:
    """A store for a checkout, or for a folder without git, made in a private folder. The checkout is only read.

    With `home`, what the person whose home it is ignores everywhere is ignored here too.
    Raises UsageError when there is no such folder, ToolError without git.
    """
    if not source.is_dir():
        raise UsageError(f"{source} is no folder", hint="name the checkout with --source")
    checkout = read_checkout(source.resolve())
    if home:
        checkout = with_personal(checkout, home)
    git = make_store(checkout, work)
    with ExitStack() as stack:
        yield Store(git, checkout, Objects(git, stack))


class Store:
    """History and Files of one checkout. Nothing here runs or writes in the checkout."""

    def __init__(self, git: Git, checkout: Checkout, objects: Objects) -> None:
        self.git = git
        self.checkout = checkout
        self._objects = objects
        self._trees: dict[str, Tree] = {}
        self._repositories: dict[str, str] = {}  # trees as the working tree has them → the tree that runs' .git has
        self.forms = Forms(Conversions(), self.read)  # of the last failing tree

    # The checkout

    def failing(self) -> Source:
        """The checkout as it is: SURFACE section 1, "The failing tree". Its base is yet to be named."""
        head = self._head_entries
        entries = self._snapshot(head)
        changes = self._since_head(entries)
        tree = make_tree(self.git, self.checkout.commit, changes)
        return Source(
            repository=self.checkout.repository,
            branch=self.checkout.branch,
            commit=self.checkout.commit,
            tree=Tree(tree, self.checkout.folder, entries, self.environment),
            dirty=self.checkout.commit is not None and bool(changes or self.forms.unsure),
            base=None,
            on_default_branch=self.is_default(self.checkout.branch),
        )

    def is_default(self, branch: str | None) -> bool:
        """Whether it is the branch that the others start from."""
        return branch is not None and branch in self._default_names

    def guess(self, source: Source) -> Base | None:
        """The revision that was probably green; None where there is no history."""
        if source.commit is None:
            return None
        # What a run left behind, such as .coverage, does not tell that the committed code was green.
        if any(path in self._head_entries for path in self._since_head(source.tree.entries)):
            return Base(source.commit, Attested.GUESS)
        fork = self._fork(source.commit)
        found = fork if fork and fork != source.commit else self._resolved(f"{source.commit}~1")
        if found is None and source.dirty:
            found = source.commit  # there is nothing else that could be green
        return Base(found, Attested.GUESS) if found else None

    def newest(self, commits: Collection[str]) -> str | None:
        """The newest of these that the history of the checkout's commit has, itself included; None where it has none."""
        if not commits or self.checkout.commit is None:
            return None
        history = self.git.run("rev-list", f"--max-count={FAR_BACK}", self.checkout.commit, "--").decode().split()
        return next((commit for commit in history if commit in commits), None)

    def tracks(self, file: Path) -> bool:
        """Whether the checkout's commit has this file."""
        folder = self.checkout.folder
        return file.is_relative_to(folder) and str(file.relative_to(folder)) in self._head_entries

    def uncommitted(self) -> Sequence[str]:
        """The paths in which the checkout differs from its commit, untracked ones too; what makes a healing `dirty`."""
        if not self.checkout.commit:
            return []
        changed = self._since_head(self.failing().tree.entries)
        return sorted(map(self._why, {*changed, *self.forms.unsure}))

    def converting(self, engine: Engine) -> Engine:
        """The engine, whose runs see files as the working tree has them, and their changes as committed."""
        committed = CommittedEngine(engine) if self.checkout.commit else engine
        return ConvertingEngine(committed, self.forms, self.checked_out) if self.forms else committed

    def checked_out(self, tree: Tree) -> Tree:
        """A tree as a working tree would have it: line ends, encodings, what is behind Git LFS's pointers."""
        raw: dict[str, Entry | None] = {}
        made: list[bytes] = []
        for path in self.forms.conversions.files:
            if entry := tree.entries.get(path):
                if entry == self.forms.entries.get(path):
                    raw[path] = self.forms.raw.get(path, entry)
                else:
                    content = self.forms.content(path, Content(self.read(entry), entry.mode))
                    made.append(content.data)
                    raw[path] = self._entry(content)
        self._objects.keep(made)
        raw = {path: entry for path, entry in raw.items() if entry != tree.entries[path]}
        filtered = {path: entry for path, entry in raw.items() if self.forms.conversions.files[path].filter}
        out = make_tree(self.git, tree.id, raw)
        self._repositories[out] = make_tree(self.git, tree.id, filtered)
        return replace(tree, id=out, entries=replaced(tree.entries, raw))

    def conversions(self, paths: Sequence[str]) -> Conversions:
        """What git converts of these paths; mostly nothing."""
        setting, commit = self.checkout.setting, self.checkout.commit
        attributed = any(path.rpartition("/")[2] == ATTRIBUTES_FILE for path in self._head_entries)
        if commit is None or not (attributed or setting("core.autocrlf")):
            return Conversions()
        return read_conversions(self.git, commit, setting, paths)

    def committed(self, path: str) -> bytes:
        """What git keeps of a file in the checkout's commit; nothing where it keeps none."""
        entry = self._head_entries.get(path)
        return self.read(entry) if entry and entry.mode != LINKS else b""

    def default_commit(self, branch: str | None = None) -> str | None:
        """The commit of the default branch as it was fetched; never of a branch that was made here."""
        names = (branch,) if branch else self._default_names
        found = (self.checkout.refs.get(f"refs/remotes/origin/{name}") for name in names)
        return next(filter(None, found), None)

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether a revision is in the history of another."""
        return self.git.ask("merge-base", "--is-ancestor", self.resolve(old), self.resolve(new)).exit_code == 0

    def resolve(self, revision: str) -> str:
        """The id of the commit that a revision names. Raises UsageError when it names none."""
        found = self._resolved(revision)
        if found is None:
            where = self.checkout.folder
            hint = "name a commit, branch or tag of it; a shallow clone has only its last commits (fetch-depth: 0)"
            raise UsageError(f"there is no revision {revision!r} in {where}", hint=hint)
        return found

    @cached_property
    def environment(self) -> tuple[str, ...]:
        """Ignored files and folders that tests need, and repositories inside this one: seen by runs, never patched."""
        ignored = [path for path in self._list("--ignored", "--directory") if is_environment(path)]
        nested = [path for path in self._others if path.endswith("/")]
        nested += [path for path, entry in self._head_entries.items() if entry.mode == LINKS and self._has(path)]
        return outermost(path.rstrip("/") for path in (*ignored, *nested))

    # History

    def tree(self, revision: str) -> Tree:
        """See History."""
        commit = self.resolve(revision)
        if commit not in self._trees:
            tree = self.git.run("rev-parse", "--verify", f"{commit}^{{tree}}").decode().strip()
            entries = without_submodules(read_tree(self.git, tree))
            self._trees[commit] = Tree(tree, self.checkout.folder, entries, self.environment)
        return self._trees[commit]

    def commits(self, old: str, new: str) -> Sequence[Commit]:
        """See History."""
        return list(read_commits(self.git, self.resolve(old), self.resolve(new)))

    def before(self, revision: str, most: int) -> Sequence[str]:
        """See History."""
        words = ("rev-list", "--first-parent", f"--max-count={most + 1}", self.resolve(revision), "--")
        return self.git.run(*words).decode().split()[1:]

    def hunks(self, old: Tree, new: Tree) -> Sequence[Hunk]:
        """See History."""
        return list(read_hunks(self.git, old.id, new.id, self._objects.read))

    def healed(self, fingerprints: Collection[str]) -> Sequence[Commit]:
        """See History."""
        commit = self.checkout.commit
        found = read_healed(self.git, commit, frozenset(fingerprints)) if commit else []
        return [each for id_ in found for each in self.commits(f"{id_}~1", id_)]

    # Files

    def read(self, entry: Entry) -> bytes:
        """See Files."""
        return self._objects.read(entry.blob)

    def export(self, tree: Tree, into: Path) -> None:
        """See Files. Links come last: nothing is ever written through one."""
        made = {""}
        ordered = sorted(tree.entries.items(), key=lambda item: item[1].mode == "120000")
        contents = self._objects.read_all([entry.blob for _, entry in ordered])
        for (path, entry), data in zip(ordered, contents, strict=True):
            folder = path.rpartition("/")[0]
            if folder not in made:
                (into / folder).mkdir(parents=True, exist_ok=True)
                made.add(folder)
            _put(f"{into}/{path}", Content(data, entry.mode))
        copy_environment(tree.root, tree.environment, into)
        if self.checkout.commit:
            shown, settings = self._repositories.get(tree.id, tree.id), self.forms.conversions.settings
            put_repository(self.git, shown, into, branch=self.checkout.branch, tag=self.tag, settings=settings)

    def write(self, tree: Tree, changes: Changes) -> Tree:
        """See Files."""
        self._objects.keep(content.data for content in changes.files.values() if content)
        entries = {path: self._entry(content) if content else None for path, content in changes.files.items()}
        made = make_tree(self.git, tree.id, entries)
        return replace(tree, id=made, entries=replaced(tree.entries, entries))

    def patch(self, old: Tree, new: Tree) -> bytes:
        """See Files. `git apply` and `git am` take it."""
        difference = self.git.run(*DIFF, "-p", "--binary", "--full-index", old.id, new.id)
        return MAIL + difference if difference else b""

    def patched(self, tree: Tree, patch: bytes) -> Tree:
        """The tree with a patch in git's format. Raises UsageError when it does not apply."""
        with private_index(self.git, tree.id) as env:
            answer = self.git.ask("apply", "--cached", "--whitespace=nowarn", "-", stdin=patch, env=env)
            if answer.exit_code:
                said = one_line(answer.stderr)
                raise UsageError(f"the patch does not apply: {said}", hint="is it of this tree? `selfheal heal` makes one")
            made = self.git.run("write-tree", "--missing-ok", env=env).decode().strip()
        return replace(tree, id=made, entries=without_submodules(read_tree(self.git, made)))

    # What these are made of

    @cached_property
    def _head_entries(self) -> dict[str, Entry]:
        commit = self.checkout.commit
        return read_tree(self.git, commit) if commit else {}

    @cached_property
    def tag(self) -> str | None:
        """The tag from which versions count, as runs see it."""
        return nearest_tag(self.git, self.checkout.commit) if self.checkout.commit else None

    @cached_property
    def _others(self) -> list[str]:
        """Untracked paths that git does not ignore; a repository in this one ends in "/"."""
        return self._list(f"--exclude=/{OUTPUT}/")

    @property
    def _default_names(self) -> tuple[str, ...]:
        default = self.checkout.default_branch
        return (default,) if default else DEFAULT_BRANCHES

    def _since_head(self, entries: Mapping[str, Entry]) -> dict[str, Entry | None]:
        """What makes these entries of the commit's; None where a file is gone."""
        head = self._head_entries
        changes: dict[str, Entry | None] = {path: None for path in without_submodules(head) if path not in entries}
        return changes | {path: entry for path, entry in entries.items() if head.get(path) != entry}

    def _snapshot(self, head: dict[str, Entry]) -> dict[str, Entry]:
        """Every file of the working tree, as git would keep it; new bytes are kept, also as they are."""
        config = self.checkout.config
        place = WorkTree(self.checkout.folder, keep_modes=config.is_false("core.filemode"))
        paths = (*without_submodules(head), *(path for path in self._others if not path.endswith("/")))
        conversions = self.conversions(paths)
        filters = any(conversion.filter for conversion in conversions.files.values())
        index = self.checkout.index() if filters else Index()
        taken = Snapshot(place, head, conversions, index, self.read, self._entry)
        self._objects.keep(taken.take(paths, sparse=config.is_true("core.sparsecheckout")))
        self.forms = Forms(conversions, self.read, taken.entries, taken.raw, frozenset(taken.unsure))
        return taken.entries

    def _why(self, path: str) -> str:
        """A path that is not as it is committed, and what may explain it."""
        conversion = self.forms.conversions.files.get(path)
        if conversion and conversion.filter and path in self._head_entries:
            return f"{path} (or its filter `{conversion.filter}`, which is not run here: see `git status`)"
        return path

    def _list(self, *words: str) -> list[str]:
        """Paths that are not tracked, as git lists them by the checkout's ignore files and our own private index."""
        excludes = list(ALWAYS_ENVIRONMENT)
        if not self.checkout.objects:
            excludes += JUNK
        with private_index(self.git, self.checkout.commit) as env:
            told = self.git.run(
                "ls-files", "-z", "--others", "--exclude-standard", *(f"--exclude={name}" for name in excludes), *words,
                env=env | {"GIT_WORK_TREE": str(self.checkout.folder)},
            )  # fmt: skip
        paths = (named(path) for path in told.split(b"\0")[:-1])
        return [path for path in paths if not is_gits_own(path.rstrip("/"))]

    def _entry(self, content: Content) -> Entry:
        return Entry(content.mode, blob_id(content.data, like=EMPTY_TREE[self.git.object_format]))

    def _has(self, path: str) -> bool:
        place = self.checkout.folder / path
        return place.is_dir() and not place.is_symlink() and any(place.iterdir())

    def _fork(self, commit: str) -> str | None:
        """Where the commit's history left the default branch."""
        names = [f"origin/{name}" for name in self._default_names] + list(self._default_names)
        for name in names:
            kind = "remotes" if name.startswith("origin/") else "heads"
            tip = self.checkout.refs.get(f"refs/{kind}/{name}")
            if tip:
                answer = self.git.ask("merge-base", commit, tip)
                return answer.stdout.decode().strip() if answer.exit_code == 0 else None
        return None

    def _resolved(self, revision: str) -> str | None:
        if revision.startswith("-") or not revision.isprintable():
            return None
        answer = self.git.ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        found = answer.stdout.decode("ascii", "replace").strip()
        whole = IDS[self.git.object_format].fullmatch(found)
        return found if answer.exit_code == 0 and whole else None


def _put(path: str, content: Content) -> None:
    if content.mode == "120000":
        os.symlink(content.data, os.fsencode(path))  # noqa: PTH211  a target may be any bytes
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(path, flags, 0o777 if content.mode == "100755" else 0o666)
    with os.fdopen(file, "wb") as stream:
        stream.write(content.data)
