"""The patched files on a forge: whether they are as they were tested, and which tree comes of the patch."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence

from selfheal_ci.errors import ForgeError, TargetMovedError, UsageError
from selfheal_ci.store.remote import KEPT, branch_ref
from selfheal_ci.values import Entry, PatchedFile, Publication

MOST_BRANCHES = 20  # of one healing: -2, -3, …
FOLDER = "40000"
_BRANCH = re.compile(r"[A-Za-z0-9._/-]+")
Folder = Mapping[str, Entry]
Listing = Callable[[str], Folder]  # what is in a folder; nothing where there is none


def expect_fix_branch(branch: str) -> None:
    """Raises UsageError when no fix branch has such a name."""
    if not _BRANCH.fullmatch(branch):
        raise UsageError(f"{branch!r} cannot be a fix branch", hint="see publish.branch-prefix")
    branch_ref(branch)


def names(branch: str) -> Sequence[str]:
    """The names that a fix branch may have, in order: another fix may have the first."""
    return [branch, *(f"{branch}-{number}" for number in range(2, MOST_BRANCHES + 1))]


def all_taken(branch: str) -> ForgeError:
    """Every name that a fix branch may have is another's."""
    return ForgeError(f"{branch} and the {MOST_BRANCHES - 1} after it hold other fixes", hint=KEPT)


def expect_unmoved(publication: Publication, entry: Callable[[str], Entry | None]) -> None:
    """Raises TargetMovedError unless the patched files are on the target as they were tested."""
    for file in publication.files:
        if not _is_before(file, entry(file.path)):
            raise TargetMovedError(
                f"{file.path} is not the same any more on {publication.target}: the target moved, run heal again",
                hint="`selfheal heal` starts from what is there now",
            )


def are_after(files: Sequence[PatchedFile], entry: Callable[[str], Entry | None]) -> bool:
    """Whether the patched files are what the patch makes of them."""
    return all((found.blob if (found := entry(file.path)) else None) == file.after for file in files)


def has_key(message: str, key: str) -> bool:
    """Whether a commit's trailers name the key."""
    return f"Selfheal-Key: {key}" in message.splitlines()


def entry_in(listing: Listing, path: str) -> Entry | None:
    """The entry of a path."""
    folder, _, name = path.rpartition("/")
    return listing(folder).get(name)


def healed_tree(listing: Listing, files: Sequence[PatchedFile]) -> str:
    """The id of the tree that the patch makes of the one that is listed."""
    changes = {file.path: Entry(file.mode, file.after) if file.after else None for file in files}
    made = _changed(listing, "", changes)
    return made if made else _id_of({})


def tree_of(listing: Listing) -> str:
    """The id of the tree that is listed."""
    return _id_of(listing(""))


def _is_before(file: PatchedFile, entry: Entry | None) -> bool:
    if file.before is None or entry is None:
        return file.before is None and entry is None
    return entry.blob == file.before and (file.after is None or entry.mode == file.mode)


def _changed(listing: Listing, folder: str, changes: Mapping[str, Entry | None]) -> str | None:
    """The id of one folder with these changes of paths below it; None when nothing is left in it."""
    entries = dict(listing(folder))
    below: dict[str, dict[str, Entry | None]] = {}
    for path, entry in changes.items():
        name, _, rest = path.partition("/")
        if rest:
            below.setdefault(name, {})[rest] = entry
        else:
            _put(entries, name, entry)
    for name, inner in below.items():
        made = _changed(listing, f"{folder}/{name}".lstrip("/"), inner)
        _put(entries, name, Entry(FOLDER, made) if made else None)
    return _id_of(entries) if entries else None


def _put(entries: dict[str, Entry], name: str, entry: Entry | None) -> None:
    entries.pop(name, None)
    if entry:
        entries[name] = entry


def _id_of(folder: Folder) -> str:
    """As git names a tree: folders are ordered as if a slash were behind their names."""
    ordered = sorted(folder.items(), key=lambda item: _raw(item[0]) + b"/" * (item[1].mode == FOLDER))
    data = b"".join(entry.mode.encode() + b" " + _raw(name) + b"\0" + bytes.fromhex(entry.blob) for name, entry in ordered)
    long = any(len(entry.blob) > len(hashlib.sha1(usedforsecurity=False).hexdigest()) for entry in folder.values())
    digest = hashlib.sha256() if long else hashlib.sha1(usedforsecurity=False)
    digest.update(b"tree %d\0" % len(data) + data)
    return digest.hexdigest()


def _raw(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
