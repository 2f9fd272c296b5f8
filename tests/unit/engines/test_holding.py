"""A folder that is held is removed by nobody, from its first moment on."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfheal_ci.engines import holding
from selfheal_ci.engines.holding import hold, remove_unheld


def test_a_new_folder_is_never_seen_unheld(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, usual = tmp_path / "new", holding._lock
    folder.mkdir()

    def sweep_first(lock: int, kind: int) -> bool:
        monkeypatch.setattr(holding, "_lock", usual)
        assert not remove_unheld(folder)
        return usual(lock, kind)

    monkeypatch.setattr(holding, "_lock", sweep_first)
    with hold(folder, new=True) as held:
        assert (held, remove_unheld(folder), folder.exists()) == (True, False, True)

    assert remove_unheld(folder)
    assert not folder.exists()
