"""Trees that are not as tools expect them: each is healed with its bytes kept, or there is a message that says why not."""

from __future__ import annotations

import os
import shutil
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.builders import Files, a_repository, blob, commit, fix_branch, git, put
from tests.e2e.test_heal import Ended, selfheal

GOOD, BAD = b"def add(a, b):\n    return a + b\n", b"def add(a, b):\n    return a - b\n"
CHECK = "python -c 'from calc.core import add; assert add(2, 3) == 5'"
SECRET = "not for any step"


def steps(run: str) -> str:
    return f"[steps.check]\nrun = '''{run}'''\n"


def a_project(path: Path, more: Files = {}, *, run: str = CHECK, remote: Path | None = None) -> Path:  # noqa: B006
    """A project whose last commit broke calc/core.py."""
    green = {"calc/core.py": GOOD, ".selfheal.toml": steps(run), **more}
    return a_repository(path, green, {"calc/core.py": BAD}, remote=remote)


def heal(project: Path, *words: str) -> Ended:
    ended = selfheal(project, "heal", "--no-model", *words)
    assert ended.exit_code == 0, ended.stderr
    assert ended.told["status"] == "healed"
    return ended


# ---------------------------------------------------------------------------------------------------------------------
# Repositories in repositories, and parts of one


@pytest.mark.parametrize("state", ["populated", "not populated", "its folder is gone"])
def test_a_submodule_stays_what_it_is(tmp_path: Path, state: str) -> None:
    library = a_repository(tmp_path / "library", {"lib.txt": "a library\n"})
    there = "test -f deps/lib/lib.txt" if state == "populated" else "test ! -e deps/lib/lib.txt"
    project = a_repository(tmp_path / "project", {".selfheal.toml": steps(f"{there} && {CHECK}")})
    git(project, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "deps/lib")
    commit(project, {"calc/core.py": GOOD})
    commit(project, {"calc/core.py": BAD})
    git(tmp_path, "clone", "--quiet", "--bare", str(project), "origin.git")
    git(project, "remote", "add", "origin", str(tmp_path / "origin.git"))
    if state == "not populated":
        git(project, "submodule", "--quiet", "deinit", "--all")
    elif state == "its folder is gone":
        shutil.rmtree(project / "deps")

    ended = heal(project)
    published = selfheal(project, "publish")

    assert not ended.told["source"]["dirty"]
    assert published.exit_code == 0, published.stderr
    fix = fix_branch(tmp_path / "origin.git")
    changed = git(tmp_path / "origin.git", "diff-tree", "-r", "--name-only", "main", fix)
    assert changed == "calc/core.py"
    assert "160000" in git(tmp_path / "origin.git", "ls-tree", fix, "deps/")


def test_a_repository_inside_this_one_is_seen_and_never_patched(tmp_path: Path) -> None:
    project = a_project(tmp_path / "project", run=f"test -f inner/x && test ! -e inner/.git && {CHECK}")
    a_repository(project / "inner", {"x": "1\n"})

    ended = heal(project)

    assert not ended.told["source"]["dirty"]
    assert git(project / "inner", "status", "--porcelain") == ""


def test_a_linked_worktree_is_healed_and_published_from(tmp_path: Path) -> None:
    main = a_repository(tmp_path / "main", {"a": "1"}, remote=tmp_path / "origin.git")
    git(main, "worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    commit(tmp_path / "side", {"calc/core.py": GOOD, ".selfheal.toml": steps(CHECK)})
    commit(tmp_path / "side", {"calc/core.py": BAD, "calc/more.py": "M = 1\n"})
    git(tmp_path / "side", "push", "--quiet", "origin", "side")

    ended = heal(tmp_path / "side", "--base", "HEAD~1")
    published = selfheal(tmp_path / "side", "publish")

    assert ended.told["source"]["branch"] == "side"
    assert published.exit_code == 0, published.stderr
    assert blob(tmp_path / "origin.git", fix_branch(tmp_path / "origin.git"), "calc/core.py") == GOOD


def test_what_a_sparse_checkout_leaves_out_is_seen_by_the_step_and_stays_out(tmp_path: Path) -> None:
    more: Files = {"out/big.txt": "left out\n"}
    run = f"test -f out/big.txt && {CHECK}"
    project = a_project(tmp_path / "project", more, run=run, remote=tmp_path / "origin.git")
    git(project, "sparse-checkout", "set", "calc")
    assert not (project / "out").exists()

    ended = heal(project)
    published = selfheal(project, "publish")

    assert not ended.told["source"]["dirty"]
    assert published.exit_code == 0, published.stderr
    origin = tmp_path / "origin.git"
    assert git(origin, "diff-tree", "-r", "--name-only", "main", fix_branch(origin)) == "calc/core.py"
    assert not (project / "out").exists()


def test_a_shallow_clone_with_changes_is_healed(tmp_path: Path) -> None:
    a_project(tmp_path / "project", remote=tmp_path / "origin.git")
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{tmp_path}/origin.git", "shallow")
    put(tmp_path / "shallow", {"notes.txt": "mine\n"})

    ended = heal(tmp_path / "shallow")

    assert ended.told["source"]["dirty"]
    assert (tmp_path / "shallow/.git/shallow").is_file()


# ---------------------------------------------------------------------------------------------------------------------
# Links


@pytest.mark.parametrize("tracked", [True, False])
def test_links_that_lead_out_lead_a_step_nowhere(tmp_path: Path, tracked: bool) -> None:
    put(tmp_path, {"outside/secret": SECRET})
    links = {
        "absolute": str(tmp_path / "outside/secret"), "relative": "../outside/secret", "up": "../outside", "dangling": "none",
        "loop-a": "loop-b", "loop-b": "loop-a", "itself": ".", "host": "/etc/shadow", "calc/deep": "../../outside/secret",
    }  # fmt: skip
    tries = "cat absolute relative up/secret host calc/deep; echo changed | tee absolute relative up/new calc/deep; "
    project = a_project(tmp_path / "project", run=f"({tries}) 2>/dev/null; {CHECK}")
    for name, target in links.items():
        (project / name).symlink_to(target)
    if tracked:
        git(project, "add", "--all")
        git(project, "commit", "--quiet", "--message", "links")

    ended = heal(project, *(("--base", "HEAD~2") if tracked else ()))
    applied = selfheal(project, "apply")

    assert (applied.exit_code, ended.told["source"]["dirty"]) == (0, not tracked)
    assert (project / "calc/core.py").read_bytes() == GOOD
    assert {name: os.readlink(project / name) for name in links} == links  # noqa: PTH115
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["secret"]
    assert (tmp_path / "outside/secret").read_text() == SECRET
    written = b"".join(path.read_bytes() for path in ended.folder.rglob("*") if path.is_file())
    assert SECRET.encode() not in written


def test_a_folder_that_became_a_link_is_not_followed(tmp_path: Path) -> None:
    put(tmp_path, {"outside/data": SECRET})
    project = a_project(
        tmp_path / "project",
        {"folder/data": "ours\n"},
        run=f"! grep -r {SECRET.split(maxsplit=1)[0]} folder/data && {CHECK}",
    )
    shutil.rmtree(project / "folder")
    (project / "folder").symlink_to(tmp_path / "outside")

    ended = heal(project, "--base", "HEAD~1")

    assert ended.told["source"]["dirty"]
    assert (tmp_path / "outside/data").read_text() == SECRET


def test_apply_writes_through_no_link(tmp_path: Path) -> None:
    project = a_project(tmp_path / "project")
    heal(project)
    put(tmp_path, {"outside/core.py": BAD})
    shutil.rmtree(project / "calc")
    (project / "calc").symlink_to(tmp_path / "outside")

    applied = selfheal(project, "apply")

    assert applied.exit_code == 2
    assert "calc/core.py cannot be patched" in applied.stderr
    assert (tmp_path / "outside/core.py").read_bytes() == BAD


# ---------------------------------------------------------------------------------------------------------------------
# Names

NFC, NFD = (unicodedata.normalize(form, "é.py") for form in ("NFC", "NFD"))
NAMES = (
    "new\nline", "tab\t", "\x1b[31m", 'with "quotes"', "with 'quotes'", "back\\slash", "-rf", "--help", " blank ", "$(id)",
    "trailing.", "CON", "😀", "Case.py", "case.py", NFC, NFD, os.fsdecode(b"bad\xff\xfe"), "n" * 255, ":(top)", "a => b", "#", "~",
    "diff --git a b", "in/\n/deep", "::set-output name=x::y",
)  # fmt: skip


@pytest.fixture
def oddly_named(tmp_path: Path) -> Path:
    project = a_repository(tmp_path / "project", {"calc/core.py": GOOD, ".selfheal.toml": steps(CHECK)})
    put(project, dict.fromkeys(NAMES, "x\n"))
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "odd names")
    commit(project, {"calc/core.py": BAD})
    git(tmp_path, "clone", "--quiet", "--bare", str(project), "origin.git")
    git(project, "remote", "add", "origin", str(tmp_path / "origin.git"))
    return project


def test_odd_names_elsewhere_are_no_hindrance(tmp_path: Path, oddly_named: Path) -> None:
    heal(oddly_named)
    published = selfheal(oddly_named, "publish")

    assert published.exit_code == 0, published.stderr
    origin = tmp_path / "origin.git"
    assert git(origin, "diff-tree", "-r", "--name-only", "main", fix_branch(origin)) == "calc/core.py"
    assert len(git(origin, "ls-tree", "-r", "-z", "--name-only", fix_branch(origin)).split("\0")) == len(NAMES) + 3


def test_the_patch_is_one_for_git_apply_and_git_am(tmp_path: Path, oddly_named: Path) -> None:
    heal(oddly_named)
    git(tmp_path, "clone", "--quiet", str(oddly_named), "clone")

    git(oddly_named, "apply", "selfheal-out/fix.patch")
    git(tmp_path / "clone", "am", "--quiet", str(oddly_named / "selfheal-out/fix.patch"))

    assert (oddly_named / "calc/core.py").read_bytes() == GOOD
    assert blob(tmp_path / "clone", "HEAD", "calc/core.py") == GOOD
    assert git(tmp_path / "clone", "log", "-1", "--format=%an") == "selfheal-ci"


def test_untracked_files_with_odd_names_are_named_so_that_they_can_be_read(tmp_path: Path) -> None:
    project = a_project(tmp_path / "project")
    put(project, dict.fromkeys(("new\nline", "\x1b[31m", os.fsdecode(b"bad\xff")), "x\n"))

    heal(project)
    published = selfheal(project, "publish")
    applied = selfheal(project, "apply")

    assert (published.exit_code, applied.exit_code) == (2, 0)
    assert "\x1b" not in published.stderr
    assert "new line" in published.stderr or "new\\nline" in published.stderr


NAMED = {
    "punctuation": '-q "it\'s" (a) [b] {c} $(id) ;.txt',
    "letters": f"ünï 😀 {NFD}.txt",
    "case": "DATA.txt",
    "as long as can be": f"{'n' * 251}.txt",
}


@pytest.mark.parametrize("name", NAMED.values(), ids=NAMED.keys())
def test_a_file_with_an_odd_name_is_healed(tmp_path: Path, name: str) -> None:
    green: Files = {f"src/{name}": "good\n", "src/data.txt": "good\n", ".selfheal.toml": steps("! grep -r broken src")}
    project = a_repository(tmp_path / "project", green, {f"src/{name}": "broken\n"}, remote=tmp_path / "origin.git")
    git(tmp_path, "clone", "--quiet", str(project), "clone")

    ended = heal(project)
    published = selfheal(project, "publish")
    git(tmp_path / "clone", "am", "--quiet", str(ended.folder / "fix.patch"))
    applied = selfheal(project, "apply")

    assert (published.exit_code, applied.exit_code) == (0, 0), published.stderr + applied.stderr
    assert (project / "src" / name).read_bytes() == b"good\n"
    assert (tmp_path / "clone/src" / name).read_bytes() == b"good\n"
    assert blob(tmp_path / "origin.git", fix_branch(tmp_path / "origin.git"), f"src/{name}") == b"good\n"
    assert sorted(os.listdir(project / "src")) == sorted({name, "data.txt"})  # noqa: PTH208


@pytest.mark.parametrize("name", ["new\nline\t.txt", "back\\slash.txt", os.fsdecode(b"bad\xff.txt")])
def test_a_fix_of_a_name_that_no_request_can_show_is_refused_and_kept(tmp_path: Path, name: str) -> None:
    green: Files = {f"src/{name}": "good\n", ".selfheal.toml": steps("! grep -r broken src")}
    project = a_repository(tmp_path / "project", green, {f"src/{name}": "broken\n"})

    ended = selfheal(project, "heal", "--no-model")
    git(project, "apply", "selfheal-out/suggestion.patch")

    assert (ended.exit_code, ended.told["status"]) == (5, "refused"), ended.stderr
    assert "this name is not allowed" in ended.told["attempts"][-1]["reason"]
    assert (project / "src" / name).read_bytes() == b"good\n"


# ---------------------------------------------------------------------------------------------------------------------
# Bytes

BYTES = {
    "CRLF": (b"def add(a, b):\r\n    return a + b\r\n", b"\r\n\r\nLAST = 1\r\n"),
    "mixed ends": (b"def add(a, b):\r\n    return a + b\n", b"A = 1\r\n\nB = 2\n\r\n"),
    "a mark at the beginning": (b"\xef\xbb\xbfdef add(a, b):\n    return a + b\n", b"X = 1\n"),
    "Latin-1": (b"# -*- coding: latin-1 -*-\ndef add(a, b):\n    return a + b  # \xe9\xff\n", b"N = '\xfc'\n"),
    "no end": (b"def add(a, b):\n    return a + b\n", b"# the end without an end"),
    "form feeds and blanks": (b"def add(a, b):\n    return a + b \t\n", b"\x0c\nX = 1  \n\t\n"),
}


@pytest.mark.parametrize(("head", "tail"), BYTES.values(), ids=BYTES.keys())
def test_the_culprit_alone_is_reverted_and_every_other_byte_stays(tmp_path: Path, head: bytes, tail: bytes) -> None:
    kept, added = b"\n\nKEPT = 1\n\n\n", b"def half(a):\n    return a / 2\n"
    project = a_repository(tmp_path / "project", {"calc/core.py": head + kept + tail, ".selfheal.toml": steps(CHECK)})
    (project / "calc/core.py").chmod(0o755)
    commit(project, {"calc/core.py": head + kept + tail}, "make it a program")
    commit(project, {"calc/core.py": head.replace(b"a + b", b"a - b") + kept + added + tail})
    git(tmp_path, "clone", "--quiet", "--bare", str(project), "origin.git")
    git(project, "remote", "add", "origin", str(tmp_path / "origin.git"))
    git(tmp_path, "clone", "--quiet", str(project), "clone")

    ended = heal(project)
    published = selfheal(project, "publish")
    git(tmp_path / "clone", "am", "--quiet", "--keep-cr", str(ended.folder / "fix.patch"))
    applied = selfheal(project, "apply")

    origin = tmp_path / "origin.git"
    assert (published.exit_code, applied.exit_code) == (0, 0), published.stderr + applied.stderr
    assert blob(origin, fix_branch(origin), "calc/core.py") == (project / "calc/core.py").read_bytes()
    assert (tmp_path / "clone/calc/core.py").read_bytes() == (project / "calc/core.py").read_bytes()
    assert git(origin, "ls-tree", fix_branch(origin), "calc/core.py").startswith("100755 ")
    assert (project / "calc/core.py").stat().st_mode & 0o777 == 0o755
    assert (project / "calc/core.py").read_bytes() == head + kept + added + tail


# ---------------------------------------------------------------------------------------------------------------------
# What git converts between its blobs and the working tree

POINTER = "version https://git-lfs.github.com/spec/v1\\noid sha256:%s\\nsize %s\\n"
LFS = f"touch $MARK; f=$(mktemp); cat > $f; printf '{POINTER}' $(sha256sum < $f | cut -d ' ' -f 1) $(wc -c < $f); rm $f"
ROT13 = "touch $MARK; tr a-z n-za-m"


@dataclass(frozen=True)
class Converted:
    """A file as the working tree has it, and what git makes of it."""

    good: bytes
    broken: bytes
    kept: bytes  # the good one, in git
    attributes: str = ""
    config: dict[str, str] = field(default_factory=dict)
    encoding: str = "utf-8"


CONVERTED = {
    "core.autocrlf": Converted(
        b"one\r\ngood\r\nthree\r\n", b"one\r\nbroken\r\nthree\r\n", b"one\ngood\nthree\n", config={"core.autocrlf": "true"}
    ),
    "eol=crlf": Converted(
        b"one\r\ngood\r\nthree\r\n", b"one\r\nbroken\r\nthree\r\n", b"one\ngood\nthree\n", "*.txt text eol=crlf\n"
    ),
    "text=auto, edited with other ends": Converted(
        b"one\r\ngood\nthree\r\nfour\n", b"one\r\nbroken\nthree\r\nfour\n", b"one\ngood\nthree\nfour\n", "* text=auto\n"
    ),
    "ident": Converted(
        b"# $Id: 5626abf0 $\ngood\n", b"# $Id: 5626abf0 $\nbroken\n", b"# $Id$\ngood\n", "*.txt ident\n"
    ),
    "UTF-16": Converted(
        "\ufeffone\r\ngood ü\r\n".encode("utf-16-be"), "\ufeffone\r\nbroken ü\r\n".encode("utf-16-be"),
        "one\ngood ü\n".encode(), "*.txt text working-tree-encoding=UTF-16 eol=crlf\n", encoding="utf-16",
    ),
    "Latin-1": Converted(
        b"\xe9\ngood\n", b"\xe9\nbroken\n", "é\ngood\n".encode(), "*.txt text working-tree-encoding=ISO-8859-1\n",
        encoding="latin-1",
    ),
}  # fmt: skip


def a_converted_project(path: Path, case: Converted, more: Files = {}, *, run: str | None = None) -> Path:  # noqa: B006
    project = a_repository(path)
    for name, value in case.config.items():
        git(project, "config", name, value)
    run = run or f"""python -c "assert 'good' in open('src/data.txt', encoding='{case.encoding}', newline='').read()" """
    put(project, {".gitattributes": case.attributes, ".selfheal.toml": steps(run), "src/data.txt": case.good, **more})
    for subject in ("good", "broken"):
        put(project, {"src/data.txt": case.good if subject == "good" else case.broken})
        git(project, "add", "--all")
        git(project, "commit", "--quiet", "--message", subject)
    git(path.parent, "clone", "--quiet", "--bare", str(project), "origin.git")
    git(project, "remote", "add", "origin", str(path.parent / "origin.git"))
    return project


@pytest.mark.parametrize("case", CONVERTED.values(), ids=CONVERTED.keys())
def test_git_gets_what_it_would_have_kept_and_the_working_tree_keeps_its_own(tmp_path: Path, case: Converted) -> None:
    project = a_converted_project(tmp_path / "project", case)
    git(tmp_path, "clone", "--quiet", str(tmp_path / "origin.git"), "clone")

    ended = heal(project)
    published = selfheal(project, "publish")
    applied = selfheal(project, "apply")
    git(tmp_path / "clone", "am", "--quiet", str(ended.folder / "fix.patch"))

    origin = tmp_path / "origin.git"
    assert not ended.told["source"]["dirty"]
    assert (published.exit_code, applied.exit_code) == (0, 0), published.stderr + applied.stderr
    assert blob(origin, fix_branch(origin), "src/data.txt") == case.kept
    assert blob(tmp_path / "clone", "HEAD", "src/data.txt") == case.kept
    assert (project / "src/data.txt").read_bytes() == case.good
    assert git(project, "status", "--porcelain") == "M src/data.txt"
    assert git(project, "hash-object", "src/data.txt") == git(origin, "rev-parse", f"{fix_branch(origin)}:src/data.txt")


@pytest.mark.parametrize("case", CONVERTED.values(), ids=CONVERTED.keys())
def test_a_check_that_compares_with_git_finds_a_converted_tree_clean(tmp_path: Path, case: Converted) -> None:
    run = 'git diff --exit-code && test -z "$(git status --porcelain)"'
    project = a_converted_project(tmp_path / "project", case, run=run)

    ended = selfheal(project, "heal", "--no-model")

    assert (ended.exit_code, ended.told["status"]) == (0, "healthy"), ended.stderr


def test_a_change_that_is_not_committed_keeps_its_line_ends(tmp_path: Path) -> None:
    case = CONVERTED["eol=crlf"]
    project = a_converted_project(tmp_path / "project", case)
    git(project, "reset", "--quiet", "--hard", "HEAD~1")
    put(project, {"src/data.txt": b"zero\r\n" + case.broken})

    ended = heal(project)
    applied = selfheal(project, "apply")

    assert ended.told["source"]["dirty"]
    assert ended.told["diagnosis"]["culprit"]["lines"] == [3, 3]
    assert applied.exit_code == 0, applied.stderr
    assert (project / "src/data.txt").read_bytes() == b"zero\r\n" + case.good


def test_a_personal_setting_counts(tmp_path: Path) -> None:
    put(tmp_path, {"home/.gitconfig": "[core]\n\tautocrlf = true\n"})
    project = a_converted_project(tmp_path / "project", CONVERTED["core.autocrlf"])
    git(project, "config", "--unset", "core.autocrlf")

    healed = selfheal(project, "heal", "--no-model", environ={"HOME": str(tmp_path / "home")})
    applied = selfheal(project, "apply", environ={"HOME": str(tmp_path / "home")})

    assert (healed.told["status"], healed.told["source"]["dirty"]) == ("healed", False), healed.stderr
    assert applied.exit_code == 0, applied.stderr
    assert (project / "src/data.txt").read_bytes() == CONVERTED["core.autocrlf"].good


FILTERS = {"lfs": LFS, "crypt": ROT13}


def a_filtered_project(path: Path, name: str) -> Path:
    """A project with a file that a filter of the checkout makes, in which nothing has changed for a while."""
    command = FILTERS[name].replace("$MARK", str(path.parent / "ran"))
    config = {f"filter.{name}.clean": command, f"filter.{name}.smudge": command}
    case = Converted(b"good\n", b"broken\n", b"good\n", f"large.bin filter={name} -text\n", config)
    run = "grep -q content large.bin && git diff --exit-code large.bin && grep -q good src/data.txt"
    project = a_converted_project(path, case, {"large.bin": "the content\n"}, run=run)
    os.utime(project / "large.bin", (1_700_000_000, 1_700_000_000))
    assert git(project, "status", "--porcelain") == ""
    (path.parent / "ran").unlink()
    return project


@pytest.mark.parametrize("name", FILTERS)
def test_no_filter_runs_and_a_file_that_one_made_is_not_taken_for_changed(tmp_path: Path, name: str) -> None:
    project = a_filtered_project(tmp_path / "project", name)

    ended = heal(project)
    published = selfheal(project, "publish")
    applied = selfheal(project, "apply")

    origin = tmp_path / "origin.git"
    assert not (tmp_path / "ran").exists()
    assert not ended.told["source"]["dirty"]
    assert (published.exit_code, applied.exit_code) == (0, 0), published.stderr + applied.stderr
    assert git(origin, "diff-tree", "-r", "--name-only", "main", fix_branch(origin)) == "src/data.txt"
    assert (project / "large.bin").read_bytes() == b"the content\n"
    assert (project / "src/data.txt").read_bytes() == b"good\n"


def test_where_it_cannot_be_told_what_a_filter_did_publish_says_so(tmp_path: Path) -> None:
    project = a_filtered_project(tmp_path / "project", "crypt")
    os.utime(project / "large.bin", (1_600_000_000, 1_600_000_000))  # as after a copy

    ended = heal(project)
    published = selfheal(project, "publish")
    applied = selfheal(project, "apply")

    assert not (tmp_path / "ran").exists()
    assert ended.told["source"]["dirty"]
    assert published.exit_code == 2
    assert "large.bin (or its filter `crypt`, which is not run here: see `git status`)" in published.stderr
    assert applied.exit_code == 0, applied.stderr


def test_a_fix_of_what_a_filter_made_is_left_to_git(tmp_path: Path) -> None:
    command = ROT13.replace("$MARK", str(tmp_path / "ran"))
    config = {"filter.crypt.clean": command, "filter.crypt.smudge": command}
    case = Converted(b"good\n", b"broken\n", b"tbbq\n", "src/* filter=crypt\n", config)
    project = a_converted_project(tmp_path / "project", case, run="grep -q -e good -e tbbq src/data.txt")
    os.utime(project / "src/data.txt", (1_700_000_000, 1_700_000_000))
    git(project, "status")

    heal(project)
    (tmp_path / "ran").unlink()
    applied = selfheal(project, "apply")

    assert applied.exit_code == 2
    assert "git apply" in applied.stderr
    assert not (tmp_path / "ran").exists()
    git(project, "apply", "selfheal-out/fix.patch")
    assert (project / "src/data.txt").read_bytes() == b"good\n"


# ---------------------------------------------------------------------------------------------------------------------
# Many files, many changes


def test_five_thousand_files_are_healed(tmp_path: Path) -> None:
    files: Files = {f"d{number % 50}/f{number}.py": f"x = {number}\n" * 50 for number in range(5000)}
    project = a_project(tmp_path / "project", files, remote=tmp_path / "origin.git")

    ended = heal(project)
    published = selfheal(project, "publish")

    assert ended.told["diagnosis"]["culprit"]["path"] == "calc/core.py"
    assert published.exit_code == 0, published.stderr


def test_staged_unstaged_and_untracked_changes_are_healed_and_only_applied(tmp_path: Path) -> None:
    lines = [f"line {number}" for number in range(40)]
    after = b"\n\nC = 3\n"
    more: Files = {"calc/core.py": GOOD + after, "calc/other.py": "\n".join(f"# {line}" for line in lines) + "\n"}
    green = {**more, ".selfheal.toml": steps(f"{CHECK} && python -c 'import calc.other'")}
    project = a_repository(tmp_path / "project", green, remote=tmp_path / "origin.git")
    staged = "\n".join(f"# {line}" + ("!" if number in {3, 20} else "") for number, line in enumerate(lines)) + "\n"
    put(project, {"calc/other.py": staged, "calc/new.py": "N = 1\n"})
    git(project, "add", "--all")
    unstaged = staged.replace("# line 35", "# line 35?")
    put(
        project,
        {"calc/other.py": unstaged, "calc/core.py": b"A = 1\n\n\n" + BAD + after + b"B = 2\n", "notes.txt": "mine\n"},
    )
    before = git(project, "status", "--porcelain")

    ended = heal(project)
    published = selfheal(project, "publish")
    unchanged = git(project, "status", "--porcelain")
    applied = selfheal(project, "apply")

    assert (ended.told["source"]["dirty"], unchanged) == (True, before)
    assert published.exit_code == 2
    for name in ("calc/core.py", "calc/new.py", "calc/other.py", "notes.txt", "selfheal apply"):
        assert name in published.stderr
    assert applied.exit_code == 0, applied.stderr
    assert (project / "calc/core.py").read_bytes() == b"A = 1\n\n\n" + GOOD + after + b"B = 2\n"
    assert (project / "calc/other.py").read_text() == unstaged
    assert git(project, "diff", "--cached", "--stat", "--name-only").split() == ["calc/new.py", "calc/other.py"]
