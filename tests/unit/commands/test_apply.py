from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from selfheal_ci.beneath import NEW, stage
from selfheal_ci.commands.apply import check, put
from selfheal_ci.errors import TargetMovedError, UsageError
from selfheal_ci.values import PatchedFile, blob_id


def a_file(path: str, before: bytes | None, after: bytes | None) -> PatchedFile:
    ids = [None if data is None else blob_id(data, like="") for data in (before, after)]
    return PatchedFile(path, "100644", ids[0], ids[1], after)


def applied(source: Path, *files: PatchedFile) -> None:
    put(check(files, source), source)


def test_writes_deletes_and_keeps_modes(tmp_path: Path) -> None:
    (tmp_path / "run.sh").write_bytes(b"old\r\n")
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "gone").write_bytes(b"x")

    applied(
        tmp_path,
        a_file("run.sh", b"old\r\n", b"new\r\n"),
        a_file("gone", b"x", None),
        a_file("a/b/new.py", None, b"\xef\xbb\xbfx"),
    )

    assert (tmp_path / "run.sh").read_bytes() == b"new\r\n"
    assert stat.S_IMODE((tmp_path / "run.sh").stat().st_mode) == 0o755
    assert not (tmp_path / "gone").exists()
    assert (tmp_path / "a/b/new.py").read_bytes() == b"\xef\xbb\xbfx"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "new.py", "run.sh"]


def test_nothing_is_written_when_one_file_changed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "b").write_bytes(b"changed since")

    with pytest.raises(TargetMovedError, match="b is not what it was"):
        applied(tmp_path, a_file("a", b"old", b"new"), a_file("b", b"old", b"new"))

    assert (tmp_path / "a").read_bytes() == b"old"


@pytest.mark.parametrize("path", ["../x", "/x", ".git/config", "a/../x", ""])
def test_no_name_leads_out(tmp_path: Path, path: str) -> None:
    with pytest.raises(UsageError, match="not allowed"):
        applied(tmp_path, a_file(path, None, b"x"))


def test_no_link_is_followed(tmp_path: Path) -> None:
    outside, tree = tmp_path / "outside", tmp_path / "tree"
    outside.mkdir()
    tree.mkdir()
    (outside / "file").write_bytes(b"old")
    (tree / "folder").symlink_to(outside)
    (tree / "file").symlink_to(outside / "file")

    for path in ("folder/file", "file"):
        with pytest.raises(UsageError, match="cannot be patched"):
            applied(tree, a_file(path, b"old", b"new"))

    assert (outside / "file").read_bytes() == b"old"


def test_a_healing_in_sha256_is_compared_in_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    before = blob_id(b"old", like="0" * 64)

    applied(tmp_path, PatchedFile("a", "100644", before, "0" * 64, b"new"))

    assert (tmp_path / "a").read_bytes() == b"new"


@pytest.mark.parametrize("after", [b"new", None])
def test_nothing_is_written_where_one_file_cannot_be(tmp_path: Path, after: bytes | None) -> None:
    for name in ("a", "b/c", "b/d"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"old")
    stage(tmp_path, "b/d", b"")
    in_the_way = next((tmp_path / "b").glob(f"{NEW}*"))
    in_the_way.unlink()
    in_the_way.mkdir()
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}

    with pytest.raises(UsageError, match=r"b/d cannot be written: .*\n  nothing was changed"):
        applied(tmp_path, a_file("a", b"old", b"new"), a_file("b/c", b"old", None), a_file("b/d", b"old", after))

    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before


def test_files_belong_to_whom_they_did(tmp_path: Path) -> None:
    owner = 12345 if os.geteuid() == 0 else os.geteuid()  # only root can have anything to give away
    (tmp_path / "old").write_bytes(b"old")
    for path in (tmp_path, tmp_path / "old"):
        os.chown(path, owner, -1)

    applied(tmp_path, a_file("old", b"old", b"new"), a_file("made/new", None, b"new"))

    assert {path.name: path.stat().st_uid for path in tmp_path.rglob("*")} == {"old": owner, "made": owner, "new": owner}
