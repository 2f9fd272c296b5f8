"""Finds out from a repository's own files what would be configured: which steps, and what prepares them. Runs nothing."""

from __future__ import annotations

from dataclasses import replace

from selfheal_ci import config
from selfheal_ci.discover import github, gitlab, usual
from selfheal_ci.discover.composing import composed, foremost
from selfheal_ci.discover.found import Files, Found, FoundStep, Machine, Note
from selfheal_ci.discover.writing import written

__all__ = ["Files", "Found", "FoundStep", "Machine", "Note", "discover", "foremost", "text_of"]
NAME = ".selfheal.toml"


def discover(files: Files, machine: Machine) -> Found:
    """What the CI checks: GitHub's workflows, else GitLab's jobs; else the usual commands of the languages found."""
    notes: list[Note] = []
    for jobs in (github.jobs(files, machine), gitlab.jobs(files, machine), usual.jobs(files, machine.python)):
        found = composed(jobs, files)
        notes += found.notes
        if found.steps:
            break
    return replace(found, notes=tuple(notes))


def text_of(found: Found) -> str:
    """The configuration as a file, which our own reader has read back. Raises UsageError when it says something else."""
    text = written(found)
    said = config.load({NAME: text.encode()}, {})
    same = [(step.name, step.run, step.build, step.fix) for step in said.steps] == [
        (step.name, step.line.run, step.build, step.fix) for step in found.steps
    ]
    if not same or said.settings.setup != tuple(line.run for line in found.setup):
        raise AssertionError("what was written does not say what was found")
    return text
