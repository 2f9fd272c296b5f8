"""Programs of ours that do not start: their name, why, and what to install."""

from __future__ import annotations

import os
import signal
import threading
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_who_interrupts_what_is_not_to_be_interrupted_is_heard_afterwards(number: signal.Signals) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def kill_in_between() -> None:
        with shell.uninterrupted():
            os.kill(os.getpid(), number)
            done.append("all of it")

    before = signal.signal(number, interrupt)
    done: list[str] = []
    try:
        with pytest.raises(KeyboardInterrupt):
            kill_in_between()
        assert signal.getsignal(number) is interrupt
    finally:
        signal.signal(number, before)
    assert done == ["all of it"]


def test_what_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with shell.uninterrupted():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_may_start_things_as_it_likes() -> None:
    done = []

    def start() -> None:
        with shell.uninterrupted():
            done.append("it")

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()

    assert done == ["it"]
