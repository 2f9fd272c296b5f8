"""Which forge a fix goes to, where its API is, and with which token it is asked."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from selfheal_ci.config import Settings
from selfheal_ci.errors import AccessError, UsageError
from selfheal_ci.ports import Forge
from selfheal_ci.store import Store
from selfheal_ci.store.checkout import without_credentials
from selfheal_ci.store.remote import UNAUTHORISED, Address, address
from selfheal_ci.wiring.builder import write_token

GITHUB, GITLAB = "github", "gitlab"
# Both ways to say it: scp's, and an address with a scheme. A host name alone, so that no two programs read two hosts.
_SSH = re.compile(r"(?:ssh://)?[\w.-]+@([A-Za-z0-9.-]+)(?::\d{1,5}(?=/)|)[:/](.+)", re.ASCII)
_HTTPS = re.compile(r"https://(?:[^/@]*@)?([^/@]+)/(.+)")


@dataclass(frozen=True)
class Home:
    """Where a repository is on its forge."""

    web: Address  # https, whatever way git goes
    host: str  # with its port where that is not the usual one
    path: str  # owner/name


def forge_for(store: Store, settings: Settings, environ: Mapping[str, str]) -> Forge:
    """The forge that is asked for, else the one that the remote's address is of; without its token, plain git."""
    from selfheal_ci.forges.git import GitForge

    to = address(store.checkout, settings.remote, asked=settings.remote_asked)
    pushing = GitForge(store, to, write_token(environ)(to), environ)
    home = home_of(to)
    name = settings.forge or (forge_at(home, environ) if home else None)
    if name not in {GITHUB, GITLAB}:
        return pushing
    if home is None:
        said = without_credentials(to.url)
        raise UsageError(f"{said} is no address of a forge", hint="name the repository's own with --remote, or --forge git")
    token = write_token(environ)(home.web)
    if token is None and settings.forge is None:
        return pushing
    if token is None:
        raise AccessError(f"there is no token for {home.host}", hint=f"set SELFHEAL_TOKEN; {UNAUTHORISED}")
    return _with_requests(name, home, token, settings, environ, pushing)


def home_of(to: Address) -> Home | None:
    """The repository that an address is of; None where it is of no host, or in the clear."""
    found = None if to.is_local else _HTTPS.fullmatch(to.url) or _SSH.fullmatch(to.url)
    if found is None:
        return None
    host, path = found[1].lower().removesuffix(":443"), found[2].strip("/").removesuffix(".git")
    web = Address(f"https://{host}/{path}", to.asked)
    return Home(web, host, path) if web.host else None


def forge_at(home: Home, environ: Mapping[str, str]) -> str | None:
    """Whose host it is: the two public ones, and the job's own."""
    known = {
        "github.com": GITHUB,
        "gitlab.com": GITLAB,
        _host(environ.get("GITHUB_SERVER_URL")): GITHUB,
        _host(environ.get("CI_SERVER_URL")): GITLAB,
    }
    return known.get(home.host)


def github_api(host: str, environ: Mapping[str, str]) -> str:
    """Where the API of a host is: as the job says of its own, else as GitHub, its data residences and Enterprise have it."""
    if host == (_host(environ.get("GITHUB_SERVER_URL")) or "github.com") and (said := environ.get("GITHUB_API_URL")):
        return _safe(said)
    if host == "github.com" or host.endswith(".ghe.com"):
        return f"https://api.{host}"
    return f"https://{host}/api/v3"


def gitlab_server(home: Home, environ: Mapping[str, str]) -> tuple[str, str]:
    """Where GitLab is, and the project's path there: below a folder where the job says that the server is in one."""
    server = environ.get("CI_SERVER_URL", "")
    if home.host != _host(server):
        return f"https://{home.host}", home.path
    folder = urlsplit(server).path.strip("/")
    path = home.path.removeprefix(f"{folder}/") if folder else home.path
    return _safe(environ.get("CI_API_V4_URL", server).rstrip("/").removesuffix("/api/v4")), path


def _with_requests(
    name: str, home: Home, token: str, settings: Settings, environ: Mapping[str, str], pushing: Forge
) -> Forge:
    from selfheal_ci.forges.requests import RequestForge

    if name == GITHUB:
        from selfheal_ci.forges.github import GithubService

        if home.path.count("/") != 1:
            raise UsageError(f"{home.path} is no repository of GitHub's", hint="it is OWNER/NAME: see --remote")
        return RequestForge(GithubService(github_api(home.host, environ), home.path, token, settings.branch_prefix), pushing)
    from selfheal_ci.forges.gitlab import GitlabService

    server, path = gitlab_server(home, environ)
    return RequestForge(GitlabService(server, path, token, settings.branch_prefix), pushing)


def _host(url: str | None) -> str | None:
    """Host and port of an address, as `Home` says them."""
    parts = urlsplit(url or "")
    return parts.netloc.lower().rpartition("@")[2].removesuffix(":443") or None


def _safe(api: str) -> str:
    """The address, when a token may go there. Raises UsageError when it would go in the clear."""
    parts = urlsplit(api)
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        return api.rstrip("/")
    raise UsageError(f"no token goes to {parts.hostname} over {parts.scheme}", hint="the API's address begins with https://")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
