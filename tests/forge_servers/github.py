"""As much of GitHub's API as we use, behind real HTTP, over a real repository."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from tests.forge_servers.serving import Answer, Asked, ForgeServer, Refused, Route

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
Made = dict[str, Any]


@dataclass
class Pull:
    number: int
    head: str
    base: str
    title: str
    body: str
    draft: bool
    state: str = "open"
    merged: bool = False
    created: datetime = WHEN
    repo: str | None = "ada/cart"  # of the head
    labels: list[str] = field(default_factory=list)
    reviewers: list[str] = field(default_factory=list)
    comments: dict[int, str] = field(default_factory=dict)


class GithubServer(ForgeServer):
    """GitHub on loopback. Commits that it makes are signed unless somebody names an author."""

    root = "/api/v3"
    drafts = True
    signed_only = False  # a ruleset asks for signed commits, and REST signs none

    def __init__(self, *words: Any, **more: Any) -> None:
        super().__init__(*words, **more)
        self.pulls: list[Pull] = []
        self.runs: list[tuple[str, str, str | None]] = []  # branch, commit, conclusion
        self.reviewers = {"grace", "alan"}

    def routes(self) -> Iterator[Route]:
        repo = "/repos/{owner}/{name}"
        text, blob = str, {"path": str, "mode": str, "type": str, "sha": (str, type(None))}
        paged = frozenset({"per_page", "page"})
        yield Route("GET", f"{repo}/git/ref/heads/{{a}}", self.ref)
        yield Route("GET", f"{repo}/git/ref/heads/{{a}}/{{b}}", self.ref)
        yield Route("GET", f"{repo}/git/commits/{{sha}}", self.commit)
        yield Route("GET", f"{repo}/git/trees/{{sha}}", self.tree)
        yield Route("POST", f"{repo}/git/blobs", self.make_blob, {"content": text, "encoding": text})
        yield Route("POST", f"{repo}/git/trees", self.make_tree, {"base_tree": text, "tree": [blob]})
        yield Route("POST", f"{repo}/git/commits", self.make_commit, {"message": text, "tree": text, "parents": [text]})
        yield Route("POST", f"{repo}/git/refs", self.make_ref, {"ref": text, "sha": text})
        yield Route("GET", f"{repo}/rules/branches/{{branch}}", self.rules)
        yield Route("GET", f"{repo}/pulls", self.list, query=paged | {"state", "sort", "direction", "head", "base"})
        wanted = {"title": text, "head": text, "base": text, "body": text, "draft?": bool}
        yield Route("POST", f"{repo}/pulls", self.open, wanted)
        reviews = {"reviewers?": [text], "team_reviewers?": [text]}
        yield Route("POST", f"{repo}/pulls/{{number}}/requested_reviewers", self.review, reviews)
        yield Route("POST", f"{repo}/issues/{{number}}/labels", self.label, [text])
        yield Route("GET", f"{repo}/issues/{{number}}/comments", self.comments, query=paged | {"since"})
        yield Route("POST", f"{repo}/issues/{{number}}/comments", self.say, {"body": text})
        yield Route("DELETE", f"{repo}/issues/comments/{{id}}", self.unsay)
        runs = paged | {"branch", "status"}
        yield Route("GET", f"{repo}/actions/runs", self.list_runs, query=runs)
        yield Route("GET", f"{repo}/actions/workflows/{{workflow}}/runs", self.list_runs, query=runs)

    def answer(self, asked: Asked, headers: Any) -> Answer:
        """GraphQL is beside the REST API, and has one path."""
        if asked.path != "/api/graphql":
            return super().answer(asked, headers)
        if self.tokens(headers) not in self.allowed:
            return Answer(401, {"message": "Bad credentials"})
        with self.lock:
            return self.graphql(asked)

    def _answer(self, route: Route, parts: dict[str, str], asked: Asked) -> Answer:
        if "owner" in parts:
            parts["repo"] = f"{parts.pop('owner')}/{parts.pop('name')}"
        return super()._answer(route, parts, asked)

    # Git

    def ref(self, _: Asked, **parts: str) -> Answer:
        name = "/".join(parts[part] for part in ("a", "b") if part in parts)
        commit = self.branch(name) or not_found()
        return Answer(200, self._ref(name, commit))

    def commit(self, _: Asked, sha: str) -> Answer:
        return Answer(200, self._commit(sha))

    def tree(self, _: Asked, sha: str) -> Answer:
        entries = []
        for line in self.git("ls-tree", "-z", sha).split("\0")[:-1]:
            facts, _tab, name = line.partition("\t")
            mode, kind, id_ = facts.split(" ")
            entries.append({"path": name, "mode": mode, "type": kind, "sha": id_})
        return Answer(200, {"sha": self._id(f"{sha}^{{tree}}"), "tree": entries, "truncated": False})

    def make_blob(self, asked: Asked) -> Answer:
        if asked.body["encoding"] != "base64":
            unprocessable("encoding")
        data = base64.b64decode(asked.body["content"], validate=True)
        return Answer(201, {"sha": self.git("hash-object", "-w", "--stdin", stdin=data)})

    def make_tree(self, asked: Asked) -> Answer:
        self._id(asked.body["base_tree"])
        listed = self._listed(asked.body["base_tree"])
        for entry in asked.body["tree"]:
            if entry["sha"] is None and listed.pop(entry["path"], None) is None:
                unprocessable("GitRPC::BadObjectState")
            if entry["sha"] is not None:
                listed[entry["path"]] = f"{entry['mode']} {entry['type']} {self._id(entry['sha'])}"
        return Answer(201, {"sha": self._tree_of(listed), "tree": []})

    def make_commit(self, asked: Asked) -> Answer:
        parents = [word for parent in asked.body["parents"] for word in ("-p", self._id(parent))]
        made = self.git("commit-tree", self._id(asked.body["tree"]), *parents, stdin=asked.body["message"].encode())
        return Answer(201, self._commit(made))

    def make_ref(self, asked: Asked) -> Answer:
        name = asked.body["ref"].removeprefix("refs/heads/")
        commit = self._id(asked.body["sha"])
        if self.signed_only and not self.git("branch", "--contains", commit):
            unprocessable("Repository rule violations found\n\nCommits must have verified signatures.\n\n")
        if self.branch(name):
            unprocessable("Reference already exists")
        self.git("update-ref", f"refs/heads/{name}", commit, "0" * 40)
        return Answer(201, self._ref(name, commit))

    def rules(self, _: Asked, branch: str) -> Answer:
        return Answer(200, [{"type": "required_signatures"}] if self.signed_only else [{"type": "non_fast_forward"}])

    def graphql(self, asked: Asked) -> Answer:
        """`createCommitOnBranch` alone: paths and contents, and no modes."""
        wanted = asked.body["variables"]["input"]
        allowed = {"branch", "expectedHeadOid", "message", "fileChanges"}
        if "createCommitOnBranch(input: $input)" not in asked.body["query"] or set(wanted) != allowed:
            self.problems.append(f"graphql: {asked.body}")
        name, head = wanted["branch"]["branchName"], wanted["expectedHeadOid"]
        at = self.branch(name)
        if at is None:
            return graphql_error("NOT_FOUND", f"Could not resolve to a Ref {name}")
        if at != head:
            why = f'Expected branch to point to "{head}" but it did not. Pull and try again.'
            return graphql_error("STALE_DATA", why)
        listed = self._listed(head)
        for entry in wanted["fileChanges"]["additions"]:
            data = base64.b64decode(entry["contents"])
            id_ = self.git("hash-object", "-w", "--stdin", stdin=data)
            listed[entry["path"]] = f"{listed.get(entry['path'], '100644').split(' ')[0]} blob {id_}"
        for entry in wanted["fileChanges"]["deletions"]:
            del listed[entry["path"]]
        text = f"{wanted['message']['headline']}\n\n{wanted['message']['body']}\n"
        tree = self._tree_of(listed)
        made = self.git("commit-tree", tree, "-p", head, stdin=text.encode())
        self.git("update-ref", f"refs/heads/{name}", made, head)
        return Answer(200, {"data": {"createCommitOnBranch": {"commit": {"oid": made, "tree": {"oid": tree}}}}})

    # Requests

    def list(self, asked: Asked) -> Answer:
        state = asked.query.get("state", "open")
        found = [pull for pull in self.pulls if state in {"all", pull.state}]
        found.sort(key=lambda pull: (pull.created, pull.number), reverse=asked.query.get("direction") == "desc")
        return Answer(200, [self._pull(pull) for pull in page(found, asked)])

    def open(self, asked: Asked) -> Answer:
        body = asked.body
        if body.get("draft") and not self.drafts:
            unprocessable("Draft pull requests are not supported in this repository.")
        if not self.branch(body["head"]) or not self.branch(body["base"]):
            unprocessable("Validation Failed", [{"resource": "PullRequest", "field": "base", "code": "invalid"}])
        if any(pull.head == body["head"] and pull.state == "open" for pull in self.pulls):
            why = f"A pull request already exists for ada:{body['head']}."
            unprocessable("Validation Failed", [{"resource": "PullRequest", "code": "custom", "message": why}])
        number = len(self.pulls) + 1
        when = WHEN + timedelta(minutes=number)
        self.pulls.append(
            Pull(number, body["head"], body["base"], body["title"], body["body"], body.get("draft", False), created=when)
        )
        return Answer(201, self._pull(self.pulls[-1]))

    def review(self, asked: Asked, number: str) -> Answer:
        wanted = [*asked.body.get("reviewers", []), *asked.body.get("team_reviewers", [])]
        if strangers := set(wanted) - self.reviewers:
            unprocessable(f"Reviews may only be requested from collaborators: {sorted(strangers)}")
        pull = self._find(number)
        pull.reviewers = sorted({*pull.reviewers, *wanted})
        return Answer(201, self._pull(pull))

    def label(self, asked: Asked, number: str) -> Answer:
        pull = self._find(number)
        pull.labels = list(dict.fromkeys([*pull.labels, *asked.body]))
        return Answer(200, [{"name": name} for name in pull.labels])

    def comments(self, asked: Asked, number: str) -> Answer:
        said = sorted(self._find(number).comments.items())
        return Answer(200, [{"id": id_, "body": text} for id_, text in page(said, asked)])

    def say(self, asked: Asked, number: str) -> Answer:
        id_ = 1 + max((id_ for pull in self.pulls for id_ in pull.comments), default=100)
        self._find(number).comments[id_] = asked.body["body"]
        return Answer(201, {"id": id_, "body": asked.body["body"]})

    def unsay(self, _: Asked, id: str) -> Answer:
        if not any(pull.comments.pop(int(id), None) for pull in self.pulls):
            not_found()
        return Answer(204)

    def list_runs(self, asked: Asked, workflow: str = "ci.yml") -> Answer:
        wanted = asked.query.get("branch")
        found = [run for run in reversed(self.runs) if wanted in {None, run[0]} and workflow == "ci.yml"]
        shown = [
            {"id": number, "head_branch": branch, "head_sha": commit, "conclusion": conclusion, "status": "completed"}
            for number, (branch, commit, conclusion) in enumerate(found)
        ]
        return Answer(200, {"total_count": len(shown), "workflow_runs": page(shown, asked)})

    # What these are made of

    def _find(self, number: str) -> Pull:
        return next((pull for pull in self.pulls if pull.number == int(number)), None) or not_found()

    def _pull(self, pull: Pull) -> Made:
        when = pull.created.isoformat().replace("+00:00", "Z")
        api = f"{self.url}{self.root}/repos/{self.project}/pulls/{pull.number}"
        return {
            "url": api, "number": pull.number, "html_url": f"{self.url}/{self.project}/pull/{pull.number}",
            "state": pull.state, "title": pull.title, "body": pull.body, "draft": pull.draft, "created_at": when,
            "merged_at": when if pull.merged else None,
            "head": {"ref": pull.head, "sha": self.branch(pull.head), "repo": {"full_name": pull.repo} if pull.repo else None},
            "base": {"ref": pull.base, "repo": {"full_name": self.project}},
        }  # fmt: skip

    def _ref(self, name: str, commit: str) -> Made:
        return {"ref": f"refs/heads/{name}", "object": {"type": "commit", "sha": commit}}

    def _commit(self, sha: str) -> Made:
        told = self.git("show", "--no-patch", "--format=%H%x00%T%x00%P%x00%B", self._id(sha)).split("\0")
        parents = [{"sha": parent} for parent in told[2].split()]
        return {"sha": told[0], "tree": {"sha": told[1]}, "parents": parents, "message": told[3]}

    def _listed(self, tree: str) -> dict[str, str]:
        lines = self.git("ls-tree", "-r", "-z", tree).split("\0")[:-1]
        return {name: facts for facts, _, name in (line.partition("\t") for line in lines)}

    def _tree_of(self, listed: dict[str, str]) -> str:
        return tree_of(self, listed)

    def _id(self, name: str) -> str:
        try:
            return self.git("rev-parse", "--verify", "--quiet", name)
        except AssertionError:
            not_found()


def tree_of(forge: ForgeServer, listed: dict[str, str]) -> str:
    """A tree of these files, made from the inside out."""
    folders: dict[str, dict[str, str]] = {}
    lines = []
    for path, facts in listed.items():
        name, slash, rest = path.partition("/")
        if slash:
            folders.setdefault(name, {})[rest] = facts
        else:
            lines.append(f"{facts}\t{name}\0")
    lines += [f"040000 tree {tree_of(forge, inner)}\t{name}\0" for name, inner in folders.items()]
    return forge.git("mktree", "-z", stdin="".join(lines).encode())


def page(found: list[Any], asked: Asked) -> list[Any]:
    size, number = int(asked.query.get("per_page", "30")), int(asked.query.get("page", "1"))
    return found[size * (number - 1) : size * number]


def not_found() -> NoReturn:
    raise Refused(Answer(404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"}))


def unprocessable(message: str, errors: list[Any] | None = None) -> NoReturn:
    raise Refused(Answer(422, {"message": message, "errors": errors or []}))


def graphql_error(kind: str, message: str) -> Answer:
    return Answer(200, {"data": {"createCommitOnBranch": None}, "errors": [{"type": kind, "message": message}]})
