from __future__ import annotations

import fcntl
from pathlib import Path

from selfheal_ci.engines.holding import LOCK
from selfheal_ci.wiring.workplace import PREFIX, sweep, workplace


def a_folder(parent: Path, name: str, *, locked: bool = True) -> Path:
    folder = parent / f"{PREFIX}{name}"
    (folder / "tree").mkdir(parents=True)
    if locked:
        (folder / LOCK).touch()
    return folder


def test_is_gone_afterwards_whatever_is_in_it() -> None:
    with workplace() as folder:
        (folder / "locked").mkdir()
        (folder / "locked/file").write_text("x")
        (folder / "locked").chmod(0)

    assert not folder.exists()


def test_what_a_killed_healing_left_is_swept(tmp_path: Path) -> None:
    left = a_folder(tmp_path, "left")

    sweep(tmp_path)

    assert not left.exists()


def test_what_is_in_use_or_not_ours_stays(tmp_path: Path) -> None:
    used, unlocked = a_folder(tmp_path, "used"), a_folder(tmp_path, "starting", locked=False)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / LOCK).touch()
    (tmp_path / f"{PREFIX}link").symlink_to(outside)

    with (used / LOCK).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        sweep(tmp_path)

    assert used.exists()
    assert unlocked.exists()
    assert (outside / LOCK).exists()
