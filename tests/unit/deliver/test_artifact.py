from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from selfheal_ci.deliver import artifact
from selfheal_ci.deliver.artifact import Artifact
from selfheal_ci.deliver.records import key
from selfheal_ci.errors import ArtifactError, EngineError, PolicyError, UsageError
from selfheal_ci.redact import Redactor
from selfheal_ci.values import Changes, Content, Healing, PatchedFile, Published, Status
from tests.fakes import blob_of
from tests.healings import AFTER, BEFORE, FAILURE, FILES, FIX, HEALED_TREE, PATCH, STEP, TEST, TREE, a_healing

JSON = dict[str, Any]
LEAK = PATCH.replace(b"+    return sum(items)", b"+    return 'hunter2-hunter2'")


def write(folder: Path, healing: Healing, *, patch: bytes | None = None, redactor: Redactor | None = None) -> Artifact:
    artifact.prepare_folder(folder)
    changed = PATCH if healing.changes else b""
    return artifact.write(
        folder,
        healing,
        engine="local",
        patch=changed if patch is None else patch,
        redactor=redactor or Redactor(),
        healed=HEALED_TREE if healing.changes is FIX else None,
    )


@pytest.fixture
def healed(tmp_path: Path) -> Path:
    folder = tmp_path / "selfheal-out"
    write(folder, a_healing(Status.HEALED))
    return folder


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


# ---------------------------------------------------------------------------------------------------------------------
# What is written


@pytest.mark.parametrize("status", Status)
def test_reads_what_it_wrote(tmp_path: Path, status: Status) -> None:
    written = write(tmp_path / "out", a_healing(status))

    assert artifact.read(tmp_path / "out") == written


@pytest.mark.parametrize("status", Status)
def test_writes_what_its_schema_allows(tmp_path: Path, status: Status) -> None:
    write(tmp_path / "out", a_healing(status))

    jsonschema.validate(json.loads((tmp_path / "out/heal.json").read_bytes()), artifact.schema())


def test_tells_the_whole_story_in_heal_json(healed: Path) -> None:
    told = json.loads((healed / "heal.json").read_text())

    assert list(told) == [
        "schema", "key", "status", "step", "engine", "source", "failures", "diagnosis", "attempts", "patch", "evidence",
        "labels", "confidence", "cost", "files", "seconds",
    ]  # fmt: skip
    assert told["patch"] == {
        "files": [
            {
                "path": "cart.py",
                "mode": "100644",
                "before": blob_of(BEFORE),
                "after": blob_of(AFTER),
                "content": base64.b64encode(AFTER).decode(),
            }
        ]
    }
    assert told["failures"] == [
        {
            "id": TEST,
            "fingerprint": FAILURE.fingerprint,
            "message": "assert 5 == 6",
            "path": "cart.py",
            "line": 2,
            "kind": "regression",
        }
    ]
    assert told["diagnosis"]["culprit"]["lines"] == [2, 2]
    assert [attempt["verdict"] for attempt in told["attempts"]] == ["rejected", "unusable", "verified"]
    assert told["source"]["base"] == {"commit": "b" * 40, "attested_by": "forge"}
    assert (told["confidence"], told["evidence"]["canary"]) == (0.77, "failed as it must")


def test_gives_the_patched_files_back_as_values(healed: Path) -> None:
    assert artifact.read(healed).patched == (PatchedFile("cart.py", "100644", blob_of(BEFORE), blob_of(AFTER), AFTER),)


def test_tells_new_and_deleted_files_apart(tmp_path: Path) -> None:
    changes = Changes({"new.py": Content(b"new\n"), "cart.py": None})
    healing = replace(a_healing(Status.HEALED), changes=changes)
    artifact.prepare_folder(tmp_path)

    written = artifact.write(
        tmp_path,
        healing,
        engine="local",
        patch=PATCH,
        redactor=Redactor(),
        healed=FILES.write(TREE, changes),
    )

    assert written.patched == (
        PatchedFile("cart.py", "100644", blob_of(BEFORE), None, None),
        PatchedFile("new.py", "100644", None, blob_of(b"new\n"), b"new\n"),
    )


@pytest.mark.parametrize(
    ("status", "patch"),
    [(Status.HEALED, "fix.patch"), (Status.REFUSED, "suggestion.patch"), (Status.NOT_HEALED, "partial.patch")],
)
def test_names_the_patch_after_what_it_is_good_for(tmp_path: Path, status: Status, patch: str) -> None:
    written = write(tmp_path / "out", a_healing(status), patch=PATCH)

    assert names(tmp_path / "out") == {".gitignore", "heal.json", "report.md", patch}
    assert (tmp_path / "out" / patch).read_bytes() == PATCH
    assert set(written.files) == {"report.md"} | ({"fix.patch"} if status is Status.HEALED else set())


def test_lets_git_ignore_the_folder(healed: Path) -> None:
    assert (healed / ".gitignore").read_text().splitlines()[-1] == "*"


def test_redacts_every_text_but_not_the_patch(tmp_path: Path) -> None:
    secret = "hunter2-hunter2"
    patch = PATCH.replace(b" def total(items):", b" def total(items): # hunter2-hunter2")
    failure = replace(FAILURE, message=f"401 for {secret}", text=f"token={secret}")
    healing = replace(a_healing(Status.HEALED), failures=(failure,), not_checked=(secret,), step=replace(STEP, name=secret))

    write(tmp_path, healing, patch=patch, redactor=Redactor({"TOKEN": secret}))

    assert secret not in (tmp_path / "heal.json").read_text()
    assert secret not in (tmp_path / "report.md").read_text()
    assert "<secret:TOKEN:1>" in (tmp_path / "heal.json").read_text()
    assert (tmp_path / "fix.patch").read_bytes() == patch


def test_refuses_a_patch_that_brings_a_secret_in(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="would bring a known secret into the code"):
        write(tmp_path, a_healing(Status.HEALED), patch=LEAK, redactor=Redactor({"TOKEN": "hunter2-hunter2"}))

    assert names(tmp_path) == {".gitignore"}


def test_keeps_no_suggestion_that_brings_a_secret_in(tmp_path: Path) -> None:
    write(tmp_path, a_healing(Status.REFUSED), patch=LEAK, redactor=Redactor({"TOKEN": "hunter2-hunter2"}))

    assert names(tmp_path) == {".gitignore", "heal.json", "report.md"}


def test_lists_fewer_failures_when_there_are_too_many(tmp_path: Path) -> None:
    many = tuple(replace(FAILURE, id=f"t::{number}", message="x" * 9000) for number in range(9000))

    written = write(tmp_path, replace(a_healing(Status.NOT_HEALED), failures=many))

    assert len(written.failures) == 2000
    assert "7000 more failures are not listed here" in written.evidence.not_checked
    assert written.failures[0].message.endswith("x…")


def test_shows_names_that_are_not_utf8(tmp_path: Path) -> None:
    failure = replace(FAILURE, id="t\udce9st.py::test")

    assert (
        write(tmp_path, replace(a_healing(Status.NOT_HEALED), failures=(failure,))).failures[0].id == "t\\udce9st.py::test"
    )


def test_writes_an_error_too(tmp_path: Path) -> None:
    artifact.prepare_folder(tmp_path)

    written = artifact.write_error(
        tmp_path, EngineError("no engine: hunter2-hunter2", hint="see doctor"), redactor=Redactor({"A": "hunter2-hunter2"})
    )

    assert artifact.read(tmp_path) == written
    assert written.status is Status.ERROR
    assert "no engine: <secret:A:1>\n  see doctor" in (tmp_path / "report.md").read_text()


def test_writes_where_the_fix_was_published(healed: Path) -> None:
    artifact.write_publication(healed, Published("selfheal/tests-1", "e" * 40, created=True, number=7))

    told = json.loads((healed / "publish.json").read_text())
    jsonschema.validate(told, artifact.publish_schema())
    assert told == {"branch": "selfheal/tests-1", "commit": "e" * 40, "url": None, "number": 7}


# ---------------------------------------------------------------------------------------------------------------------
# The folder


def test_removes_what_an_earlier_healing_left(healed: Path) -> None:
    (healed / "logs").mkdir()
    (healed / "logs/001-the-step.txt").touch()
    (healed / "heal.json.part").touch()

    artifact.prepare_folder(healed)

    assert names(healed) == {".gitignore"}


def test_refuses_a_folder_with_something_else_in_it(healed: Path) -> None:
    (healed / "notes.txt").write_text("mine")

    with pytest.raises(UsageError, match=r"has 'notes\.txt' in it, which selfheal did not write"):
        artifact.prepare_folder(healed)

    assert "fix.patch" in names(healed)


def test_takes_what_a_killed_healing_left_for_its_own(healed: Path) -> None:
    for name in ("heal.json", "report.md", "fix.patch"):
        (healed / name).unlink()
        (healed / f"{name}.part").touch()
    artifact.prepare_folder(healed)
    assert names(healed) == {".gitignore"}

    (healed / ".gitignore").rename(healed / ".gitignore.part")
    artifact.prepare_folder(healed)
    assert names(healed) == {".gitignore"}


def test_the_mark_of_the_folder_goes_last(healed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone: list[str] = []
    unlink = os.unlink

    def noted(path: str, **more: int) -> None:
        gone.append(Path(path).name)
        unlink(path, **more)

    monkeypatch.setattr(os, "unlink", noted)

    artifact.prepare_folder(healed)

    gone = [name for name in gone if not name.endswith(".part")]

    assert gone[-1] == ".gitignore"
    assert len(gone) == 4


def test_refuses_a_folder_that_only_looks_like_ours(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/mine.txt").touch()

    with pytest.raises(UsageError, match="has 'logs' in it"):
        artifact.prepare_folder(tmp_path)

    assert (tmp_path / "logs/mine.txt").exists()


@pytest.mark.parametrize("name", ["logs", ".gitignore"])
def test_refuses_links_where_ours_should_be(tmp_path: Path, name: str) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").touch()
    folder = tmp_path / "out"
    artifact.prepare_folder(folder)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(tmp_path / "precious")

    with pytest.raises(UsageError, match=f"has '{name}' in it"):
        artifact.prepare_folder(folder)

    assert (tmp_path / "precious/file").exists()


def test_removes_a_link_and_not_what_it_names(healed: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (healed / "report.md").unlink()
    (healed / "report.md").symlink_to(tmp_path / "precious")

    artifact.prepare_folder(healed)

    assert (tmp_path / "precious").read_text() == "mine"
    assert names(healed) == {".gitignore"}


def test_refuses_a_link_as_the_folder(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").symlink_to("elsewhere")

    with pytest.raises(UsageError, match="is a link"):
        artifact.prepare_folder(tmp_path / "out")


def test_refuses_a_file_as_the_folder(tmp_path: Path) -> None:
    (tmp_path / "out").touch()

    with pytest.raises(UsageError, match="cannot be the output folder: File exists"):
        artifact.prepare_folder(tmp_path / "out")


# ---------------------------------------------------------------------------------------------------------------------
# What is believed


def test_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"heal\.json cannot be read: No such file"):
        artifact.read(tmp_path)


@pytest.mark.parametrize("name", ["fix.patch", "report.md"])
def test_refuses_files_that_are_not_what_was_written(healed: Path, name: str) -> None:
    with (healed / name).open("ab") as file:
        file.write(b"\n")

    with pytest.raises(ArtifactError, match=f"{name} is not the file that heal.json lists"):
        artifact.read(healed)


@pytest.mark.parametrize("name", ["heal.json", "fix.patch"])
def test_reads_regular_files_alone(healed: Path, tmp_path: Path, name: str) -> None:
    (healed / name).rename(tmp_path / "moved")
    (healed / name).symlink_to(tmp_path / "moved")
    with pytest.raises(ArtifactError, match=f"{name} is a link"):
        artifact.read(healed)

    (healed / name).unlink()
    os.mkfifo(healed / name)
    with pytest.raises(ArtifactError, match=f"{name} is not a regular file"):
        artifact.read(healed)


def test_reads_ten_megabytes_at_most(healed: Path) -> None:
    with (healed / "fix.patch").open("ab") as file:
        file.write(b"\n" * (10 << 20))

    with pytest.raises(ArtifactError, match="larger than 10 MB"):
        artifact.read(healed)


def set_in(*path: str | int, to: object) -> Callable[[JSON], None]:
    def change(told: Any) -> None:
        for part in path[:-1]:
            told = told[part]
        told[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (set_in("more", to=1), "more: Extra inputs are not permitted"),
        (set_in("source", "more", to=1), "source.more: Extra inputs are not permitted"),
        (set_in("schema", to=2), "schema: Input should be 1"),
        (set_in("status", to="fine"), "status: Input should be 'healthy'"),
        (set_in("status", to="refused"), "a patch belongs to a healed step, and to no other"),
        (set_in("key", to="../../x"), "key: String should match pattern"),
        (set_in("key", to=None), "a healed step has a key and a source"),
        (set_in("seconds", to="6"), "seconds: Input should be a valid number"),
        (set_in("seconds", to=-1), "seconds: Input should be greater than or equal to 0"),
        (set_in("failures", 0, "message", to="x" * 3000), "failures.0.message: String should have at most 2000 characters"),
        (set_in("files", "../../etc/passwd", to="sha256:" + "0" * 64), "files.../../etc/passwd.[key]: Input should be"),
        (set_in("files", to={}), "report.md is not listed"),
        (set_in("patch", to=None), "a patch belongs to a healed step, and to no other"),
        (set_in("patch", "files", to=[]), "patch.files: Tuple should have at least 1 item"),
        (set_in("patch", "files", 0, "content", to="!"), "patch.files.0: Value error, content is not base64"),
        (set_in("patch", "files", 0, "content", to="eA=="), "content is not the blob that after names"),
        (set_in("patch", "files", 0, "content", to=None), "after and content go together"),
        (set_in("patch", "files", 0, "mode", to="160000"), "patch.files.0.mode: Input should be"),
        (set_in("patch", "files", 0, "before", to="HEAD"), "patch.files.0.before: String should match pattern"),
    ],
)
def test_refuses_what_the_schema_does_not_allow(healed: Path, change: Callable[[JSON], None], why: str) -> None:
    told = json.loads((healed / "heal.json").read_bytes())
    change(told)
    (healed / "heal.json").write_text(json.dumps(told))

    with pytest.raises(ArtifactError) as refused:
        artifact.read(healed)

    assert why in refused.value.message
    assert refused.value.exit_code == 2


def test_refuses_a_path_that_is_there_twice(healed: Path) -> None:
    told = json.loads((healed / "heal.json").read_bytes())
    told["patch"]["files"] *= 2
    (healed / "heal.json").write_text(json.dumps(told))

    with pytest.raises(ArtifactError, match="a path is there twice"):
        artifact.read(healed)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "Expecting value"),
        (b"<html>", "Expecting value"),
        (b"[]", "Input should be an object"),
        (b"\xff\xfe", "Expecting value"),
        (b'{"step": "\xff"}', "invalid start byte"),
        (b'{"status": "healed", "status": "healthy"}', "'status' is there twice"),
        (b'{"seconds": NaN}', "NaN is no number"),
        (b'{"seconds": -Infinity}', "-Infinity is no number"),
        (b'{"seconds": 1e999}', "a number is too large"),
        (b'{"seconds": ' + b"9" * 5000 + b"}", "a number is too large"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"step": "\\ud800"}', "heal.json: Invalid JSON"),
    ],
)
def test_refuses_what_is_no_plain_json(tmp_path: Path, raw: bytes, why: str) -> None:
    (tmp_path / "heal.json").write_bytes(raw)

    with pytest.raises(ArtifactError) as refused:
        artifact.read(tmp_path)

    assert why in refused.value.message


# ---------------------------------------------------------------------------------------------------------------------
# The key


def test_gives_the_same_failures_the_same_key() -> None:
    assert key("shop", "main", ("1:a", "1:b", "1:a")) == key("shop", "main", ("1:b", "1:a"))
    assert len({key(*at, ("1:a",)) for at in [("shop", "main"), ("shop", "dev"), ("shop", None), ("till", "main")]}) == 4


def test_gives_no_key_when_nothing_failed() -> None:
    assert key("shop", "main", ()) is None


@pytest.mark.parametrize(
    "change",
    [
        set_in("key", to="0" * 64),
        set_in("source", "repository", to="till"),
        set_in("source", "branch", to="dev"),
        set_in("failures", 0, "fingerprint", to="1:b"),
        set_in("failures", to=[]),
    ],
)
def test_refuses_a_key_that_is_not_what_the_rest_says(healed: Path, change: Callable[[JSON], None]) -> None:
    told = json.loads((healed / "heal.json").read_bytes())
    change(told)
    (healed / "heal.json").write_text(json.dumps(told))

    with pytest.raises(ArtifactError, match=r"heal\.json: Value error, key is not the digest of"):
        artifact.read(healed)


def test_the_key_is_of_the_failures_that_are_listed(tmp_path: Path) -> None:
    every = tuple(replace(FAILURE, id=f"t{number}", fingerprint=f"1:{number}") for number in range(3000))

    told = write(tmp_path / "out", replace(a_healing(Status.HEALED), failures=every))

    assert told.key == key("shop", "main", [failure.fingerprint for failure in every[:2000]])
    assert f"{told.key}" in (tmp_path / "out" / "report.md").read_text()
    assert artifact.read(tmp_path / "out") == told


def test_a_branch_whose_name_is_no_text_has_a_key_all_the_same(tmp_path: Path) -> None:
    healing = a_healing(Status.HEALED)

    told = write(tmp_path / "out", replace(healing, source=replace(healing.source, branch="b\udce4")))

    assert artifact.read(tmp_path / "out").key == told.key


def test_one_healing_at_a_time_has_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "selfheal-out"

    with artifact.claim(folder):
        with pytest.raises(UsageError) as told, artifact.claim(folder):
            pass
        assert list(folder.iterdir()) == []
    with artifact.claim(folder):
        pass

    assert told.value.exit_code == 2
    assert told.value.message == f"another selfheal is at work in {folder}"
    assert told.value.hint == "wait for it; a healing may also get another folder with --output"


def test_a_claim_needs_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(UsageError, match="cannot be the output folder"), artifact.claim(tmp_path / "file"):
        pass
