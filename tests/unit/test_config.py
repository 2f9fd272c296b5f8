from __future__ import annotations

import pytest

from selfheal_ci.config import Settings, load, recipe, size_of, usual_steps
from selfheal_ci.errors import UsageError
from selfheal_ci.values import Step

CONFIG = b"""
image = "python:3.12-slim"
setup = ["pip install ."]

[limits]
minutes = 12
memory = "2g"

[model]
max-cost-usd = 0.5

[steps.tests]
run = "pytest -q"
reports = ["out/*.xml"]
timeout-minutes = 0.5

[steps.lint]
run = "ruff check"
fix = ["ruff check --fix ."]
"""


def error_of(text: str, name: str = ".selfheal.toml") -> str:
    with pytest.raises(UsageError) as caught:
        load({name: text.encode()}, {})
    return str(caught.value)


def test_reads_settings_and_steps_in_their_order() -> None:
    found = load({".selfheal.toml": CONFIG}, {})

    assert found.origin == ".selfheal.toml"
    assert found.settings.image == "python:3.12-slim"
    assert (found.settings.max_minutes, found.settings.max_memory, found.settings.max_cost_usd) == (12, "2g", 0.5)
    assert found.steps == (
        Step("tests", "pytest -q", reports=("out/*.xml",), timeout=30.0),
        Step("lint", "ruff check", fix=("ruff check --fix .",)),
    )


def test_what_was_asked_for_wins_over_the_file() -> None:
    assert load({".selfheal.toml": CONFIG}, {"max_minutes": 3.0, "max_memory": None}).settings.max_minutes == 3.0


def test_no_configuration_means_defaults() -> None:
    assert load({}, {}) == load({"pyproject.toml": b"[project]\nname = 'x'\n"}, {})
    assert load({}, {}).settings == Settings()


def test_reads_the_table_in_pyproject() -> None:
    found = load({"pyproject.toml": b"[tool.selfheal]\nconcurrency = 3\n"}, {})

    assert found.settings.concurrency == 3


def test_two_configurations_are_an_error() -> None:
    with pytest.raises(UsageError, match="both"):
        load({"pyproject.toml": b"[tool.selfheal]\n", ".selfheal.toml": b""}, {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("enginee = 'local'", "unknown key `enginee` in .selfheal.toml\n  did you mean `engine`?"),
        ("[limits]\nminute = 1", "unknown key `limits.minute` in .selfheal.toml\n  did you mean `limits.minutes`?"),
        ("[steps.tests]\nrun = 'x'\nfixx = []", "unknown key `steps.tests.fixx` in .selfheal.toml\n  did you mean `fix`?"),
        ("[steps.tests]\nfix = []", "steps.tests in .selfheal.toml has no `run`\n  write run = \"the command\""),
        ("[limits]\nminutes = '3'", "`limits.minutes` in .selfheal.toml is '3'\n  it wants a number above 0"),
        ("[limits]\nminutes = -1", "`limits.minutes` in .selfheal.toml is -1\n  it wants a number above 0"),
        ("engine = 'docker'", "`engine` in .selfheal.toml is 'docker'\n  it wants one of auto, dagger, local"),
        ("setup = 'pip install .'", "`setup` in .selfheal.toml is 'pip install .'\n  it wants a list of strings"),
        ("[limits]\nmemory = 'much'", "'much' is no size\n  write it like 512m or 4g"),
    ],
)  # fmt: skip
def test_an_error_names_the_key_the_file_and_the_mend(text: str, said: str) -> None:
    assert error_of(text) == said


def test_broken_toml_is_said() -> None:
    assert error_of("a = ").startswith(".selfheal.toml is no TOML: ")


@pytest.mark.parametrize(("text", "size"), [("4g", 4 << 30), ("512M", 512 << 20), ("16kb", 16 << 10), ("100", 100)])
def test_sizes(text: str, size: int) -> None:
    assert size_of(text) == size


def test_setup_learns_where_packages_come_from_but_no_login() -> None:
    environ = {
        "PIP_INDEX_URL": "https://me:secret@example.org/simple",
        "https_proxy": "http://proxy:3128",
        "ANTHROPIC_API_KEY": "secret",
        "MY_FLAG": "1",
    }

    made = recipe(Settings(setup=("pip install .",), setup_env=("MY_FLAG",)), environ, frozenset({"setup.py"}))

    assert made.setup_env == {
        "PIP_INDEX_URL": "https://example.org/simple",
        "https_proxy": "http://proxy:3128",
        "MY_FLAG": "1",
    }


def test_the_usual_command_uses_the_environment_beside_the_project() -> None:
    assert usual_steps(["tests/test_a.py"], [".venv"]) == (Step("tests", ".venv/bin/python -m pytest"),)
    assert usual_steps(["tests/test_a.py"], []) == (Step("tests", "python -m pytest"),)
    assert usual_steps(["main.go"], []) == ()
