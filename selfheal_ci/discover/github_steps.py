"""The steps of a job of GitHub's → scripts: what is run as it is, and what well-known actions would do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from selfheal_ci.discover import actions
from selfheal_ci.discover.documents import UnreadableError, items_of, read, table_of, text_of
from selfheal_ci.discover.expressions import Unknown
from selfheal_ci.discover.found import Note, Origin, Script
from selfheal_ci.discover.scene import DEEPEST, Scene, contexts_of, inputs_of, item_of, why_not

MOST = 100  # of a job
ELSEWHERE = "it needs what another job made"
SHELLS = {"", "bash", "sh"}
_WRITES = re.compile(
    r"""echo\s+["']?(?:([A-Za-z_]\w*)=)?([^"'\n]{0,300}?)["']?[ \t]*>>[ \t]*["']?\$\{?GITHUB_(ENV|PATH)\}?["']?"""
)
_STATE = re.compile(r"\$\{?GITHUB_(?:ENV|PATH)\b")


@dataclass(frozen=True)
class Later:
    """What holds for the steps after one."""

    env: Mapping[str, str] = field(default_factory=dict)
    lacking: Mapping[str, str] = field(default_factory=dict)


Piece = Script | Note | actions.Does | Later


def pieces_of(steps: Any, scene: Scene) -> Iterator[Piece]:
    for number, step in enumerate(items_of(steps)[:MOST], 1):
        for piece in _step(step, scene, number) if isinstance(step, dict) else ():
            if isinstance(piece, Later):
                scene = replace(scene, env={**scene.env, **piece.env}, lacking={**scene.lacking, **piece.lacking})
            yield piece


def _step(step: Mapping[str, Any], scene: Scene, number: int) -> Iterator[Piece]:
    name = scene.filled(step.get("name"))
    title = name if isinstance(name, str) and name else text_of(step.get("name") or step.get("uses")) or f"step {number}"
    origin = scene.origin(step)
    if scene.holds(step.get("if")) is False:
        return
    if "run" in step:
        yield from _run(step, scene, title, scene.origin(step["run"]))
    elif "uses" in step:
        yield from _uses(step, scene, title, origin)


def _run(step: Mapping[str, Any], scene: Scene, title: str, origin: Origin) -> Iterator[Piece]:
    names = (*scene.names, title, text_of(step["name"])) if "name" in step else scene.names
    lines, shell = scene.filled(step["run"]), (text_of(step.get("shell")) or scene.shell)
    folder = scene.filled(step.get("working-directory"))
    if isinstance(lines, Unknown) or isinstance(folder, Unknown):
        yield Note(origin, title, why_not(lines if isinstance(lines, Unknown) else folder))
        return
    if shell.partition(" ")[0] not in SHELLS:
        yield Note(origin, title, f"its shell is {shell}")
        return
    here = scene.having(step.get("env"))
    if why := here.lacks(lines):
        yield Note(origin, title, why)
        return
    for variable in sorted(here.lacking.keys() - scene.lacking.keys()):
        yield Note(origin, f"{variable.removeprefix('$')} of {title}", f"{here.lacking[variable]}: it is left out")
    left, written = _without_state(lines)
    if _STATE.search(left):
        yield Note(origin, title, "it sets variables for the steps after it when it runs")
        return
    yield Later(written)
    yield Script(left, origin, names, here.env, folder or scene.folder, pipefail=shell.startswith("bash"))


def _without_state(lines: str) -> tuple[str, dict[str, str]]:
    """The lines without those that set a variable for later steps, and these variables, where they are said plainly."""
    written: dict[str, str] = {}
    for name, value, where in _WRITES.findall(lines):
        if where == "PATH":
            written["PATH"] = f"{value}:{written.get('PATH', '$PATH')}"
        elif "$" not in value:
            written[name] = value
        else:
            return lines, {}
    return _WRITES.sub(":", lines), written


def _uses(step: Mapping[str, Any], scene: Scene, title: str, origin: Origin) -> Iterator[Piece]:
    action = text_of(step["uses"])
    inputs = {name: item_of(value, scene) for name, value in table_of(step.get("with")).items()}
    if action.startswith("./"):
        yield from _composite(action, inputs, scene, title, origin)
        return
    if "/download-artifact@" in action:
        yield Later(lacking={text_of(inputs.get("path") or inputs.get("name") or "dist"): ELSEWHERE})
        return
    does = actions.what(action, {name: text_of(value) for name, value in inputs.items() if not isinstance(value, Unknown)})
    if does is None:
        yield Note(origin, title, f"{action.partition('@')[0]} is not known here")
        return
    if (other := text_of(inputs.get("repository"))) and action.startswith("actions/checkout@") and "path" not in inputs:
        yield Later(lacking={"": f"it works on another repository, {other}"})
    yield does
    yield Later(does.env)
    for command in does.commands:
        yield Script(command, origin, (*scene.names, title, title), dict(scene.env), scene.folder)


def _composite(action: str, inputs: Mapping[str, Any], scene: Scene, title: str, origin: Origin) -> Iterator[Piece]:
    """The steps of an action that the repository holds."""
    folder = action.removeprefix("./").rstrip("/")
    prefix = f"{folder}/" if folder else ""
    path = next((name for name in (f"{prefix}action.yml", f"{prefix}action.yaml") if name in scene.files.paths), None)
    try:
        document = table_of(read(scene.files.read(path) or b"")) if path and scene.depth < DEEPEST else {}
    except UnreadableError:
        document = {}
    runs = table_of(document.get("runs"))
    if not path or text_of(runs.get("using")) != "composite":
        yield Note(origin, title, f"{action} is no action of steps")
        return
    asked = inputs_of(table_of(document.get("inputs")), inputs, scene)
    contexts = {**contexts_of(asked), "matrix": scene.contexts["matrix"]}
    yield from pieces_of(runs.get("steps"), replace(scene, path=path, contexts=contexts, depth=scene.depth + 1, shell=""))
