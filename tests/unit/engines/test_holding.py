"""A folder that is held is removed by nobody; one that nobody holds goes at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfheal_ci.engines import holding
from selfheal_ci.engines.holding import LOCK, UNHELD, hold, new_folder, remove_unheld


def test_a_new_folder_is_held_until_it_is_let_go(tmp_path: Path) -> None:
    with new_folder(tmp_path, "new-") as folder:
        assert (remove_unheld(folder), folder.is_dir()) == (False, True)
        with hold(folder) as held:
            assert held

    assert remove_unheld(folder)
    assert not folder.exists()


@pytest.mark.parametrize("moment", ["before its lock is there", "before it is locked"])
def test_who_loses_a_new_folder_makes_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    usual, taken = holding._take, holding._lock
    lost: list[Path] = []

    def sweep_before(folder: Path, *more: object) -> bool:
        monkeypatch.setattr(holding, "_take", usual)
        lost.append(folder)
        assert remove_unheld(folder)
        return usual(folder, *more)  # type: ignore[arg-type]

    def sweep_between(lock: int, kind: int) -> bool:
        monkeypatch.setattr(holding, "_lock", taken)
        lost.extend(tmp_path.iterdir())
        assert remove_unheld(lost[0])
        return taken(lock, kind)

    name, sweep = ("_take", sweep_before) if moment == "before its lock is there" else ("_lock", sweep_between)
    monkeypatch.setattr(holding, name, sweep)
    with new_folder(tmp_path, "new-") as folder:
        assert list(tmp_path.iterdir()) == [folder]
        assert lost
        assert folder not in lost
        assert not remove_unheld(folder)


@pytest.mark.parametrize("left", [(), (UNHELD,), (LOCK, "file")])
def test_what_was_left_on_the_way_goes_at_once(tmp_path: Path, left: tuple[str, ...]) -> None:
    folder = tmp_path / "left"
    folder.mkdir()
    for name in left:
        (folder / name).touch()

    assert remove_unheld(folder)
    assert not folder.exists()


def test_what_is_no_folder_of_ours_stays(tmp_path: Path) -> None:
    folder = tmp_path / "young"
    folder.mkdir()
    (folder / "file").touch()
    (tmp_path / "link").symlink_to(folder)

    assert not remove_unheld(tmp_path / "link")
    assert not remove_unheld(folder)
    assert (folder / "file").exists()
