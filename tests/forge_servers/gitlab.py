"""As much of GitLab's API as we use, behind real HTTP, over a real repository."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from tests.forge_servers.github import tree_of
from tests.forge_servers.serving import Answer, Asked, ForgeServer, Refused, Route

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
Made = dict[str, Any]


@dataclass
class MergeRequest:
    iid: int
    source: str
    target: str
    title: str
    body: str
    state: str = "opened"
    created: datetime = WHEN
    source_project: int = 1
    labels: list[str] = field(default_factory=list)
    reviewers: list[int] = field(default_factory=list)
    notes: dict[int, str] = field(default_factory=dict)


class GitlabServer(ForgeServer):
    """GitLab on loopback, below a path of its own."""

    root = "/git/api/v4"
    mangles = False  # what it writes is not what it was given

    def __init__(self, *words: Any, **more: Any) -> None:
        super().__init__(*words, **more)
        self.merge_requests: list[MergeRequest] = []
        self.pipelines: list[tuple[str, str, str]] = []  # branch, commit, status
        self.people = {"grace": 7, "alan": 8}
        self.archived = False

    @property
    def server_url(self) -> str:
        return f"{self.url}/git"

    def routes(self) -> Iterator[Route]:
        repo, text, number = "/projects/{repo}", str, int
        paged = frozenset({"per_page", "page", "pagination"})
        yield Route("GET", repo, self.about)
        yield Route("GET", f"{repo}/repository/branches/{{branch}}", self.get_branch)
        yield Route("DELETE", f"{repo}/repository/branches/{{branch}}", self.delete_branch)
        yield Route("GET", f"{repo}/repository/commits/{{sha}}", self.get_commit)
        yield Route("GET", f"{repo}/repository/tree", self.tree, query=paged | {"path", "ref", "recursive"})
        action = {"action": text, "file_path": text, "content?": text, "encoding?": text, "execute_filemode?": bool,
                  "last_commit_id?": text}  # fmt: skip
        commit = {"branch": text, "start_sha?": text, "commit_message": text, "actions": [action]}
        yield Route("POST", f"{repo}/repository/commits", self.make_commit, commit)
        query = paged | {"state", "order_by", "sort", "source_branch"}
        yield Route("GET", f"{repo}/merge_requests", self.list, query=query)
        wanted = {"source_branch": text, "target_branch": text, "title": text, "description": text,
                  "remove_source_branch?": bool, "labels?": text, "reviewer_ids?": [number]}  # fmt: skip
        yield Route("POST", f"{repo}/merge_requests", self.open, wanted)
        more = {"add_labels?": text, "reviewer_ids?": [number]}
        yield Route("PUT", f"{repo}/merge_requests/{{iid}}", self.update, more)
        yield Route("GET", f"{repo}/merge_requests/{{iid}}/notes", self.notes, query=paged | {"order_by", "sort"})
        yield Route("POST", f"{repo}/merge_requests/{{iid}}/notes", self.say, {"body": text})
        yield Route("DELETE", f"{repo}/merge_requests/{{iid}}/notes/{{id}}", self.unsay)
        yield Route("GET", f"{repo}/pipelines", self.list_pipelines, query=paged | {"ref", "scope", "order_by", "sort"})
        yield Route("GET", "/users", self.users, query=paged | {"username"})

    def about(self, _: Asked) -> Answer:
        return Answer(200, {"id": 1, "path_with_namespace": self.project, "archived": self.archived})

    # Git

    def get_branch(self, _: Asked, branch: str) -> Answer:
        commit = self.branch(branch) or not_found("Branch")
        return Answer(200, {"name": branch, "commit": {"id": commit}, "protected": False})

    def delete_branch(self, _: Asked, branch: str) -> Answer:
        self.git("update-ref", "-d", f"refs/heads/{branch}")
        return Answer(204)

    def get_commit(self, _: Asked, sha: str) -> Answer:
        return Answer(200, {"id": sha, "message": self.git("show", "--no-patch", "--format=%B", sha) + "\n"})

    def tree(self, asked: Asked) -> Answer:
        path, ref = asked.query.get("path", ""), asked.query["ref"]
        place = f"{ref}:{path}" if path else ref
        try:
            told = self.git("ls-tree", "-z", place)
        except AssertionError:
            not_found("Tree")
        entries = []
        for line in told.split("\0")[:-1]:
            facts, _tab, name = line.partition("\t")
            mode, kind, id_ = facts.split(" ")
            whole = f"{path}/{name}".lstrip("/")
            entries.append({"id": id_, "name": name, "type": kind, "path": whole, "mode": mode})
        return paged(entries, asked)

    def make_commit(self, asked: Asked) -> Answer:
        body = asked.body
        if self.archived:
            raise Refused(Answer(403, {"message": "403 Forbidden"}))
        if self.branch(body["branch"]):
            bad(f"A branch called '{body['branch']}' already exists. Switch to that branch in order to make changes")
        start = body["start_sha"]
        lines = self.git("ls-tree", "-r", "-z", start).split("\0")[:-1]
        listed = {name: facts for facts, _, name in (line.partition("\t") for line in lines)}
        for action in body["actions"]:
            self._act(listed, action)
        made = self.git("commit-tree", tree_of(self, listed), "-p", start, stdin=body["commit_message"].encode())
        self.git("update-ref", f"refs/heads/{body['branch']}", made, "0" * 40)
        return Answer(201, {"id": made, "title": body["commit_message"].partition("\n")[0]})

    def _act(self, listed: dict[str, str], action: Made) -> None:
        path, kind = action["file_path"], action["action"]
        if (path in listed) == (kind == "create"):
            bad("A file with this name already exists" if kind == "create" else "A file with this name doesn't exist")
        if kind == "delete":
            del listed[path]
            return
        mode, _, rest = listed.get(path, "100644 blob ").partition(" ")
        if kind == "chmod":
            listed[path] = f"{'100755' if action['execute_filemode'] else '100644'} {rest}"
            return
        if kind not in {"create", "update"} or action["encoding"] != "base64":
            bad(f"actions[0][action] does not have a valid value: {kind}")
        data = base64.b64decode(action["content"], validate=True) + b"\n" * self.mangles
        listed[path] = f"{mode} blob {self.git('hash-object', '-w', '--stdin', stdin=data)}"

    # Requests

    def list(self, asked: Asked) -> Answer:
        state = asked.query.get("state", "all")
        found = [each for each in self.merge_requests if state in {"all", each.state}]
        found.sort(key=lambda each: (each.created, each.iid), reverse=asked.query.get("sort") == "desc")
        return paged([self._shown(each) for each in found], asked)

    def open(self, asked: Asked) -> Answer:
        body = asked.body
        if not self.branch(body["target_branch"]) or not self.branch(body["source_branch"]):
            bad("Target branch does not exist")
        if any(each.source == body["source_branch"] and each.state == "opened" for each in self.merge_requests):
            raise Refused(Answer(409, {"message": ["Another open merge request already exists for this source branch: !1"]}))
        number = len(self.merge_requests) + 1
        when = WHEN + timedelta(minutes=number)
        words = (body["source_branch"], body["target_branch"], body["title"], body["description"])
        self.merge_requests.append(MergeRequest(number, *words, created=when))
        return Answer(201, self._shown(self.merge_requests[-1]))

    def update(self, asked: Asked, iid: str) -> Answer:
        found = self._find(iid)
        added = [name for name in asked.body.get("add_labels", "").split(",") if name]
        found.labels = list(dict.fromkeys([*found.labels, *added]))
        found.reviewers = asked.body.get("reviewer_ids", found.reviewers)
        return Answer(200, self._shown(found))

    def notes(self, asked: Asked, iid: str) -> Answer:
        return paged([{"id": id_, "body": text} for id_, text in sorted(self._find(iid).notes.items())], asked)

    def say(self, asked: Asked, iid: str) -> Answer:
        id_ = 1 + max((id_ for each in self.merge_requests for id_ in each.notes), default=100)
        self._find(iid).notes[id_] = asked.body["body"]
        return Answer(201, {"id": id_, "body": asked.body["body"]})

    def unsay(self, _: Asked, iid: str, id: str) -> Answer:
        if self._find(iid).notes.pop(int(id), None) is None:
            not_found("Note")
        return Answer(204)

    def list_pipelines(self, asked: Asked) -> Answer:
        found = [each for each in reversed(self.pipelines) if each[0] == asked.query["ref"]]
        return paged([{"id": n, "ref": ref, "sha": sha, "status": s} for n, (ref, sha, s) in enumerate(found)], asked)

    def users(self, asked: Asked) -> Answer:
        name = asked.query["username"]
        return paged([{"id": self.people[name], "username": name}] if name in self.people else [], asked)

    def _find(self, iid: str) -> MergeRequest:
        return next((each for each in self.merge_requests if each.iid == int(iid)), None) or not_found("Merge Request")

    def _shown(self, each: MergeRequest) -> Made:
        return {
            "id": 1000 + each.iid, "iid": each.iid, "title": each.title, "description": each.body, "state": each.state,
            "source_branch": each.source, "target_branch": each.target, "source_project_id": each.source_project,
            "target_project_id": 1, "created_at": each.created.isoformat().replace("+00:00", "Z"), "labels": each.labels,
            "web_url": f"{self.server_url}/{self.project}/-/merge_requests/{each.iid}",
        }  # fmt: skip


def paged(found: list[Any], asked: Asked) -> Answer:
    """One page, and where the next one is."""
    size, number = int(asked.query.get("per_page", "20")), int(asked.query.get("page", "1"))
    shown = found[size * (number - 1) : size * number]
    more = size * number < len(found)
    head = {"x-page": str(number), "x-per-page": str(size), "x-next-page": str(number + 1) if more else ""}
    return Answer(200, shown, head)


def not_found(what: str) -> NoReturn:
    raise Refused(Answer(404, {"message": f"404 {what} Not Found"}))


def bad(message: str) -> NoReturn:
    raise Refused(Answer(400, {"message": message}))
