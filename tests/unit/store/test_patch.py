"""The patch of any file is taken by `git apply` and by `git am --keep-cr`, to the last byte."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from selfheal_ci.store import Store, open_store
from selfheal_ci.values import Changes, Content
from tests.builders import a_repository, commit, git, put

MANY = b"".join(b"line %d\n" % number for number in range(60))
CASES: dict[str, tuple[bytes | None, bytes | None]] = {
    "crlf.py": (b"a\r\nb\r\nc\r\n", b"a\r\nB\r\nc\r\n"),
    "mixed ends.py": (b"a\r\nb\nc\rd\n", b"a\r\nb\nC\rd\r\n"),
    "ends change.py": (b"a\r\nb\r\n", b"a\nb\n"),
    "no end.py": (b"a\nb", b"a\nB"),
    "no end before.py": (b"a\nb", b"a\nb\n"),
    "no end after.py": (b"a\nb\n", b"a\nb"),
    "latin-1.py": (b"# \xe9\xff\nx = 1\n", b"# \xe9\xff\nx = '\xfc'\n"),
    "mark.py": (b"\xef\xbb\xbfx = 1\n", b"\xef\xbb\xbfx = 2\n"),
    "utf-16.txt": ("x = 1\n".encode("utf-16"), "x = 2\n".encode("utf-16")),
    "program.sh": (b"#!/bin/sh\nexit 1\n", b"#!/bin/sh\nexit 0\n"),
    "empty before.py": (b"", b"x = 1\n"),
    "empty after.py": (b"x = 1\n", b""),
    "new.py": (None, b"x = 1\r\n"),
    "new and empty.py": (None, b""),
    "gone.py": (b"x = 1\r\n", None),
    "binary.bin": (bytes(range(256)), bytes(range(255, -1, -1))),
    "long line.txt": (b"x" * 300_000 + b"\n", b"x" * 300_000 + b"y\n"),
    "two places.py": (MANY, MANY.replace(b"line 3\n", b"LINE\n").replace(b"line 50\n", b"")),
    "like a mail.txt": (b"a\n", b"From ada Mon Sep 17 00:00:00 2001\nFrom: ada\nSubject: x\n\n---\n-- \n2.39\n"),
    "like a patch.txt": (b"a\n", b"a\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-x\n+y\n"),
    "blanks and feeds.py": (b"x = 1 \t\n\x0c\n", b"x = 2 \t\n\x0c\n\n\n"),
    "quo\"tes' and \\.py": (b"x = 1\n", b"x = 2\n"),
    "-rf": (b"x = 1\n", b"x = 2\n"),
    "new\nline\t.py": (b"x = 1\n", b"x = 2\n"),
    "ünï 😀.py": (b"x = 1\n", b"x = 2\n"),
    "b/dev/null": (b"x = 1\n", b"x = 2\n"),
    "a b/a b => c.py": (b"x = 1\n", b"x = 2\n"),
}


@dataclass(frozen=True)
class Bench:
    store: Store
    clone: Path
    base: str


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    place = tmp_path_factory.mktemp("patches")
    project = a_repository(place / "project")
    put(project, {path: before for path, (before, _) in CASES.items() if before is not None})
    (project / "program.sh").chmod(0o755)
    git(project, "add", "--all")
    base = commit(project, {}, "all of them")
    git(place, "clone", "--quiet", str(project), "clone")
    git(place / "clone", "config", "core.autocrlf", "false")
    with open_store(project, place / "store") as store:
        yield Bench(store, place / "clone", base)


@pytest.mark.parametrize("path", CASES)
def test_git_takes_the_patch_of_any_file(bench: Bench, path: str) -> None:
    old, after = bench.store.tree(bench.base), CASES[path][1]
    mode = "100755" if path == "program.sh" else "100644"
    new = bench.store.write(old, Changes({path: None if after is None else Content(after, mode)}))

    patch = bench.store.patch(old, new)

    try:
        git(bench.clone, "apply", "--index", stdin=patch)
        assert git(bench.clone, "write-tree") == new.id
        git(bench.clone, "reset", "--quiet", "--hard", bench.base)
        git(bench.clone, "am", "--quiet", "--keep-cr", stdin=patch)
        assert git(bench.clone, "rev-parse", "HEAD^{tree}") == new.id
        file = bench.clone / path
        assert (file.read_bytes() if file.exists() else None) == after
    finally:
        git(bench.clone, "reset", "--quiet", "--hard", bench.base)
