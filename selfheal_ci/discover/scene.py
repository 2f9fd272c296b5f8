"""Where a job or a step of GitHub's stands: what its expressions may name, and what holds for its shell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from selfheal_ci.discover.documents import Text, line_of, table_of, text_of
from selfheal_ci.discover.expressions import Unknown, filled, holds
from selfheal_ci.discover.found import Files, Machine, Origin

DEEPEST = 3  # workflows and actions of the repository's own, one in the other
# Variables of a run that no other machine has.
OF_THE_RUN = (
    "BASE_REF", "HEAD_REF", "SHA", "TOKEN", "EVENT_NAME", "EVENT_PATH", "REPOSITORY", "REF", "REF_NAME", "RUN_ID",
)  # fmt: skip
RUNNER = {"os": "Linux", "arch": "X64", "temp": "/tmp", "name": "", "debug": ""}  # noqa: S108  the sandbox's own
OUTPUTS = {"outputs": {"cache-hit": "", "*": Unknown("what a step found out")}}


@dataclass(frozen=True)
class Scene:
    """Where a step stands: what its expressions may name, and what holds for its shell."""

    files: Files
    path: str
    machine: Machine
    contexts: Mapping[str, Any]
    env: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""
    shell: str = ""
    depth: int = 0
    names: tuple[str, ...] = ()
    lacking: Mapping[str, str] = field(default_factory=dict)  # what a script may not name, and why

    def origin(self, value: Any) -> Origin:
        return Origin(self.path, line_of(value))

    def filled(self, value: Any) -> str | Unknown:
        return filled(text_of(value), {**self.contexts, "env": self.env})

    def holds(self, condition: Any) -> bool | Unknown:
        return True if condition is None else holds(condition, {**self.contexts, "env": self.env})

    def having(self, table: Any) -> Scene:
        """The same with these variables, those that cannot be told among what is lacking."""
        answers = {name: self.filled(value) for name, value in table_of(table).items()}
        told = {name: answer for name, answer in answers.items() if isinstance(answer, str)}
        unknown = {f"${name}": why_not(answer) for name, answer in answers.items() if isinstance(answer, Unknown)}
        return replace(self, env={**self.env, **told}, lacking={**self.lacking, **unknown})

    def lacks(self, lines: str) -> str | None:
        """Why these lines cannot run; None where they can."""
        plain = lines.replace("${", "$")
        named = (why for name, why in self.lacking.items() if not name or re.search(rf"{re.escape(name)}(?!\w)", plain))
        return next(named, None)


def scene_of(files: Files, path: str, machine: Machine, inputs: Mapping[str, Any], depth: int = 0) -> Scene:
    """The scene of a workflow that nothing is known of but its inputs."""
    lacking = {f"$GITHUB_{name}": f"$GITHUB_{name} is known to the forge alone" for name in OF_THE_RUN}
    return Scene(files, path, machine, contexts_of(inputs), depth=depth, lacking=lacking)


def contexts_of(inputs: Mapping[str, Any]) -> dict[str, Any]:
    github = {
        "workspace": "$GITHUB_WORKSPACE",
        "ref": "refs/heads/main",
        "ref_name": "main",
        "ref_type": "branch",
        "actor": "",
    }
    unknown = {
        "event_name", "event", "repository", "repository_owner", "sha", "head_ref", "base_ref", "token", "run_id", "job",
        "action_path", "run_number", "workflow", "server_url", "api_url", "repository_id", "event_path", "run_attempt",
    }  # fmt: skip
    return {
        "github": {**{name: Unknown(f"`github.{name}`") for name in unknown}, **github},
        "runner": {**RUNNER, "tool_cache": Unknown("`runner.tool_cache`")},
        "inputs": dict(inputs),
        "matrix": {},
        "steps": {"*": OUTPUTS},
        "strategy": {"job-index": "0", "job-total": "1"},
    }


def why_not(answer: str | Unknown) -> str:
    return f"{answer.why} is known to the forge alone" if isinstance(answer, Unknown) else "an expression makes it"


def item_of(value: Any, scene: Scene) -> Any:
    if not isinstance(value, str):
        return value
    answer = scene.filled(value)
    return answer if isinstance(answer, Unknown) else Text(answer)


def inputs_of(declared: Mapping[str, Any], given: Any, scene: Scene) -> dict[str, Any]:
    usual = {name: item_of(table_of(about).get("default"), scene) for name, about in declared.items()}
    return {**usual, **{name: item_of(value, scene) for name, value in table_of(given).items()}}
