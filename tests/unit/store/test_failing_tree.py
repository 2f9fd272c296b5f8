"""The failing tree is the checkout as it is, byte for byte, with what the tests need beside it."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from selfheal_ci.errors import ToolError, UsageError
from selfheal_ci.store import Store, open_store
from selfheal_ci.values import Attested, Base, Changes, Content, Source
from tests.builders import a_repository, commit, git, put

Open = Callable[[Path], Store]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    with ExitStack() as stack:
        numbers = iter(range(100))
        yield lambda source: stack.enter_context(open_store(source, tmp_path / f"store{next(numbers)}"))


def contents(store: Store, source: Source) -> dict[str, bytes]:
    return {path: store.read(entry) for path, entry in source.tree.entries.items()}


def test_a_clean_checkout_is_its_commit(tmp_path: Path, opened: Open) -> None:
    project = a_repository(tmp_path / "project", {"a.py": "a = 1\n", "b/c.py": "c = 1\n"})

    source = opened(project).failing()

    assert source.commit == git(project, "rev-parse", "HEAD")
    assert source.tree.id == git(project, "rev-parse", "HEAD^{tree}")
    assert source.tree.root == project
    assert (source.repository, source.branch, source.dirty, source.base) == ("project", "main", False, None)
    assert source.on_default_branch


def test_uncommitted_changes_new_files_and_deletions_belong_to_it(tmp_path: Path, opened: Open) -> None:
    project = a_repository(tmp_path / "project", {"a.py": "a = 1\n", "gone.py": "", ".gitignore": "*.log\n"})
    put(project, {"a.py": "a = 2\n", "gone.py": None, "new.py": "n\n", "x.log": "no", "selfheal-out/heal.json": "{}"})
    store = opened(project)

    source = store.failing()

    assert contents(store, source) == {"a.py": b"a = 2\n", ".gitignore": b"*.log\n", "new.py": b"n\n"}
    assert source.dirty
    git(project, "add", "--all", ".", ":!selfheal-out")
    assert source.tree.id == git(project, "write-tree")


def test_nothing_is_written_into_the_checkout(tmp_path: Path, opened: Open) -> None:
    project = a_repository(tmp_path / "project", {"a.py": "a = 1\n"})
    put(project, {"a.py": "a = 2\n", "new.py": ""})
    before = {path: path.stat().st_mtime_ns for path in project.rglob("*")}

    store = opened(project)
    store.write(store.failing().tree, _changes("a.py", b"a = 3\n"))

    assert {path: path.stat().st_mtime_ns for path in project.rglob("*")} == before


def _changes(path: str, data: bytes):
    return Changes({path: Content(data)})


def test_bytes_are_taken_as_they_are(tmp_path: Path, opened: Open) -> None:
    files = {"crlf.txt": b"a\r\nb\r\n", "open.txt": b"no end", "binary": bytes(range(256)), "empty": b"", "cr": b"a\rb"}
    project = a_repository(tmp_path / "project", {**files, ".gitattributes": "* text=auto eol=lf\n"})
    put(project, files)
    store = opened(project)

    source = store.failing()
    out = store.checked_out(source.tree)

    assert {path: store.read(entry) for path, entry in out.entries.items() if path != ".gitattributes"} == files
    assert contents(store, source)["crlf.txt"] == b"a\nb\n"  # as git keeps it
    assert not source.dirty


def test_odd_names_are_names(tmp_path: Path, opened: Open) -> None:
    names = ['with "quotes"', "with space", "new\nline", "tab\t", "back\\slash", "-x", "ünïcode", os.fsdecode(b"bad\xff")]
    project = a_repository(tmp_path / "project", {name: name.encode("utf-8", "surrogateescape") for name in names[:4]})
    put(project, {name: name.encode("utf-8", "surrogateescape") for name in names})
    store = opened(project)

    source = store.failing()

    assert contents(store, source) == {name: name.encode("utf-8", "surrogateescape") for name in names}
    git(project, "add", "--all")
    assert source.tree.id == git(project, "write-tree")


def test_links_and_modes_are_kept_and_nothing_is_read_through_a_link(tmp_path: Path, opened: Open) -> None:
    project = a_repository(tmp_path / "project", {"run.sh": "#!/bin/sh\n", "folder/secret": "tracked\n"})
    (project / "run.sh").chmod(0o755)
    (project / "link").symlink_to("run.sh")
    put(tmp_path, {"outside/secret": "not ours\n"})
    shutil.rmtree(project / "folder")
    (project / "folder").symlink_to(tmp_path / "outside")
    os.mkfifo(project / "pipe")
    store = opened(project)

    source = store.failing()

    assert {path: entry.mode for path, entry in source.tree.entries.items()} == {
        "run.sh": "100755",
        "link": "120000",
        "folder": "120000",
    }
    assert store.read(source.tree.entries["link"]) == b"run.sh"


def test_a_file_in_a_folders_place_and_a_folder_in_a_files(tmp_path: Path, opened: Open) -> None:
    project = a_repository(tmp_path / "project", {"folder/x": "x", "file": "f"})
    shutil.rmtree(project / "folder")
    put(project, {"folder": "now a file", "file": None})
    put(project, {"file/y": "y"})
    store = opened(project)

    assert contents(store, store.failing()) == {"folder": b"now a file", "file/y": b"y"}


def test_modes_are_those_of_the_commit_where_the_file_system_has_none(tmp_path: Path, opened: Open) -> None:
    project = a_repository(tmp_path / "project", {"run.sh": "#!/bin/sh\n"})
    git(project, "config", "core.fileMode", "false")
    (project / "run.sh").chmod(0o755)

    assert not opened(project).failing().dirty


def test_what_a_sparse_checkout_leaves_out_is_not_deleted(tmp_path: Path, opened: Open) -> None:
    project = a_repository(tmp_path / "project", {"in/a": "a", "out/b": "b"})
    git(project, "sparse-checkout", "set", "in")
    assert not (project / "out").exists()

    source = opened(project).failing()

    assert (set(source.tree.entries), source.dirty) == ({"in/a", "out/b"}, False)


def test_the_environment_is_what_tests_need_of_the_ignored(tmp_path: Path, opened: Open) -> None:
    ignored = "*.so\n*.egg-info\nbuild/\ndist/\n_version.py\n__pycache__/\nvendor/*\n"
    project = a_repository(tmp_path / "project", {".gitignore": ignored, "vendor/kept": "", "src/a.py": ""})
    put(
        project,
        dict.fromkeys(
            [
                ".venv/bin/python", "venv/build/x.so", "web/node_modules/x/i.js", ".tox/py/x", "build/lib/x.o",
                "src/fast.so", "src/p.egg-info/top", "src/_version.py", "vendor/lib/x.c", "dist/p.whl",
                "src/__pycache__/a.pyc",
            ],
            "",
        ),
    )  # fmt: skip
    (project / ".nox").symlink_to("/usr")

    source = opened(project).failing()

    assert source.tree.environment == (
        ".nox", ".tox", ".venv", "build", "src/_version.py", "src/fast.so", "src/p.egg-info", "vendor/lib", "venv",
        "web/node_modules",
    )  # fmt: skip
    assert set(source.tree.entries) == {".gitignore", "vendor/kept", "src/a.py"}
    assert not source.dirty


def test_what_the_checkout_excludes_for_itself_is_ignored(tmp_path: Path, opened: Open) -> None:
    project = a_repository(tmp_path / "project", {"a": ""})
    put(project, {".git/info/exclude": "notes.txt\n", "notes.txt": "mine"})

    assert set(opened(project).failing().tree.entries) == {"a"}


@pytest.mark.parametrize(
    "files",
    [
        {".config/git/ignore": ".idea/\n"},
        {".gitconfig": "[core]\n\texcludesFile = ~/.ignored\n", ".ignored": ".idea/\n"},
    ],
)
def test_what_a_person_ignores_everywhere_is_ignored(tmp_path: Path, files: dict[str, str]) -> None:
    project = a_repository(tmp_path / "project", {"a": ""})
    put(project, {".idea/x.xml": ""})
    put(tmp_path / "home", files)

    with open_store(project, tmp_path / "store", home=tmp_path / "home") as store:
        assert not store.failing().dirty
    with open_store(project, tmp_path / "other") as store:
        assert store.failing().dirty


def test_repositories_inside_are_environment_without_their_git(tmp_path: Path, opened: Open) -> None:
    library = a_repository(tmp_path / "library", {"lib.c": "int x;\n"})
    project = a_repository(tmp_path / "project", {"a.py": ""})
    git(project, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "deps/library")
    git(project, "commit", "--quiet", "--message", "a submodule")
    a_repository(project / "other", {"o.c": ""})
    store = opened(project)
    (tmp_path / "out").mkdir()

    source = store.failing()
    store.export(source.tree, tmp_path / "out")

    assert source.tree.environment == ("deps/library", "other")
    assert set(source.tree.entries) == {"a.py", ".gitmodules"}
    assert not source.dirty
    assert source.tree.id == git(project, "rev-parse", "HEAD^{tree}")
    assert sorted(path.name for path in (tmp_path / "out/deps/library").iterdir()) == ["lib.c"]
    assert sorted(path.name for path in (tmp_path / "out/other").iterdir()) == ["o.c"]


def test_a_folder_without_git_is_a_tree_too(tmp_path: Path, opened: Open) -> None:
    project = tmp_path / "project"
    put(project, {"a.py": "a", ".gitignore": "*.log\n", "x.log": "", ".venv/bin/python": "", "__pycache__/a.pyc": ""})
    store = opened(project)

    source = store.failing()

    assert contents(store, source) == {"a.py": b"a", ".gitignore": b"*.log\n"}
    assert source.tree.environment == (".venv",)
    assert (source.repository, source.branch, source.commit, source.dirty) == ("project", None, None, False)
    assert store.guess(source) is None
    with pytest.raises(UsageError):
        store.tree("HEAD")


def test_a_repository_without_a_commit(tmp_path: Path, opened: Open) -> None:
    project = a_repository(tmp_path / "project")
    put(project, {"a.py": "a"})
    store = opened(project)

    source = store.failing()

    assert (contents(store, source), source.branch, source.commit) == ({"a.py": b"a"}, "main", None)


def test_a_linked_worktree_is_a_checkout(tmp_path: Path, opened: Open) -> None:
    project = a_repository(tmp_path / "project", {"a": "1"})
    git(project, "worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    head = commit(tmp_path / "side", {"a": "2"})
    store = opened(tmp_path / "side")

    source = store.failing()

    assert (source.branch, source.commit, source.dirty) == ("side", head, False)
    assert contents(store, source) == {"a": b"2"}
    assert store.resolve("main") == git(project, "rev-parse", "main")


def test_objects_that_the_checkout_borrows_are_found(tmp_path: Path, opened: Open) -> None:
    a_repository(tmp_path / "library", {"a": "1"})
    git(tmp_path, "clone", "--quiet", "--shared", str(tmp_path / "library"), "middle")
    git(tmp_path, "clone", "--quiet", "--shared", str(tmp_path / "middle"), "project")
    (tmp_path / "middle/.git/objects/info/alternates").write_text("../../../library/.git/objects\n")
    store = opened(tmp_path / "project")

    assert contents(store, store.failing()) == {"a": b"1"}


def test_a_checkout_may_be_in_an_odd_folder(tmp_path: Path, opened: Open) -> None:
    store = opened(a_repository(tmp_path / '"odd"\nfolder: #1\\', {"a": "1"}))

    assert contents(store, store.failing()) == {"a": b"1"}


def test_a_repository_with_longer_ids(tmp_path: Path, opened: Open) -> None:
    project = a_repository(tmp_path / "project", {"a": "1"}, object_format="sha256")
    put(project, {"b": "2"})
    store = opened(project)

    source = store.failing()

    git(project, "add", "b")
    assert source.tree.id == git(project, "write-tree")
    assert contents(store, source) == {"a": b"1", "b": b"2"}


def test_a_shallow_clone_has_what_it_has(tmp_path: Path, opened: Open) -> None:
    project = a_repository(tmp_path / "project", {"a": "1"}, {"a": "2"})
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{project}", "clone")
    store = opened(tmp_path / "clone")

    source = store.failing()

    assert contents(store, source) == {"a": b"2"}
    assert store.guess(source) is None


def test_refs_in_a_table_are_an_error_that_says_so(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", {"a": "1"})
    git(project, "config", "extensions.refStorage", "reftable")

    with (
        pytest.raises(ToolError, match=r"(?s)refs in a table.*git refs migrate"),
        open_store(project, tmp_path / "store"),
    ):
        pass


def test_no_folder_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no folder"), open_store(tmp_path / "none", tmp_path / "store"):
        pass


def test_without_a_git_program_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr("selfheal_ci.shell.PATH", str(tmp_path / "bin"))

    with pytest.raises(ToolError, match=r"(?s)git: not found.*install git"), open_store(tmp_path, tmp_path / "store"):
        pass


def test_without_git_python_finding_git_it_says_so_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "git", None)

    with pytest.raises(ToolError, match="git: not found"), open_store(tmp_path, tmp_path / "store"):
        pass


def test_our_own_environment_has_no_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Open) -> None:
    project = a_repository(tmp_path / "project", {"a": "1"})
    other = a_repository(tmp_path / "other", {"b": "2"})
    for name, value in {
        "GIT_DIR": str(other / ".git"),
        "GIT_WORK_TREE": str(other),
        "GIT_INDEX_FILE": str(other / ".git/index"),
        "GIT_OBJECT_DIRECTORY": str(other / ".git/objects"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.fsmonitor",
        "GIT_CONFIG_VALUE_0": f"touch {tmp_path}/ran",
        "GIT_NAMESPACE": "x",
    }.items():
        monkeypatch.setenv(name, value)
    store = opened(project)

    assert contents(store, store.failing()) == {"a": b"1"}
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:secret@example.org/a/b.git", "https://example.org/a/b.git"),
        ("https://ghp_secret@example.org/a/b?token=secret", "https://example.org/a/b"),
        ("ssh://git:secret@example.org:22/a/b.git", "ssh://git@example.org:22/a/b.git"),
        ("git@example.org:a/b.git", "git@example.org:a/b.git"),
        ("/srv/git/b.git", "/srv/git/b.git"),
        ("http://[bad", "http://[bad"),
    ],
)
def test_the_repository_is_named_without_credentials(tmp_path: Path, opened: Open, url: str, shown: str) -> None:
    project = a_repository(tmp_path / "project", {"a": "1"})
    git(project, "remote", "add", "origin", url)

    assert opened(project).failing().repository == shown


# ---------------------------------------------------------------------------------------------------------------------
# Which revision was probably green


def guess_of(opened: Open, project: Path) -> str | None:
    store = opened(project)
    base = store.guess(store.failing())
    assert base is None or base.attested_by is Attested.GUESS
    return base.commit if base else None


def test_the_head_is_green_when_only_the_working_tree_is_changed(tmp_path: Path, opened: Open) -> None:
    project = a_repository(tmp_path / "project", {"a": "1"})
    put(project, {"a": "2"})

    assert opened(project).guess(opened(project).failing()) == Base(git(project, "rev-parse", "HEAD"), Attested.GUESS)


def test_what_a_run_left_behind_does_not_make_the_head_green(tmp_path: Path, opened: Open) -> None:
    project = a_repository(tmp_path / "project", {"a": "1"}, {"a": "2"})
    put(project, {".coverage": "left"})

    assert opened(project).failing().dirty
    assert guess_of(opened, project) == git(project, "rev-parse", "HEAD~1")


def test_the_only_commit_is_green_when_a_new_file_is_all_that_is_changed(tmp_path: Path, opened: Open) -> None:
    project = a_repository(tmp_path / "project", {"a": "1"})
    put(project, {"new": "1"})

    assert guess_of(opened, project) == git(project, "rev-parse", "HEAD")


def test_a_deleted_file_is_a_change_of_the_working_tree(tmp_path: Path, opened: Open) -> None:
    project = a_repository(tmp_path / "project", {"a": "1", "b": "1"}, {"a": "2"})
    put(project, {"b": None})

    assert guess_of(opened, project) == git(project, "rev-parse", "HEAD")


def test_what_makes_the_tree_dirty_has_names(tmp_path: Path, opened: Open) -> None:
    project = a_repository(tmp_path / "project", {"a": "1", "b": "1", "c": "1"})
    put(project, {"b": None, "a": "2", ".coverage": ""})

    assert opened(project).uncommitted() == [".coverage", "a", "b"]
    put(project, {"b": "1", "a": "1", ".coverage": None})
    assert opened(project).uncommitted() == []


def test_the_commit_before_is_green_on_the_default_branch(tmp_path: Path, opened: Open) -> None:
    project = a_repository(tmp_path / "project", {"a": "1"}, {"a": "2"}, remote=tmp_path / "remote.git")

    assert guess_of(opened, project) == git(project, "rev-parse", "HEAD~1")


def test_the_first_commit_has_nothing_before_it(tmp_path: Path, opened: Open) -> None:
    assert guess_of(opened, a_repository(tmp_path / "project", {"a": "1"})) is None


@pytest.mark.parametrize("default", ["main", "trunk"])
def test_where_the_branch_began_is_green(tmp_path: Path, opened: Open, default: str) -> None:
    project = a_repository(tmp_path / "project", {"a": "1"}, {"a": "2"}, remote=tmp_path / "remote.git")
    fork = git(project, "rev-parse", "HEAD")
    if default == "trunk":
        git(project, "update-ref", "refs/remotes/origin/trunk", fork)
        git(project, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk")
    git(project, "switch", "--quiet", "--create", "feature")
    commit(project, {"b": "1"})
    commit(project, {"b": "2"})
    git(project, "branch", "--quiet", "--delete", "--force", "main")

    assert guess_of(opened, project) == fork
    assert not opened(project).failing().on_default_branch


# ---------------------------------------------------------------------------------------------------------------------
# Hostile checkouts


@pytest.mark.parametrize("name", ["shallow", "packed-refs", "config", "HEAD", "info/exclude", "commondir", "refs/heads/x"])
def test_no_link_in_git_is_followed(tmp_path: Path, opened: Open, name: str) -> None:
    project = a_repository(tmp_path / "project", {"a": "1"})
    id_ = git(project, "rev-parse", "HEAD")
    lines = f'{id_} refs/heads/planted\nPLANTED\n{id_}\n[remote "origin"]\n\turl = PLANTED\n'
    put(tmp_path, {"private": id_ if name.startswith("refs") else "../PLANTED" if name == "commondir" else lines})
    (project / ".git" / name).unlink(missing_ok=True)
    (project / ".git" / name).symlink_to(tmp_path / "private")

    store = opened(project)

    assert "PLANTED" not in f"{store.checkout}{store.failing()}"
    assert "planted" not in f"{store.checkout.refs}"
    assert "refs/heads/x" not in store.checkout.refs
    assert store.checkout.objects


def test_no_linked_folder_in_git_is_followed(tmp_path: Path, opened: Open) -> None:
    project = a_repository(tmp_path / "project", {"a": "1"})
    put(tmp_path, {"private/exclude": "PLANTED"})
    shutil.rmtree(project / ".git/info", ignore_errors=True)
    (project / ".git/info").symlink_to(tmp_path / "private")

    assert b"PLANTED" not in opened(project).checkout.excludes


def test_only_ids_are_taken_from_the_list_of_shallow_commits(tmp_path: Path, opened: Open) -> None:
    project = a_repository(tmp_path / "project", {"a": "1"}, {"a": "2"})
    id_ = git(project, "rev-parse", "HEAD")
    put(project, {".git/shallow": f"PLANTED\n{id_}\n{id_} PLANTED\n\n"})

    store = opened(project)

    assert store.checkout.shallow == f"{id_}\n".encode()
    assert store.failing().commit == id_


@pytest.mark.parametrize("head", ["ref: refs/heads/a\\b PLANTED", "ref: PLANTED", "PLANTED"])
def test_a_head_that_names_no_branch_is_none(tmp_path: Path, opened: Open, head: str) -> None:
    project = a_repository(tmp_path / "project", {"a": "1"})
    put(project, {".git/HEAD": head, ".git/refs/remotes/origin/HEAD": head})

    checkout = opened(project).checkout

    assert (checkout.branch, checkout.commit, checkout.default_branch) == (None, None, None)


def test_nothing_that_the_checkout_configures_runs(tmp_path: Path, opened: Open) -> None:
    project = a_repository(tmp_path / "project", {"a.py": "a = 1\n"}, {"a.py": "a = 2\n"})
    bait(project, tmp_path / "ran")
    put(project, {"a.py": "a = 3\n", "new.py": ""})
    store = opened(project)
    (tmp_path / "out").mkdir()

    source = store.failing()
    store.export(source.tree, tmp_path / "out")
    store.hunks(store.tree("HEAD~1"), source.tree)
    store.commits("HEAD~1", "HEAD")
    store.patch(store.tree("HEAD"), store.write(source.tree, _changes("a.py", b"a = 4\n")))

    assert not (tmp_path / "ran").exists()
    assert contents(store, source)["a.py"] == b"a = 3\n"
    git(project, "status")  # the bait is one
    assert (tmp_path / "ran").exists()


def bait(project: Path, sprung: Path) -> None:
    """Everything in a checkout that git would run, as `touch sprung`."""
    touch = f"touch {sprung}"
    (project.parent / "elsewhere").mkdir()
    settings = {
        "core.fsmonitor": touch, "core.sshCommand": touch, "core.hooksPath": str(project / ".git/hooks"),
        "core.pager": touch, "core.editor": touch, "diff.external": touch, "diff.x.textconv": touch,
        "diff.x.command": touch, "filter.x.clean": touch, "filter.x.smudge": touch, "filter.x.process": touch,
        "remote.origin.receivepack": touch, "remote.origin.uploadpack": touch, "remote.origin.proxy": "x:1",
        "credential.helper": f"!{touch}", "gpg.program": touch, "commit.gpgSign": "true",
        "core.worktree": str(project.parent / "elsewhere"), "include.path": str(project / "evil.cfg"),
        "core.alternateRefsCommand": touch, "core.attributesFile": str(project / "evil.attributes"),
    }  # fmt: skip
    with (project / ".git/config").open("a") as config:
        for name, value in settings.items():
            section, _, key = name.rpartition(".")
            first, _, sub = section.partition(".")
            quoted = f' "{sub}"' if sub else ""
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            config.write(f'[{first}{quoted}]\n\t{key} = "{escaped}"\n')
    put(project, {".git/info/attributes": "* filter=x diff=x\n"})
    for hook in ("pre-commit", "pre-push", "post-checkout", "post-index-change", "reference-transaction", "fsmonitor"):
        path = project / ".git/hooks" / hook
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{touch}\n")
        path.chmod(0o755)


@pytest.mark.parametrize(
    "said", ["../../../../etc/passwd", "ref: ../../secret", "ref: refs/heads/../../x", "", "ref: refs/heads/gone", "\0"]
)
def test_a_head_that_is_none_is_no_commit(tmp_path: Path, opened: Open, said: str) -> None:
    project = a_repository(tmp_path / "project", {"a": "1"})
    (project / ".git/HEAD").write_text(said)

    assert opened(project).failing().commit is None


def test_a_ref_cannot_smuggle_another_one_in(tmp_path: Path, opened: Open) -> None:
    project = a_repository(tmp_path / "project", {"a": "1"}, {"a": "2"})
    first, last = git(project, "rev-parse", "HEAD~1"), git(project, "rev-parse", "HEAD")
    put(project, {f".git/refs/heads/x\n{first} refs/heads/main": f"{last}\n"})
    store = opened(project)

    assert store.resolve("main") == last


def test_a_pipe_in_the_git_folder_does_not_hang(tmp_path: Path, opened: Open) -> None:
    project = a_repository(tmp_path / "project", {"a": "1"})
    (project / ".git/info").mkdir(exist_ok=True)
    (project / ".git/info/exclude").unlink(missing_ok=True)
    os.mkfifo(project / ".git/info/exclude")

    assert set(opened(project).failing().tree.entries) == {"a"}


def test_five_thousand_files_take_a_second(tmp_path: Path, opened: Open) -> None:
    project = a_repository(tmp_path / "project", {f"d{n % 50}/f{n}.py": f"{n}\n" * 50 for n in range(5000)})
    store = opened(project)
    began = time.process_time()

    source = store.failing()

    assert len(source.tree.entries) == 5000
    assert time.process_time() - began < 4.0  # ours alone; a busy machine is no failure
