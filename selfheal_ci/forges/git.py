"""Publishes to a plain git remote: one commit on the head of the target branch, on a branch that is created, never moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from selfheal_ci.errors import ForgeError
from selfheal_ci.forges.files import all_taken, are_after, expect_fix_branch, expect_unmoved, has_key, names
from selfheal_ci.store import Store
from selfheal_ci.store.remote import KEPT, Address, Remote, branch_ref
from selfheal_ci.store.trees import make_commit
from selfheal_ci.values import Changes, Content, Publication, Published

WHO = "selfheal-ci <selfheal-ci@users.noreply.github.com>"


@dataclass(frozen=True)
class GitForge:
    """A remote that knows branches and no requests."""

    store: Store
    address: Address
    token: str | None = field(default=None, repr=False)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)  # see Remote

    def publish(self, publication: Publication) -> Published:
        """See Forge."""
        expect_fix_branch(publication.branch)
        remote = Remote(self.store.git, self.address, self.environ, self.token)
        head = self._head(remote, publication.target)
        commit = self._commit(publication, head)
        for name in names(publication.branch):
            if published := self._claim(remote, name, commit, publication):
                return published
        raise all_taken(publication.branch)

    def _head(self, remote: Remote, target: str) -> str:
        ref = branch_ref(target)
        head = remote.refs([ref]).get(ref)
        if head is None:
            hint = f"push it, or name another with --target; {KEPT}"
            raise ForgeError(f"the branch {target} is not on the remote", hint=hint)
        return remote.fetch(ref, head)

    def _commit(self, publication: Publication, head: str) -> str:
        """The same publication on the same head is the same commit, whoever makes it and when."""
        there = self.store.tree(head)
        expect_unmoved(publication, there.entries.get)
        healed = self.store.write(there, _changes(publication))
        date = int(self.store.git.run("log", "-1", "--format=%ct", head, "--"))
        return make_commit(self.store.git, healed.id, publication.message, who=WHO, seconds=date, parents=[head])

    def _claim(self, remote: Remote, name: str, commit: str, publication: Publication) -> Published | None:
        """Create the branch, or find the same fix on it; None when it holds another one."""
        ref = branch_ref(name)
        if existing := remote.refs([ref]).get(ref):
            return self._found(remote, name, existing, commit, publication)
        answer = remote.create(ref, commit)
        if answer.exit_code == 0:
            return Published(name, commit, created=b"\t[new branch]" in answer.stdout)
        # Someone was faster, or the remote does not want it.
        if existing := remote.refs([ref]).get(ref):
            return self._found(remote, name, existing, commit, publication)
        raise remote.refusal(answer)

    def _found(self, remote: Remote, name: str, existing: str, commit: str, publication: Publication) -> Published | None:
        """The fix that is there, if it is this one: the same tree, or the same files under the same key."""
        existing = remote.fetch(branch_ref(name), existing)
        there = self.store.tree(existing)
        if there.id == self.store.tree(commit).id or (
            are_after(publication.files, there.entries.get) and has_key(self._message(existing), publication.key)
        ):
            return Published(name, existing, created=False)
        return None

    def _message(self, commit: str) -> str:
        return self.store.git.run("log", "-1", "--format=%B", commit, "--").decode("utf-8", "replace")


def _changes(publication: Publication) -> Changes:
    return Changes(
        {file.path: None if file.content is None else Content(file.content, file.mode) for file in publication.files}
    )
