"""From a fix to one open request on GitHub and GitLab: what it says, and that nothing is ever made twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from selfheal_ci.errors import AccessError, ForgeError, UnwellError
from selfheal_ci.forges.requests import RequestForge
from selfheal_ci.values import PatchedFile, Publication, Published, blob_id
from tests.builders import a_publication, a_repository, branches, git
from tests.forge_servers import Server, a_server, a_service
from tests.forge_servers.github import GithubServer
from tests.forge_servers.serving import Answer, Fault, Plan

BROKEN, FIXED = b"def total(a):\n    return 0\n", b"def total(a):\n    return sum(a)\n"
FILE = PatchedFile("cart.py", "100644", blob_id(BROKEN), blob_id(FIXED), FIXED)
MARKER = f"<!-- selfheal-key: {a_publication().key} -->"
Publish = Callable[..., Published]


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    a_repository(tmp_path / "project", {"cart.py": BROKEN}, remote=tmp_path / "remote.git")
    return tmp_path / "remote.git"


@pytest.fixture
def hub(remote: Path) -> Iterator[GithubServer]:
    with GithubServer(remote) as server:
        yield server
        assert server.problems == []


def a_fix(**more: object) -> Publication:
    return a_publication(**({"files": (FILE,), "labels": ("auto-fix",), "commit": "1" * 40} | more))


def publish(server: Server, fix: Publication | None = None, pauses: tuple[float, ...] = ()) -> Published:
    waited: list[float] = []
    return RequestForge(a_service(server), pauses=pauses, sleep=waited.append).publish(fix or a_fix())


def test_the_request_is_a_draft_for_the_failing_branch_with_labels_and_reviewers(hub: GithubServer) -> None:
    published = publish(hub, a_fix(reviewers=("grace",)))

    [pull] = hub.pulls
    assert (pull.head, pull.base, pull.title) == (published.branch, "main", "fix(ci): make tests pass")
    assert (pull.draft, pull.labels, pull.reviewers) == (True, ["auto-fix"], ["grace"])
    assert pull.body.startswith("What happened.\n")
    assert MARKER in pull.body
    assert (published.url, published.number) == (f"{hub.url}/ada/cart/pull/1", 1)


def test_a_request_that_is_to_be_no_draft_is_none(hub: GithubServer) -> None:
    publish(hub, a_fix(draft=False))

    assert [pull.draft for pull in hub.pulls] == [False]


def test_a_repository_without_drafts_gets_an_open_request(hub: GithubServer) -> None:
    hub.drafts = False

    publish(hub)

    assert [pull.draft for pull in hub.pulls] == [False]


def test_a_reviewer_who_cannot_review_stops_nothing(hub: GithubServer) -> None:
    assert publish(hub, a_fix(reviewers=("mallory",))).number == 1


def test_the_same_failure_at_a_later_commit_is_one_comment(hub: GithubServer) -> None:
    first = publish(hub)

    for _ in range(3):
        later = publish(hub, a_fix(commit="2" * 40))

    assert (later.number, later.branch, later.created) == (first.number, first.branch, False)
    assert len(hub.pulls) == 1
    [said] = hub.pulls[0].comments.values()
    assert said.startswith("The step `tests` failed in the same way at `222222222222`.")


def test_a_request_of_a_fork_with_our_marker_is_not_ours(hub: GithubServer) -> None:
    publish(hub)
    hub.pulls[0].repo = "mallory/cart"
    hub.pulls[0].state = "closed"

    assert publish(hub).number == 2


def test_a_marker_in_the_report_is_not_ours(hub: GithubServer) -> None:
    publish(hub, a_fix(body=f"Hello.\n<!-- selfheal-key: {'f' * 64} -->\nBye."))

    assert "f" * 64 not in hub.pulls[0].body
    assert "Hello.\nBye." in hub.pulls[0].body


def test_where_commits_must_be_signed_the_forge_makes_them(hub: GithubServer, remote: Path) -> None:
    hub.signed_only = True

    published = publish(hub)

    assert published.commit == branches(remote)[published.branch]
    assert git(remote, "show", f"{published.branch}:cart.py").encode() == FIXED.strip()
    assert [asked.route for asked in hub.asked if asked.method == "POST" and "commits" in asked.route] == []


def opened(server: Server) -> int:
    return len(server.pulls if isinstance(server, GithubServer) else server.merge_requests)


@pytest.mark.parametrize("fault", [Fault.BAD_GATEWAY_BEFORE, Fault.BAD_GATEWAY_AFTER, Fault.RESET_BEFORE, Fault.RESET_AFTER])
@pytest.mark.parametrize(("name", "effects"), [("github", 6), ("gitlab", 2)])
def test_whichever_effect_breaks_the_next_call_finishes_it(remote: Path, name: str, effects: int, fault: Fault) -> None:
    for nth in range(1, effects + 1):
        fix = a_fix(key=f"{nth:064x}", branch=f"selfheal/tests-{nth}")
        with a_server(name, remote) as server:
            server.plan = Plan(nth, fault)
            with pytest.raises(UnwellError):
                publish(server, fix)
            again = publish(server, fix)
            server.plan = None

            assert publish(server, fix).number == again.number == opened(server) == 1
            assert server.problems == []
        assert [branch for branch in branches(remote) if branch.startswith(fix.branch)] == [again.branch] == [fix.branch]


def test_a_forge_that_does_not_answer_once_is_asked_again(hub: GithubServer) -> None:
    hub.plan = Plan(2, Fault.BAD_GATEWAY_AFTER)

    assert publish(hub, pauses=(1.0,)).number == 1
    assert len(hub.pulls) == 1


REFS, PULLS = "POST /repos/{owner}/{name}/git/refs", "POST /repos/{owner}/{name}/pulls"


@pytest.mark.parametrize(
    ("route", "status", "said", "error", "told", "hint"),
    [
        (REFS, 403, "Resource not accessible by integration", AccessError, "does not let this token do it", "contents: write"),
        (PULLS, 403, "GitHub Actions is not permitted to create or approve pull requests.", AccessError,
         "the fix is on selfheal/tests-1a2b3c4d, but no request could be opened", "Settings → Actions"),
        (REFS, 422, "Repository rule violations found", ForgeError, "protects the branch", "publish.branch-prefix"),
        (REFS, 403, "Repository was archived so is read-only.", ForgeError, "ada/cart is archived", "the patch is kept"),
    ],
)  # fmt: skip
def test_each_refusal_has_its_own_words(  # noqa: PLR0917  a table
    hub: GithubServer, route: str, status: int, said: str, error: type[ForgeError], told: str, hint: str
) -> None:
    hub.says[route] = Answer(status, {"message": said})

    with pytest.raises(ForgeError) as refused:
        publish(hub)

    assert type(refused.value) is error
    assert told in refused.value.message
    assert hint in refused.value.hint
    assert refused.value.exit_code == (2 if error is AccessError else 7)


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (429, {"retry-after": "7"}),
        (403, {"retry-after": "7"}),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9999999999"}),
    ],
)
def test_a_rate_limit_is_waited_for_or_told(hub: GithubServer, status: int, headers: dict[str, str]) -> None:
    hub.says[REFS] = Answer(status, {"message": "You have exceeded a secondary rate limit."}, headers)
    waited: list[float] = []

    with pytest.raises(UnwellError, match="GitHub is asked too often by this token"):
        RequestForge(a_service(hub), pauses=(1.0,), sleep=waited.append).publish(a_fix())

    assert waited == ([7.0] if "retry-after" in headers else [])


def test_a_token_that_is_not_taken_is_told_and_not_shown(hub: GithubServer) -> None:
    service = a_service(hub, token="ghs_wrongAndSecret")

    with pytest.raises(AccessError, match="GitHub does not take the token") as refused:
        RequestForge(service).publish(a_fix())

    assert "wrongAndSecret" not in f"{refused.value}{refused.value.hint}{service}"
