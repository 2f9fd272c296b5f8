"""Keeps what happened in the output folder: events.jsonl, the output of each run, each conversation with the model."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selfheal_ci.events import Asked, Diagnosed, Event, Executed, Finished, Judged, Prepared, Ran, Warned
from selfheal_ci.redact import Redactor
from selfheal_ci.values import Attempt, Cost, Finding, Green, Healing, Output, Red, Result, Run, Unclear

MOST_LOG = 16 << 20  # bytes of one run's output
MOST_IDS = 200


@dataclass
class EventLog:
    """Writes into a prepared output folder, redacted, every event at once."""

    folder: Path
    redactor: Redactor
    most: int = MOST_LOG
    runs: int = 0
    began: float = field(default_factory=time.monotonic)

    def __call__(self, event: Event) -> None:
        record = {"event": type(event).__name__, "at": round(time.monotonic() - self.began, 3), **self._record(event)}
        # Redacted before it becomes JSON, whose escapes would hide what must be found.
        line = json.dumps(self.redactor.value(record)) + "\n"
        with os.fdopen(_opened(self.folder / "events.jsonl", os.O_APPEND), "ab") as file:
            file.write(line.encode())

    def _record(self, event: Event) -> dict[str, Any]:  # noqa: PLR0911  a table
        match event:
            case Prepared(files, seconds):
                return {"files": files, "seconds": round(seconds, 3)}
            case Ran(what, result):
                return {"what": what, **_result(result), "log": self._keep(result.run, what)}
            case Executed(run):
                return {**_run(run), "changed": sorted(run.changed.files)[:MOST_IDS], "log": self._keep(run, "command")}
            case Diagnosed(finding):
                return _finding(finding)
            case Judged(attempt):
                return _attempt(attempt)
            case Asked(attempt, model, cost, prompt, reply):
                return {"attempt": attempt, "model": model, **_cost(cost), "files": self._converse(attempt, prompt, reply)}
            case Warned(text):
                return {"text": text}
            case Finished(healing):
                return _healing(healing)

    def _keep(self, run: Run, what: str) -> str:
        self.runs += 1
        label = re.sub(r"[^a-z0-9]+", "-", self.redactor.text(what).lower()).strip("-")[:40] or "run"
        name = f"{self.runs:03d}-{label}.txt"
        _write(self.folder / "logs" / name, self.redactor.data(_whole_lines(run.output, self.most)))
        return f"logs/{name}"

    def _converse(self, attempt: int, prompt: str, reply: str) -> list[str]:
        """A correction, or another group's attempt of that number, stands beside the first."""
        folder = self.folder / "attempts" / str(attempt)
        again = len(list(folder.glob("prompt*.txt"))) + 1 if folder.exists() else 1
        ending = f"-{again}.txt" if again > 1 else ".txt"
        for name, text in (("prompt", prompt), ("reply", reply)):
            _write(folder / (name + ending), self.redactor.text(text).encode("utf-8", "backslashreplace"))
        return [f"attempts/{attempt}/{name}{ending}" for name in ("prompt", "reply")]


def _result(result: Result) -> dict[str, Any]:
    match result:
        case Green(run, passed):
            return {"result": "green", "passed": len(passed), **_run(run)}
        case Red(run, passed, failures):
            shown = [
                {"id": failure.id, "fingerprint": failure.fingerprint, "message": failure.message} for failure in failures
            ]
            return {
                "result": "red",
                "passed": len(passed),
                "failed": len(failures),
                "failures": shown[:MOST_IDS],
                **_run(run),
            }
        case Unclear(run, why):
            return {"result": "unclear", "why": why, **_run(run)}


def _run(run: Run) -> dict[str, Any]:
    return {"shell": run.shell, "stop": run.stop.value, "exit_code": run.exit_code, "seconds": round(run.seconds, 3)}


def _finding(finding: Finding) -> dict[str, Any]:
    culprit = finding.culprit
    return {
        "kind": finding.kind.value,
        "summary": finding.summary,
        "reproduced": finding.reproduced,
        "culprit": culprit
        and {"commit": culprit.commit, "path": culprit.hunk.path, "lines": culprit.hunk.lines, "how": culprit.how},
        "model_verdict": finding.model_verdict,
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "remedy": attempt.candidate.remedy,
        "why": attempt.candidate.why,
        "files": sorted(attempt.candidate.changes.files),
        "verdict": type(attempt.verdict).__name__.lower(),
        "reason": attempt.verdict.reason,
        "runs": attempt.runs,
        "seconds": round(attempt.seconds, 3),
    }


def _healing(healing: Healing) -> dict[str, Any]:
    return {
        "status": healing.status.value,
        "step": healing.step.name,
        "failures": len(healing.failures),
        "attempts": len(healing.attempts),
        "files": sorted(healing.changes.files),
        "lacks": [{"lack": lack.lack.value, "message": lack.message} for lack in healing.lacks],
        **_cost(healing.cost),
        "seconds": round(healing.seconds, 3),
    }


def _cost(cost: Cost) -> dict[str, Any]:
    return {
        "calls": cost.calls,
        "input_tokens": cost.input_tokens,
        "output_tokens": cost.output_tokens,
        "cached_tokens": cost.cached_tokens,
        "usd": round(cost.usd, 6),
    }


def _whole_lines(output: Output, most: int) -> bytes:
    """The output; where its middle is left out, without the two cut lines: half a secret cannot be recognised."""
    head, tail, left_out = output.head, output.tail, output.left_out
    if len(head) + len(tail) > most:
        left_out += len(head) + len(tail) - most
        head, tail = (head + tail)[: most // 2], (head + tail)[-(most // 2) :]
    if not left_out:
        return head + tail
    kept = head[: head.rfind(b"\n") + 1], tail[tail.find(b"\n") + 1 :]
    return b"".join((kept[0], f"… about {left_out:,} bytes left out …\n".encode(), kept[1]))


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(_opened(path, os.O_EXCL), "wb") as file:
        file.write(data)


def _opened(path: Path, flags: int) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | flags, 0o600)
