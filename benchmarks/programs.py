"""How many small programs with one fault, and no history, are healed without a model.

Each file in `programs/` has the right program, one fault, and a table of tests. Half of the tests, chosen by a fixed seed,
are shown to selfheal; the others judge what it made of the program. The faults were picked before the search was tuned,
as what people do wrong; more than half of them are not one operator or name in the place of another:

| fault | programs |
|---|---|
| comparison, arithmetic operator, boolean operator, constant | 7 |
| off by one | 2 |
| wrong name | 3 |
| swapped arguments | 1 |
| wrong callee | 3 |
| initial value | 2 |
| wrong condition | 2 |
| two tokens, or an expression that lacks a part | 5 |
| dropped statement | 5 |
| missing edge case | 5 |
| wrong order of statements | 2 |
| wrong indentation | 3 |
| shadowed variable | 2 |

Of the shown tests at least one fails, else nothing would be asked of selfheal.
"""

from __future__ import annotations

import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.healing import Healed, git, heal, repository
from selfheal_ci import shell
from selfheal_ci.errors import ToolError

FOLDER = Path(__file__).parent / "programs"
SEED = 20_240_607
HANGS = 20  # seconds
SHOWN = 150  # characters of what came of a program
RUN = "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q"
_SECTION = re.compile(r"^--- (fault: .*|becomes|tests)\n", re.MULTILINE)
_RAISES = re.compile(r"(?:(?P<before>.*); )?raises (?P<type>\w+): (?P<call>.*)")


class Came(StrEnum):
    """What came of a program."""

    RIGHT = "right"
    WRONG = "wrong"
    MISSED = "missed"


@dataclass(frozen=True)
class Program:
    name: str
    right: str
    fault: str  # its kind
    faulty: str
    tests: tuple[str, ...]  # each a line of the table


def measure() -> Iterator[Figure]:
    """What came of each is printed on the way."""
    programs = [read(path) for path in sorted(FOLDER.glob("*.txt"))]
    began = time.perf_counter()
    results = [(program, *_healed(program)) for program in programs]
    count = Counter(came for _, came, _ in results)
    for came in (Came.WRONG, Came.MISSED):
        names = ", ".join(f"{program.name} ({program.fault})" for program, this, _ in results if this is came)
        print(f"     {came}: {names or 'none'}", flush=True)
    for fault, group in sorted(Counter(program.fault for program in programs).items()):
        right = sum(program.fault == fault and came is Came.RIGHT for program, came, _ in results)
        print(f"     {fault}: {right} of {group}", flush=True)
    total = len(programs)
    yield Figure(
        f"{total} one-fault programs without history: healed", 100 * count[Came.RIGHT] / total, 60, " %", at_least=True
    )
    yield Figure(f"{total} one-fault programs without history: wrong", 100 * count[Came.WRONG] / total, 5, " %")
    yield Figure(f"all {total} of them", (time.perf_counter() - began) / 60, 8, " minutes")


def read(path: Path) -> Program:
    """A program from its file."""
    right, fault, was, _, becomes, _, tests = _SECTION.split(path.read_text())
    if right.count(was) != 1:
        raise SystemExit(f"{path.name}: the fault is there {right.count(was)} times")
    return Program(path.stem, right, fault.removeprefix("fault: "), right.replace(was, becomes), tuple(tests.splitlines()))


def halves(program: Program) -> tuple[list[str], list[str]]:
    """The tests that are shown, at least one of which fails, and those that judge."""
    tests = list(program.tests)
    random.Random(f"{SEED} {program.name}").shuffle(tests)  # noqa: S311  which tests are shown is no secret
    half = len(tests) // 2
    failing = failing_of(program.faulty, tests)
    if not failing.intersection(tests[:half]):
        first = next(test for test in tests if test in failing)
        tests.remove(first)
        tests.insert(0, first)
    return tests[:half], tests[half:]


def written(tests: Sequence[str], name: str) -> str:
    """The tests as pytest wants them."""
    return f"import pytest\n\nfrom {name} import *\n" + "".join(_function(test, n) for n, test in enumerate(tests, 1))


def _function(test: str, number: int) -> str:
    head = f"\n\ndef test_{number}():\n"
    if raises := _RAISES.fullmatch(test):
        before = "".join(f"    {part}\n" for part in (raises["before"] or "").split("; ") if part)
        return f"{head}{before}    with pytest.raises({raises['type']}):\n        {raises['call']}\n"
    *steps, claim = test.split("; ")
    return head + "".join(f"    {step}\n" for step in steps) + f"    assert {claim}\n"


def failing_of(text: str, tests: Sequence[str]) -> set[str]:
    """The tests that a program does not pass."""
    with tempfile.TemporaryDirectory(prefix="selfheal-bench-judge-") as place:
        Path(place, "program.py").write_text(text)
        Path(place, "test_program.py").write_text(written(tests, "program"))
        words = [sys.executable, "-m", "pytest", "-q", "-rf", "-p", "no:cacheprovider", place]
        try:
            done = shell.run(words, env={"PATH": shell.PATH, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}, timeout=HANGS)
        except ToolError:
            return set(tests)
    numbers = re.findall(r"^FAILED \S*::test_(\d+)", done.stdout.decode(), re.MULTILINE)
    return {tests[int(number) - 1] for number in numbers} if done.exit_code in {0, 1} else set(tests)


def _healed(program: Program) -> tuple[Came, Healed]:
    shown, hidden = halves(program)
    with tempfile.TemporaryDirectory(prefix="selfheal-bench-program-") as place:
        folder = _checkout(Path(place), program, shown)
        healed = heal(folder, RUN, _environment(place), ladder=("mutation",))
        came = Came.MISSED
        if healed.patch is not None:
            git(folder, "apply", stdin=healed.patch)
            wrong = failing_of((folder / f"{program.name}.py").read_text(), hidden)
            came = Came.WRONG if wrong else Came.RIGHT
    told = healed.told["attempts"][-1]["reason"] if healed.told["attempts"] else healed.why
    print(f"     {came:6} {healed.seconds:5.1f} s  {program.name} ({program.fault}): {told[:SHOWN]}", flush=True)
    return came, healed


def _checkout(place: Path, program: Program, tests: Sequence[str]) -> Path:
    files = {f"{program.name}.py": program.faulty.encode(), "tests/test_program.py": written(tests, program.name).encode()}
    return repository(place / "checkout", files)


def _environment(place: str) -> dict[str, str]:
    return {"PATH": f"{Path(sys.executable).parent}:{shell.PATH}", "HOME": place, "XDG_CACHE_HOME": f"{place}-cache"}
