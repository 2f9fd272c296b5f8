"""GitLab's API: one call makes the branch with its commit, one the draft merge request."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import Any, TypeVar

import requests
from gitlab import Gitlab, GitlabError
from gitlab.base import RESTObject
from gitlab.v4.objects import Project
from requests import RequestException, Response

from selfheal_ci.errors import ForgeError
from selfheal_ci.forges.files import Folder, tree_of
from selfheal_ci.forges.refusals import FORBIDDEN, NOT_FOUND, TOO_MANY, Place, Refusal, waiting
from selfheal_ci.forges.requests import Fix
from selfheal_ci.store.remote import KEPT
from selfheal_ci.values import Comment, Entry, PatchedFile, Publication, Request, State

RIGHTS = "the scope `api` and the role Developer"
MOST_REQUESTS = 1000
PAGE = 100
LINK, EXECUTABLE = "120000", "100755"
STATES = {"opened": State.OPEN, "merged": State.MERGED, "closed": State.CLOSED, "locked": State.OPEN}
TAKEN = "already exists"
T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GitlabService:
    """One project of gitlab.com, or of a server of one's own. See Service."""

    url: str  # https://gitlab.com, with the sub-path where it has one
    project: str  # group/name
    token: str = field(repr=False)
    prefix: str = "selfheal/"
    seconds: int = 30  # for one request

    @cached_property
    def _client(self) -> Gitlab:
        session = requests.Session()
        session.hooks["response"] = [self._refuse_to_hurry]
        # As a bearer: requests drops it where a redirect leads elsewhere.
        return Gitlab(
            self.url, oauth_token=self.token, timeout=self.seconds, session=session, user_agent="selfheal-ci", per_page=PAGE
        )

    @cached_property
    def _project(self) -> Project:
        return self._client.projects.get(self.project, lazy=True)

    def takes(self, files: Sequence[PatchedFile]) -> bool:
        """See Service. The API makes no links, and JSON has no names that are not UTF-8."""
        return all(file.path.isprintable() and file.mode != LINK for file in files)

    def head(self, branch: str) -> str | None:
        """See Service."""
        with self._heard():
            found = self._get(lambda: self._project.branches.get(branch))
            return str(found.commit["id"]) if found else None

    def listing(self, commit: str) -> Callable[[str], Folder]:
        """See Service."""

        def listed(path: str) -> Folder:
            with self._heard():
                try:
                    entries = list(self._project.repository_tree(path, commit, iterator=True))
                except GitlabError as refused:
                    if refused.response_code != NOT_FOUND or not path:
                        raise
                    return {}
            return {entry["name"]: Entry(entry["mode"].lstrip("0"), entry["id"]) for entry in entries}

        return listed

    def message(self, commit: str) -> str:
        """See Service."""
        with self._heard():
            return str(self._project.commits.get(commit).message)

    def unfinished(self, branch: str, commit: str, head: str) -> bool:
        """See Service. A branch is there with its commit or not at all."""
        return False

    def make(self, branch: str, fix: Fix) -> str | None:
        """See Service. What GitLab made of it is compared with what was tested."""
        wanted = {
            "branch": branch,
            "start_sha": fix.head,
            "commit_message": fix.publication.message,
            "actions": [action for file in fix.publication.files for action in _actions(file)],
        }
        with self._heard():
            try:
                commit = str(self._project.commits.create(wanted).id)
            except GitlabError as refused:
                if TAKEN not in _said(refused):
                    raise
                return None
        if (made := tree_of(self.listing(commit))) != fix.tree:
            with self._heard():
                self._project.branches.delete(branch)
            raise ForgeError(f"GitLab made the tree {made} where {fix.tree} was tested", hint=KEPT)
        return commit

    def requests(self, *, only_open: bool) -> Sequence[Request]:
        """See Service."""
        with self._heard():
            state = "opened" if only_open else "all"
            query = {"state": state, "order_by": "created_at", "sort": "desc", "per_page": PAGE}
            found = self._project.mergerequests.list(iterator=True, query_parameters=query)
            return [_request(each) for each in islice(found, MOST_REQUESTS) if self._is_ours(each)]

    def ask(self, branch: str, publication: Publication) -> Request | None:
        """See Service."""
        wanted = {
            "source_branch": branch,
            "target_branch": publication.target,
            "title": f"Draft: {publication.title}" if publication.draft else publication.title,
            "description": publication.body,
            "remove_source_branch": True,
        }
        with self._heard():
            try:
                return _request(self._project.mergerequests.create(wanted))
            except GitlabError as refused:
                if TAKEN not in _said(refused):
                    raise
                return None

    def adorn(self, number: int, publication: Publication) -> None:
        """See Service. Who cannot review is no reason not to publish."""
        wanted: dict[str, Any] = {}
        if publication.labels:
            wanted["add_labels"] = ",".join(publication.labels)
        with self._heard():
            if found := [id_ for name in publication.reviewers if (id_ := self._person(name)) is not None]:
                wanted["reviewer_ids"] = found
            if wanted:
                self._project.mergerequests.update(number, wanted)

    def comments(self, number: int) -> Sequence[Comment]:
        """See Service."""
        with self._heard():
            query = {"order_by": "created_at", "sort": "asc", "per_page": PAGE}
            notes = self._merge_request(number).notes.list(iterator=True, query_parameters=query)
            return [Comment(note.id, note.body) for note in notes]

    def say(self, number: int, text: str) -> None:
        """See Service."""
        with self._heard():
            self._merge_request(number).notes.create({"body": text})

    def unsay(self, number: int, comment: int) -> None:
        """See Service."""
        with self._heard():
            self._get(lambda: self._merge_request(number).notes.delete(comment))

    # The pieces

    @property
    def _place(self) -> Place:
        return Place("GitLab", self.project, RIGHTS)

    def _merge_request(self, number: int) -> Any:
        return self._project.mergerequests.get(number, lazy=True)

    def _person(self, name: str) -> int | None:
        found = self._client.users.list(username=name, get_all=False)
        if not found:
            log.warning("%s was not asked to review: GitLab knows nobody of this name", name)
        return int(found[0].id) if found else None

    def _is_ours(self, request: RESTObject) -> bool:
        """Of this project: a fork may name its branches as it likes."""
        at_home = request.source_project_id == request.target_project_id
        return bool(at_home and request.source_branch.startswith(self.prefix))

    def _get(self, ask: Callable[[], T]) -> T | None:
        try:
            return ask()
        except GitlabError as refused:
            if refused.response_code != NOT_FOUND or "project not found" in _said(refused):
                raise
            return None

    @contextmanager
    def _heard(self) -> Iterator[None]:
        """What the library raises, as our errors."""
        try:
            yield
        except GitlabError as refused:
            raise self._error(refused) from refused
        except RequestException as cut:
            raise self._place.cut(cut) from cut
        except (AttributeError, KeyError, TypeError, ValueError) as strange:
            raise self._place.strange() from strange

    def _error(self, refused: GitlabError) -> ForgeError:
        status = refused.response_code or 0
        said = "archived" if status == FORBIDDEN and self._is_archived() else _said(refused)
        return self._place.error(Refusal(status, said)) if status else self._place.strange()

    def _is_archived(self) -> bool:
        try:
            return bool(self._client.projects.get(self.project).archived)
        except (GitlabError, RequestException):
            return False

    def _refuse_to_hurry(self, response: Response, **_: object) -> None:
        """The library would wait as long as it is asked to; and it forgets for how long."""
        if response.status_code == TOO_MANY:
            headers = {name.lower(): value for name, value in response.headers.items()}
            raise self._place.error(Refusal(TOO_MANY, "", waiting(headers, 0.0)))


def _actions(file: PatchedFile) -> Iterator[Mapping[str, object]]:
    """What the API calls the change of one file."""
    if file.content is None:
        yield {"action": "delete", "file_path": file.path}
        return
    kind = "update" if file.before else "create"
    content = base64.b64encode(file.content).decode()
    yield {"action": kind, "file_path": file.path, "content": content, "encoding": "base64"}
    if kind == "create" and file.mode == EXECUTABLE:
        yield {"action": "chmod", "file_path": file.path, "execute_filemode": True}


def _request(found: RESTObject) -> Request:
    created = datetime.fromisoformat(found.created_at)
    return Request(found.iid, found.web_url, found.source_branch, STATES[found.state], created, found.description or "")


def _said(refused: GitlabError) -> str:
    """All that GitLab says of it: a text, a list, or lists under names."""
    said: object = refused.error_message
    if isinstance(said, bytes):
        said = said.decode("utf-8", "replace")
    if isinstance(said, dict):
        said = "; ".join(f"{name}: {words}" for name, words in said.items())
    return "; ".join(map(str, said)) if isinstance(said, list) else str(said)
