"""A remote, talked to from our own store: nothing in the checkout's configuration redirects, rewrites or runs anything."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from selfheal_ci.errors import ForgeError, UsageError
from selfheal_ci.store.checkout import Checkout, valid_ref, without_credentials
from selfheal_ci.store.git import Answer, Git
from selfheal_ci.words import one_line

NAME = "selfheal"
SECONDS = 600.0
KEPT = "nothing is lost: the patch is kept in the output folder, and `selfheal apply` puts it into a working tree"
# What a person or a job may say about the way to the remote.
PASSED = (
    "SSH_AUTH_SOCK", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "CURL_CA_BUNDLE",
)  # fmt: skip
_ADDRESS = re.compile(r"[^/]*:")  # a scheme, or host:path; anything else is a folder
_ECHO = re.compile(r"(?:To |error: failed to push some refs|hint: |warning: )")


@dataclass(frozen=True)
class Remote:
    """One address and how to be let in."""

    git: Git
    url: str
    environ: Mapping[str, str]  # SSH_AUTH_SOCK, proxies and certificates are taken from here
    token: str | None = None

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
        return ForgeError(f"{without_credentials(self.url)} refused: {words}", hint=KEPT)

    def _run(self, *words: str) -> Answer:
        answer = self.git.ask(*words, env=self._environment(), timeout=SECONDS)
        if answer.exit_code:
            raise self.refusal(answer)
        return answer

    def _environment(self) -> dict[str, str]:
        """Settings as variables: no file and no process list shows the address or the token."""
        settings = {f"remote.{NAME}.url": self.url, "http.followRedirects": "false", "push.gpgSign": "false"}
        if self.token and self.url.startswith("https://"):
            basic = base64.b64encode(f"x-access-token:{self.token}".encode()).decode()
            settings["http.extraHeader"] = f"Authorization: Basic {basic}"
        numbered = {
            f"GIT_CONFIG_{part}_{number}": text
            for number, setting in enumerate(settings.items())
            for part, text in zip(("KEY", "VALUE"), setting, strict=True)
        }
        passed = {name: self.environ[name] for name in PASSED if name in self.environ}
        ssh = {"GIT_SSH_COMMAND": "ssh -o BatchMode=yes", "GIT_SSH_VARIANT": "ssh"}
        return passed | ssh | numbered | {"GIT_CONFIG_COUNT": str(len(settings))}


def address(checkout: Checkout, remote: str) -> str:
    """The URL of a remote: by its name in the checkout's configuration, which is read as text, or as it is given.

    Raises UsageError when the name is not there or the address has control characters.
    """
    url = checkout.config.get(f"remote.{remote}.url") or (remote if "/" in remote or ":" in remote else "")
    if not url or not url.isprintable():
        raise UsageError(
            f"{checkout.folder} has no remote named {one_line(remote)}", hint="name one, or its address, with --remote"
        )
    return url if _ADDRESS.match(url) else str(Path(checkout.folder, url))


def branch_ref(branch: str) -> str:
    """The full ref name of a branch. Raises UsageError when git would not take it."""
    ref = f"refs/heads/{branch}"
    if not valid_ref(ref) or branch.startswith("-"):
        raise UsageError(f"{one_line(branch)!r} cannot be the name of a branch", hint="name another")
    return ref
