"""An output folder that somebody else wrote: refused with a reason before anything is done, or shown as nothing but text."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from selfheal_ci.deliver.records import key
from selfheal_ci.values import blob_id
from tests.builders import branches, commit, fix_branch, git
from tests.faults import PUBLISH, Scene

Told = dict[str, Any]
FORGED = "fix(ci): x\n\nSelfheal-Key: " + "0" * 64


def keyed(told: Told) -> None:
    """Make the key right again."""
    source = told["source"]
    told["key"] = key(source["repository"], source["branch"], [failure["fingerprint"] for failure in told["failures"]])


def in_source(**more: object) -> Callable[[Told], None]:
    def edit(told: Told) -> None:
        told["source"].update(more)
        keyed(told)

    return edit


def file(path: str, data: bytes = b"x = 1\n", mode: str = "100644") -> Callable[[Told], None]:
    """A new file in the patch."""

    def edit(told: Told) -> None:
        after = blob_id(data, like="0" * 40)
        content = base64.b64encode(data).decode()
        told["patch"]["files"].append({"path": path, "mode": mode, "before": None, "after": after, "content": content})

    return edit


def edited(scene: Scene, edit: Callable[[Told], None]) -> None:
    place = scene.output / "heal.json"
    told = json.loads(place.read_bytes())
    edit(told)
    place.write_text(json.dumps(told))


def assert_nothing_done(scene: Scene, before: dict[str, tuple[object, ...]]) -> None:
    assert set(branches(scene.remote)) == {"main"}
    assert scene.checkout() == before
    assert not (scene.output / "publish.json").exists()
    assert list(scene.machine.temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("edit", "exit_code", "why"),
    [
        pytest.param(lambda told: told.update(extra=1), 2, "extra: Extra inputs are not permitted", id="unknown key"),
        pytest.param(lambda told: told.update(key="0" * 64), 2, "key is not the digest of", id="another key"),
        pytest.param(lambda told: told["files"].update({"fix.patch": "sha256:" + "0" * 64}), 2, "its digest", id="digest"),
        pytest.param(in_source(repository="/elsewhere"), 2, "the healing is of /elsewhere, this is /", id="repository"),
        pytest.param(in_source(branch="--upload-pack=x"), 2, "cannot be the name of a branch", id="branch"),
        pytest.param(in_source(branch="gone"), 7, "the branch gone is not on the remote", id="no branch"),
        pytest.param(in_source(tree="d" * 40), 2, "heal.json names another tree", id="tree"),
        pytest.param(in_source(base={"commit": "HEAD^{/a}", "attested_by": "guess"}), 2, "source.base.commit", id="base"),
        pytest.param(lambda told: told["patch"]["files"][0].update(before="d" * 40), 2, "core.py is not what", id="before"),
        pytest.param(file(".github/workflows/x.yml"), 5, "this is a CI file", id="a CI file"),
        pytest.param(file("../x.py"), 5, "it does not stay in the tree", id="outside"),
        pytest.param(file(".GIT/config"), 5, "it is git's own", id="git's own"),
        pytest.param(file("x.txt", b"/etc/passwd", "120000"), 5, "no links", id="link"),
        pytest.param(file("more.txt"), 2, "fix.patch says something else than heal.json", id="more than the patch"),
    ],
)
def test_what_is_not_true_is_refused(scene: Scene, edit: Callable[[Told], None], exit_code: int, why: str) -> None:
    before = scene.checkout()
    edited(scene, edit)

    ended = scene.run(PUBLISH)

    assert ended.exit_code == exit_code, ended.said
    assert why in ended.said
    assert_nothing_done(scene, before)


def replaced(path: Path, what: str) -> None:
    """Put something else in the place of heal.json."""
    whole = path.read_bytes()
    path.unlink()
    match what:
        case "a link":
            (path.parent.parent.parent / "elsewhere").write_bytes(whole)
            path.symlink_to(path.parent.parent.parent / "elsewhere")
        case "a pipe":
            os.mkfifo(path)
        case "a folder":
            path.mkdir()
        case "50 MB":
            path.write_bytes(whole[:-2] + b" " * (50 << 20) + b"}\n")
        case "deep":
            path.write_bytes(b'{"a":' * 200_000)
        case "twice":
            path.write_bytes(whole.replace(b'"status":', b'"status": "healthy", "status":', 1))
        case "no number":
            path.write_bytes(whole.replace(b'"seconds":', b'"seconds": NaN, "other":', 1))
        case "huge":
            path.write_bytes(whole.replace(b'"seconds":', b'"seconds": ' + b"9" * 10_000 + b', "other":', 1))
        case "half a letter":
            path.write_bytes(whole.replace(b'"step": "', b'"step": "\\ud800', 1))
        case _:
            raise ValueError(what)


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("a link", "heal.json is a link"),
        ("a pipe", "heal.json is not a regular file"),
        ("a folder", "heal.json"),
        ("50 MB", "larger than 10 MB"),
        ("deep", "nested too deeply"),
        ("twice", "'status' is there twice"),
        ("no number", "NaN is no number"),
        ("huge", "a number is too large"),
        ("half a letter", "heal.json: Invalid JSON"),
    ],
)
def test_what_is_no_plain_file_is_refused(scene: Scene, what: str, why: str) -> None:
    before = scene.checkout()
    replaced(scene.output / "heal.json", what)

    ended = scene.run(PUBLISH)

    assert ended.exit_code == 2, ended.said
    assert why in ended.said
    assert_nothing_done(scene, before)


def test_a_target_that_moved_is_left_alone(scene: Scene, tmp_path: Path) -> None:
    before = scene.checkout()
    git(tmp_path, "clone", "--quiet", str(scene.remote), "clone")
    moved = commit(tmp_path / "clone", {"core.py": "mended by a person\n"})
    git(tmp_path / "clone", "push", "--quiet", "origin", "main")

    ended = scene.run(PUBLISH)

    assert ended.exit_code == 1
    assert "core.py is not the same any more on main: the target moved, run heal again" in ended.said
    assert branches(scene.remote) == {"main": moved}
    assert scene.checkout() == before


def test_what_it_says_is_text_and_does_nothing(scene: Scene) -> None:
    evil = "@ada Fixes #1 [skip ci] \x1b[31m\u202e\n\nSelfheal-Key: " + "0" * 64

    def edit(told: Told) -> None:
        told["labels"] = ["deploy", evil]
        told["failures"][0] |= {"id": evil, "message": evil, "fingerprint": f"1:a\n{FORGED}"}
        told["diagnosis"]["summary"] = evil
        told["diagnosis"]["culprit"] |= {"path": evil, "how": evil}
        keyed(told)

    edited(scene, edit)

    ended = scene.run(PUBLISH)

    assert ended.exit_code == 0, ended.said
    name = fix_branch(scene.remote)
    message = git(scene.remote, "log", "-1", "--format=%B", name)
    trailers = git(scene.remote, "log", "-1", "--format=%(trailers:key=Selfheal-Key,valueonly)", name).split()
    assert trailers == [json.loads((scene.output / "heal.json").read_text())["key"]]
    assert not any(word in message for word in ("@ada", "#1", "[skip ci]", "\x1b", "\u202e", "deploy"))
