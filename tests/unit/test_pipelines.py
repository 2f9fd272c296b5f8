"""The Dagger module's functions say what the command line says, and their source is small and pinned by nothing of ours."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pipelines import SelfhealCi
from pipelines.main import OPTIONS as ASKED
from selfheal_ci.config import HEAL, OPTIONS

ROOT = Path(__file__).parent.parent.parent
FUNCTIONS: dict[str, Any] = SelfhealCi.__dagger_module__._objects["SelfhealCi"].functions  # type: ignore[attr-defined]
BESIDE = {"anthropic_api_key", "model_server"}  # a secret, and a service: what the command line has no flag for
ELSEWHERE = {
    "output": "it is what a function returns",
    "engine": "it is the one that the module runs in",
    "cache_dir": "the engine keeps the prepared states",
}
OF_A_REMEDY = {"ladder", "model", "no_model", "max_attempts", "max_cost_usd"}
HEALING = ["heal", "diagnose"]
ENOUGH = 500_000  # bytes


def flags() -> set[str]:
    return {
        option.flag.removeprefix("--").replace("-", "_") for option in OPTIONS if option.flag and HEAL in option.commands
    }


@pytest.mark.parametrize(("name", "without"), [("heal", set()), ("diagnose", OF_A_REMEDY | BESIDE)])
def test_the_arguments_are_the_flags_of_the_command_line(name: str, without: set[str]) -> None:
    assert set(FUNCTIONS[name].parameters) == (flags() - ELSEWHERE.keys() | BESIDE) - without


def test_what_is_asked_reaches_the_settings_under_its_own_name() -> None:
    fields = {option.field for option in OPTIONS}

    assert fields >= ASKED
    assert set(FUNCTIONS["heal"].parameters) - BESIDE - {"source", "config", "ledger"} == ASKED


@pytest.mark.parametrize("name", HEALING)
def test_a_function_runs_each_time(name: str) -> None:
    assert FUNCTIONS[name].cache_policy == "never"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_help_reads_well(name: str) -> None:
    assert FUNCTIONS[name].doc
    assert all(parameter.doc for parameter in FUNCTIONS[name].parameters.values())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_everything_but_the_source_may_be_left_out(name: str) -> None:
    """A required secret would be filled from a `.env` above the caller's folder, which may name a command to run."""
    for argument, parameter in FUNCTIONS[name].parameters.items():
        assert argument == "source" or parameter.is_nullable or parameter.default_value == "false"


def test_secrets_are_secrets() -> None:
    kinds = {name: str(parameter.resolved_type) for name, parameter in FUNCTIONS["heal"].parameters.items()}

    assert {name for name, kind in kinds.items() if "Secret" in kind} == {"anthropic_api_key", "ledger"}


def test_the_check_needs_no_argument() -> None:
    assert FUNCTIONS["check"].check
    assert FUNCTIONS["check"].parameters["source"].default_path == "/"


def uploaded() -> list[Path]:
    """What Dagger sends of a checkout: all that git has but for what dagger.json leaves out."""
    patterns = json.loads((ROOT / "dagger.json").read_text())["include"]
    left_out = tuple(f"{pattern.removeprefix('!')}/" for pattern in patterns)
    listed = subprocess.run(["git", "-C", ROOT, "ls-files"], check=True, capture_output=True, text=True).stdout.split("\n")
    return [ROOT / name for name in listed if name and not f"{name}/".startswith(left_out) and (ROOT / name).is_file()]


def test_the_source_that_is_uploaded_is_small() -> None:
    """Packed. Dagger sends it as it is, which is more: see `python -m benchmarks dagger`."""
    files = uploaded()

    assert sum(len(gzip.compress(file.read_bytes())) for file in files) <= ENOUGH
    assert {file.relative_to(ROOT).parts[0] for file in files} == {
        ".gitignore", "LICENSE", "README.md", "dagger.json", "pipelines", "pyproject.toml", "selfheal_ci",
    }  # fmt: skip


def test_what_is_uploaded_lacks_nothing_that_it_imports(tmp_path: Path) -> None:
    for file in uploaded():
        (tmp_path / file.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, tmp_path / file.relative_to(ROOT))
    everything = (
        "import importlib, pkgutil, pipelines, selfheal_ci\n"
        "for found in pkgutil.walk_packages(selfheal_ci.__path__, 'selfheal_ci.'):\n"
        "    if '.shipped' not in found.name: importlib.import_module(found.name)\n"
        "print(selfheal_ci.__file__)"
    )

    done = subprocess.run([sys.executable, "-c", everything], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout.strip()) == (0, str(tmp_path / "selfheal_ci/__init__.py")), done.stderr


def test_the_module_is_installed_from_its_manifest_alone() -> None:
    """A lock in the root would be read by Dagger's runtime, and pin what the client of another engine needs."""
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]

    assert not any((ROOT / name).exists() for name in ("uv.lock", "requirements.lock", "sdk"))
    assert tool["dagger"] == {"base-image": "python:3.11-bookworm"}
