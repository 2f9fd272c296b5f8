"""From a failing step to a draft request on a forge, by the command line."""

from __future__ import annotations

import json
from pathlib import Path

from tests.builders import a_repository, branches, git
from tests.e2e.test_heal import BROKEN, GREEN, selfheal
from tests.forge_servers.github import GithubServer
from tests.forge_servers.serving import TOKEN


def test_a_healing_becomes_one_draft_request(tmp_path: Path) -> None:
    remote = tmp_path / "origin.git"
    broken = a_repository(tmp_path / "project", GREEN, BROKEN, remote=remote)
    git(broken, "remote", "set-url", "origin", "https://github.com/ada/cart.git")
    healed = selfheal(broken, "heal", "--no-model")
    with GithubServer(remote) as server:
        environ = {"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": f"{server.url}{server.root}"}

        first = selfheal(broken, "publish", "--target", "main", environ=environ)
        second = selfheal(broken, "publish", "--target", "main", "--json", environ=environ)

    assert (healed.exit_code, first.exit_code, second.exit_code) == (0, 0, 0), healed.stderr + first.stderr + second.stderr
    [pull] = server.pulls
    assert server.problems == []
    assert (pull.base, pull.draft, pull.labels) == ("main", True, ["auto-fix", "self-healing"])
    url = f"{server.url}/ada/cart/pull/1"
    commit = branches(remote)[pull.head]
    told = {"branch": pull.head, "commit": commit, "url": url, "number": 1}
    assert json.loads((broken / "selfheal-out/publish.json").read_text()) == json.loads(second.stdout) == told
    assert first.stderr.rstrip().endswith(f"pushed {pull.head} at {commit[:12]}: {url}")
    assert TOKEN not in first.stderr + first.stdout
