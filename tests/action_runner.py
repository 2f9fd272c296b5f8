"""Runs the steps of action.yml as a runner does: expressions, environment files, outputs, workflow commands."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Scope = Mapping[str, Any]
ACTION = Path(__file__).parent.parent / "action.yml"
_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|==|!=|&&|\|\||[A-Za-z_][\w.-]*)")
# As the runner finds commands: at the start of a line, white space before it allowed.
_COMMAND = re.compile(r"^\s*::([a-zA-Z-]+)(?: ([^:]*(?:[^:]|:(?!:))*?))?::(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Job:
    """What a job sees after the action ran."""

    exit_code: int
    outputs: Mapping[str, str]
    summary: str
    log: str

    @property
    def commands(self) -> list[tuple[str, dict[str, str], str]]:
        """The workflow commands that a runner would obey: name, properties, message."""
        found = []
        for name, properties, message in _COMMAND.findall(self.log):
            pairs = (pair.split("=", 1) for pair in properties.split(",") if "=" in pair)
            found.append((name, {key: _unescaped(value) for key, value in pairs}, _unescaped(message)))
        return found


def run_action(workspace: Path, temporary: Path, inputs: Mapping[str, str], environ: Mapping[str, str]) -> Job:
    """Run it on a checkout. A selfheal that is in RUNNER_TEMP already is taken as it is."""
    action = yaml.safe_load(ACTION.read_text())
    unknown = set(inputs) - set(action["inputs"])
    assert not unknown, f"the action has no such inputs: {unknown}"
    given = {name: str(inputs.get(name, row.get("default", ""))) for name, row in action["inputs"].items()}
    steps: dict[str, dict[str, dict[str, str]]] = {}
    scope = {"inputs": given, "steps": steps, "github": {"action_path": str(ACTION.parent)}}
    summary, log, exit_code = temporary / "summary.md", "", 0
    for number, step in enumerate(action["runs"]["steps"]):
        if not _truth(_value(step.get("if", "'yes'"), scope)):
            continue
        assert "uses" not in step, f"{step['name']} needs a forge"
        outputs = temporary / f"output-{number}"
        outputs.touch()
        env = {
            **environ,
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(workspace),
            "GITHUB_OUTPUT": str(outputs),
            "GITHUB_STEP_SUMMARY": str(summary),
            "RUNNER_TEMP": str(temporary),
            **{name: _filled(str(value), scope) for name, value in step.get("env", {}).items()},
        }
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], "an expression in a script can be code"
        argv = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        done = subprocess.run(argv, cwd=workspace, env=env, capture_output=True, text=True, check=False, timeout=300)
        log += done.stdout + done.stderr
        steps[step.get("id", f"step{number}")] = {"outputs": _read(outputs.read_text())}
        if done.returncode:
            exit_code = done.returncode
            break
    told = {name: _filled(row["value"], scope) for name, row in action["outputs"].items()}
    return Job(exit_code, told, summary.read_text() if summary.exists() else "", log)


def _read(text: str) -> dict[str, str]:
    """An environment file: `name=value`, or `name<<delimiter`, lines, delimiter."""
    found, lines = {}, iter(text.splitlines())
    for line in lines:
        name, heredoc, delimiter = line.partition("<<")
        if heredoc and "=" not in name:
            body = []
            for inner in lines:
                if inner == delimiter:
                    break
                body.append(inner)
            found[name] = "\n".join(body)
        else:
            name, _, value = line.partition("=")
            found[name] = value
    return found


def _filled(text: str, scope: Scope) -> str:
    return re.sub(r"\$\{\{(.*?)\}\}", lambda match: _value(match[1], scope), text)


def _value(expression: str, scope: Scope) -> str:
    """An expression of strings, names, ==, !=, && and ||, all of which the action has; "" is false."""
    tokens = _TOKEN.findall(expression)
    assert "".join(tokens) == "".join(expression.split()) or "'" in expression, expression
    return _either(tokens, scope)


def _either(tokens: list[str], scope: Scope) -> str:
    value = _both(tokens, scope)
    while tokens and tokens[0] == "||":
        tokens.pop(0)
        other = _both(tokens, scope)
        value = value or other
    return value


def _both(tokens: list[str], scope: Scope) -> str:
    value = _compared(tokens, scope)
    while tokens and tokens[0] == "&&":
        tokens.pop(0)
        other = _compared(tokens, scope)
        value = other if value else value
    return value


def _compared(tokens: list[str], scope: Scope) -> str:
    value = _atom(tokens.pop(0), scope)
    tests: dict[str, Callable[[str, str], bool]] = {"==": str.__eq__, "!=": str.__ne__}
    if tokens and tokens[0] in tests:
        test = tests[tokens.pop(0)]
        return "true" if test(value.lower(), _atom(tokens.pop(0), scope).lower()) else ""
    return value


def _atom(token: str, scope: Scope) -> str:
    if token.startswith("'"):
        return token[1:-1].replace("''", "'")
    value: Any = scope
    for part in token.split("."):
        value = value.get(part, {}) if isinstance(value, Mapping) else {}
    return value if isinstance(value, str) else ""


def _truth(value: str) -> bool:
    return value not in ("", "false")


def _unescaped(text: str) -> str:
    for code, letter in (("%0A", "\n"), ("%0D", "\r"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, letter)
    return text


def installed(temporary: Path, program: Path) -> Path:
    """A RUNNER_TEMP in which selfheal is installed already: the environment of these tests."""
    (temporary / "selfheal").mkdir(parents=True)
    (temporary / "selfheal/bin").symlink_to(program.parent)
    return temporary
