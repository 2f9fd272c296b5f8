from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest

from selfheal_ci.engines.layer import write_layer
from selfheal_ci.errors import EngineError
from selfheal_ci.values import Changes, Content


def test_writes_files_links_modes_and_whiteouts(tmp_path: Path) -> None:
    changes = Changes({
        "a/b.py": Content(b"x = 1\n"),
        "run": Content(b"#!/bin/sh\n", "100755"),
        "link": Content(b"a/b.py", "120000"),
        "a/gone": None,
    })  # fmt: skip

    write_layer(changes, tmp_path, newer_than=0)

    assert (tmp_path / "a/b.py").read_bytes() == b"x = 1\n"
    assert (tmp_path / "run").stat().st_mode & 0o111
    assert (tmp_path / "link").readlink() == Path("a/b.py")
    gone = (tmp_path / "a/gone").lstat()
    assert stat.S_ISCHR(gone.st_mode)
    assert gone.st_rdev == 0


def test_files_are_two_seconds_newer_than_what_was_frozen(tmp_path: Path) -> None:
    frozen = time.time() + 100

    write_layer(Changes({"a": Content(b"")}), tmp_path, newer_than=frozen)

    assert (tmp_path / "a").stat().st_mtime == pytest.approx(frozen + 2, abs=0.01)


@pytest.mark.parametrize("path", ["/etc/x", "../x", "a/../x", "a//x", "", "a/./x", "a\0b"])
def test_refuses_what_is_no_path_below_the_tree(path: str, tmp_path: Path) -> None:
    with pytest.raises(EngineError):
        write_layer(Changes({path: Content(b"")}), tmp_path / ".", newer_than=0)


def test_follows_no_link_that_another_change_made(tmp_path: Path) -> None:
    outside, layer = tmp_path / "outside", tmp_path / "layer"
    outside.mkdir()
    layer.mkdir()

    with pytest.raises(EngineError):
        write_layer(Changes({"a": Content(bytes(outside), "120000"), "a/b": Content(b"x")}), layer, newer_than=0)

    assert list(outside.iterdir()) == []
