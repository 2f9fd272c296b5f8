"""GitLab's `.gitlab-ci.yml` → jobs of scripts: what it includes from the repository, extends and refers to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from selfheal_ci.discover.documents import Reference, Table, UnreadableError, items_of, line_of, read, table_of, text_of
from selfheal_ci.discover.found import Files, Job, Machine, Note, Origin, Script
from selfheal_ci.discover.matrix import best, combinations, is_elsewhere

FILE = ".gitlab-ci.yml"
DEEPEST, MOST_INCLUDED = 10, 50
RESERVED = {
    "default", "include", "stages", "variables", "workflow", "image", "services", "cache", "before_script", "after_script",
    "spec", "pages",
}  # fmt: skip
INHERITED = ("image", "before_script", "services")
LATER = re.compile(r"deploy|release|publish|pages|production|staging|cleanup|review", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)\}?")


def jobs(files: Files, machine: Machine) -> Iterator[Job]:
    """The jobs that check something before anything is released."""
    if FILE not in files.paths:
        return
    notes: list[Note] = []
    where: dict[str, Origin] = {}
    whole = _included(files, FILE, notes, where, 0)
    if notes:
        yield Job(FILE, Origin(FILE), notes=tuple(notes))
    for name in whole:
        if name not in RESERVED and not name.startswith(".") and isinstance(whole[name], dict):
            yield _job(name, whole, where.get(name, Origin(FILE)), machine)


def _included(files: Files, path: str, notes: list[Note], where: dict[str, Origin], depth: int) -> dict[str, Any]:
    """A file with those that it includes beneath it."""
    try:
        document = table_of(read(files.read(path) or b""))
    except UnreadableError as broken:
        notes.append(Note(Origin(path), path, str(broken)))
        return {}
    whole: dict[str, Any] = {}
    for item in items_of(document.get("include")):
        local = item.get("local") if isinstance(item, dict) else item
        pattern = text_of(local).removeprefix("/")
        found = [name for name in sorted(files.paths) if pattern and fnmatchcase(name, pattern)][:MOST_INCLUDED]
        if not found or depth >= DEEPEST:
            said = ", ".join(f"{key}: {text_of(value)}" for key, value in table_of(item).items()) or text_of(item)
            notes.append(Note(Origin(path, line_of(item)), f"include {said}", "it is not in this repository"))
        for name in found if depth < DEEPEST else ():
            whole = _merged(whole, _included(files, name, notes, where, depth + 1))
    for name, value in document.items():
        where[name] = Origin(path, max(line_of(value) - isinstance(value, dict), 1) if line_of(value) else 0)
    return _merged(whole, document)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two mappings, the upper one over the lower one, key by key; anything but mappings replaces."""
    merged = Table(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = _merged(under, value) if isinstance(value, dict) and isinstance(under, dict) else value
    merged.line = line_of(above) or line_of(below)
    return merged


def _extended(name: str, whole: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """A job over those that it extends."""
    job = table_of(whole.get(name))
    extended: dict[str, Any] = {}
    if depth < DEEPEST:
        for parent in items_of(job.get("extends")):
            extended = _merged(extended, _extended(text_of(parent), whole, depth + 1))
    return _merged(extended, job)


def _job(name: str, whole: Mapping[str, Any], origin: Origin, machine: Machine) -> Job:
    job = _extended(name, whole)
    if why := _why_not(job):
        return Job(name, origin, notes=(Note(origin, f"job {name}", why),))
    default = table_of(whole.get("default"))
    inherited = {key: job.get(key, default.get(key, whole.get(key))) for key in INHERITED}
    combination = best(_parallel(job), machine)
    variables = {**_values(whole.get("variables")), **_values(job.get("variables")), **_values(combination)}
    before, lines = (list(_lines(part, whole)) for part in (inherited["before_script"], job.get("script")))
    scripts = [
        Script("\n".join(part), Origin(origin.path, line_of(part[0], origin.line)), (name,), variables)
        for part in (before, lines)
        if part
    ]
    image = _image(inherited["image"], variables)
    python = image is not None and "python" in image
    return Job(name, origin, tuple(scripts), image, python=python, services=bool(inherited["services"]))


def _why_not(job: Mapping[str, Any]) -> str:
    """Why a job is no check of a change."""
    if "trigger" in job or "script" not in job:
        return "it starts another pipeline" if "trigger" in job else "it has no script"
    if "environment" in job or LATER.search(text_of(job.get("stage"))):
        return "it deploys or releases"
    if items_of(job.get("only")) == ["tags"] or text_of(job.get("when")) == "manual":
        return "it runs for no change by itself"
    runners = " ".join(map(text_of, items_of(job.get("tags"))))
    return f"it runs on {runners}" if is_elsewhere(runners) else ""


def _parallel(job: Mapping[str, Any]) -> list[dict[str, Any]]:
    matrix = table_of(job.get("parallel")).get("matrix")
    return [each for table in items_of(matrix) for each in combinations(table)]


def _values(table: Any) -> dict[str, str]:
    """Variables, those with a description too."""
    plain = {name: value.get("value") if isinstance(value, dict) else value for name, value in table_of(table).items()}
    return {name: text_of(value) for name, value in plain.items() if not isinstance(value, list)}


def _lines(value: Any, whole: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    """The lines of a script, lists in it and references followed."""
    if isinstance(value, Reference) and depth < DEEPEST:
        found: Any = _extended(value[0], whole) if value else None
        for key in value[1:]:
            found = table_of(found).get(key)
        yield from _lines(found, whole, depth + 1)
    elif isinstance(value, list) and depth < DEEPEST:
        for item in value:
            yield from _lines(item, whole, depth + 1)
    elif isinstance(value, str):
        yield value


def _image(value: Any, variables: Mapping[str, str]) -> str | None:
    """The image, if its name can be told."""
    named = text_of(value.get("name") if isinstance(value, dict) else value)
    told = _VARIABLE.sub(lambda match: variables.get(match[1], match[0]), named)
    return told if told and "$" not in told else None
