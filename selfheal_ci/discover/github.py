"""GitHub's workflows → jobs of scripts, as they run for a push or a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from selfheal_ci.discover import actions
from selfheal_ci.discover.documents import Text, UnreadableError, items_of, line_of, read, table_of, text_of
from selfheal_ci.discover.expressions import Unknown, filled, holds
from selfheal_ci.discover.found import Files, Job, Machine, Note, Origin, Script
from selfheal_ci.discover.matrix import best, combinations, is_elsewhere

FOLDER = ".github/workflows/"
DEEPEST = 3  # workflows and actions of the repository's own, one in the other
MOST_JOBS, MOST_STEPS = 60, 100  # of a workflow; of a job
OF_A_CHANGE = {"push", "pull_request", "pull_request_target", "merge_group"}
LATER = re.compile(r"(?<![a-z])(?:deploy|release|publish)(?!\w*[_-](?:check|test))", re.IGNORECASE)
ELSEWHERE = "it needs what another job made"
OF_THE_RUN = {
    f"$GITHUB_{name}": f"$GITHUB_{name} is known to the forge alone"
    for name in (
        "BASE_REF",
        "HEAD_REF",
        "SHA",
        "TOKEN",
        "EVENT_NAME",
        "EVENT_PATH",
        "REPOSITORY",
        "REF",
        "REF_NAME",
        "RUN_ID",
    )
}
SHELLS = {"", "bash", "sh"}
RUNNER = {"os": "Linux", "arch": "X64", "temp": "/tmp", "name": "", "debug": ""}  # noqa: S108  the sandbox's own
OUTPUTS = {"outputs": {"cache-hit": "", "*": Unknown("what a step found out")}}
_WRITES = re.compile(
    r"""echo\s+["']?(?:([A-Za-z_]\w*)=)?([^"'\n]{0,300}?)["']?[ \t]*>>[ \t]*["']?\$\{?GITHUB_(ENV|PATH)\}?["']?"""
)
_STATE = re.compile(r"\$\{?GITHUB_(?:ENV|PATH)\b")


@dataclass(frozen=True)
class _Scene:
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

    def having(self, table: Any) -> _Scene:
        """The same with these variables, those that cannot be told among what is lacking."""
        answers = {name: self.filled(value) for name, value in table_of(table).items()}
        told = {name: answer for name, answer in answers.items() if isinstance(answer, str)}
        unknown = {f"${name}": _why(answer) for name, answer in answers.items() if isinstance(answer, Unknown)}
        return replace(self, env={**self.env, **told}, lacking={**self.lacking, **unknown})

    def lacks(self, lines: str) -> str | None:
        """Why these lines cannot run; None where they can."""
        plain = lines.replace("${", "$")
        named = (why for name, why in self.lacking.items() if not name or re.search(rf"{re.escape(name)}(?!\w)", plain))
        return next(named, None)


@dataclass(frozen=True)
class _Later:
    """What holds for the steps after one."""

    env: Mapping[str, str] = field(default_factory=dict)
    lacking: Mapping[str, str] = field(default_factory=dict)


Piece = Script | Note | actions.Does | _Later


def jobs(files: Files, machine: Machine) -> Iterator[Job]:
    """The jobs of all workflows that run for a change, in the order of their files; notes stand in jobs without scripts."""
    for path in sorted(path for path in files.paths if re.fullmatch(rf"{FOLDER}[^/]+\.ya?ml", path)):
        yield from _workflow(files, path, machine)


def _workflow(files: Files, path: str, machine: Machine) -> Iterator[Job]:
    try:
        document = table_of(read(files.read(path) or b""))
    except UnreadableError as broken:
        yield _left_out(Origin(path), path, str(broken))
        return
    events = _events(document.get("on"))
    if not events & OF_A_CHANGE:
        if "workflow_call" not in events:
            yield _left_out(Origin(path), path, f"it runs for no change, only for {', '.join(sorted(events)) or 'tags'}")
        return
    yield from _jobs_of(document, _Scene(files, path, machine, _contexts({}), lacking=OF_THE_RUN))


def _left_out(origin: Origin, what: str, why: str) -> Job:
    return Job(what, origin, notes=(Note(origin, what, why),))


def _events(on: Any) -> set[str]:
    """The events that start a workflow; a push of nothing but tags is a release."""
    if isinstance(on, dict):
        push = table_of(on.get("push"))
        tags_alone = "tags" in push and not {"branches", "branches-ignore"} & set(push)
        return {name for name in on if not (name == "push" and tags_alone)}
    return {text_of(name) for name in items_of(on)}


def _contexts(inputs: Mapping[str, Any]) -> dict[str, Any]:
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


def _jobs_of(document: Mapping[str, Any], scene: _Scene) -> Iterator[Job]:
    scene = _defaults(document, scene)
    for id_, job in islice(table_of(document.get("jobs")).items(), MOST_JOBS):
        if isinstance(job, dict):
            yield from _job(id_, job, scene)


def _defaults(table: Mapping[str, Any], scene: _Scene) -> _Scene:
    run = table_of(table_of(table.get("defaults")).get("run"))
    folder, shell = scene.filled(run.get("working-directory")), text_of(run.get("shell"))
    return replace(
        scene.having(table.get("env")),
        folder=folder if folder and isinstance(folder, str) else scene.folder,
        shell=shell or scene.shell,
    )


def _job(id_: str, job: Mapping[str, Any], scene: _Scene) -> Iterator[Job]:
    origin = scene.origin(job)
    origin = replace(origin, line=max(origin.line - 1, 1))  # the key stands above what it names
    scene, why = _chosen(job, scene)
    if why or (scene.holds(job.get("if")) is False and (why := "its condition does not hold for a change")):
        yield _left_out(origin, f"job {id_}", why)
    elif LATER.search(id_):
        yield _left_out(origin, f"job {id_}", "it deploys or releases")
    elif "uses" in job:
        yield from _called(id_, job, scene, origin)
    else:
        scene = replace(_defaults(job, scene), names=(id_, text_of(job.get("name"))))
        yield _assembled(id_, job, scene, origin)


def _chosen(job: Mapping[str, Any], scene: _Scene) -> tuple[_Scene, str]:
    """The scene with the matrix's combination that fits, or why the job is left out."""
    matrix = table_of(job.get("strategy")).get("matrix")
    if isinstance(matrix, str):
        return scene, f"its matrix is made when it runs: {_why(scene.filled(matrix))}"
    found = [{name: _item(value, scene) for name, value in each.items()} for each in combinations(matrix)]
    here = [each for each in found if not is_elsewhere(_runner(job, _with_matrix(scene, each)))]
    if matrix is not None and not here:
        return scene, "it has no combination for Linux" if found else "its matrix is empty"
    scene = _with_matrix(scene, best(here, scene.machine))
    runner = _runner(job, scene)
    return scene, f"it runs on {runner}" if is_elsewhere(runner) else ""


def _why(answer: str | Unknown) -> str:
    return f"{answer.why} is known to the forge alone" if isinstance(answer, Unknown) else "an expression makes it"


def _item(value: Any, scene: _Scene) -> Any:
    if not isinstance(value, str):
        return value
    answer = scene.filled(value)
    return answer if isinstance(answer, Unknown) else Text(answer)


def _with_matrix(scene: _Scene, combination: Mapping[str, Any]) -> _Scene:
    return replace(scene, contexts={**scene.contexts, "matrix": dict(combination)})


def _runner(job: Mapping[str, Any], scene: _Scene) -> str:
    wanted = job.get("runs-on")
    labels = items_of(wanted.get("labels") if isinstance(wanted, dict) else wanted)
    answers = [scene.filled(label) for label in labels]
    return " ".join(answer for answer in answers if isinstance(answer, str))


def _called(id_: str, job: Mapping[str, Any], scene: _Scene, origin: Origin) -> Iterator[Job]:
    """A job that is a workflow of its own."""
    used = text_of(job["uses"])
    path = used.removeprefix("./")
    if not used.startswith("./") or scene.depth >= DEEPEST or path not in scene.files.paths:
        yield _left_out(origin, f"job {id_}", f"it is {used}, which is not in this repository")
        return
    try:
        document = table_of(read(scene.files.read(path) or b""))
    except UnreadableError as broken:
        yield _left_out(origin, f"job {id_}", f"{path}: {broken}")
        return
    asked = table_of(table_of(table_of(document.get("on")).get("workflow_call")).get("inputs"))
    inputs = _inputs(asked, job.get("with"), scene)
    yield from _jobs_of(
        document, _Scene(scene.files, path, scene.machine, _contexts(inputs), depth=scene.depth + 1, lacking=OF_THE_RUN)
    )


def _inputs(declared: Mapping[str, Any], given: Any, scene: _Scene) -> dict[str, Any]:
    usual = {name: _item(table_of(about).get("default"), scene) for name, about in declared.items()}
    return {**usual, **{name: _item(value, scene) for name, value in table_of(given).items()}}


def _assembled(id_: str, job: Mapping[str, Any], scene: _Scene, origin: Origin) -> Job:
    pieces = list(_steps(job.get("steps"), scene))
    does = [piece for piece in pieces if isinstance(piece, actions.Does)]
    container = job.get("container")
    image = scene.filled(container.get("image") if isinstance(container, dict) else container)
    named = image if isinstance(image, str) and image else None
    return Job(
        id_,
        origin,
        tuple(piece for piece in pieces if isinstance(piece, Script)),
        named or next((each.image for each in does if each.image), None),
        python=any(each.python for each in does),
        services=bool(job.get("services")),
        notes=tuple(piece for piece in pieces if isinstance(piece, Note)),
    )


def _steps(steps: Any, scene: _Scene) -> Iterator[Piece]:
    for number, step in enumerate(items_of(steps)[:MOST_STEPS], 1):
        for piece in _step(step, scene, number) if isinstance(step, dict) else ():
            if isinstance(piece, _Later):
                scene = replace(scene, env={**scene.env, **piece.env}, lacking={**scene.lacking, **piece.lacking})
            yield piece


def _step(step: Mapping[str, Any], scene: _Scene, number: int) -> Iterator[Piece]:
    name = scene.filled(step.get("name"))
    title = name if isinstance(name, str) and name else text_of(step.get("name") or step.get("uses")) or f"step {number}"
    origin = scene.origin(step)
    if scene.holds(step.get("if")) is False:
        return
    if "run" in step:
        yield from _run(step, scene, title, scene.origin(step["run"]))
    elif "uses" in step:
        yield from _uses(step, scene, title, origin)


def _run(step: Mapping[str, Any], scene: _Scene, title: str, origin: Origin) -> Iterator[Piece]:
    names = (*scene.names, title, text_of(step["name"])) if "name" in step else scene.names
    lines, shell = scene.filled(step["run"]), (text_of(step.get("shell")) or scene.shell)
    folder = scene.filled(step.get("working-directory"))
    if isinstance(lines, Unknown) or isinstance(folder, Unknown):
        yield Note(origin, title, _why(lines if isinstance(lines, Unknown) else folder))
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
    yield _Later(written)
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


def _uses(step: Mapping[str, Any], scene: _Scene, title: str, origin: Origin) -> Iterator[Piece]:
    action = text_of(step["uses"])
    inputs = {name: _item(value, scene) for name, value in table_of(step.get("with")).items()}
    if action.startswith("./"):
        yield from _composite(action, inputs, scene, title, origin)
        return
    if "/download-artifact@" in action:
        yield _Later(lacking={text_of(inputs.get("path") or inputs.get("name") or "dist"): ELSEWHERE})
        return
    does = actions.what(action, {name: text_of(value) for name, value in inputs.items() if not isinstance(value, Unknown)})
    if does is None:
        yield Note(origin, title, f"{action.partition('@')[0]} is not known here")
        return
    if (other := text_of(inputs.get("repository"))) and action.startswith("actions/checkout@") and "path" not in inputs:
        yield _Later(lacking={"": f"it works on another repository, {other}"})
    yield does
    yield _Later(does.env)
    for command in does.commands:
        yield Script(command, origin, (*scene.names, title, title), dict(scene.env), scene.folder)


def _composite(action: str, inputs: Mapping[str, Any], scene: _Scene, title: str, origin: Origin) -> Iterator[Piece]:
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
    asked = _inputs(table_of(document.get("inputs")), inputs, scene)
    contexts = {**_contexts(asked), "matrix": scene.contexts["matrix"]}
    yield from _steps(runs.get("steps"), replace(scene, path=path, contexts=contexts, depth=scene.depth + 1, shell=""))
