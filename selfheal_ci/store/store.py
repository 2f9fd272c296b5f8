"""The store itself: a bare repository of ours that borrows the checkout's objects and knows its refs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from selfheal_ci.errors import UsageError
from selfheal_ci.store.bare import EMPTY_TREE, make_store
from selfheal_ci.store.changes import DIFF, LINKS, named, read_commits, read_hunks
from selfheal_ci.store.checkout import IDS, Checkout, personal_excludes, read_checkout
from selfheal_ci.store.git import Git
from selfheal_ci.store.objects import Objects
from selfheal_ci.store.synthetic import nearest_tag, put_repository
from selfheal_ci.store.trees import make_tree, private_index, read_tree, replaced, without_submodules
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

DEFAULT_BRANCHES = ("main", "master")


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
        checkout = replace(checkout, excludes=checkout.excludes + b"\n" + personal_excludes(home))
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
            dirty=self.checkout.commit is not None and bool(changes),
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

    def uncommitted(self) -> Sequence[str]:
        """The paths in which the checkout differs from its commit, untracked ones too; what makes a healing `dirty`."""
        return sorted(self._since_head(self.failing().tree.entries)) if self.checkout.commit else []

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
            put_repository(self.git, tree.id, into, branch=self.checkout.branch, tag=self._tag)

    def write(self, tree: Tree, changes: Changes) -> Tree:
        """See Files."""
        self._objects.keep(content.data for content in changes.files.values() if content)
        entries = {path: self._entry(content) if content else None for path, content in changes.files.items()}
        made = make_tree(self.git, tree.id, entries)
        return replace(tree, id=made, entries=replaced(tree.entries, entries))

    def patch(self, old: Tree, new: Tree) -> bytes:
        """See Files. `git apply` takes it."""
        return self.git.run(*DIFF, "-p", "--binary", "--full-index", old.id, new.id)

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
    def _tag(self) -> str | None:
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
        """Every file of the working tree; new bytes are kept."""
        config = self.checkout.config
        place = WorkTree(self.checkout.folder, keep_modes=config.is_false("core.filemode"))
        sparse = config.is_true("core.sparsecheckout")
        entries: dict[str, Entry] = {}

        def fresh() -> Iterator[bytes]:
            known = {entry.blob for entry in head.values()}
            for path in (*without_submodules(head), *(path for path in self._others if not path.endswith("/"))):
                before = head.get(path)
                content = place.look(path, before.mode if before else None)
                if content is not None:
                    entries[path] = self._entry(content)
                    if entries[path].blob not in known:
                        known.add(entries[path].blob)
                        yield content.data
                elif before and sparse:
                    entries[path] = before

        self._objects.keep(fresh())
        return entries

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
