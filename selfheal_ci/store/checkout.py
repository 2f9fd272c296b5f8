"""What a checkout says of itself, read as text: whoever ran its tests may have written its configuration."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from selfheal_ci.errors import ToolError
from selfheal_ci.store.gitconfig import Config, read_config
from selfheal_ci.store.index import Index, read_index, stat_below

LARGEST = 64 << 20  # of a file in .git that we read
NESTING = 5  # symbolic refs and alternates that lead to others
IDS = {"sha1": re.compile(r"[0-9a-f]{40}"), "sha256": re.compile(r"[0-9a-f]{64}")}
_REF = re.compile(r"refs/[^\x00-\x20\x7f~^:?*\[\\]+")
_PASSWORD = re.compile(r":[^:@/]*@")


@dataclass(frozen=True)
class Checkout:
    """A working tree and what its .git says."""

    folder: Path
    config: Config
    object_format: str = "sha1"
    objects: tuple[Path, ...] = ()  # folders with its objects; none: a folder without git
    refs: Mapping[str, str] = field(default_factory=dict)  # full name → object id
    branch: str | None = None
    commit: str | None = None
    default_branch: str | None = None  # the remote's, where the checkout remembers it
    excludes: bytes = b""  # what is ignored besides .gitignore
    shallow: bytes = b""
    personal: Config = field(default_factory=lambda: Config({}))  # of the person whose checkout it is
    private: Path | None = None  # its own part of .git, which is not the same for each worktree

    def setting(self, name: str) -> str:
        """What the checkout's configuration says, else the person's."""
        return self.config.get(name) or self.personal.get(name)

    def index(self) -> Index:
        """What git saw of the files when it last looked."""
        path = (self.private or self.folder) / "index"
        about = stat_below(path.parent, path.name)
        if self.private is None or about is None:
            return Index()
        return read_index(_bytes(path), about.st_mtime_ns, self.object_format)

    @property
    def repository(self) -> str:
        """The address of `origin` without credentials, else the folder's name."""
        url = self.config.get("remote.origin.url")
        return without_credentials(url) if url else self.folder.name


def read_checkout(folder: Path) -> Checkout:
    """Read a folder, with git or without."""
    private = _git_folder(folder)
    if private is None:
        return Checkout(folder, Config({}))
    common = private / (_text(private / "commondir").strip() or ".")
    config = read_config(_text(common / "config") + "\n" + _text(private / "config.worktree"))
    if config.get("extensions.refstorage", "files") != "files":
        raise ToolError(f"{folder} keeps its refs in a table", hint="run `git refs migrate --ref-format=files` there")
    object_format = config.get("extensions.objectformat", "sha1")
    if object_format not in IDS:
        raise ToolError(f"{folder} has objects of a format {object_format!r}", hint="update selfheal-ci")
    links, refs = _refs(common, IDS[object_format])
    head = _text(private / "HEAD").strip()
    branch = head.removeprefix("ref: ").strip() if head.startswith("ref: ") else None
    default = links.get("refs/remotes/origin/HEAD", "")
    return Checkout(
        folder,
        config,
        object_format,
        tuple(dict.fromkeys(_objects(common / "objects", NESTING))),
        refs,
        branch.removeprefix("refs/heads/") if branch and valid_ref(branch) else None,
        refs.get(branch) if branch else head if IDS[object_format].fullmatch(head) else None,
        default.removeprefix("refs/remotes/origin/") or None if valid_ref(default) else None,
        _bytes(common / "info" / "exclude"),
        _shallow(common, IDS[object_format]),
        private=private,
    )


def with_personal(checkout: Checkout, home: Path) -> Checkout:
    """The checkout with what a person's own git is told everywhere. It is theirs: no test wrote it."""
    said = b"\n".join(_bytes(home / name, links=True) for name in (".config/git/config", ".gitconfig"))
    personal = read_config(said.decode("utf-8", "surrogateescape"))
    named = personal.get("core.excludesfile") or "~/.config/git/ignore"
    excludes = checkout.excludes + b"\n" + _bytes(home / named.removeprefix("~/"), links=True)
    return replace(checkout, personal=personal, excludes=excludes)


def without_credentials(url: str) -> str:
    """The address that everyone may see."""
    if "://" not in url:
        return url  # a path, or git@host:path
    try:
        parts = urlsplit(url)
    except ValueError:
        return _PASSWORD.sub("@", url)
    user, _, _ = parts.netloc.rpartition("@")[0].partition(":")
    host = parts.netloc.rpartition("@")[2]
    keeps_user = user and parts.scheme not in {"http", "https"}
    return f"{parts.scheme}://{user + '@' if keeps_user else ''}{host}{parts.path}"


def valid_ref(name: str) -> bool:
    """Whether git would accept a full ref name; ours may not surprise a parser either."""
    unwanted = ("..", "//", "@{", "/.", "./", ".lock/", "/-")
    return bool(_REF.fullmatch(name)) and not any(part in f"{name}/" for part in unwanted)


def _git_folder(folder: Path) -> Path | None:
    here = folder / ".git"
    if here.is_dir():
        return here.resolve()
    said = _text(here).strip()
    if not said.startswith("gitdir: "):
        return None
    there = folder / said.removeprefix("gitdir: ")
    return there.resolve() if there.is_dir() else None


def _refs(common: Path, wanted: re.Pattern[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Symbolic refs with the names they lead to, and all refs with their object ids."""
    said = dict(_packed_refs(common)) | dict(_loose_refs(common))
    links = {name: value.removeprefix("ref: ").strip() for name, value in said.items() if value.startswith("ref: ")}
    refs = {}
    for name in said:
        end = name
        for _ in range(NESTING):
            end = links.get(end, end)
        if wanted.fullmatch(said.get(end, "")):
            refs[name] = said[end]
    return links, refs


def _shallow(common: Path, wanted: re.Pattern[str]) -> bytes:
    """The ids of the commits where the history ends, and no other line: git would quote it."""
    return "".join(f"{line}\n" for line in _text(common / "shallow").split("\n") if wanted.fullmatch(line)).encode()


def _packed_refs(common: Path) -> Iterator[tuple[str, str]]:
    for line in _text(common / "packed-refs").split("\n"):
        value, _, name = line.partition(" ")
        if valid_ref(name):
            yield name, value


def _loose_refs(common: Path) -> Iterator[tuple[str, str]]:
    for folder, _, files in os.walk(common / "refs"):
        for file in files:
            path = Path(folder, file)
            name = path.relative_to(common).as_posix()
            if valid_ref(name):
                yield name, _text(path).strip()


def _objects(folder: Path, depth: int) -> Iterator[Path]:
    """The folder and those it borrows from; git follows relative ones of an alternate no further."""
    if not folder.is_dir():
        return
    yield folder.resolve()
    for line in _text(folder / "info" / "alternates").split("\n") if depth else ():
        if line and not line.startswith(("#", '"')):
            yield from _objects(folder / line, depth - 1)


def _text(path: Path) -> str:
    return _bytes(path).decode("utf-8", "surrogateescape")


def _bytes(path: Path, *, links: bool = False) -> bytes:
    """What is in a file, if it is one. In .git no link is followed: it may lead to a private file of the person."""
    if not links and path.parent.is_symlink():
        return b""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC  # nor a pipe that would never end
    try:
        file = os.open(path, flags if links else flags | os.O_NOFOLLOW)
    except OSError:  # it is not there, or a link, or a socket
        return b""
    with os.fdopen(file, "rb") as stream:
        return stream.read(LARGEST) if stat.S_ISREG(os.fstat(file).st_mode) else b""
