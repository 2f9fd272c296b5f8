"""What git says of the difference between two trees, read into hunks and commits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from selfheal_ci.hunks import split_lines
from selfheal_ci.store.git import Git
from selfheal_ci.values import Commit, Content, Hunk

DIFF = ("diff-tree", "-r", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color")
REGULAR = ("100644", "100755")
LINKS = "160000"
_COMMIT = re.compile(rb"\0\0(?=[0-9a-f]{40,64}\0)")
_NUMBERS = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
# Anywhere in the message: forges that squash put other text behind it.
_TRAILER = re.compile(r"^[ \t]*Selfheal-Fingerprint: (\S+)[ \t]*$", re.MULTILINE)
LOOKED_BACK = 500  # commits
_HEADER = b"diff --git "

Read = Callable[[str], bytes]
Span = tuple[int, int, int, int]  # start and length in the older file, the same in the newer; lines from 0


@dataclass(frozen=True)
class Changed:
    """One path that differs."""

    path: str
    old: tuple[str, str]  # mode and blob
    new: tuple[str, str]
    status: str  # A, D, M, T

    @property
    def text_only(self) -> bool:
        """Whether it is a regular file of the same mode on both sides."""
        return self.status == "M" and self.old[0] == self.new[0] and self.old[0] in REGULAR


def read_hunks(git: Git, old: str, new: str, read: Read) -> Iterator[Hunk]:
    """The hunks between two trees. The numbers are git's, the lines come from the blobs."""
    changed = read_changed(git, old, new)
    # Two commands: with -z the patch would hold names unquoted, and a name may look like the start of another patch.
    patch = git.run(*DIFF, "-p", "-U0", "--diff-filter=M", "--histogram", old, new)
    modified = [file for file in changed if file.status == "M"]
    spans = dict(zip((file.path for file in modified), _spans(patch), strict=True))
    for file in changed:
        if LINKS in (file.old[0], file.new[0]):
            continue
        if file.text_only and spans[file.path]:
            yield from _text_hunks(file, spans[file.path], read)
        else:
            yield Hunk(file.path, 0, (), (), _content(file.old, read), _content(file.new, read), whole=True)
    yield from _renamed_hunks(git, old, new, read)


def _renamed_hunks(git: Git, old: str, new: str, read: Read) -> Iterator[Hunk]:
    """What changed inside of files that were moved: beside the two hunks that move them."""
    moved = (*DIFF, "--find-renames", "--diff-filter=R")  # the last word on renames counts
    said = git.run(*moved, "--raw", "-z", "--no-abbrev", old, new).split(b"\0")
    patch = git.run(*moved, "-p", "-U0", "--histogram", old, new)
    for (line, _, path), spans in zip(zip(said[::3], said[1::3], said[2::3], strict=False), _spans(patch), strict=True):
        old_mode, new_mode, old_blob, new_blob, _ = line.decode().lstrip(":").split(" ")
        if {old_mode, new_mode} <= set(REGULAR):
            yield from _text_hunks(Changed(named(path), (new_mode, old_blob), (new_mode, new_blob), "M"), spans, read)


def read_changed(git: Git, old: str, new: str) -> list[Changed]:
    """The paths that differ, in git's order."""
    said = git.run(*DIFF, "--raw", "-z", "--no-abbrev", old, new).split(b"\0")
    found = []
    for line, path in zip(said[::2], said[1::2], strict=False):
        old_mode, new_mode, old_blob, new_blob, status = line.decode().lstrip(":").split(" ")
        found.append(Changed(named(path), (old_mode, old_blob), (new_mode, new_blob), status[0]))
    return found


def read_commits(git: Git, old: str, new: str) -> Iterator[Commit]:
    """The commits that new has and old has not, oldest first; of a merge the paths that neither side had so."""
    form = "--format=%x00%x00%H%x00%s%x00"
    said = git.run(
        "log", "-z", "--reverse", "--topo-order", "-c", form, "--name-only", "--no-renames", f"{old}..{new}", "--"
    )
    for commit in _COMMIT.split(said)[1:]:
        id_, subject, rest = commit.split(b"\0", 2)
        paths = rest.removeprefix(b"\0\n").split(b"\0")
        yield Commit(id_.decode(), subject.decode("utf-8", "replace"), tuple(named(path) for path in paths if path))


def read_healed(git: Git, commit: str, fingerprints: frozenset[str]) -> list[str]:
    """The ids of the last commits that name one of the fingerprints, newest first; none that has not exactly one parent."""
    words = ("log", "-z", f"--max-count={LOOKED_BACK}", "--min-parents=1", "--max-parents=1", "--format=%H%n%B")
    told = git.run(*words, commit, "--").decode("utf-8", "replace").split("\0")
    return [message.partition("\n")[0] for message in told if not fingerprints.isdisjoint(_TRAILER.findall(message))]


def named(path: bytes) -> str:
    """A path as our values have it."""
    return path.decode("utf-8", "surrogateescape")


def _spans(patch: bytes) -> list[list[Span]]:
    """For each file of a patch without context the places that differ; none: it is binary, or only its mode differs."""
    files: list[list[Span]] = []
    for line in patch.split(b"\n"):
        if line.startswith(_HEADER):
            files.append([])
        elif match := _NUMBERS.match(line):
            a, a_count, b, b_count = (1 if group is None else int(group) for group in match.groups())
            files[-1].append((a - bool(a_count), a_count, b - bool(b_count), b_count))
    return files


def _text_hunks(file: Changed, spans: list[Span], read: Read) -> Iterator[Hunk]:
    old, new = split_lines(read(file.old[1])), split_lines(read(file.new[1]))
    for a, a_count, b, b_count in spans:
        yield Hunk(file.path, b, tuple(old[a : a + a_count]), tuple(new[b : b + b_count]), mode=file.new[0])


def _content(side: tuple[str, str], read: Read) -> Content | None:
    mode, blob = side
    return Content(read(blob), mode) if mode.strip("0") else None
