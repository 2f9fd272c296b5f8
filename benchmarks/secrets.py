"""Secrets in what leaves: known ones in every spelling at every exit, unknown ones by how they look; and what it costs."""

from __future__ import annotations

import io
import json
import os
import statistics
import sys
import sysconfig
import tempfile
import uuid
from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from benchmarks import failing_logs
from benchmarks.figures import Figure, seconds
from benchmarks.planted import FORMS, SEEN, Template, held_out, planted
from selfheal_ci import shell
from selfheal_ci.ci import Ci
from selfheal_ci.deliver import artifact
from selfheal_ci.errors import EngineError
from selfheal_ci.events import Asked, Executed, Warned
from selfheal_ci.observers.console import Console
from selfheal_ci.observers.log import EventLog
from selfheal_ci.redact import Redactor
from selfheal_ci.remedies.model.prompt import Prompts
from selfheal_ci.secret_rules import find
from selfheal_ci.values import Cost, Failure, Healing, Output, Run, Source, Status, Step, Stop, Tree
from selfheal_ci.wiring.handover import hand_over

LOG = 16 << 20  # characters
CODE = 4 << 20  # of the standard library
STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))
HERE = Path(__file__).parent.parent
IMPORT = "import time; a = time.perf_counter(); import selfheal_ci.redact, betterleaks; print(time.perf_counter() - a)"


def measure() -> Iterator[Figure]:
    yield _known()
    yield _unknown("lines that the rules may be tuned to", SEEN)
    yield _unknown("held-out lines", held_out())
    yield from _ordinary()
    text = (_code() + "".join(said for _, said in failing_logs.collect()))[: 1 << 20]
    log = text * (LOG // len(text))
    yield Figure("secrets: redacting 16 MB of code and logs", seconds(lambda: Redactor(_all()).text(log)), 8, " s")
    taken = [float(shell.run([sys.executable, "-c", IMPORT], timeout=60, cwd=HERE, env=os.environ).stdout) for _ in range(5)]
    yield Figure("secrets: import", statistics.median(taken) * 1000, 100, " ms")


def _all() -> dict[str, str]:
    return {one.variable: one.text for one in planted()}


# ---------------------------------------------------------------------------------------------------------------------
# Known values


def _known() -> Figure:
    redactor, masked, count = Redactor(_all()), 0, 0
    for one in planted():
        for name, spelled in FORMS.items():
            line = f"E  401 for {spelled(one.text)}, see the log"
            for place, left in _exits(redactor, line):
                count += 1
                if "<secret:" in left and not _traces(one.text, left):
                    masked += 1
                else:
                    print(f"  known {one.family}, {name}, left at {place}")
    return Figure(f"secrets: known values masked, of {count:,} at exits", 100 * masked / count, 100, " %", at_least=True)


def _exits(redactor: Redactor, line: str) -> Iterator[tuple[str, str]]:
    """What a line of a log becomes at each of the places where it leaves."""
    yield "the prompt", Prompts("mark", "tests", redactor.text).block(line)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "out")
        artifact.prepare_folder(folder)
        stream = io.StringIO()
        console = Console(stream, redact=redactor.text, output=str(folder))
        log = EventLog(folder, redactor)
        run = Run("pytest", Stop.EXITED, 1, Output(line.encode("utf-8", "surrogateescape")), 1.0)
        for event in (Warned(line), Executed(run), Asked(1, "model", Cost(), line, line)):
            log(event)
        console(Warned(line))
        yield "the console", stream.getvalue()
        yield from _artifact(folder, redactor, line)
        for path in folder.rglob("*"):
            if path.suffix in {".jsonl", ".txt", ".log"}:
                yield path.relative_to(folder).as_posix(), path.read_text()


def _artifact(folder: Path, redactor: Redactor, line: str) -> Iterator[tuple[str, str]]:
    artifact.write_error(folder, EngineError(line), redactor=redactor)
    yield "report.md of an error", (folder / "report.md").read_text()
    failure = Failure("tests/test_a.py::test", "1:" + "a" * 40, line, "a.py", 1, "AssertionError", line)
    source = Source("shop", "main", "d" * 40, Tree("a" * 40, folder, {}), dirty=False, base=None)
    healing = Healing(Status.NOT_HEALED, Step("tests", f"pytest # {line}"), source, (failure,))
    artifact.write(folder, healing, engine="local", patch=b"", redactor=redactor)
    job, log = Ci("github", "main", None, summary=folder / "summary.md", outputs=folder / "outputs"), io.StringIO()
    hand_over(folder, job, folder, log)
    yield "annotations", log.getvalue()
    for name in ("heal.json", "report.md", "summary.md", "outputs"):
        yield name, (folder / name).read_text()


def _traces(value: str, text: str) -> list[str]:
    """In which spellings the value is in the text still, blanks and escapes apart."""
    data = value.encode()
    cores = [
        b64encode(bytes(offset) + data).decode()[-(-8 * offset // 6) : 8 * (offset + len(data)) // 6] for offset in range(3)
    ]
    spelled = [form(value) for name, form in FORMS.items() if not name.startswith(("base64", "split"))]
    whole = [*spelled, *cores, *(core.translate(str.maketrans("+/", "-_")) for core in cores)]
    squeezed = _squeezed(text)
    return [form for form in whole if _squeezed(form) in squeezed or _squeezed(json.dumps(form)[1:-1]) in squeezed]


def _squeezed(text: str) -> str:
    return "".join(text.replace("\x1b[0m", "").replace("\\u001b[0m", "").replace("\\n", "").split())


# ---------------------------------------------------------------------------------------------------------------------
# Unknown values


def _unknown(what: str, templates: Mapping[str, Template]) -> Figure:
    secrets, missed = planted(), []
    for one in secrets:
        for name, template in templates.items():
            shown = Redactor().text(template(one))
            if any(form in shown for part in one.parts for form in (part, quote(part, safe=""), json.dumps(part)[1:-1])):
                missed.append(f"{one.family} in {name}")
    count = len(secrets) * len(templates)
    if missed:
        print(f"  missed: {', '.join(missed)}")
    found = 100 * (count - len(missed)) / count
    return Figure(f"secrets: unknown values masked, of {count} in {what}", found, 90, " %", at_least=True)


def _ordinary() -> Iterator[Figure]:
    touched, count = 0, 0
    for name, text in _ordinary_texts():
        lines = {text.count("\n", 0, found.start) for found in find(text)}
        touched, count = touched + len(lines), count + text.count("\n")
        if lines:
            print(f"  {name}: {len(lines)} of {text.count(chr(10)):,} lines")
    yield Figure(f"secrets: ordinary lines touched, of {count:,}", 100 * touched / count, 0.5, " % of lines")


def _ordinary_texts() -> Iterator[tuple[str, str]]:
    """What nobody made up for this: failing tools, code, hashes of all kinds, files in data URLs, this history."""
    for program, said in failing_logs.collect():
        yield program.name, said
    yield "standard library", _code()
    files = sorted(STANDARD_LIBRARY.glob("*/*.py"))
    yield "checksums", "".join(f"{sha256(path.read_bytes()).hexdigest()}  {path}\n" for path in files)
    yield "ids", "".join(f"request {uuid.uuid4()} took 3 ms\n" for _ in range(2000))
    yield (
        "data URLs",
        "".join(f"url(data:image/png;base64,{b64encode(path.read_bytes()).decode()})\n" for path in files[:200]),
    )
    yield "locks", "".join(path.read_text() for path in sorted((HERE / "locks").glob("*.txt")))
    for name, command in _COMMANDS.items():
        yield name, shell.run(command, timeout=300, cwd=HERE, env=os.environ).stdout.decode("utf-8", "replace")


_COMMANDS: Mapping[str, list[str]] = {
    "git log": ["git", "log", "-200", "--stat"],
    "pip": [sys.executable, "-m", "pip", "list", "--verbose"],
    "ruff": [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "ALL", "selfheal_ci"],
    "pytest": [sys.executable, "-m", "pytest", "-v", "tests/unit/detect", "tests/unit/test_words.py"],
}  # fmt: skip


def _code() -> str:
    text: list[str] = []
    for path in sorted(STANDARD_LIBRARY.glob("*.py")):
        text.append(path.read_text(encoding="utf-8", errors="replace"))
    return "".join(text)[:CODE]
