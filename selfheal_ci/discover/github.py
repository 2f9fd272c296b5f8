"""GitHub's workflows → jobs of scripts, as they run for a push or a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from selfheal_ci.discover import actions
from selfheal_ci.discover.documents import UnreadableError, items_of, read, table_of, text_of
from selfheal_ci.discover.found import Files, Job, Machine, Note, Origin, Script
from selfheal_ci.discover.github_steps import pieces_of
from selfheal_ci.discover.matrix import best, combinations, is_elsewhere
from selfheal_ci.discover.scene import DEEPEST, Scene, inputs_of, item_of, scene_of, why_not

FOLDER = ".github/workflows/"
MOST = 60  # jobs of a workflow
OF_A_CHANGE = {"push", "pull_request", "pull_request_target", "merge_group"}
LATER = re.compile(r"(?<![a-z])(?:deploy|release|publish)(?!\w*[_-](?:check|test))", re.IGNORECASE)


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
    yield from _jobs_of(document, scene_of(files, path, machine, {}))


def _left_out(origin: Origin, what: str, why: str) -> Job:
    return Job(what, origin, notes=(Note(origin, what, why),))


def _events(on: Any) -> set[str]:
    """The events that start a workflow; a push of nothing but tags is a release."""
    if isinstance(on, dict):
        push = table_of(on.get("push"))
        tags_alone = "tags" in push and not {"branches", "branches-ignore"} & set(push)
        return {name for name in on if not (name == "push" and tags_alone)}
    return {text_of(name) for name in items_of(on)}


def _jobs_of(document: Mapping[str, Any], scene: Scene) -> Iterator[Job]:
    scene = _defaults(document, scene)
    for id_, job in islice(table_of(document.get("jobs")).items(), MOST):
        if isinstance(job, dict):
            yield from _job(id_, job, scene)


def _defaults(table: Mapping[str, Any], scene: Scene) -> Scene:
    run = table_of(table_of(table.get("defaults")).get("run"))
    folder, shell = scene.filled(run.get("working-directory")), text_of(run.get("shell"))
    return replace(
        scene.having(table.get("env")),
        folder=folder if folder and isinstance(folder, str) else scene.folder,
        shell=shell or scene.shell,
    )


def _job(id_: str, job: Mapping[str, Any], scene: Scene) -> Iterator[Job]:
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


def _chosen(job: Mapping[str, Any], scene: Scene) -> tuple[Scene, str]:
    """The scene with the matrix's combination that fits, or why the job is left out."""
    matrix = table_of(job.get("strategy")).get("matrix")
    if isinstance(matrix, str):
        return scene, f"its matrix is made when it runs: {why_not(scene.filled(matrix))}"
    found = [{name: item_of(value, scene) for name, value in each.items()} for each in combinations(matrix)]
    here = [each for each in found if not is_elsewhere(_runner(job, _with_matrix(scene, each)))]
    if matrix is not None and not here:
        return scene, "it has no combination for Linux" if found else "its matrix is empty"
    scene = _with_matrix(scene, best(here, scene.machine))
    runner = _runner(job, scene)
    return scene, f"it runs on {runner}" if is_elsewhere(runner) else ""


def _with_matrix(scene: Scene, combination: Mapping[str, Any]) -> Scene:
    return replace(scene, contexts={**scene.contexts, "matrix": dict(combination)})


def _runner(job: Mapping[str, Any], scene: Scene) -> str:
    wanted = job.get("runs-on")
    labels = items_of(wanted.get("labels") if isinstance(wanted, dict) else wanted)
    answers = [scene.filled(label) for label in labels]
    return " ".join(answer for answer in answers if isinstance(answer, str))


def _called(id_: str, job: Mapping[str, Any], scene: Scene, origin: Origin) -> Iterator[Job]:
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
    inputs = inputs_of(asked, job.get("with"), scene)
    yield from _jobs_of(document, scene_of(scene.files, path, scene.machine, inputs, scene.depth + 1))


def _assembled(id_: str, job: Mapping[str, Any], scene: Scene, origin: Origin) -> Job:
    pieces = list(pieces_of(job.get("steps"), scene))
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
