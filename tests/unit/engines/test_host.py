from __future__ import annotations

from pathlib import Path

import pytest

from selfheal_ci.engines.host import HOME, look, remove, write_etc


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for folder in (".local/bin", ".cargo/bin", ".pyenv/shims", "go/bin", "secrets", "project/.venv/bin", "venvs/a/bin"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def seen(home: Path, *folders: str, **more: str) -> tuple[str, ...]:
    path = ":".join(str(home / folder) for folder in folders)
    found = look({"HOME": str(home), "PATH": f"{path}:/usr/bin", **more}, tree=home / "project")
    return tuple(str(root.relative_to(home)) for root in found.roots)


def test_shows_the_installation_of_a_toolchain(home: Path) -> None:
    assert "go" in seen(home, "go/bin")
    assert ".pyenv" in seen(home, ".pyenv/shims", PYENV_ROOT=str(home / ".pyenv"))


def test_shows_only_the_folder_where_its_parent_holds_secrets(home: Path) -> None:
    found = seen(home, ".local/bin", ".cargo/bin")

    assert {".local/bin", ".cargo/bin"} <= set(found)
    assert not {".local", ".cargo", "."} & set(found)


def test_never_shows_the_home_or_the_checkout(home: Path) -> None:
    (home / "bin").mkdir()

    assert seen(home, "bin", "project/.venv/bin") == (".pyenv", "bin")


def test_shows_the_python_that_an_environment_was_made_from(home: Path) -> None:
    (home / "python/bin").mkdir(parents=True)
    (home / "project/.venv/pyvenv.cfg").write_text(f"home = {home}/python/bin\nversion = 3.11\n")

    assert "python" in seen(home)


def test_the_environment_is_clean(home: Path) -> None:
    found = look(
        {"HOME": str(home), "PATH": f"{home}/nowhere:/usr/bin", "AWS_SECRET_ACCESS_KEY": "x", "LANG": "de_DE.UTF-8"},
        tree=home / "project",
    )

    assert found.env["HOME"] == HOME
    assert found.env["LANG"] == "de_DE.UTF-8"
    assert "nowhere" not in found.env["PATH"]
    assert not any("SECRET" in name for name in found.env)


def test_only_with_network_there_is_a_resolver(tmp_path: Path) -> None:
    write_etc(tmp_path / "off", uid=1000, network=False)
    write_etc(tmp_path / "on", uid=1000, network=True)

    assert (tmp_path / "off/resolv.conf").read_text() == ""
    assert (tmp_path / "on/resolv.conf").read_text() == Path("/etc/resolv.conf").read_text()


def test_removes_what_a_run_locked(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    (folder / "work/work").mkdir(parents=True)
    (folder / "work/work/file").write_text("x")
    (folder / "link").symlink_to(tmp_path)
    (folder / "work/work").chmod(0)

    remove(folder)

    assert not folder.exists()
    assert tmp_path.is_dir()
