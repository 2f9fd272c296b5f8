"""How many steps of linters and formatters the whole cycle heals, and whether what the commit added is still there."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure
from selfheal_ci import shell
from selfheal_ci.deliver import artifact
from selfheal_ci.values import Status

BIN = Path(sys.executable).parent
ADDED = "def added(first, second):\n    return first + second\n"
GREEN = '"""Things."""\n\nimport json\nimport sys\n\n\ndef show(thing):\n    print(json.dumps(thing), file=sys.stderr)\n'
TEST = "tests/test_things.py"
WHO = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
PIP = ("--quiet", "--disable-pip-version-check", "--no-input")
OWN = frozenset({"own-changes", "fixer"})  # remedies that put nothing back


@dataclass(frozen=True)
class Case:
    """A commit that one check does not like; besides, it adds a function."""

    what: str
    run: str
    broken: Callable[[str], str]  # of a file that is fine
    path: str = "shop/things.py"

    @property
    def tool(self) -> str:
        return self.run.split()[0]


def _with(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text, old  # noqa: S101
        return text.replace(old, new)

    return change


def _and(more: str) -> Callable[[str], str]:
    return lambda text: f"{text}\n\n{more}"


def _rule(rule: str, broken: Callable[[str], str]) -> Case:
    return Case(f"ruff {rule}", f"ruff check --select {rule} .", broken)


IMPORTS = "import json\nimport sys\n"  # of GREEN
CASES = (
    _rule("F401", _with("import sys\n", "import os\nimport sys\n")),
    _rule("F541", _and('def say():\n    return f"hello"\n')),
    _rule("F632", _and('def same(a):\n    return a is "a"\n')),
    _rule("I001", _with(IMPORTS, "import sys\nimport json\n")),
    Case("ruff I001, two packages", "ruff check --select I .", _with("import json\n", "from shop import b\nimport json\n")),
    _rule("E711,E712", _and("def none(a):\n    return a == None\n")),
    _rule("E713,E714", _and("def out(a, b):\n    return not a in b\n")),
    _rule("W291,W293", _and("def trailing():\n    \n    return 1  \n")),
    _rule("W292", lambda text: f"{text}\n\nLAST = 1"),
    _rule("UP006", _and("from typing import List\n\n\ndef items() -> List[int]:\n    return []\n")),
    _rule("UP032", _and('def greet(a):\n    return "hello {}".format(a)\n')),
    _rule("C4", _and("def squares(a):\n    return set([x * x for x in a])\n")),
    _rule("RET505", _and("def sign(a):\n    if a:\n        return 1\n    else:\n        return 2\n")),
    _rule("Q000", _and("WORD = 'a'\n")),
    Case("ruff, the usual rules", "ruff check .", _with("import sys\n", "import os\nimport sys\n")),
    Case("ruff of a test", "ruff check .", _with("def test_a", "import os\n\n\ndef test_a"), TEST),
    Case("ruff format", "ruff format --check .", _and("x = {  'a':1 }\n")),
    Case("ruff format, indentation", "ruff format --check .", _and("def f():\n  return 1\n")),
    Case("ruff format of a test", "ruff format --check .", _with("def test_a():", "def test_a( ):"), TEST),
    Case("ruff format in a folder", "cd shop && ruff format --check .", _and("x = [1,2]\n")),
    Case("ruff check and format", "ruff check . && ruff format --check .", _with("import sys\n", "import sys\nimport os\n")),
    Case("format, then check", "ruff format --check . && ruff check --select I .", _with(IMPORTS, "import sys, json\n")),
    Case("ruff by make", "make lint", _with("import sys\n", "import os\nimport sys\n")),
    Case("ruff that fixes and fails", "ruff check --fix --exit-non-zero-on-fix .", _with(IMPORTS, f"import os\n{IMPORTS}")),
    Case("black", "black --check .", _and("x = {  'a':1 }\n")),
    Case("black of a test", "black --check --diff .", _with("def test_a():", "def test_a( ):"), TEST),
    Case("black by python -m", "python -m black --check shop", _and("def f(a,b): return a\n")),
    Case("isort", "isort --check-only --profile black .", _with(IMPORTS, "import sys\nimport json\n")),
    Case("isort -c", "isort -c --profile black shop", _with("import json\n", "from shop import b\nimport json\n")),
    Case("isort and black", "isort -c --profile black . && black --check .", _with(IMPORTS, "import sys, json\n")),
)  # fmt: skip


def measure() -> Iterator[Figure]:
    """Those that are healed by their own fixer, and those in which the commit's own lines are gone."""
    with tempfile.TemporaryDirectory(prefix="selfheal-bench-", dir=_place()) as folder:
        cases = [case for case in CASES if _is_there(case, Path(folder))]
        missed = {case.what: why for case in cases if (why := _missed(case, Path(folder)))}
    for what, why in missed.items():
        print(f"     missed: {what}: {why}", flush=True)
    share = 100 * (1 - len(missed) / len(cases))
    what = f"checks with a known fixer that are healed by it, {len(cases) - len(missed)} of {len(cases)}"
    yield Figure(what, share, 95, " %", at_least=True)
    undone = sum(why == UNDONE for why in missed.values())
    yield Figure(f"of these healed by putting an older file back, {undone} of {len(cases)}", undone, 0, "")


UNDONE = "what the commit added is gone"


def _missed(case: Case, folder: Path) -> str | None:
    """Why a case is not healed as it should be; None when it is."""
    project = Path(tempfile.mkdtemp(dir=folder))
    files = {
        ".selfheal.toml": f"[steps.check]\nrun = {json.dumps(case.run)}\n",
        "Makefile": "lint:\n\truff check .\n",
        "shop/__init__.py": "",
        "shop/b.py": "",
        "shop/things.py": GREEN,
        TEST: "def test_a():\n    assert 1\n",
    }
    _commit(project, files, "green")
    _commit(project, {case.path: case.broken(f"{files[case.path]}\n\n{ADDED}")}, "broken")
    path = f"{folder / 'venv' / 'bin'}:{BIN}:{os.environ['PATH']}"
    words = ("heal", "--no-model", "--cache-dir", str(folder / "cache"))
    done = shell.run(
        [BIN / "selfheal", *words], cwd=project, env={"PATH": path, "HOME": str(folder), "LANG": "C.UTF-8"}, timeout=300
    )
    said = done.stderr.decode().strip()[-300:]
    if not (project / "selfheal-out/heal.json").exists():
        return said
    told = artifact.read(project / "selfheal-out")
    if told.status is not Status.HEALED or told.patch is None:
        return f"{told.status}: {said}"
    texts = {file.path: file.content for file in told.patched}
    if ADDED.encode() not in (texts.get(case.path, ADDED.encode()) or b""):
        return UNDONE
    by = {attempt.remedy for attempt in told.attempts if attempt.verdict == "verified"}
    return None if by <= OWN else f"healed by {', '.join(sorted(by))}"


def _commit(project: Path, files: dict[str, str], subject: str) -> None:
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    if not (project / ".git").exists():
        _run("git", "-C", str(project), "init", "--quiet", "--initial-branch=main")
    _run("git", "-C", str(project), "add", "--all")
    _run("git", "-C", str(project), *WHO, "commit", "--quiet", "--message", subject)


def _is_there(case: Case, folder: Path) -> bool:
    """Whether the tools of a case are there; those that are not in our own environment are fetched into one of its own."""
    wanted = [tool for tool in ("black", "isort") if tool in case.run]
    missing = [tool for tool in wanted if not (folder / "venv" / "bin" / tool).exists()]
    if missing and not _fetched(missing, folder / "venv"):
        print(f"     left out: {case.what}: {', '.join(missing)} cannot be installed here", flush=True)
        return False
    return True


def _fetched(tools: list[str], venv: Path) -> bool:
    env = dict(os.environ)
    if not venv.exists():
        _run(sys.executable, "-m", "venv", str(venv))
    done = shell.run([venv / "bin" / "python", "-m", "pip", "install", *PIP, *tools], env=env, timeout=300)
    return done.exit_code == 0


def _run(*words: str) -> None:
    done = shell.run(list(words), env=dict(os.environ), timeout=300)
    if done.exit_code:
        raise SystemExit(f"{' '.join(words)} failed:\n{done.stderr.decode()}")


def _place() -> Path:
    """Where folders can be seen in a sandbox: its /tmp is its own."""
    return Path("/var/tmp")  # noqa: S108
