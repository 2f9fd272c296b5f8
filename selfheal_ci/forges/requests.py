"""From a fix to one open request: every effect is found before it is made, so that any call finishes an earlier one."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Protocol, TypeVar

from selfheal_ci.errors import AccessError, ForgeError, UnwellError
from selfheal_ci.forges.files import (
    Folder,
    Listing,
    all_taken,
    are_after,
    entry_in,
    expect_fix_branch,
    expect_unmoved,
    has_key,
    healed_tree,
    names,
    tree_of,
)
from selfheal_ci.ports import Forge
from selfheal_ci.store.remote import KEPT, branch_ref
from selfheal_ci.values import Comment, PatchedFile, Publication, Published, Request, commit_marker, commits_in, key_marker
from selfheal_ci.words import code, plain

PAUSES = (1.0, 4.0)  # seconds before a story that broke is told again
LONGEST_WAIT = 60.0  # that a forge may ask for
TITLE, BODY = 250, 60_000  # characters that forges take
MARKS = "<!-- selfheal-"
T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fix:
    """What a branch is made of."""

    publication: Publication
    head: str  # the commit of the target branch
    tree: str  # the id that the tree must have


class Service(Protocol):
    """One forge's API. What is not there is None; each method is one effect or none.

    Raises UnwellError when the forge did not answer, AccessError when the token may not, ForgeError when it refuses.
    """

    def takes(self, files: Sequence[PatchedFile]) -> bool:
        """Whether the API can make these files."""

    def head(self, branch: str) -> str | None:
        """The commit of a branch."""

    def listing(self, commit: str) -> Callable[[str], Folder]:
        """The folders of a commit's tree, by their paths."""

    def message(self, commit: str) -> str:
        """A commit's message."""

    def unfinished(self, branch: str, commit: str, head: str) -> bool:
        """Whether a fix branch that is there at this commit is one that we began to make on the head, and no more."""

    def make(self, branch: str, fix: Fix) -> str | None:
        """Make the branch with the fix; its commit. None when the name was taken in the meantime."""

    def requests(self, *, only_open: bool) -> Sequence[Request]:
        """Our requests, newest first."""

    def ask(self, branch: str, publication: Publication) -> Request | None:
        """Open a request. None when there is one for the branch already."""

    def adorn(self, number: int, publication: Publication) -> None:
        """Labels and reviewers; those that are there stay."""

    def comments(self, number: int) -> Sequence[Comment]:
        """Of a request, oldest first."""

    def say(self, number: int, text: str) -> None:
        """Comment on a request."""

    def unsay(self, number: int, comment: int) -> None:
        """Take a comment back; one that is gone already is fine."""


@dataclass(frozen=True)
class RequestForge:
    """A forge that knows requests. `plain` pushes where the API may not make commits."""

    service: Service
    plain: Forge | None = None
    pauses: tuple[float, ...] = PAUSES
    sleep: Callable[[float], None] = time.sleep

    def publish(self, publication: Publication) -> Published:
        """See Forge."""
        expect_fix_branch(publication.branch)
        branch_ref(publication.target)
        return self._patiently(lambda: self._publish(_marked(publication)))

    def _patiently(self, story: Callable[[], T]) -> T:
        """The whole story again when the forge did not answer: what was done is found."""
        for pause in self.pauses:
            try:
                return story()
            except UnwellError as unwell:
                if unwell.wait > LONGEST_WAIT:
                    raise
                log.warning("%s; trying again", unwell.message)
                self.sleep(max(pause, unwell.wait))
        return story()

    def _publish(self, publication: Publication) -> Published:
        try:
            request = self._open(publication.key)
        except AccessError as refused:
            return self._pushed(publication, refused)
        if request:
            return self._found(request, publication)
        head = self.service.head(publication.target)
        if head is None:
            hint = f"push it, or name another with --target; {KEPT}"
            raise ForgeError(f"the branch {publication.target} is not on the remote", hint=hint)
        published = self._branch(publication, head)
        return self._with_request(published, publication)

    def _pushed(self, publication: Publication, refused: AccessError) -> Published:
        """By git alone, where the token is for nothing else."""
        if self.plain is None:
            raise refused
        try:
            published = self.plain.publish(publication)
        except ForgeError:
            raise refused from None
        log.warning("the fix is on %s, without a request: %s", published.branch, refused.message)
        return published

    # The branch

    def _branch(self, publication: Publication, head: str) -> Published:
        if self.plain and not self.service.takes(publication.files):
            return self.plain.publish(publication)
        listing = cache(self.service.listing(head))
        expect_unmoved(publication, lambda path: entry_in(listing, path))
        fix = Fix(publication, head, healed_tree(listing, publication.files))
        for name in names(publication.branch):
            try:
                if published := self._claim(name, fix):
                    return published
            except AccessError:
                if self.plain is None:
                    raise
                return self.plain.publish(publication)
        raise all_taken(publication.branch)

    def _claim(self, name: str, fix: Fix) -> Published | None:
        """Create the branch, or find the same fix on it; None when it holds another one."""
        existing = self.service.head(name)
        if existing and not self.service.unfinished(name, existing, fix.head):
            return self._same(name, existing, fix)
        if made := self.service.make(name, fix):
            return Published(name, made, created=True)
        existing = self.service.head(name)
        if existing is None:
            raise UnwellError(f"the branch {name} is there and is not: the forge is not of one mind", hint=KEPT)
        return self._same(name, existing, fix)

    def _same(self, name: str, existing: str, fix: Fix) -> Published | None:
        listing = cache(self.service.listing(existing))
        if _is(listing, fix) or (
            are_after(fix.publication.files, lambda path: entry_in(listing, path))
            and has_key(self.service.message(existing), fix.publication.key)
        ):
            return Published(name, existing, created=False)
        return None

    # The request

    def _open(self, key: str) -> Request | None:
        """The oldest open request of a key."""
        found = [request for request in self.service.requests(only_open=True) if request.key == key]
        return found[-1] if found else None

    def _with_request(self, published: Published, publication: Publication) -> Published:
        try:
            request = self.service.ask(published.branch, publication) or self._of(published.branch)
        except AccessError as refused:
            why = f"the fix is on {published.branch}, but no request could be opened: {refused.message}"
            raise AccessError(why, hint=refused.hint) from refused
        if request is None:
            raise UnwellError(f"{published.branch} has a request and has none: the forge is not of one mind", hint=KEPT)
        self.service.adorn(request.number, publication)
        return replace(published, url=request.url, number=request.number)

    def _of(self, branch: str) -> Request | None:
        return next((request for request in self.service.requests(only_open=True) if request.branch == branch), None)

    def _found(self, request: Request, publication: Publication) -> Published:
        """The request that is open already: finished, if an earlier call was not, or told of the same failure."""
        if publication.commit in commits_in(request.body):
            self.service.adorn(request.number, publication)
        else:
            self._mention(request, publication.commit, publication.step)
        commit = self.service.head(request.branch)
        if commit is None:
            raise ForgeError(f"the branch {request.branch} of {request.url} is gone", hint="close that request; then again")
        return Published(request.branch, commit, created=False, url=request.url, number=request.number)

    def _mention(self, request: Request, commit: str, step: str) -> None:
        """Once for each commit, however many say it at once: the first comment stays."""
        if commit in commits_in(request.body):
            return
        if not self._saying(request, commit):
            said = f"The step {code(step)} failed in the same way at {code(commit[:12])}. This fix is still open."
            self.service.say(request.number, f"{said}\n\n{commit_marker(commit)}")
        for later in self._saying(request, commit)[1:]:
            self.service.unsay(request.number, later.id)

    def _saying(self, request: Request, commit: str) -> Sequence[Comment]:
        return [comment for comment in self.service.comments(request.number) if commit in commits_in(comment.text)]


def _is(listing: Listing, fix: Fix) -> bool:
    return tree_of(listing) == fix.tree


def _marked(publication: Publication) -> Publication:
    """As forges take it: not too long, and with no markers but our own."""
    body = "\n".join(line for line in publication.body.split("\n") if MARKS not in line)[:BODY].rstrip()
    marks = f"{key_marker(publication.key)}\n{commit_marker(publication.commit)}"
    return replace(publication, title=plain(publication.title, TITLE), body=f"{body}\n\n{marks}\n")
