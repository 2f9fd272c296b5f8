"""A remote, talked to from our own store: nothing in the checkout's configuration redirects, rewrites or runs anything."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote

from selfheal_ci.errors import ForgeError, UsageError
from selfheal_ci.store.checkout import Checkout, valid_ref, without_credentials
from selfheal_ci.store.git import Answer, Git
from selfheal_ci.store.neighbour import runs
from selfheal_ci.words import one_line

NAME = "selfheal"
SECONDS = 600.0
KEPT = "nothing is lost: the patch is kept in the output folder, and `selfheal apply` puts it into a working tree"
UNAUTHORISED = (
    "no token was sent: GITHUB_TOKEN and GITLAB_TOKEN go to their own forge alone, SELFHEAL_TOKEN also to the host of an "
    "address that is named with --remote"
)
# What a person or a job may say about the way to the remote.
PASSED = (
    "SSH_AUTH_SOCK", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "CURL_CA_BUNDLE",
)  # fmt: skip
_ELSEWHERE = re.compile(r"[^/]*:")  # a scheme, or host:path; anything else is a folder, as git reads it
_FILE = "file://"
# Nothing that two programs could read as two hosts.
_HTTPS = re.compile(r"https://(?:[\w.~%:+-]*@)?([A-Za-z0-9.-]+)(?::(\d{1,5}))?(?:/.*)?", re.ASCII)
_ECHO = re.compile(r"(?:To |error: failed to push some refs|hint: |warning: )")


@dataclass(frozen=True)
class Address:
    """Where a remote is, and who says so."""

    url: str = field(repr=False)  # a password may be in it
    asked: bool  # a person or a trusted file says it; else the checkout's .git/config, which any test can have written

    @property
    def is_local(self) -> bool:
        """Whether it is a folder here: its hooks run here, too."""
        return self.url.startswith(_FILE) or not _ELSEWHERE.match(self.url)

    @property
    def folder(self) -> Path:
        """The folder of a local one."""
        path = "/" + unquote(self.url.removeprefix(_FILE)) if self.url.startswith(_FILE) else self.url
        return Path(re.sub("^/+", "/", path))  # two slashes are a root of their own for pathlib

    @property
    def host(self) -> str | None:
        """Host and port that a token would be sent to; None where none is ever sent."""
        match = _HTTPS.fullmatch(self.url)
        return f"{match[1].lower()}:{int(match[2] or 443)}" if match else None


@dataclass(frozen=True)
class Remote:
    """One address and how to be let in. A folder gets no secret: what it runs would be told."""

    git: Git
    address: Address
    environ: Mapping[str, str]  # SSH_AUTH_SOCK, proxies and certificates are taken from here
    token: str | None = None

    @property
    def url(self) -> str:
        return self.address.url

    def refs(self, names: Iterable[str]) -> dict[str, str]:
        """Those of the full ref names that exist there, with their object ids."""
        wanted = list(names)
        told = self._run("ls-remote", "--refs", "--quiet", "--", NAME, *wanted)
        lines = (line.split("\t", 1) for line in told.stdout.decode("utf-8", "surrogateescape").splitlines() if "\t" in line)
        return {name: id_ for id_, name in lines if name in wanted}

    def fetch(self, ref: str, commit: str) -> str:
        """Have the commit that the ref names there in the store; `commit` is what it named just now."""
        if self.git.ask("rev-parse", "--verify", "--quiet", f"{commit}^{{tree}}").exit_code == 0:
            return commit
        ours = f"refs/selfheal/{ref.removeprefix('refs/')}"
        words = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--depth=1", "--force")
        self._run("fetch", *words, "--", NAME, f"{ref}:{ours}")
        return self.git.run("rev-parse", "--verify", ours).decode().strip()

    def deepen(self, commit: str, depth: int) -> None:
        """Have more of the history of a commit that the store has only the end of."""
        words = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", f"--depth={depth}", "--force")
        self._run("fetch", *words, "--", NAME, f"{commit}:refs/selfheal/deep")

    def create(self, ref: str, commit: str) -> Answer:
        """Make a ref that is not there yet; an existing one is never moved. The answer tells whether it was us."""
        words = ("--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no", f"--force-with-lease={ref}:")
        return self.git.ask("push", *words, "--", NAME, f"{commit}:{ref}", env=self._environment(), timeout=SECONDS)

    def refusal(self, answer: Answer) -> ForgeError:
        """What the remote said, as an error."""
        said = [line for line in answer.stderr.splitlines() if line.strip() and not _ECHO.match(line)]
        for line in answer.stdout.decode("utf-8", "replace").splitlines():
            if line.startswith("!\t"):
                said.append(line.rpartition("\t")[2])
        words = one_line(" ".join(said) or "no reason given", 600)
        for secret in filter(None, (self.token, self.url)):
            words = words.replace(secret, without_credentials(self.url) if secret == self.url else "***")
        hint = KEPT if self.token or not self.address.host else f"{UNAUTHORISED}; {KEPT}"
        return ForgeError(f"{without_credentials(self.url)} refused: {words}", hint=hint)

    def _run(self, *words: str) -> Answer:
        answer = self.git.ask(*words, env=self._environment(), timeout=SECONDS)
        if answer.exit_code:
            raise self.refusal(answer)
        return answer

    def _environment(self) -> dict[str, str]:
        """Settings as variables: no file and no process list shows the address or the token."""
        settings = {f"remote.{NAME}.url": self.url, "http.followRedirects": "false", "push.gpgSign": "false"}
        if self.token and self.address.host:
            basic = base64.b64encode(f"x-access-token:{self.token}".encode()).decode()
            settings["http.extraHeader"] = f"Authorization: Basic {basic}"
        numbered = {
            f"GIT_CONFIG_{part}_{number}": text
            for number, setting in enumerate(settings.items())
            for part, text in zip(("KEY", "VALUE"), setting, strict=True)
        }
        passed = {name: self.environ[name] for name in PASSED if name in self.environ and not self.address.is_local}
        ssh = {"GIT_SSH_COMMAND": "ssh -o BatchMode=yes", "GIT_SSH_VARIANT": "ssh"}
        return passed | ssh | numbered | {"GIT_CONFIG_COUNT": str(len(settings))}


def address(checkout: Checkout, remote: str, *, asked: bool = False) -> Address:
    """Where a remote is: as it is given, or by its name in the checkout's configuration, which is read as text.

    `asked`: a person or a trusted file gives it. Any test can have written the rest: it may not lead into the checkout, nor
    to a folder that runs something. Raises UsageError when it does, when the name is not there, or when the address has
    control characters.
    """
    given = ":" in remote or remote.startswith(("/", "."))
    url = remote if given else checkout.config.get(f"remote.{remote}.url")
    if not url and "/" in remote:
        given, url = True, remote
    if not url or not url.isprintable():
        raise UsageError(
            f"{checkout.folder} has no remote named {one_line(remote)}", hint="name one, or its address, with --remote"
        )
    found = Address(url, asked=asked and given)
    if not found.is_local:
        return found
    if not found.folder.is_absolute():
        found = replace(found, url=str(checkout.folder / url))
    if not found.asked and (why := _unsafe(checkout, found.folder)):
        raise UsageError(
            f"the remote {one_line(remote)}, which the checkout's configuration names, is a folder at {one_line(url)} "
            f"{one_line(why)}: any test could have put it there",
            hint=f"where you trust it, name it yourself: --remote {one_line(found.url)}",
        )
    return found


def _unsafe(checkout: Checkout, folder: Path) -> str | None:
    """Why nothing but a person's own word leads to a folder; None when it is safe."""
    if _leads_inside(checkout, folder):
        return "in the checkout itself"
    try:
        return f"that runs programs of its own ({program})" if (program := runs(folder)) else None
    except OSError as closed:
        return f"that cannot be looked into ({closed.strerror})"


def _leads_inside(checkout: Checkout, folder: Path) -> bool:
    """Whether a folder is in the checkout or in its repository, links followed."""
    private = (checkout.folder, *(objects.parent for objects in checkout.objects[:1]))
    there = folder.resolve()
    return any(there.is_relative_to(place.resolve()) for place in private)


def branch_ref(branch: str) -> str:
    """The full ref name of a branch. Raises UsageError when git would not take it."""
    ref = f"refs/heads/{branch}"
    if not valid_ref(ref) or branch.startswith("-"):
        raise UsageError(f"{one_line(branch)!r} cannot be the name of a branch", hint="name another")
    return ref
