"""The output folder: what is written into it, in which order, and how little of it is believed when it is read."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from selfheal_ci.deliver import body
from selfheal_ci.deliver.records import Artifact, PublishRecord, dumped, parsed, publish_schema, schema
from selfheal_ci.deliver.recount import key_of, patch_record, recount, recount_error
from selfheal_ci.errors import ArtifactError, PolicyError, SelfhealError, UsageError
from selfheal_ci.redact import Redactor
from selfheal_ci.values import Changes, Healing, Published, Status, Tree

__all__ = [
    "Artifact", "Delivery", "PublishRecord", "claim", "expect_writable", "prepare_folder", "publish_schema", "read",
    "receive", "schema", "write", "write_error", "write_publication",
]  # fmt: skip

MOST_BYTES = 10 << 20  # heal.json and the files it lists, together
MOST_LISTED = (2000, 100, 10)  # failures and test ids; fewer when they do not fit
MARK = b"# written by selfheal, which clears this folder before it writes again\n*\n"
PATCHES = {Status.HEALED: "fix.patch", Status.REFUSED: "suggestion.patch"}
PARTIAL = "partial.patch"
FILES = (".gitignore", "heal.json", "report.md", "events.jsonl", "publish.json", PARTIAL, *PATCHES.values())
FOLDERS = ("logs", "attempts")
AGAIN = "run `selfheal heal` again, or fetch all of its output folder"


@dataclass(frozen=True)
class Delivery:
    """An output folder that was read and checked."""

    artifact: Artifact
    report: str
    patch: bytes  # empty unless healed


@contextmanager
def claim(path: Path, *, make: bool = True) -> Iterator[None]:
    """Keep the output folder from other commands until this ends, however. Raises UsageError when one has it.

    The folder itself is locked: no file tells of it. Where a file system knows no locks, nothing is kept.
    """
    try:
        if make:
            path.mkdir(parents=True, exist_ok=True)
        opened = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as wrong:
        if not make:
            hint = "name the folder that `selfheal heal` wrote with --input"
            raise UsageError(f"{path}: there is no heal.json to publish: {wrong.strerror}", hint=hint) from wrong
        hint = "name one with --output"
        raise UsageError(f"{path}: cannot be the output folder: {wrong.strerror}", hint=hint) from wrong
    try:
        with suppress(OSError):
            _lock(path, opened)
        yield
    finally:
        os.close(opened)


def _lock(path: Path, opened: int) -> None:
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as held:
        hint = "wait for it; a healing may also get another folder with --output"
        raise UsageError(f"another selfheal is at work in {path}", hint=hint) from held


def prepare_folder(path: Path) -> None:
    """An empty output folder that git ignores. Raises UsageError when there is anything in it that is not ours."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        entries = list(os.scandir(path))
    except OSError as wrong:
        raise UsageError(f"{path}: cannot be the output folder: {wrong.strerror}", hint="name one with --output") from wrong
    if path.is_symlink():
        raise UsageError(f"{path} is a link", hint="name a real folder with --output")
    if strange := _strange(path, entries):
        hint = "empty it, or name another folder with --output"
        raise UsageError(f"{path} has {strange!r} in it, which selfheal did not write", hint=hint)
    # The mark goes last: what a killed one leaves is known for ours.
    for entry in sorted(entries, key=lambda entry: entry.name == ".gitignore"):
        shutil.rmtree(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)  # noqa: PTH108
    _put(path, ".gitignore", MARK)


def write(
    folder: Path,
    healing: Healing,
    *,
    engine: str,
    patch: bytes,
    redactor: Redactor,
    healed: Tree | None = None,
) -> Artifact:
    """Write a prepared folder: patch and report first, `heal.json` last. `healed` is the tree with the healing's changes.

    Raises PolicyError when the patch would bring in a known secret.
    """
    told = _told(healing, redactor)
    patch_name = _patch_name(healing, patch, redactor)
    shown = redactor.data(patch) if patch_name else b""
    patched = patch_record(healing, healed) if healed and patch_name == "fix.patch" else None
    for most in MOST_LISTED:
        report = body.report(told, patch=shown, key=key_of(told, most), engine=engine).encode()
        files = {"report.md": report} | ({patch_name: patch} if patch_name else {})
        listed = {name: _digest(data) for name, data in files.items() if name in {"report.md", "fix.patch"}}
        artifact = recount(told, engine=engine, patch=patched, files=listed, most=most)
        raw = dumped(artifact)
        if len(raw) + sum(map(len, files.values())) <= MOST_BYTES:
            break
    else:
        raise ArtifactError(f"the patch is larger than the {MOST_BYTES >> 20} MB that an output folder may have")
    parsed(raw)
    for name, data in files.items():
        _put(folder, name, data)
    _put(folder, "heal.json", raw)
    return artifact


def write_error(
    folder: Path, error: SelfhealError, *, redactor: Redactor, step: str | None = None, engine: str | None = None
) -> Artifact:
    """What is written when something broke before there was a healing."""
    report = body.error_report(redactor.text(str(error)), step=step).encode()
    artifact = recount_error(step=step, engine=engine, files={"report.md": _digest(report)})
    _put(folder, "report.md", report)
    _put(folder, "heal.json", dumped(artifact))
    return artifact


def expect_writable(folder: Path) -> None:
    """Raises UsageError when what was published could not be written down: better before it is."""
    if not os.access(folder, os.W_OK):
        raise UsageError(f"{folder} cannot be written", hint="publish from a copy of it: publish.json is written there")


def write_publication(folder: Path, published: Published) -> PublishRecord:
    """Write `publish.json` beside what was published. Raises SelfhealError, which says where the fix is all the same."""
    record = PublishRecord(branch=published.branch, commit=published.commit, url=published.url, number=published.number)
    try:
        _put(folder, "publish.json", dumped(record))
    except SelfhealError as refused:
        raise SelfhealError(f"the fix is on {published.branch}, but {refused.message}", hint=refused.hint) from refused
    return record


def read(folder: Path) -> Artifact:
    """`heal.json`, when all that it says of the folder is true. Raises ArtifactError saying what is not."""
    return receive(folder).artifact


def receive(folder: Path) -> Delivery:
    """`heal.json` with the files it lists: nothing else is read, nothing is believed unchecked. Raises ArtifactError."""
    raw = _take(folder, "heal.json", MOST_BYTES)
    artifact = parsed(raw)
    left = MOST_BYTES - len(raw)
    taken: dict[str, bytes] = {}
    for name, digest in artifact.files.items():
        taken[name] = _take(folder, name, left)
        left -= len(taken[name])
        if _digest(taken[name]) != digest:
            raise ArtifactError(f"{folder / name} is not the file that heal.json lists: its digest differs", hint=AGAIN)
    try:
        report = taken["report.md"].decode()
    except UnicodeDecodeError as broken:
        raise ArtifactError(f"{folder / 'report.md'} is not UTF-8", hint=AGAIN) from broken
    return Delivery(artifact, report, taken.get("fix.patch", b""))


# ---------------------------------------------------------------------------------------------------------------------
# Files


def _told(healing: Healing, redactor: Redactor) -> Healing:
    """The healing with every text redacted, without what is long and not told."""
    finding = healing.finding and replace(healing.finding, green_passed=frozenset(), hunks=())
    return redactor.value(replace(healing, finding=finding), keep=(Tree, Changes))


def _patch_name(healing: Healing, patch: bytes, redactor: Redactor) -> str | None:
    """Where the patch goes; None when there is none, or when it holds a secret and nobody was to publish it anyway."""
    if not patch:
        return None
    if not _brings_secret(patch, redactor):
        return PATCHES.get(healing.status, PARTIAL)
    if healing.status is Status.HEALED:
        raise PolicyError("the patch would bring a known secret into the code", hint="see attempts/ for what was tried")
    return None


def _brings_secret(patch: bytes, redactor: Redactor) -> bool:
    lines = patch.splitlines(keepends=True)
    return redactor.introduces(
        b"".join(line[1:] for line in lines if line[:1] in {b"-", b" "}),
        b"".join(line[1:] for line in lines if line[:1] in {b"+", b" "}),
    )


def _strange(path: Path, entries: Iterable[os.DirEntry[str]]) -> str | None:
    """The first name in the folder that we did not write."""
    names = {entry.name for entry in entries}
    ours = {*FILES, *(f"{name}.part" for name in FILES)}
    for entry in sorted(entries, key=lambda entry: entry.name):
        folder = entry.is_dir(follow_symlinks=False)
        if entry.name not in (FOLDERS if folder else ours):
            return entry.name
    started = {".gitignore.part"}  # all that is there of one who was killed before its mark was
    return None if names <= started or "heal.json" in names or _marked(path) else min(names - started)


def _marked(path: Path) -> bool:
    try:
        return _take(path, ".gitignore", len(MARK)) == MARK
    except ArtifactError:
        return False


def _put(folder: Path, name: str, data: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    part = folder / f"{name}.part"
    try:
        part.unlink(missing_ok=True)
        file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        with os.fdopen(file, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(file)
        part.replace(folder / name)
        _sync(folder)
    except OSError as wrong:
        raise SelfhealError(
            f"{folder / name} cannot be written: {wrong.strerror}", hint="see to the disk, then run again"
        ) from wrong


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _take(folder: Path, name: str, most: int) -> bytes:
    """The bytes of a regular file that is not larger than `most`."""
    path = folder / name
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(file, "rb") as stream:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise ArtifactError(f"{path} is not a regular file", hint=AGAIN)
            data = stream.read(most + 1)
    except OSError as wrong:
        why = "is a link" if wrong.errno == errno.ELOOP else f"cannot be read: {wrong.strerror}"
        raise ArtifactError(f"{path} {why}", hint=AGAIN) from wrong
    if len(data) > most:
        raise ArtifactError(f"{path}: the files are larger than {MOST_BYTES >> 20} MB together", hint=AGAIN)
    return data


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
