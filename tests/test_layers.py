"""The rules about who imports whom hold here, and a file that breaks one is found."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "selfheal_ci", tmp_path / "selfheal_ci", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([program, "--no-cache"], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_imports_point_down(clone: Path) -> None:
    linted = lint_imports(clone)

    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize(
    ("file", "imported"),
    [
        pytest.param("values/trees.py", "selfheal_ci.cli", id="upwards"),
        pytest.param("gate/__init__.py", "selfheal_ci.diagnose", id="one stage from another"),
        pytest.param("gate/__init__.py", "selfheal_ci.shell", id="the world, from a stage"),
        pytest.param("engines/__init__.py", "selfheal_ci.forges", id="one adapter from another"),
        pytest.param("engines/__init__.py", "selfheal_ci.store", id="the store, from an engine"),
        pytest.param("commands/__init__.py", "pipelines", id="what stands beside the package"),
        pytest.param("wiring/builder.py", "anthropic", id="anthropic"),
        pytest.param("wiring/builder.py", "dagger", id="dagger"),
        pytest.param("wiring/builder.py", "git", id="git"),
        pytest.param("wiring/builder.py", "sqlalchemy", id="sqlalchemy"),
        pytest.param("lab.py", "subprocess", id="subprocess"),
    ],
)
def test_finds_an_import_of(clone: Path, file: str, imported: str) -> None:
    source = clone / "selfheal_ci" / file
    source.write_text(f"{source.read_text()}\nimport {imported}\n")

    linted = lint_imports(clone)

    assert linted.returncode == 1, linted.stdout + linted.stderr
    assert (
        f"selfheal_ci.{file.removesuffix('.py').removesuffix('/__init__').replace('/', '.')} -> {imported}" in linted.stdout
    )


def test_finds_a_module_without_a_place(clone: Path) -> None:
    (clone / "selfheal_ci" / "utils.py").touch()

    linted = lint_imports(clone)

    assert linted.returncode == 1, linted.stdout + linted.stderr
    assert "utils" in linted.stdout
