"""Programs of ours that do not start: their name, why, and what to install."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from selfheal_ci import shell
from selfheal_ci.errors import ToolError

STARTERS: Mapping[str, Callable[..., Any]] = {"run": shell.run, "start": shell.start}


@pytest.mark.parametrize("start", STARTERS.values(), ids=STARTERS.keys())
@pytest.mark.parametrize(
    ("name", "mode", "why"), [("setpriv", 0o644, "it does not start: Permission denied"), ("absent", 0, "not found")]
)
def test_what_does_not_start_is_named(tmp_path: Path, start: Callable[..., Any], name: str, mode: int, why: str) -> None:
    if mode:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(mode)

    with pytest.raises(ToolError) as told:
        start([tmp_path / name], env={})

    assert told.value.message == f"{tmp_path / name}: {why}"
    assert told.value.hint == f"install {'util-linux' if name == 'setpriv' else name} and run again"
