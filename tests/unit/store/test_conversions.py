"""What git converts between blobs and the working tree is computed as git itself does it, and nothing of a checkout runs."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path

import pytest

from selfheal_ci.store import open_store
from selfheal_ci.store.conversions import Conversion, Ends, is_pointer, read_conversions
from selfheal_ci.store.index import read_index
from selfheal_ci.values import Changes, Content, blob_id
from tests.builders import a_repository, blob, commit, git, put

ATTRIBUTES = (
    "text", "-text", "text=auto", "eol=crlf", "eol=lf", "text eol=crlf", "text=auto eol=crlf", "text=auto eol=lf", "crlf",
    "-crlf", "crlf=input", "text=input", "-text eol=crlf", "binary", "working-tree-encoding=UTF-16",
    "working-tree-encoding=UTF-16LE-BOM text", "working-tree-encoding=latin-1 text eol=crlf", "-diff",
)  # fmt: skip
SETTINGS: tuple[Mapping[str, str], ...] = (
    {}, {"core.autocrlf": "true"}, {"core.autocrlf": "input"}, {"core.eol": "crlf"}, {"core.autocrlf": "false"},
)  # fmt: skip
TEXTS = {
    "lf": b"a\nb\n", "crlf": b"a\r\nb\r\n", "mixed": b"a\r\nb\nc", "cr": b"a\rb\r\n", "nul": b"a\0\r\nb\n", "empty": b"",
    "odd": b"\x01\x02\x03\r\n" * 9, "end": b"a\r\nb\r\n\x1a", "accents": "é\r\nü\n".encode(),
}  # fmt: skip


def a_converting(path: Path, settings: Mapping[str, str]) -> tuple[Path, dict[str, bytes]]:
    """A repository with each text under each attribute, the blobs as they are; the names and the bytes."""
    project = a_repository(path)
    lines = [f"*.{number} {attributes}" for number, attributes in enumerate(ATTRIBUTES)]
    put(project, {".gitattributes": "\n".join(lines) + "\n"})
    files = {f"{name}.{number}": text for number, (name, text) in product(range(len(ATTRIBUTES)), TEXTS.items())}
    ids = {text: git(project, "hash-object", "-w", "--no-filters", "--stdin", stdin=text) for text in TEXTS.values()}
    git(project, "add", ".gitattributes")
    told = "".join(f"100644 {ids[text]}\t{name}\n" for name, text in files.items())
    git(project, "update-index", "--index-info", stdin=told.encode())
    git(project, "commit", "--quiet", "--message", "as they are")
    for name, value in settings.items():
        git(project, "config", name, value)
    return project, files


def conversions_of(project: Path, work: Path, names: list[str]) -> Mapping[str, Conversion]:
    with open_store(project, work) as store:
        return store.conversions(names).files


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_working_tree_is_written_as_git_writes_it(tmp_path: Path, settings: Mapping[str, str]) -> None:
    project, files = a_converting(tmp_path / "project", settings)
    git(project, "checkout-index", "--all", "--force")

    found = conversions_of(project, tmp_path / "store", list(files))

    for name, text in files.items():
        made = found.get(name, Conversion()).to_working_tree(text)
        assert made == (project / name).read_bytes(), (name, ATTRIBUTES[int(name.rpartition(".")[2])])


@pytest.mark.parametrize("before", [b"a\nb\n", b"a\r\nb\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_blobs_are_what_git_makes_of_the_working_tree(tmp_path: Path, settings: Mapping[str, str], before: bytes) -> None:
    project, files = a_converting(tmp_path / "project", settings)
    encodings = {14: "utf-16", 15: "utf-16-le", 16: "latin-1"}
    for name, text in files.items():
        encoding = encodings.get(int(name.rpartition(".")[2]))
        put(project, {name: text.decode().encode(encoding) if encoding else text})
    kept = git(project, "hash-object", "-w", "--no-filters", "--stdin", stdin=before)
    told = "".join(f"100644 {kept}\t{name}\n" for name in files)
    git(project, "update-index", "--index-info", stdin=told.encode())
    git(project, "commit", "--quiet", "--message", "something else")
    git(project, "-c", "core.safecrlf=false", "add", "--all")

    found = conversions_of(project, tmp_path / "store", list(files))

    ids = {name: facts.split()[1] for facts, _, name in (line.partition("\t") for line in staged(project))}
    for name in files:
        made = found.get(name, Conversion()).to_git((project / name).read_bytes(), lambda: before)
        assert blob_id(made) == ids[name], (name, ATTRIBUTES[int(name.rpartition(".")[2])])


def staged(project: Path) -> list[str]:
    return git(project, "ls-files", "--stage", "-z").rstrip("\0").split("\0")


def test_where_nothing_is_converted_git_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = a_repository(tmp_path / "project", {"a": "1\r\n"})
    monkeypatch.setattr("selfheal_ci.store.store.read_conversions", None)

    with open_store(project, tmp_path / "store") as store:
        assert not store.failing().dirty
        assert not store.forms


def test_attributes_are_those_of_the_commit_and_of_nothing_else(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", {".gitattributes": "*.a eol=crlf\n", "in/.gitattributes": "*.a -text\n"})
    put(project, {".git/info/attributes": "* filter=x\n", ".gitattributes": "* filter=y\n"})

    with open_store(project, tmp_path / "store") as store:
        commit_id = git(project, "rev-parse", "HEAD")
        found = read_conversions(store.git, commit_id, lambda _: "", ["x.a", "in/x.a", "odd\nname.a"])

    assert found.files == {path: Conversion(Ends.TEXT, crlf=True) for path in ("x.a", "odd\nname.a")}


NOW, KEPT = b"one\r\ntwo\nthree\r\nfour", b"one\ntwo\nthree\nfour"


@pytest.mark.parametrize(
    ("kept", "now"),
    [
        (KEPT, NOW),
        (b"one\ntwo\nTHREE\nfour", b"one\r\ntwo\nTHREE\r\nfour"),
        (b"one\nTWO\nthree\nfour", b"one\r\nTWO\nthree\r\nfour"),
        (b"zero\none\ntwo\nthree\nfour", b"zero\r\none\r\ntwo\nthree\r\nfour"),
        (b"one\ntwo\nfour", b"one\r\ntwo\nfour"),
        (b"one\ntwo\nthree\nfour\nfive\n", b"one\r\ntwo\nthree\r\nfour\nfive\n"),
        (b"", b""),
    ],
)
def test_lines_that_did_not_change_keep_their_ends(kept: bytes, now: bytes) -> None:
    assert Conversion(Ends.TEXT, crlf=True).to_working_tree(kept, now=NOW, kept=KEPT) == now


def test_a_file_that_has_the_ends_of_its_blob_keeps_them() -> None:
    assert Conversion(Ends.TEXT, crlf=True).to_working_tree(b"a\nc\n", now=b"a\nb\n", kept=b"a\nb\n") == b"a\nc\n"


@pytest.mark.parametrize("encoding", ["UTF-16", "UTF-16LE-BOM", "utf-32", "nonsense", "rot13", "utf-nonsense", "zip"])
def test_bytes_that_are_not_of_the_encoding_stay_as_they_are(encoding: str) -> None:
    conversion = Conversion(encoding=encoding)

    assert conversion.to_git(b"\xff\xff\xff", lambda: b"") == b"\xff\xff\xff"
    assert conversion.to_working_tree(b"\xff\xff\xff") == b"\xff\xff\xff"


def test_a_large_file_is_its_pointer() -> None:
    pointer = (
        b"version https://git-lfs.github.com/spec/v1\n"
        b"oid sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\nsize 3\n"
    )
    lfs = Conversion(filter="lfs")

    assert is_pointer(pointer)
    assert lfs.to_git(b"abc", lambda: pointer) == pointer
    assert lfs.to_git(pointer, lambda: pointer) == pointer
    assert lfs.to_git(b"abc", lambda: b"no pointer") == b"abc"
    assert lfs.to_working_tree(pointer, now=b"abc", kept=pointer) == b"abc"


# ---------------------------------------------------------------------------------------------------------------------
# Trees in both forms


def test_an_older_tree_is_written_as_a_checkout_of_it_would_be(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", {".gitattributes": "*.txt eol=crlf\n", "a.txt": "1\r\n2\r\n"})
    commit(project, {"a.txt": b"1\r\nTWO\r\n"})
    (tmp_path / "out").mkdir()

    with open_store(project, tmp_path / "store") as store:
        assert not store.failing().dirty
        store.export(store.checked_out(store.tree("HEAD~1")), tmp_path / "out")

    assert (tmp_path / "out/a.txt").read_bytes() == b"1\r\n2\r\n"
    assert git(tmp_path / "out", "status", "--porcelain") == ""
    assert blob(tmp_path / "out", "HEAD", "a.txt") == b"1\n2\n"


def test_what_a_run_changes_comes_back_as_git_keeps_it(tmp_path: Path) -> None:
    project = a_repository(
        tmp_path / "project", {".gitattributes": "*.txt eol=crlf\n*.bin filter=x\n", "a.txt": "1\r\n", "b.bin": "1\n"}
    )
    with open_store(project, tmp_path / "store") as store:
        store.failing()
        changes = {"a.txt": Content(b"2\r\n", "100755"), "b.py": Content(b"x\r\n"), "gone": None}

        assert store.forms.to_git(Changes(changes)).files == {**changes, "a.txt": Content(b"2\n", "100755")}
        assert store.forms.to_working_tree(Changes({"a.txt": Content(b"2\n")})).files == {"a.txt": Content(b"2\r\n")}


# ---------------------------------------------------------------------------------------------------------------------
# The index


@pytest.mark.parametrize("version", ["2", "3", "4"])
@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_every_index_is_read(tmp_path: Path, version: str, object_format: str) -> None:
    names = ["a", "a/b", "é", "n" * 255, f"{'d' * 200}/{'e' * 200}/{'f' * 200}/{'g' * 200}/{'h' * 3700}"[:4094], "new\nline"]
    project = a_repository(tmp_path / "project", object_format=object_format)
    kept = git(project, "hash-object", "-w", "--stdin", stdin=b"x")
    for name in names[1:]:
        git(project, "update-index", "-z", "--index-info", stdin=f"100644 {kept}\t{name}\0".encode())
    put(project, {"later": "1"})
    git(project, "add", "--intent-to-add", "later") if version != "2" else None
    git(project, "update-index", "--index-version", version)

    index = read_index((project / ".git/index").read_bytes(), 1, object_format)

    assert list(index.entries) == [line.partition("\t")[2] for line in staged(project)]
    assert {seen.blob for path, seen in index.entries.items() if path != "later"} == {kept}


@pytest.mark.parametrize("cut", [0, 3, 12, 50, 80])
def test_an_index_that_is_cut_tells_nothing(tmp_path: Path, cut: int) -> None:
    project = a_repository(tmp_path / "project", {"a": "1", "b": "2"})
    data = (project / ".git/index").read_bytes()

    assert read_index(data[:cut], 1, "sha1").entries == {}
    assert read_index(b"\xff" * 100, 1, "sha1").entries == {}


def test_git_took_a_file_for_unchanged_or_it_did_not(tmp_path: Path) -> None:

    project = a_repository(tmp_path / "project", {"a": "1"})
    path, id_ = project / ".git/index", blob_id(b"1")
    about = (project / "a").stat()
    later = read_index(path.read_bytes(), about.st_mtime_ns + 1, "sha1")
    same_moment = read_index(path.read_bytes(), about.st_mtime_ns, "sha1")

    assert later.is_unchanged("a", id_, about)
    assert not later.is_unchanged("a", "0" * 40, about)
    assert not later.is_unchanged("b", id_, about)
    assert not same_moment.is_unchanged("a", id_, about)
    assert same_moment.may_be_unchanged("a", id_, about)
    put(project, {"a": "12"})
    assert not later.may_be_unchanged("a", id_, (project / "a").stat())
