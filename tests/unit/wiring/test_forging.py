"""Which forge a fix goes to, and where its API is."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfheal_ci.config import Settings
from selfheal_ci.errors import AccessError, UsageError
from selfheal_ci.forges.git import GitForge
from selfheal_ci.forges.github import GithubService
from selfheal_ci.forges.gitlab import GitlabService
from selfheal_ci.forges.requests import RequestForge, Service
from selfheal_ci.ports import Forge
from selfheal_ci.store import open_store
from selfheal_ci.store.remote import Address
from selfheal_ci.wiring.forging import forge_for, github_api, home_of
from tests.builders import a_repository, git

OUR_GITLAB = {
    "CI_SERVER_HOST": "git.example.org", "CI_SERVER_URL": "https://git.example.org/lab",
    "CI_API_V4_URL": "https://git.example.org/lab/api/v4", "GITLAB_TOKEN": "glpat-x",
}  # fmt: skip


def forge(tmp_path: Path, url: str, environ: dict[str, str], name: str | None = None) -> Forge:
    project = a_repository(tmp_path / "project", {"a": ""})
    git(project, "remote", "add", "origin", url)
    with open_store(project, tmp_path / "store") as store:
        return forge_for(store, Settings(forge=name), environ)


def service(found: Forge) -> Service:
    assert isinstance(found, RequestForge)
    return found.service


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("https://github.com/ada/cart.git", "github.com", "ada/cart"),
        ("https://x:y@GitHub.com:443/ada/cart/", "github.com", "ada/cart"),
        ("git@github.com:ada/cart.git", "github.com", "ada/cart"),
        ("ssh://git@gitlab.com:2222/a/b/c.git", "gitlab.com", "a/b/c"),
        ("https://git.example.org:8443/a/b", "git.example.org:8443", "a/b"),
    ],
)
def test_an_address_says_host_and_path(url: str, host: str, path: str) -> None:
    home = home_of(Address(url, asked=False))

    assert home
    assert (home.host, home.path) == (host, path)


@pytest.mark.parametrize("url", ["/srv/x.git", "file:///srv/x.git", "http://github.com/a/b", "git://github.com/a/b"])
def test_a_folder_or_an_address_in_the_clear_is_on_no_forge(url: str) -> None:
    assert home_of(Address(url, asked=True)) is None


@pytest.mark.parametrize("url", ["https://github.com/ada/cart.git", "git@github.com:ada/cart.git"])
def test_github_is_found_from_the_remote(tmp_path: Path, url: str) -> None:
    found = service(forge(tmp_path, url, {"GITHUB_TOKEN": "t"}))

    assert found == GithubService("https://api.github.com", "ada/cart", "t")


def test_a_gitlab_in_a_folder_is_found_from_the_job(tmp_path: Path) -> None:
    found = service(forge(tmp_path, "https://git.example.org/lab/group/sub/cart.git", OUR_GITLAB))

    assert found == GitlabService("https://git.example.org/lab", "group/sub/cart", "glpat-x")


@pytest.mark.parametrize(
    ("url", "environ"),
    [
        ("https://github.com/ada/cart.git", {}),
        ("https://github.com/ada/cart.git", {"GITLAB_TOKEN": "t"}),
        ("https://evil.example/ada/cart.git", {"GITHUB_TOKEN": "t", "GITLAB_TOKEN": "t", "SELFHEAL_TOKEN": "t"}),
    ],
)
def test_without_a_token_for_the_host_it_is_git(tmp_path: Path, url: str, environ: dict[str, str]) -> None:
    assert isinstance(forge(tmp_path, url, environ), GitForge)


def test_a_forge_that_is_asked_for_wants_its_token(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match=r"there is no token for evil\.example"):
        forge(tmp_path, "https://evil.example/a/b", {"GITHUB_TOKEN": "t", "SELFHEAL_TOKEN": "t"}, "github")


def test_git_that_is_asked_for_is_git(tmp_path: Path) -> None:
    assert isinstance(forge(tmp_path, "https://github.com/ada/cart", {"GITHUB_TOKEN": "t"}, "git"), GitForge)


def test_a_folder_is_no_repository_of_a_forge(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no address of a forge"):
        forge(tmp_path, str(tmp_path), {"GITHUB_TOKEN": "t"}, "github")


@pytest.mark.parametrize(
    ("host", "environ", "api"),
    [
        ("github.com", {}, "https://api.github.com"),
        ("ghe.example.org", {}, "https://ghe.example.org/api/v3"),
        ("shop.ghe.com", {}, "https://api.shop.ghe.com"),
        ("github.com", {"GITHUB_API_URL": "http://127.0.0.1:9/api/v3"}, "http://127.0.0.1:9/api/v3"),
        ("x.org", {"GITHUB_API_URL": "https://x.org/a/", "GITHUB_SERVER_URL": "https://x.org"}, "https://x.org/a"),
        ("x.org", {"GITHUB_API_URL": "https://api.github.com"}, "https://x.org/api/v3"),
    ],
)
def test_the_api_is_where_the_host_has_it(host: str, environ: dict[str, str], api: str) -> None:
    assert github_api(host, environ) == api


def test_no_token_goes_in_the_clear() -> None:
    with pytest.raises(UsageError, match=r"no token goes to x\.org over http"):
        github_api("github.com", {"GITHUB_API_URL": "http://x.org/api"})
