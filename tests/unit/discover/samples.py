"""Files of made-up repositories, and what is found in them."""

from __future__ import annotations

from collections.abc import Mapping

from selfheal_ci.discover import Files, Found, Machine, discover

CI = ".github/workflows/ci.yml"
HERE = Machine("3.11", ("3.9",))


def files(texts: Mapping[str, str]) -> Files:
    return Files(texts.keys(), lambda path: texts[path].encode())


def found(texts: Mapping[str, str], machine: Machine = HERE) -> Found:
    return discover(files(texts), machine)


def of_steps(steps: str, job: str = "", top: str = "") -> Found:
    """What is found in a workflow of one job, which starts on line 4 of what this makes."""
    lines = "".join(f"      {line}\n" for line in steps.strip("\n").splitlines())
    more = "".join(f"    {line}\n" for line in job.strip("\n").splitlines())
    return found({CI: f"on: [push]\n{top}jobs:\n  tests:\n    runs-on: ubuntu-latest\n{more}    steps:\n{lines}"})


def runs(found: Found) -> dict[str, str]:
    return {step.name: step.line.run for step in found.steps}


def setup(found: Found) -> list[str]:
    return [line.run for line in found.setup]


def notes(found: Found) -> dict[str, str]:
    return {note.what: note.why for note in found.notes}
