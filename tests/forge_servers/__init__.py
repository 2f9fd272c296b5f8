"""Forges on loopback for the tests: they speak their APIs, keep real git objects, and take nothing that the real ones refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from selfheal_ci.forges.github import GithubService
from selfheal_ci.forges.gitlab import GitlabService
from tests.forge_servers.github import GithubServer
from tests.forge_servers.gitlab import GitlabServer
from tests.forge_servers.serving import TOKEN

Server = GithubServer | GitlabServer


def a_server(name: str, remote: Path) -> Server:
    """`github` or `gitlab`, over a bare repository."""
    return (GithubServer if name == "github" else GitlabServer)(remote)


def a_service(server: Server, *, token: str = TOKEN, **more: Any) -> GithubService | GitlabService:
    """What talks to it."""
    if isinstance(server, GithubServer):
        return GithubService(f"{server.url}{server.root}", server.project, token, **more)
    return GitlabService(server.server_url, server.project, token, **more)
