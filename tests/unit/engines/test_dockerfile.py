"""The Dockerfile says what we mean, whatever the setup lines hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfheal_ci.engines.dockerfile import from_folder, place, prepared, with_run, with_survey

BASE = ["FROM python:3.11-slim"]


@pytest.mark.parametrize("path", ["/home/me/project", "/builds/g/p", "/tmp/x/y", "/app", "/var/lib/ci/w", "/a b/ü"])
def test_a_tree_lies_at_its_own_path(path: str) -> None:
    assert place(Path(path)) == path


@pytest.mark.parametrize(
    "path", ["/", "/root/p", "/usr/src/app", "/etc", "/home", "/tmp", "/.selfheal/x", "/a/caf\udce9", "/a\nb", "C:/x"]
)
def test_a_path_the_image_needs_is_not_taken(path: str) -> None:
    assert place(Path(path)) == "/project"


def test_a_setup_line_is_one_line_and_nothing_but_an_argument() -> None:
    line = "echo 'a\nRUN evil' <<EOF \\"

    text = prepared(base=BASE, root="/p", setup=[line], env={"A": 'b"\n'})

    *_, last = text.splitlines()
    assert last.startswith("RUN [")
    assert json.loads(last.removeprefix("RUN "))[0:2] == ["env", 'A=b"\n']
    assert json.loads(last.removeprefix("RUN "))[-1] == line
    assert [word.split(" ")[0] for word in text.splitlines()] == ["FROM", "USER", "ENV", "RUN", "USER", "RUN", "RUN"]


def test_only_a_command_that_asks_has_network() -> None:
    frozen = prepared(base=BASE, root="/p", setup=[], env={})

    closed, opened = (with_run(frozen, network=network).splitlines()[-1] for network in (False, True))

    assert closed == (
        'RUN --network=none --mount=type=bind,source=changes,target=/.selfheal/changes ["sh", "/.selfheal/changes/run.sh"]'
    )
    assert opened == closed.replace("--network=none ", "")


def test_an_image_from_a_folder_keeps_its_variables_and_nothing_breaks_out_of_them() -> None:
    env = {"PATH": "/opt/x:/bin", "Q": 'a"b\\$HOME', "BAD": "a\nRUN evil", "not a name": "x"}

    assert from_folder("base", env) == [
        "FROM scratch",
        "COPY base /",
        'ENV PATH="/opt/x:/bin"',
        r'ENV Q="a\"b\\\$HOME"',
    ]


def test_what_looks_at_the_frozen_state_has_no_network() -> None:
    frozen = prepared(base=BASE, root="/p", setup=[], env={})

    assert with_survey(frozen, "/p").splitlines()[-1].startswith("RUN --network=none ")


def test_no_mount_can_be_written() -> None:
    text = with_run(prepared(base=BASE, root="/p", setup=["x"], env={}), network=False)

    assert text.count("--mount=") == 2
    assert ",rw" not in text
    assert "type=cache" not in text
