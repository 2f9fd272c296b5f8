"""Options exist once, in config.py: everything else that names them must agree."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from selfheal_ci.cli import main
from selfheal_ci.config import DOCTOR, HEAL, OPTIONS, PUBLISH, SHELL, Option, schema

ROOT = Path(__file__).parent.parent
FLAGGED = [option for option in OPTIONS if option.flag]
LOCAL_ONLY = {"--failed"}  # the action passes it by itself


def ids(option: Option) -> str:
    return option.flag or option.field


@pytest.mark.parametrize("option", [option for option in FLAGGED if option.flag not in LOCAL_ONLY], ids=ids)
def test_the_action_has_an_input_for_each_flag(option: Option) -> None:
    text = (ROOT / "action.yml").read_text()
    name = (option.flag or "").removeprefix("--")

    assert re.search(rf"^  {name}:$", text, re.MULTILINE)
    variable = "INPUT_FOLDER" if option.field == "output" and option.commands == (PUBLISH,) else option.variable
    assert f"{variable}: ${{{{ inputs.{name} }}}}" in text


def test_the_action_has_no_input_that_is_no_flag() -> None:
    inputs = (ROOT / "action.yml").read_text().split("\noutputs:")[0]
    named = set(re.findall(r"^  ([a-z-]+):$", inputs, re.MULTILINE))

    assert named - {(option.flag or "").removeprefix("--") for option in FLAGGED} == {"mode", "anthropic-api-key", "token"}


@pytest.mark.parametrize("option", [option for option in FLAGGED if option.flag not in LOCAL_ONLY], ids=ids)
def test_the_component_has_an_input_for_each_flag(option: Option) -> None:
    text = (ROOT / "templates" / "selfheal.yml").read_text()
    name = (option.flag or "").removeprefix("--")

    assert re.search(rf"^    {name}:$", text, re.MULTILINE)
    assert re.search(rf'^    {option.variable}: "?\$\[\[ inputs\.{name} \]\]"?$', text, re.MULTILINE)


def test_the_component_sets_only_variables_of_ours() -> None:
    text = (ROOT / "templates" / "selfheal.yml").read_text()
    variables = set(re.findall(r"^    (SELFHEAL_[A-Z_]+):", text, re.MULTILINE))

    assert variables - {option.variable for option in FLAGGED} == {"SELFHEAL_PACKAGE", "SELFHEAL_FOLDER"}


def test_the_component_has_no_input_that_is_no_flag() -> None:
    spec, _ = yaml.safe_load_all((ROOT / "templates" / "selfheal.yml").read_text())
    flags = {(option.flag or "").removeprefix("--") for option in FLAGGED}

    assert set(spec["spec"]["inputs"]) - flags == {"package", "job", "stage", "image", "publish"}


@pytest.mark.parametrize(
    ("job", "environment", "other"),
    [("selfheal", "selfheal/heal", "SELFHEAL_TOKEN"), ("selfheal:publish", "selfheal/publish", "ANTHROPIC_API_KEY")],
)
def test_each_job_of_the_component_has_its_own_secret_alone(job: str, environment: str, other: str) -> None:
    _, jobs = yaml.safe_load_all((ROOT / "templates" / "selfheal.yml").read_text())

    assert jobs[job]["environment"] == {"name": environment, "action": "access"}
    assert jobs[job]["script"][0] == f"unset {other}"


EXAMPLES = [*sorted((ROOT / "examples").rglob("*.yml")), ROOT / "action.yml", *sorted((ROOT / ".github").rglob("*.yml"))]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_examples_pass_only_inputs_that_there_are_and_pin_what_is_not_theirs(example: Path) -> None:
    text = example.read_text()
    inputs = yaml.safe_load((ROOT / "action.yml").read_text())["inputs"]
    for step in _steps(yaml.safe_load(text)):
        if "selfheal-ci@" in step.get("uses", ""):
            assert set(step.get("with", {})) <= set(inputs)
    for used in set(re.findall(r"uses: (\S+)", text)) - {"./"}:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", used), f"{used} is not pinned by a hash"
    assert not re.search(r"run: .*\$\{\{", text), "an expression in a script can be code"


def _steps(value: Any) -> Iterator[dict[str, Any]]:
    """Every step, wherever it is."""
    if isinstance(value, dict):
        if "uses" in value or "run" in value:
            yield value
        for inner in value.values():
            yield from _steps(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _steps(inner)


@pytest.mark.parametrize("option", OPTIONS, ids=ids)
def test_the_readme_names_each_option(option: Option) -> None:
    text = (ROOT / "README.md").read_text()

    for name in (option.key, option.flag):
        assert name is None or f"`{name}" in text


@pytest.mark.parametrize("command", [HEAL, PUBLISH, SHELL, DOCTOR])
def test_help_names_each_flag(command: str) -> None:
    said = CliRunner().invoke(main, [command, "--help"]).output

    for option in FLAGGED:
        assert (f"{option.flag} " in said or f"{option.flag}\n" in said) == (command in option.commands)


def test_every_key_of_the_configuration_is_in_its_schema() -> None:
    described = schema()

    for option in OPTIONS:
        place = described
        for part in (option.key or "").split("."):
            place = place["properties"][part] if option.key else place
    jsonschema.Draft202012Validator.check_schema(described)


@pytest.mark.parametrize("name", ["heal", "config", "publish"])
def test_the_command_schema_prints_a_valid_schema(name: str) -> None:
    done = CliRunner().invoke(main, ["schema", name])

    assert done.exit_code == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(done.output))
