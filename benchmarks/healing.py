"""Runs a whole healing on a repository on disk, as `selfheal heal --no-model` does, and tells what came of it."""

from __future__ import annotations

import io
import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfheal_ci import shell
from selfheal_ci.errors import SelfhealError
from selfheal_ci.values import Status
from selfheal_ci.wiring import Saying, deliver_healing

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Healed:
    """What `selfheal-out/` says, and how long it took."""

    status: str
    told: Mapping[str, Any]  # heal.json
    events: tuple[Mapping[str, Any], ...]
    patch: bytes | None
    seconds: float
    prompts: tuple[str, ...] = ()  # what a model was told, call by call

    @property
    def kinds(self) -> frozenset[str]:
        """What the failures were named."""
        return frozenset(str(failure["kind"]) for failure in self.told["failures"])

    @property
    def remedies(self) -> str:
        """Those whose candidates were verified, in order."""
        return ", ".join(attempt["remedy"] for attempt in self.told["attempts"] if attempt["verdict"] == "verified")

    @property
    def runs(self) -> int:
        return sum(event["event"] in {"Ran", "Executed"} for event in self.events)

    @property
    def why(self) -> str:
        """Why it is not healed, in a line."""
        diagnosis = self.told["diagnosis"]
        tried = [f"{attempt['remedy']}: {attempt['reason']}" for attempt in self.told["attempts"][-2:]]
        warned = [event["text"] for event in self.events if event["event"] == "Warned"][-1:]
        words = [diagnosis["summary"] if diagnosis else "", *tried, *warned]
        return " | ".join(word.replace("\n", " ")[:160] for word in words if word)


def heal(folder: Path, run: str, environ: Mapping[str, str], **asked: Any) -> Healed:
    """Heal the checkout, without a model: of a command, or, where that is empty, of the configured step.

    What breaks in selfheal is a status, too.
    """
    with tempfile.TemporaryDirectory(prefix="selfheal-bench-out-") as place:
        out = Path(place, "selfheal-out")
        wanted = {"source": str(folder), "output": str(out), "no_model": True, "engine": "local", **asked}
        began = time.perf_counter()
        try:
            command = ["sh", "-c", run] if run else []
            deliver_healing(wanted, command, environ=environ, saying=Saying(stream=io.StringIO()))
        except SelfhealError as error:
            print(f"     selfheal itself broke: {error}", flush=True)
        seconds = time.perf_counter() - began
        told = json.loads((out / "heal.json").read_text())
        lines = (out / "events.jsonl").read_text().splitlines() if (out / "events.jsonl").exists() else []
        patch = out / "fix.patch"
        return Healed(
            told["status"],
            told,
            tuple(json.loads(line) for line in lines),
            patch.read_bytes() if told["status"] == Status.HEALED else None,
            seconds,
            tuple(file.read_text() for file in sorted(out.glob("attempts/*/prompt*.txt"))),
        )


def repository(folder: Path, *commits: Files) -> Path:
    """A checkout on `main` of whole trees, one commit after the other."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    for number, files in enumerate(commits, 1):
        write(folder, files)
        git(folder, "add", "--all", "--force")
        git(folder, "commit", "--quiet", "--allow-empty", "--message", f"Change {number}")
    return folder


def write(folder: Path, files: Files) -> None:
    """Make the folder hold these files, and no others but git's."""
    kept = {folder / name for name in files}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path not in kept and ".git" not in path.relative_to(folder).parts[:1]:
            path.unlink()
    for name, data in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)


def git(folder: Path, *words: str, stdin: bytes = b"") -> str:
    """What git says in a folder that we made."""
    env = {
        "PATH": shell.PATH,
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "bench",
        "GIT_AUTHOR_EMAIL": "bench@localhost",
        "GIT_COMMITTER_NAME": "bench",
        "GIT_COMMITTER_EMAIL": "bench@localhost",
    }
    done = shell.run(["git", "-C", folder, *words], env=env, stdin=stdin)
    if done.exit_code:
        raise SystemExit(f"git {' '.join(words)} failed: {done.stderr.decode()}")
    return done.stdout.decode()
