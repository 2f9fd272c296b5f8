"""What hostile and huge reports cost, and what a reduced log keeps of the lines that say why."""

from __future__ import annotations

import json
import os
import random
import re
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from benchmarks.failing_logs import Failing, collect, missing
from benchmarks.figures import Figure
from benchmarks.reports import huge, mutants, seeds
from selfheal_ci import shell
from selfheal_ci.detect import parse, read_reports, reduce_log, result
from selfheal_ci.detect.output import PER_TOKEN, TOKENS
from selfheal_ci.errors import ReportError
from selfheal_ci.values import Output, Red, Run, Step, Stop

FAILURES = 100_000
TRIES = 3  # a busy machine makes our own time longer, too
MUTANTS = 100_000
LINES = 200_000
EVENTS = ("open", "socket.", "urllib.", "subprocess.", "os.system", "os.posix_spawn", "os.exec", "ctypes.dlopen")


def measure() -> Iterator[Figure]:
    """Each report in a process of its own, whose peak is that of this one task."""
    yield from _huge_report()
    yield from _mutants()
    yield from _reduced_logs()
    yield from _long_logs()


def _huge_report() -> Iterator[Figure]:
    what = f"JUnit, {FAILURES:,} failures, {len(huge(FAILURES)) / 1e6:.0f} MB, report to failures"
    tries = [_in_a_child("huge") for _ in range(TRIES)]
    yield Figure(f"{what}: our own time, the best of {TRIES}", min(spent for spent, _, _ in tries), 3, " s")
    yield Figure(f"{what}: our own peak of memory", max(peak for _, peak, _ in tries), 300, " MB")


def _mutants() -> Iterator[Figure]:
    worst, peak, counts = _in_a_child("mutants")
    yield Figure("JUnit, seeds of mutants", counts["seeds"], 40, "", at_least=True)
    what = f"JUnit, {MUTANTS:,} mutants ({counts['read']:,} read, {counts['refused']:,} refused)"
    yield Figure(f"{what}: errors of another type", counts["other"], 0, "")
    yield Figure(f"{what}: files opened, connections, processes", counts["touched"], 0, "")
    yield Figure(f"{what}: the slowest", worst, 2, " s")
    yield Figure(f"{what}: our own peak of memory", peak, 256, " MB")


def _reduced_logs() -> Iterator[Figure]:
    logs = list(collect())
    tools = {program.tool for program, _ in logs}
    if gone := missing():
        print(f"     not on this machine: {', '.join(gone)}")
    yield Figure("reduced logs: tools whose failures were collected", len(tools), 8, "", at_least=True)
    kept = total = largest = 0
    for around, noise in NOISE.items():
        here = all_here = 0
        for program, output in logs:
            reduced = reduce_log(noise(output))
            left = [pattern for pattern in program.critical if re.search(pattern, reduced, re.MULTILINE)]
            here, all_here, largest = here + len(left), all_here + len(program.critical), max(largest, len(reduced))
            _tell_lost(program, around, left)
        kept, total = kept + here, total + all_here
        print(f"     critical lines, {around}: {here} of {all_here} in {len(logs)} logs")
    yield Figure(f"reduced logs: critical lines kept, {kept} of {total}", 100 * kept / total, 90, " %", at_least=True)
    yield Figure("reduced logs: the longest, in tokens", largest / PER_TOKEN, TOKENS * 1.05, "")


def _tell_lost(program: Failing, around: str, left: Sequence[str]) -> None:
    for pattern in program.critical:
        if pattern not in left:
            print(f"     lost: {program.name}, {around}: {pattern}")


def _long_logs() -> Iterator[Figure]:
    for what, line in LONG.items():
        log = "".join(line(number) for number in range(LINES))
        began = time.process_time()
        reduce_log(log)
        yield Figure(f"reduce {LINES:,} lines, {what}: our own time", time.process_time() - began, 2, " s")


def downloads(count: int) -> str:
    """What installing prints: some of the names sound bad."""
    names = ("requests", "error-chain", "failure", "exceptiongroup", "assertpy", "thiserror", "pytest-rerunfailures")
    return "".join(
        f"Downloading {names[n % 7]}-{n % 40}.{n % 7}.0-py3-none-any.whl ({n * 37 % 900} kB)\n"
        f"  Downloading: {n * 7 % 100}%\r  Downloading: 100%\nUnpacking lib{names[n % 7]} ({n % 9}.{n % 5}) ...\n"
        for n in range(count)
    )


def passes(count: int) -> str:
    """Tests that pass, among them those of what happens on errors."""
    names = ("total", "raises_an_error", "failed_login", "timeout_exception", "handles_failure")
    return "".join(
        f"tests/test_shop_{n % 90}.py::test_{names[n % 5]}[{n}] PASSED [{n * 100 // count:3}%]\n" for n in range(count)
    )


def chatter(count: int) -> str:
    """What services log while all is well, and what only sounds bad."""
    lines = (
        "INFO worker-{n} retry {n} after a failed attempt, will retry\n", "WARNING: cache miss for key user:{n}\n",
        "DEBUG pool-{n} 0 errors, 0 failures\n", "npm WARN deprecated package{n}@1.{n}.0: not supported any more\n",
        "warning: unused variable `x{n}` expected in later versions\n", "note: {n} files checked, no errors\n",
    )  # fmt: skip
    return "".join(lines[n % len(lines)].format(n=n) for n in range(count))


def as_ci_prints(log: str) -> str:
    """With times, colours and groups, and what a job prints when it cleans up."""
    cleaning = "".join(f"[command]/usr/bin/git config --local --unset-all http.{n}.extraheader\n" for n in range(80))
    parts = f"##[group]Run tests\n{log}##[error]Process completed with exit code 1.\nPost job cleanup.\n{cleaning}"
    return "".join(
        f"2026-01-02T03:{n // 60 % 60:02}:{n % 60:02}.1234567Z \x1b[3{n % 8}m{line}\x1b[0m\n"
        for n, line in enumerate(parts.split("\n"))
    )


NOISE: dict[str, Callable[[str], str]] = {
    "bare": lambda log: log,
    "after 3,000 downloads, as a CI prints it": lambda log: as_ci_prints(downloads(3000) + log),
    "between 10,000 tests that pass": lambda log: passes(10_000) + log + passes(10_000),
    "among a service's chatter": lambda log: chatter(20_000) + log + chatter(200),
    "all of it": lambda log: as_ci_prints(downloads(1000) + chatter(5000) + passes(5000) + log + chatter(500)),
}
LONG: dict[str, Callable[[int], str]] = {
    "tests that pass": lambda n: (
        f"2026-01-02T03:04:05.1234567Z tests/test_{n}.py::test_a_failure_{n} PASSED [{n * 100 // LINES}%]\n"
    ),
    "all of them errors": lambda n: f"src/file{n}.c:{n}:3: error: 'name{n * 7919 % 10007}' undeclared in function 'f{n}'\n",
    "a test tool's traces": lambda n: ("    x = f(y)\n", "E   KeyError: 'x'\n", f"a.py:{n}: KeyError\n", "_ _ _ _ _\n")[
        n % 4
    ],
}


def _in_a_child(task: str) -> tuple[float, float, dict[str, int]]:
    """Seconds of its own time, MB at its peak, and what it counted."""
    done = shell.run([sys.executable, "-m", "benchmarks.detect", task], env=dict(os.environ), timeout=3600)
    if done.exit_code:
        raise SystemExit(f"{task} failed:\n{done.stderr.decode()}")
    spent, peak, counts = json.loads(done.stdout)
    return spent, peak, counts


def _read_huge() -> tuple[float, dict[str, int]]:
    data = huge(FAILURES)
    began = time.process_time()
    found = result(Run("", Stop.EXITED, 1, Output(), 1.0), Step("tests", ""), read_reports({"report.xml": data}))
    spent = time.process_time() - began
    if not isinstance(found, Red) or len(found.failures) != FAILURES:
        raise SystemExit("not all failures were read")
    return spent, {}


def _read_mutants() -> tuple[float, dict[str, int]]:
    chance = random.Random(MUTANTS)  # noqa: S311
    corpus = seeds()
    counts = dict.fromkeys(("read", "refused", "other", "touched"), 0) | {"seeds": len(corpus)}
    worst = 0.0
    watching = False
    read_reports(
        {f"{number}.xml": data for number, data in enumerate(corpus)}
    )  # Python loads codecs when they are first used

    def watch(event: str, _: object) -> None:
        counts["touched"] += watching and event.startswith(EVENTS)

    sys.addaudithook(watch)
    for mutant in mutants(corpus, MUTANTS, chance):
        began = time.process_time()
        watching = True
        try:
            parse(mutant)
            outcome = "read"
        except ReportError:
            outcome = "refused"
        except Exception as error:  # noqa: BLE001  that there is none is the claim
            print(repr(error), file=sys.stderr)
            outcome = "other"
        watching = False
        counts[outcome] += 1
        worst = max(worst, time.process_time() - began)
    return worst, counts


TASKS = {"huge": _read_huge, "mutants": _read_mutants}

if __name__ == "__main__":
    spent, counts = TASKS[sys.argv[1]]()
    print(json.dumps([spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000, counts]))
