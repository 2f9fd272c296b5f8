"""Hands a result to the CI job that asked for it: the job's summary, its outputs, annotations beside the failing lines."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from selfheal_ci.ci import Ci
from selfheal_ci.words import one_line

MOST_SUMMARY = 1 << 18  # characters; GitHub takes 1 MiB for a step
MOST_ANNOTATIONS = 10  # GitHub shows no more of one step
MOST_MESSAGE = 500
QUIET = ("healthy", "skipped")  # nothing to point at


def hand_over(folder: Path, ci: Ci | None, source: Path, stream: TextIO) -> None:
    """Tell the job what is in a healing's output folder, all of which is redacted already. A full disk is only told."""
    if ci is None or ci.name != "github":
        return
    try:
        _hand_over(folder, ci, source, stream)
    except OSError as closed:
        print(f"warning: the job is not told what came out: {closed.strerror}", file=stream)


def _hand_over(folder: Path, ci: Ci, source: Path, stream: TextIO) -> None:
    told = json.loads((folder / "heal.json").read_bytes())
    if ci.summary:
        text = (folder / "report.md").read_text(encoding="utf-8")
        with ci.summary.open("a", encoding="utf-8") as file:
            file.write(text[:MOST_SUMMARY] + "\n")
    if ci.outputs:
        _add(ci.outputs, healing_outputs(told, folder))
    for line in annotation_lines(told, _place(source, ci.workspace)):
        print(line, file=stream, flush=True)


def hand_over_publication(folder: Path, ci: Ci | None) -> None:
    """Tell the job which branch and request were made. Raises OSError."""
    if ci and ci.outputs:
        told = json.loads((folder / "publish.json").read_bytes())
        names = {"branch": "branch", "url": "pull-request-url", "number": "pull-request-number"}
        _add(ci.outputs, {output: _text(told.get(key)) for key, output in names.items()})


def healing_outputs(told: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """What later steps may read, from heal.json; empty where there is no such thing."""
    cost, attempts = told.get("cost") or {}, told.get("attempts") or []
    verified = [attempt["remedy"] for attempt in attempts if attempt["verdict"] == "verified"]
    diagnosis = told.get("diagnosis") or {}
    patch = folder / "fix.patch"
    return {
        "conclusion": told["status"],
        "healed": _text(told["status"] == "healed"),
        "classification": _text(diagnosis.get("kind")),
        "attempts": str(sum(attempt["remedy"] == "model" for attempt in attempts)),
        "remedy": ",".join(dict.fromkeys(verified)),
        "confidence": _text(told.get("confidence")),
        "cost-usd": _text(cost.get("usd")),
        "input-tokens": _text(cost.get("input_tokens")),
        "output-tokens": _text(cost.get("output_tokens")),
        "report-file": str(folder / "report.md"),
        "patch-file": str(patch) if patch.is_file() else "",
    }


def annotation_lines(told: Mapping[str, Any], place: str = "") -> Iterator[str]:
    """Workflow commands that point at the failing lines; nothing that others wrote can become a command of its own."""
    if told["status"] in QUIET:
        return
    placed = [failure for failure in told.get("failures") or [] if failure.get("path") and failure.get("line")]
    for failure in placed[:MOST_ANNOTATIONS]:
        path = _property(os.path.join(place, failure["path"]))  # noqa: PTH118  a name in the forge, not a file here
        title = _property(one_line(f"{failure['id']} ({failure['kind']})" if failure.get("kind") else failure["id"]))
        said = _data(one_line(failure.get("message") or "fails", MOST_MESSAGE))
        yield f"::error file={path},line={failure['line']},title={title}::{said}"


def _place(source: Path, workspace: Path | None) -> str:
    """The checkout's folder as the forge names it."""
    here = os.path.realpath(source)
    top = os.path.realpath(workspace) if workspace else here
    return os.path.relpath(here, top) if here.startswith(top + os.sep) else ""


def _add(outputs: Path, values: Mapping[str, str]) -> None:
    """Each value between delimiters that nobody can guess, so that none can bring in another output."""
    with outputs.open("a", encoding="utf-8") as file:
        for name, value in values.items():
            delimiter = f"selfheal-{secrets.token_hex(16)}"
            file.write(f"{name}<<{delimiter}\n{value}\n{delimiter}\n")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
