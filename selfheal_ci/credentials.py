"""Where secrets of this machine are kept: in variables, in the files of tools, in a checkout's git configuration."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from selfheal_ci.secret_names import kind_of, may_be_secret, names_a_secret, password_of, passwords

MOST_BYTES = 256 << 10  # of a file; one that is larger is no configuration
MOST_FILES = 16  # of a folder, or of a list of files in a variable
MOST_VALUES = 200  # of a file

Pair = tuple[str, str]  # a key, and its value


def known_secrets(environ: Mapping[str, str], checkout: Path | None = None, *, ledger: str | None = None) -> dict[str, str]:
    """Name → value of all secrets that can be known: of variables, of tools' files, of the checkout's `.git/config`.

    `ledger` is the address of one, however it was said.

    Files are read as text, and those that are missing, closed to us, large, or no regular files are passed over.
    """
    found = _of_variables(environ) | _of_ledger(ledger or environ.get("SELFHEAL_LEDGER") or "")
    taken = set(found.values())
    for tool, path in [*tool_files(environ), *_git_configs(checkout)]:
        number = 0
        for value in _of_file(path):
            if value not in taken:
                number += 1
                found[tool if number == 1 else f"{tool}.{number}"] = value
                taken.add(value)
    return found


def _of_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The values of variables whose names say that they are secret, and the passwords in addresses."""
    found: dict[str, str] = {}
    for name, value in environ.items():
        if names_a_secret(name) and may_be_secret(value):
            found[name] = value
            if (inner := _INNER.fullmatch(value.strip())) and may_be_secret(inner[1]):
                found[f"{name}.part"] = inner[1]
        for number, password in enumerate(passwords(value)):
            found[f"{name}.password" if number == 0 else f"{name}.password.{number + 1}"] = password
    return found


def _of_ledger(address: str) -> dict[str, str]:
    """Its password as it stands there and as it is meant."""
    password = password_of(address)
    spelled = {"ledger.password": password, "ledger.password.2": unquote(password)} if password else {}
    return {name: value for name, value in spelled.items() if may_be_secret(value)}


# "Authorization: Bearer s3cr3t", "deploy:s3cr3t": what is secret of it stands alone elsewhere.
_INNER = re.compile(r"(?:(?:[\w-]{1,40}: *)?(?:Bearer|Basic|Token) +|[\w.@-]{1,80}:(?!/))(\S+)", re.IGNORECASE)

# ---------------------------------------------------------------------------------------------------------------------
# Places


@dataclass(frozen=True)
class Place:
    """A file, or the files of a folder, in which a tool keeps secrets."""

    tool: str
    path: str  # below HOME, or below what `root` names; may end with "*"
    root: str = ""  # the variable that names the folder, if it is set
    file: str = ""  # the variable that names the file itself, or several with ":" between


CONFIG, DATA, RUN = "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"
DEFAULTS = {
    CONFIG: ".config", DATA: ".local/share", "DOCKER_CONFIG": ".docker", "GH_CONFIG_DIR": ".config/gh",
    "CLOUDSDK_CONFIG": ".config/gcloud", "CARGO_HOME": ".cargo", "GLAB_CONFIG_DIR": ".config/glab-cli",
    "GRADLE_USER_HOME": ".gradle", "HF_HOME": ".cache/huggingface", "AZURE_CONFIG_DIR": ".azure",
    "COMPOSER_HOME": ".config/composer",
}  # fmt: skip
PLACES = (
    Place("netrc", ".netrc", file="NETRC"),
    Place("netrc", "_netrc"),
    Place("authinfo", ".authinfo"),
    Place("pypirc", ".pypirc"),
    Place("pip", "pip/pip.conf", CONFIG, file="PIP_CONFIG_FILE"),
    Place("pip", ".pip/pip.conf"),
    Place("uv", "uv/uv.toml", CONFIG, file="UV_CONFIG_FILE"),
    Place("uv", "uv/credentials/*", DATA),
    Place("poetry", "pypoetry/auth.toml", CONFIG),
    Place("npm", ".npmrc", file="NPM_CONFIG_USERCONFIG"),
    Place("yarn", ".yarnrc.yml"),
    Place("yarn", ".yarnrc"),
    Place("docker", "config.json", "DOCKER_CONFIG"),
    Place("containers", "containers/auth.json", CONFIG, file="REGISTRY_AUTH_FILE"),
    Place("containers", "containers/auth.json", RUN),
    Place("aws", ".aws/credentials", file="AWS_SHARED_CREDENTIALS_FILE"),
    Place("aws", ".aws/config", file="AWS_CONFIG_FILE"),
    Place("aws", ".aws/sso/cache/*"),
    Place("aws", ".aws/cli/cache/*"),
    Place("git", ".git-credentials"),
    Place("git", "git/credentials", CONFIG),
    Place("git", ".gitconfig", file="GIT_CONFIG_GLOBAL"),
    Place("git", "git/config", CONFIG),
    Place("gh", "hosts.yml", "GH_CONFIG_DIR"),
    Place("glab", "config.yml", "GLAB_CONFIG_DIR"),
    Place("hub", "hub", CONFIG),
    Place("gcloud", "application_default_credentials.json", "CLOUDSDK_CONFIG", file="GOOGLE_APPLICATION_CREDENTIALS"),
    Place("gcloud", "legacy_credentials/*/adc.json", "CLOUDSDK_CONFIG"),
    Place("azure", "msal_token_cache.json", "AZURE_CONFIG_DIR"),
    Place("kube", ".kube/config", file="KUBECONFIG"),
    Place("cargo", "credentials.toml", "CARGO_HOME"),
    Place("cargo", "credentials", "CARGO_HOME"),
    Place("terraform", ".terraform.d/credentials.tfrc.json"),
    Place("terraform", ".terraformrc", file="TF_CLI_CONFIG_FILE"),
    Place("maven", ".m2/settings.xml"),
    Place("gradle", "gradle.properties", "GRADLE_USER_HOME"),
    Place("gem", ".gem/credentials"),
    Place("bundle", ".bundle/config"),
    Place("composer", "auth.json", "COMPOSER_HOME"),
    Place("nuget", ".nuget/NuGet/NuGet.Config"),
    Place("pgpass", ".pgpass", file="PGPASSFILE"),
    Place("mysql", ".my.cnf"),
    Place("vault", ".vault-token"),
    Place("huggingface", "token", "HF_HOME"),
    Place("ssh", ".ssh/id_*"),
)


def tool_files(environ: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    """The tools and their files, of those that may be there. Without HOME only those that a variable names."""
    home = environ.get("HOME")
    for place in PLACES:
        if named := environ.get(place.file):
            yield from ((place.tool, Path(name)) for name in named.split(os.pathsep)[:MOST_FILES] if name)
        folder = environ.get(place.root) or (home and os.path.join(home, DEFAULTS.get(place.root, "")))  # noqa: PTH118
        if not folder or (place.root == RUN and not environ.get(RUN)):
            continue
        if "*" in place.path:
            yield from ((place.tool, path) for path in _matching(Path(folder), place.path))
        else:
            yield place.tool, Path(folder, place.path)


def _matching(folder: Path, pattern: str) -> Sequence[Path]:
    return sorted(folder.glob(pattern))[:MOST_FILES]  # what cannot be looked into has no files for glob


_INCLUDED = re.compile(r"^\s*path\s*=\s*\"?([^\"\n]+?)\"?\s*$", re.MULTILINE)


def _git_configs(checkout: Path | None) -> Iterator[tuple[str, Path]]:
    """A checkout's configuration, and the files that it includes: CI keeps its token in either."""
    if checkout is None:
        return
    for config in (checkout / ".git/config", *_of_worktree(checkout / ".git")):
        yield "git", config
        for included in _INCLUDED.findall(read_text(config) or "")[:MOST_FILES]:
            yield "git", config.parent / included


def _of_worktree(pointer: Path) -> Iterator[Path]:
    """`.git` of a worktree or a submodule is a file that names the folder."""
    said = read_text(pointer) or ""
    if said.startswith("gitdir: "):
        folder = pointer.parent / said.removeprefix("gitdir: ").strip()
        common = read_text(folder / "commondir")
        yield folder / (common or "").strip() / "config"


def read_text(path: Path) -> str | None:
    """The text of a small regular file; None for anything else, whatever is wrong with it."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        with os.fdopen(opened, "rb") as file:
            about = os.fstat(opened)
            if not stat.S_ISREG(about.st_mode) or about.st_size > MOST_BYTES:
                return None
            return file.read(MOST_BYTES).decode("utf-8", "surrogateescape")
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return None


# ---------------------------------------------------------------------------------------------------------------------
# What is in them


def _of_file(path: Path) -> Sequence[str]:
    """The secret values of a file, each once, in its order."""
    text = read_text(path)
    if not text:
        return ()
    values = dict.fromkeys(value for value in _values(path.name, text) if may_be_secret(value))
    return list(values)[:MOST_VALUES]


def _values(name: str, text: str) -> Iterator[str]:
    if ("PRIVATE KEY-----" in text and text.lstrip().startswith("-----BEGIN")) or name in {".vault-token", "token"}:
        yield text.strip()
    elif name == ".pgpass":
        yield from (_fifth(line) for line in text.splitlines())
    else:
        yield from _TOLD.findall(text)
        for key, value in _pairs(text):
            if _keeps_a_secret(key):
                yield from _parts(value)
        yield from passwords(text)


# `machine … login … password SECRET`, on one line or on several
_TOLD = re.compile(r"(?:^|\s)(?:password|account)\s+([^\s=:]\S*)")
_LINE = re.compile(
    r"^[ \t-]*(?:export[ \t]+)?[\"']?([^\s\"'=#<>]*?)[\"']?[ \t]*(?:=|:[ \t])[ \t]*(\S[^\r\n]*?)[ \t]*,?\r?$", re.M
)
_YARN = re.compile(r"^[ \t]*\"?([\w/:.@-]+)\"?[ \t]+\"?([^\s\"=:]\S*?)\"?\r?$", re.M)
_ELEMENT = re.compile(r"<(\w{1,80})>([^<>]{6,4096})</")
_ATTRIBUTES = re.compile(r"key=\"([^\"]{1,80})\"\s+value=\"([^\"]{6,4096})\"", re.IGNORECASE)


def _pairs(text: str) -> Iterator[Pair]:
    """Keys and their values: of JSON where it is that, else of lines as in TOML, YAML, INI and properties, and of XML."""
    try:
        yield from _of_json(json.loads(text), "")
    except (ValueError, RecursionError):
        for form in (_LINE, _YARN, _ELEMENT, _ATTRIBUTES):
            yield from ((key, value.strip("\"'")) for key, value in form.findall(text))


def _of_json(value: object, key: str) -> Iterator[Pair]:
    match value:
        case str():
            yield key, value
        case list():
            for part in value:
                yield from _of_json(part, key)
        case dict():
            for inner, part in value.items():
                yield from _of_json(part, inner)
                if isinstance(part, str):  # {"bearer": {"example.com": "SECRET"}}
                    yield key, part
        case _:
            return


def _keeps_a_secret(key: str) -> bool:
    """`//registry.example.com/:_authToken`, `github-oauth`, `extraheader`, and what bundler calls a host."""
    last = re.split(r"[/:.]", key.rstrip("/:."))[-1]
    known = last.lower().endswith(("extraheader", "oauth", "key-data")) or (last.startswith("BUNDLE_") and "__" in last)
    return known or kind_of(last) is not None


def _parts(value: str) -> Iterator[str]:
    """The value, and what is secret of it where it is a header or `user:secret`, in base64 or not."""
    if _REFERENCE.fullmatch(value):
        return
    yield value
    if inner := _INNER.fullmatch(value):
        value = inner[1]
        yield value
    try:
        decoded = base64.b64decode(value, validate=True).decode("utf-8").strip()
    except ValueError:  # no base64, or no text
        return
    _, colon, secret = decoded.partition(":")
    if decoded.startswith("-----BEGIN"):
        yield decoded
    elif decoded.isprintable():
        yield secret if colon else decoded


_REFERENCE = re.compile(r"\$\{?\w+\}?|%\w+%")


def _fifth(line: str) -> str:
    """Of `host:port:database:user:password`, in which a backslash escapes, the password."""
    fields = re.split(r"(?<!\\):", line.strip(), maxsplit=4)
    return re.sub(r"\\(.)", r"\1", fields[4]) if len(fields) == 5 and not line.startswith("#") else ""  # noqa: PLR2004
