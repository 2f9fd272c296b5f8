from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import jsonschema
import pytest

from selfheal_ci.config import Settings, cache_folder, load, recipe, schema, size_of, usual_steps
from selfheal_ci.errors import UsageError
from selfheal_ci.values import Service, Step

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
        ("[limits]\nmemory = 'lots'", "`limits.memory` in .selfheal.toml is 'lots'\n  it wants a size such as 512m or 4g"),
        ("[limits]\nprocesses = 8", "`limits.processes` in .selfheal.toml is 8\n  it wants a whole number, 16 or more"),
        ("[limits]\ndisk = 0", "`limits.disk` in .selfheal.toml is 0\n  it wants a size such as 512m or 4g"),
        ("[steps.tests]\nruns = 'x'", "unknown key `steps.tests.runs` in .selfheal.toml\n  did you mean `run`?"),
        ("[steps]\ntests = 1", "steps.tests in .selfheal.toml has no `run`\n  write run = \"the command\""),
        ("setup-env = ['MY_FLAG', 'GITHUB_TOKEN']", "`setup-env` in .selfheal.toml names GITHUB_TOKEN, which setup never "
         "gets\n  setup runs what the project wrote: give it a token of its own, that may read packages and nothing else"),
    ],
)  # fmt: skip
def test_an_error_names_the_key_the_file_and_the_mend(text: str, said: str) -> None:
    assert error_of(text) == said


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("max_minutes", 0.0, "`--max-minutes` (or SELFHEAL_MAX_MINUTES) is 0.0\n  it wants a number above 0"),
        ("max_minutes", -1.0, "`--max-minutes` (or SELFHEAL_MAX_MINUTES) is -1.0\n  it wants a number above 0"),
        ("max_minutes", float("nan"), "`--max-minutes` (or SELFHEAL_MAX_MINUTES) is nan\n  it wants a number above 0"),
        ("max_minutes", float("inf"), "`--max-minutes` (or SELFHEAL_MAX_MINUTES) is inf\n  it wants a number above 0"),
        ("max_cost_usd", -3.0, "`--max-cost-usd` (or SELFHEAL_MAX_COST_USD) is -3.0\n  it wants a number, 0 or more"),
        ("concurrency", -2, "`--concurrency` (or SELFHEAL_CONCURRENCY) is -2\n  it wants a whole number, 0 or more"),
        ("max_processes", 0, "`--max-processes` (or SELFHEAL_MAX_PROCESSES) is 0\n  it wants a whole number, 16 or more"),
        ("max_attempts", 0, "`--max-attempts` (or SELFHEAL_MAX_ATTEMPTS) is 0\n  it wants a whole number above 0"),
        ("max_memory", "lots", "`--max-memory` (or SELFHEAL_MAX_MEMORY) is 'lots'\n  it wants a size such as 512m or 4g"),
    ],
)
def test_an_error_names_the_flag_and_its_variable(field: str, value: object, said: str) -> None:
    with pytest.raises(UsageError) as wrong:
        load({}, {field: value})

    assert (str(wrong.value), wrong.value.exit_code) == (said, 2)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_cost_usd", 0.0),
        ("concurrency", 0),
        ("max_processes", 16),
        ("max_memory", "1"),
        ("cache_max_size", "0"),
        ("ladder", ("fixer",)),
    ],
)
def test_the_least_that_is_taken(field: str, value: object) -> None:
    assert getattr(load({}, {field: value}).settings, field) == value


def test_a_ledger_that_tests_could_have_named_is_not_followed() -> None:
    said = {".selfheal.toml": b"ledger = 'postgresql://elsewhere/db'\n"}

    with pytest.raises(UsageError, match=r"`ledger` in \.selfheal\.toml is not followed"):
        load(said, {}, trusted=False)
    assert load(said, {}).settings.ledger == "postgresql://elsewhere/db"
    assert load(said, {"ledger": "sqlite:///a"}, trusted=False).settings.ledger == "sqlite:///a"


def test_hosts_that_tests_could_have_written_are_not_followed() -> None:
    said = {".selfheal.toml": b'[dagger]\nhosts = ["image://evil", "tcp://other:1"]\n'}

    with pytest.raises(UsageError, match=r"`dagger\.hosts` in \.selfheal\.toml is not followed") as told:
        load(said, {}, trusted=False)

    assert "--config" in told.value.hint
    assert load(said, {}).settings.dagger_hosts == ("image://evil", "tcp://other:1")


def test_who_said_the_remote_is_remembered() -> None:
    said = {".selfheal.toml": b"[publish]\nremote = 'x'\n"}

    assert load(said, {}).settings.remote_asked
    assert not load(said, {}, trusted=False).settings.remote_asked
    assert load(said, {"remote": "y"}, trusted=False).settings.remote_asked
    assert not load({}, {}).settings.remote_asked


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


@pytest.mark.parametrize(
    ("value", "passed"),
    [
        ("https://u:p@ss@host/simple https://tok@h2/", "https://host/simple https://h2/"),
        ("https://a:b/c@host/simple", "https://host/simple"),
        ("u:planted@proxy:3128", "proxy:3128"),
        ("a:b/c@host", "host"),
        ("https://u:planted@h,direct", "https://h,direct"),
        ("https://goproxy.example,https://u:p@h|direct", "https://goproxy.example,https://h|direct"),
        ("mine=https://u:p@h/simple", "mine=https://h/simple"),
        ("/etc/ssl/me@work.pem", "/etc/ssl/me@work.pem"),
        ("http://proxy:3128", "http://proxy:3128"),
    ],
)
def test_no_login_is_left_in_an_address(value: str, passed: str) -> None:
    assert recipe(Settings(), {"PIP_X": value}, frozenset()).setup_env == {"PIP_X": passed}
    assert recipe(Settings(setup_env=("PIP_X",)), {"PIP_X": value}, frozenset()).setup_env == {"PIP_X": value}


@pytest.mark.parametrize(
    "name",
    ["UV_INDEX_PRIVATE_PASSWORD", "UV_INDEX_PRIVATE_USERNAME", "PIP_PASSWORD", "PIP_TOKEN", "pip_auth", "PIP_API_KEY",
     "GOPROXY_X", "NPM_CONFIG_REGISTRY_AUTH", "NPM_CONFIG_//x/:_authToken", "MY_FLAG"],
)  # fmt: skip
def test_a_variable_that_is_a_login_is_not_passed(name: str) -> None:
    assert recipe(Settings(), {name: "planted"}, frozenset()).setup_env == {}


@pytest.mark.parametrize(
    "name",
    ["ANTHROPIC_API_KEY", "anthropic_auth_token", "SELFHEAL_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN", "CI_JOB_TOKEN",
     "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_RUNTIME_TOKEN"],
)  # fmt: skip
def test_setup_never_gets_what_is_ours_to_spend(name: str) -> None:
    with pytest.raises(UsageError, match=f"`setup-env` names {name}, which setup never gets"):
        recipe(Settings(setup_env=(name,)), {name: "planted"}, frozenset())


def test_the_usual_command_uses_the_environment_beside_the_project() -> None:
    assert usual_steps(["tests/test_a.py"], [".venv"]) == (Step("tests", ".venv/bin/python -m pytest"),)
    assert usual_steps(["tests/test_a.py"], []) == (Step("tests", "python -m pytest"),)
    assert usual_steps(["main.go"], []) == ()


@pytest.mark.parametrize(
    ("asked", "environ", "found"),
    [
        ("relcache", {}, "here/relcache"),
        ("~/kept", {}, "home/kept"),
        ("~nobody-of-that-name/kept", {}, "here/~nobody-of-that-name/kept"),
        (None, {"XDG_CACHE_HOME": "/absolute", "HOME": "home"}, "/absolute/selfheal"),
        (None, {"XDG_CACHE_HOME": "relative", "HOME": "home"}, "home/.cache/selfheal"),
        (None, {}, None),
    ],
)
def test_prepared_states_have_a_folder_with_a_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str | None, environ: Mapping[str, str], found: str | None
) -> None:
    for name in ("here", "home"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    environ = {name: str(tmp_path / value) if name == "HOME" else value for name, value in environ.items()}

    assert cache_folder(asked, environ) == (None if found is None else tmp_path / found)


def test_a_day_may_cost_nothing_and_nothing_below() -> None:
    assert load({".selfheal.toml": b"[model]\nmax-cost-usd-per-day = 0\n"}, {}).settings.max_cost_usd_per_day == 0
    assert error_of("[model]\nmax-cost-usd-per-day = -1") == (
        "`model.max-cost-usd-per-day` in .selfheal.toml is -1\n  it wants a number, 0 or more"
    )


@pytest.mark.parametrize("said", ["postgresql://ada:hunter-22@db/x", "postgresql://ada@db/x?password=hunter-22"])
def test_a_file_may_not_hold_the_password_of_the_ledger(said: str) -> None:
    error = error_of(f'ledger = "{said}"')

    assert error.startswith("`ledger` in .selfheal.toml has a password in it")
    assert "hunter-22" not in error
    assert load({}, {"ledger": said}).settings.ledger == said


def test_setup_never_gets_the_address_of_the_ledger() -> None:
    assert "`setup-env` in .selfheal.toml names SELFHEAL_LEDGER" in error_of('setup-env = ["SELFHEAL_LEDGER"]')


SERVED = b"""
[steps.tests]
run = "pytest"
[steps.tests.services.db]
image = "postgres:16"
env = { POSTGRES_PASSWORD = "x" }
ports = [5432]
health = "pg_isready"
"""


def test_a_step_has_services() -> None:
    (step,) = load({".selfheal.toml": SERVED}, {}).steps

    assert step.services == (Service("db", "postgres:16", {"POSTGRES_PASSWORD": "x"}, (5432,), "pg_isready"),)
    jsonschema.validate(tomllib.loads(SERVED.decode()), schema())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"[5432]", b"[0]", r"`steps\.tests\.services\.db\.ports` in .* is \[0\]"),
        (b"[5432]", b"[true]", "a list of numbers from 1 to 65535"),
        (b"image", b"imagee", "did you mean `image`"),
        (b'image = "postgres:16"', b"", "has no `image`"),
        (b"services.db", b"services.D_B", "a service's name is a host name"),
        (b'"x"', b"1", r"db\.env\.POSTGRES_PASSWORD` in"),
        (b"[steps.tests.services.db]", b"[steps.tests.services]", r"`steps\.tests\.services\.image` in"),
    ],
)
def test_a_service_that_is_wrong_is_named(old: bytes, new: bytes, said: str) -> None:
    with pytest.raises(UsageError) as told:
        load({".selfheal.toml": SERVED.replace(old, new)}, {})

    assert re.search(said, str(told.value))
