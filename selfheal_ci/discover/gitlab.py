"""GitLab's `.gitlab-ci.yml` → jobs of scripts: what it includes from the repository, extends and refers to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any

from selfheal_ci.discover.documents import Reference, Table, UnreadableError, items_of, line_of, read, table_of, text_of
from selfheal_ci.discover.found import Files, Job, Machine, Note, Origin, Script
from selfheal_ci.discover.matrix import best, combinations, is_elsewhere

FILE = ".gitlab-ci.yml"
DEEPEST, MOST, MOST_LINES = 10, 200, 10_000  # references in each other; files, and jobs; lines
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
    reading = _Reading(files)
    whole = reading.file(FILE)
    if reading.notes:
        yield Job(FILE, Origin(FILE), notes=tuple(reading.notes))
    pipeline = _Pipeline(whole)
    for name in islice(whole, MOST):
        if name not in RESERVED and not name.startswith(".") and isinstance(whole[name], dict):
            yield _job(name, pipeline, reading.where.get(name, Origin(FILE)), machine)


class _Reading:
    """Reads a file with those that it includes beneath it, each once."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.notes: list[Note] = []
        self.where: dict[str, Origin] = {}
        self.read: set[str] = set()

    def file(self, path: str) -> dict[str, Any]:
        """What the file says, over what it includes."""
        self.read.add(path)
        try:
            document = table_of(read(self.files.read(path) or b""))
        except UnreadableError as broken:
            self.notes.append(Note(Origin(path), path, str(broken)))
            return {}
        whole: dict[str, Any] = {}
        for item in items_of(document.get("include")):
            for name in self._named(path, item):
                whole = _merged(whole, self.file(name))
        for name, value in document.items():
            self.where[name] = Origin(path, max(line_of(value) - isinstance(value, dict), 0))
        return _merged(whole, document)

    def _named(self, path: str, item: Any) -> list[str]:
        """The files of the repository that an include names, those that are read already left out."""
        local = item.get("local") if isinstance(item, dict) else item
        pattern = text_of(local).removeprefix("/")
        found = [name for name in sorted(self.files.paths) if pattern and fnmatchcase(name, pattern)]
        if not found:
            said = ", ".join(f"{key}: {text_of(value)}" for key, value in table_of(item).items()) or text_of(item)
            self.notes.append(Note(Origin(path, line_of(item)), f"include {said}", "it is not in this repository"))
        return [name for name in found if name not in self.read][: max(MOST - len(self.read), 0)]


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two mappings, the upper one over the lower one, key by key; anything but mappings replaces."""
    merged = Table(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = _merged(under, value) if isinstance(value, dict) and isinstance(under, dict) else value
    merged.line = line_of(above) or line_of(below)
    return merged


class _Pipeline:
    """What is said in all files together, and what of it a job is in the end."""

    def __init__(self, whole: Mapping[str, Any]) -> None:
        self.whole = whole
        self.known: dict[str, dict[str, Any]] = {}
        self.left = MOST_LINES  # that are looked at, those behind references too

    def job(self, name: str, depth: int = 0) -> dict[str, Any]:
        """A job over those that it extends; in a circle nothing is added."""
        if name not in self.known:
            extended: dict[str, Any] = {}
            self.known[name] = extended
            job = table_of(self.whole.get(name))
            for parent in items_of(job.get("extends")) if depth < DEEPEST else ():
                extended = _merged(extended, self.job(text_of(parent), depth + 1))
            self.known[name] = _merged(extended, job)
        return self.known[name]

    def lines(self, value: Any, depth: int = 0) -> Iterator[str]:
        """The lines of a script, lists in it and references followed."""
        self.left -= 1
        if self.left < 0 or depth > DEEPEST:
            return
        if isinstance(value, Reference):
            found: Any = self.job(value[0]) if value else None
            for key in value[1:]:
                found = table_of(found).get(key)
            yield from self.lines(found, depth + 1)
        elif isinstance(value, list):
            for item in value:
                yield from self.lines(item, depth + 1)
        elif isinstance(value, str):
            yield value


def _job(name: str, pipeline: _Pipeline, origin: Origin, machine: Machine) -> Job:
    job, whole = pipeline.job(name), pipeline.whole
    if why := _why_not(job):
        return Job(name, origin, notes=(Note(origin, f"job {name}", why),))
    default = table_of(whole.get("default"))
    inherited = {key: job.get(key, default.get(key, whole.get(key))) for key in INHERITED}
    combination = best(_parallel(job), machine)
    variables = {**_values(whole.get("variables")), **_values(job.get("variables")), **_values(combination)}
    before, lines = (list(pipeline.lines(part)) for part in (inherited["before_script"], job.get("script")))
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


def _image(value: Any, variables: Mapping[str, str]) -> str | None:
    """The image, if its name can be told."""
    named = text_of(value.get("name") if isinstance(value, dict) else value)
    told = _VARIABLE.sub(lambda match: variables.get(match[1], match[0]), named)
    return told if told and "$" not in told else None
