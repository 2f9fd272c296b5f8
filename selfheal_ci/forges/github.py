"""GitHub's API: a commit that GitHub signs, a branch that is created last, a draft pull request."""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from urllib.parse import quote

from github import Auth, Github, GithubException, InputGitTreeElement, UnknownObjectException
from github.GitCommit import GitCommit
from github.PullRequest import PullRequest
from github.Repository import Repository
from requests import RequestException

from selfheal_ci.errors import ForgeError
from selfheal_ci.forges.files import FOLDER, Folder
from selfheal_ci.forges.refusals import FORBIDDEN, NOT_FOUND, TOO_MANY, Place, Refusal, waiting
from selfheal_ci.forges.requests import Fix
from selfheal_ci.store.remote import KEPT
from selfheal_ci.values import Comment, Entry, PatchedFile, Publication, Request, State

RIGHTS = "contents: write and pull-requests: write"
MOST_REQUESTS = 1000
UNPROCESSABLE = 422
PLAIN = "100644"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GithubService:
    """One repository of GitHub's, or of an Enterprise server's. See Service."""

    api: str  # https://api.github.com
    project: str  # owner/name
    token: str = field(repr=False)
    prefix: str = "selfheal/"
    seconds: int = 30  # for one request
    now: Callable[[], float] = time.time

    @cached_property
    def _repository(self) -> Repository:
        github = Github(
            base_url=self.api, auth=Auth.Token(self.token), timeout=self.seconds, retry=None, per_page=100, lazy=True,
            seconds_between_requests=None, seconds_between_writes=None, user_agent="selfheal-ci",
        )  # fmt: skip
        return github.get_repo(self.project)

    def takes(self, files: Sequence[PatchedFile]) -> bool:
        """See Service. JSON has no names that are not UTF-8."""
        return all(file.path.isprintable() for file in files)

    def head(self, branch: str) -> str | None:
        """See Service."""
        with self._heard():
            try:
                return self._repository.get_git_ref(f"heads/{branch}").object.sha
            except UnknownObjectException:
                return None

    def listing(self, commit: str) -> Callable[[str], Folder]:
        """See Service. A folder is asked for by the id that the one above it names."""
        ids = {"": self._commit(commit).tree.sha}

        def listed(path: str) -> Folder:
            if path not in ids:
                listed(path.rpartition("/")[0])
            if path not in ids:
                return {}
            with self._heard():
                entries = self._repository.get_git_tree(ids[path]).tree
            found = {entry.path: Entry(entry.mode.lstrip("0"), entry.sha) for entry in entries}
            below = {name: entry.blob for name, entry in found.items() if entry.mode == FOLDER}
            ids.update({f"{path}/{name}".lstrip("/"): id_ for name, id_ in below.items()})
            return found

        return listed

    def message(self, commit: str) -> str:
        """See Service."""
        return self._commit(commit).message

    def unfinished(self, branch: str, commit: str, head: str) -> bool:
        """See Service. Where commits must be signed, the branch is there before its commit."""
        return commit == head and self._must_be_signed(branch)

    def make(self, branch: str, fix: Fix) -> str | None:
        """See Service. Neither author nor committer is named: GitHub signs what it makes for an App."""
        signed = all(file.mode == PLAIN for file in fix.publication.files) and self._must_be_signed(branch)
        if signed:
            self._create(branch, fix.head)
            return self._commit_signed(branch, fix)
        commit = self._make_commit(fix)
        return commit if self._create(branch, commit) else None

    def requests(self, *, only_open: bool) -> Sequence[Request]:
        """See Service."""
        with self._heard():
            pulls = self._repository.get_pulls("open" if only_open else "all", sort="created", direction="desc")
            return [_request(pull) for pull in islice(pulls, MOST_REQUESTS) if self._is_ours(pull)]

    def ask(self, branch: str, publication: Publication) -> Request | None:
        """See Service."""
        try:
            return self._open(branch, publication, draft=publication.draft)
        except GithubException as refused:
            said = _said(refused)
            if "already exists" in said:
                return None
            if publication.draft and "draft" in said.lower():
                log.warning("%s has no drafts: the request is open for review at once", self.project)
                with self._heard():
                    return self._open(branch, publication, draft=False)
            raise self._place.error(self._refusal(refused)) from refused
        except RequestException as cut:
            raise self._place.cut(cut) from cut

    def adorn(self, number: int, publication: Publication) -> None:
        """See Service. Who cannot review is no reason not to publish."""
        with self._heard():
            if publication.labels:
                self._repository.get_issue(number).add_to_labels(*publication.labels)
            if not publication.reviewers:
                return
            people = [name for name in publication.reviewers if "/" not in name]
            teams = [name.rpartition("/")[2] for name in publication.reviewers if "/" in name]
            try:
                self._repository.get_pull(number).create_review_request(people, teams)
            except GithubException as refused:
                if refused.status not in {UNPROCESSABLE, FORBIDDEN, NOT_FOUND}:
                    raise
                log.warning("nobody was asked to review: %s", _said(refused))

    def comments(self, number: int) -> Sequence[Comment]:
        """See Service."""
        with self._heard():
            said = self._repository.get_issue(number).get_comments()
            return [Comment(comment.id, comment.body or "") for comment in said]

    def say(self, number: int, text: str) -> None:
        """See Service."""
        with self._heard():
            self._repository.get_issue(number).create_comment(text)

    def unsay(self, number: int, comment: int) -> None:
        """See Service."""
        with self._heard():
            try:
                self._repository.get_issue(number).get_comment(comment).delete()
            except UnknownObjectException:
                return

    # The pieces

    @property
    def _place(self) -> Place:
        return Place("GitHub", self.project, RIGHTS)

    def _commit(self, commit: str) -> GitCommit:
        with self._heard():
            found = self._repository.get_git_commit(commit)
            found.complete()
            return found

    def _must_be_signed(self, branch: str) -> bool:
        with self._heard():
            try:
                url = f"{self._repository.url}/rules/branches/{quote(branch, safe='')}"
                _, rules = self._repository.requester.requestJsonAndCheck("GET", url)
            except UnknownObjectException:
                return False  # an Enterprise server that knows no rulesets
            return any(rule.get("type") == "required_signatures" for rule in rules)

    def _make_commit(self, fix: Fix) -> str:
        with self._heard():
            head = self._repository.get_git_commit(fix.head)
            elements = [self._element(file) for file in fix.publication.files]
            tree = self._repository.create_git_tree(elements, base_tree=head.tree)
            if tree.sha != fix.tree:
                raise ForgeError(f"GitHub made the tree {tree.sha} where {fix.tree} was tested", hint=KEPT)
            return self._repository.create_git_commit(fix.publication.message, tree, [head]).sha

    def _element(self, file: PatchedFile) -> InputGitTreeElement:
        if file.content is None:
            return InputGitTreeElement(file.path, file.mode, "blob", sha=None)
        blob = self._repository.create_git_blob(_text(file.content), "base64")
        return InputGitTreeElement(file.path, file.mode, "blob", sha=blob.sha)

    def _create(self, branch: str, commit: str) -> bool:
        """Whether the branch is made; False when the name is taken."""
        with self._heard():
            try:
                self._repository.create_git_ref(f"refs/heads/{branch}", commit)
            except GithubException as refused:
                if "already exists" not in _said(refused).lower():
                    raise
                return False
            return True

    def _commit_signed(self, branch: str, fix: Fix) -> str | None:
        """The commit on the branch, if that is still where the target is."""
        title, _, rest = fix.publication.message.partition("\n")
        files = fix.publication.files
        added = [{"path": file.path, "contents": _text(file.content)} for file in files if file.content is not None]
        gone = [{"path": file.path} for file in files if file.content is None]
        wanted = {
            "branch": {"repositoryNameWithOwner": self.project, "branchName": branch},
            "expectedHeadOid": fix.head,
            "message": {"headline": title, "body": rest.strip("\n")},
            "fileChanges": {"additions": added, "deletions": gone},
        }
        with self._heard():
            try:
                words = ("createCommitOnBranch", wanted, "commit { oid tree { oid } }")
                _, made = self._repository.requester.graphql_named_mutation(*words)
            except GithubException as refused:
                if "expected branch to point to" not in _said(refused).lower():
                    raise
                return None
        if made["commit"]["tree"]["oid"] != fix.tree:
            raise ForgeError(f"GitHub made another tree on {branch} than was tested: {fix.tree}", hint=KEPT)
        return str(made["commit"]["oid"])

    def _open(self, branch: str, publication: Publication, *, draft: bool) -> Request:
        title, body = publication.title, publication.body
        return _request(self._repository.create_pull(publication.target, branch, title=title, body=body, draft=draft))

    def _is_ours(self, pull: PullRequest) -> bool:
        """Of this repository: a fork may name its branches as it likes."""
        home = pull.head.repo
        return home is not None and home.full_name.lower() == self.project.lower() and pull.head.ref.startswith(self.prefix)

    @contextmanager
    def _heard(self) -> Iterator[None]:
        """What the library raises, as our errors."""
        try:
            yield
        except GithubException as refused:
            raise self._place.error(self._refusal(refused)) from refused
        except RequestException as cut:
            raise self._place.cut(cut) from cut
        except (RuntimeError, AssertionError, TypeError, KeyError, AttributeError) as strange:
            raise self._place.strange() from strange

    def _refusal(self, refused: GithubException) -> Refusal:
        status = refused.status
        limited = status in {FORBIDDEN, TOO_MANY}
        return Refusal(status, _said(refused), waiting(refused.headers or {}, self.now()) if limited else 0.0)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _request(pull: PullRequest) -> Request:
    state = State.MERGED if pull.merged_at else State.OPEN if pull.state == "open" else State.CLOSED
    return Request(pull.number, pull.html_url, pull.head.ref, state, pull.created_at, pull.body or "")


def _said(refused: GithubException) -> str:
    """All that GitHub says of it, details included."""
    data = refused.data if isinstance(refused.data, dict) else {}
    listed = data.get("errors")
    errors = [
        str(error.get("message") or error.get("code") or error) if isinstance(error, dict) else str(error)
        for error in (listed if isinstance(listed, list) else [])
    ]
    return "; ".join(filter(None, [str(data.get("message") or ""), *errors]))
