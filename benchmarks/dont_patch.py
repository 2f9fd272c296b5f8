"""What must not be patched: flaky tests, the environment's and the machine's faults, what was red before, what is green.

Each case is a small project with a harmless change since the green revision, taken through a whole healing.

| group | what fails | named rightly |
|---|---|---|
| flaky | one run in twenty to one in two: chance, time, hashes, threads | `flaky` |
| environment | the same on the green revision: a program, a module, a service, a file is missing | `environment` |
| infrastructure | memory, disk, time or processes give out, on the green revision too | `infrastructure` |
| baseline | red on the green revision as well, beside a regression | `baseline`; its file stays as it is |
| green | nothing | `healthy`, or `flaky` where the step is known to have failed |
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure
from benchmarks.healing import Healed, heal, repository

RUN = "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q -p no:cacheprovider"
HALF = 2  # of how many runs one fails, where that is most often
TIMES = 12  # that those are healed which fail one time in two
ENOUGH = 200  # healings of such, to tell one in a hundred from bad luck
QUICK = "BENCH_QUICK"  # a variable: set, each once is enough
SHOP = {
    "shop/__init__.py": "",
    "shop/price.py": """
def total(prices):
    return sum(prices)


def net(price, tax):
    return price - tax
""",
    "shop/words.py": """
def title(name):
    return name.title()


def greeting(name):
    return "Hello " + name
""",
    "tests/test_price.py": """
from shop.price import net, total


def test_total():
    assert total([1, 2]) == 3


def test_net():
    assert net(5, 2) == 3
""",
    "tests/test_words.py": """
from shop.words import title


def test_title():
    assert title("ada") == "Ada"
""",
}
CHANGED = {  # works as before
    "shop/price.py": """
def total(prices):
    result = 0
    for price in prices:
        result += price
    return result


def net(price, tax):
    return price - tax
""",
    "shop/words.py": """
def title(name):
    return name.strip().title()


def greeting(name):
    return f"Hello {name}"
""",
}


@dataclass(frozen=True)
class Case:
    """A project whose step is red for no reason that a patch could mend."""

    group: str
    name: str
    kind: str  # that the failure is to be named
    extra: Mapping[str, str] = field(default_factory=dict)  # files of both revisions
    changed: Mapping[str, str] = field(default_factory=lambda: CHANGED)
    run: str = RUN
    asked: Mapping[str, Any] = field(default_factory=dict)
    one_in: int = 0  # runs of a flaky one fails
    untouched: str | None = None  # a file that no patch may change; None: there may be no patch at all


@dataclass(frozen=True)
class Count:
    """How a case came out, in so many healings of it."""

    case: Case
    times: int
    right: int
    patched: int


def measure() -> Iterator[Figure]:
    """Each case; those that fail one time in two several times, and again where luck may have decided."""
    every = list(cases())
    counts = [judged(case) for case in every if case.one_in != HALF]
    coins = [case for case in every if case.one_in == HALF]
    halves = [judged(case, times=1 if QUICK in os.environ else TIMES) for case in coins]
    while _share(halves) > 0 and sum(count.times for count in halves) < ENOUGH:
        halves += [judged(case, times=TIMES) for case in coins]
    for group in dict.fromkeys(case.group for case in every):
        of = [count for count in counts + halves if count.case.group == group]
        print(
            f"     {group}: {sum(count.right for count in of)}/{sum(count.times for count in of)} named rightly", flush=True
        )
    wrong = sum(count.times - count.right for count in counts)
    yield Figure("what must not be patched: cases", len(every), 30, "", at_least=True)
    yield Figure("the same, named wrongly", wrong, 0, f"/{len(counts)}")
    tried = sum(count.times for count in halves)
    yield Figure(f"flaky one time in two, named wrongly in {tried} healings", 100 * _share(halves), 1, " %")
    whole = sum(count.times for count in counts + halves)
    yield Figure("what must not be patched: patched", sum(count.patched for count in counts + halves), 0, f"/{whole}")


def judged(case: Case, times: int = 1) -> Count:
    """Heal it so often; what was not as it should be is told."""
    right = patched = 0
    missed = []
    for _ in range(times):
        healed = healing(case)
        right += is_right(case, healed)
        patched += is_patched(case, healed)
        if not is_right(case, healed) or is_patched(case, healed):
            missed.append(f"{healed.status}, named {', '.join(sorted(healed.kinds)) or 'nothing'}: {healed.why}")
    word = "PATCHED" if patched else "MISSED" if missed else "named"
    print(f"     {word:7} {right}/{times} {case.group}: {case.name}{'; '.join(['', *missed])}", flush=True)
    return Count(case, times, right, patched)


def _share(counts: Sequence[Count]) -> float:
    """Of what was named wrongly."""
    return 1 - sum(count.right for count in counts) / sum(count.times for count in counts)


def healing(case: Case) -> Healed:
    """Through the whole thing, the revision before the change named as green."""
    with tempfile.TemporaryDirectory(prefix="selfheal-bench-") as place:
        green = {**SHOP, **case.extra}
        trees = (green, {**green, **case.changed})
        folder = repository(Path(place, "shop"), *({name: text.encode() for name, text in tree.items()} for tree in trees))
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environ = {"PATH": path, "HOME": place, "LANG": "C.UTF-8"}
        return heal(folder, case.run, environ, base="HEAD~1", cache_dir=f"{place}/cache", **case.asked)


def is_right(case: Case, healed: Healed) -> bool:
    """Whether the failure is what it was named, or the step what it is."""
    if case.kind in {"healthy", "flaky"}:
        return healed.status == case.kind
    return case.kind in healed.kinds and (case.kind == "baseline" or healed.status == "environment")


def is_patched(case: Case, healed: Healed) -> bool:
    """Whether there is a patch of what must stay as it is."""
    patched = {file["path"] for file in (healed.told["patch"] or {"files": []})["files"]}
    return bool(patched) if case.untouched is None else case.untouched in patched


def cases() -> Iterator[Case]:
    yield from _flaky()
    yield from _environment()
    yield from _infrastructure()
    yield from _baseline()
    yield from _green()


def _test(body: str, *, top: str = "") -> Mapping[str, str]:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return {"tests/test_more.py": f"{top}\n\n\ndef test_more():\n{lines}".lstrip()}


def _flaky() -> Iterator[Case]:
    """By several mechanisms; what fails one time in N."""
    chance = "from random import randrange"
    known = {"failed": True}
    for n in (2, 3, 5, 10, 20):
        drawn = _test(f"assert randrange({n})", top=chance)
        yield Case("flaky", f"chance, one in {n}", "flaky", drawn, one_in=n, asked=known)
    for n in (2, 4, 8):
        hashed = _test(f'assert hash("a word") % {n}')
        yield Case("flaky", f"hashes of strings, one in {n}", "flaky", hashed, one_in=n, asked=known)
    clock = "from time import time_ns"
    for n in (2, 7):
        timed = _test(f"assert time_ns() // 1009 % {n}", top=clock)
        yield Case("flaky", f"the clock, one in {n}", "flaky", timed, one_in=n, asked=known)
    for n in (2, 6):
        raised = _test(f'if not randrange({n}):\n    raise ConnectionError("connection reset by peer")', top=chance)
        yield Case("flaky", f"an exception, one in {n}", "flaky", raised, one_in=n, asked=known)
    for n in (2, 9):
        code = f"import pytest\n{chance}\n\n\n@pytest.fixture\ndef ready():\n    assert randrange({n})"
        fixture = {"tests/test_more.py": f"{code}\n\n\ndef test_more(ready):\n    pass\n"}
        yield Case("flaky", f"a fixture, one in {n}", "flaky", fixture, one_in=n, asked=known)
    race = (
        "done = []\nthread = Thread(target=lambda: (sleep(random() * 0.02), done.append(1)))\nthread.start()\n"
        "sleep(0.01)\nassert done"
    )
    top = "from random import random\nfrom threading import Thread\nfrom time import sleep"
    yield Case("flaky", "a race, about one in two", "flaky", _test(race, top=top), one_in=2, asked=known)
    collected = {"tests/test_more.py": f"{chance}\n\nassert randrange(4)\n\n\ndef test_more():\n    pass\n"}
    yield Case("flaky", "at import, one in 4", "flaky", collected, one_in=4, asked=known)
    crash = _test("if not randrange(3):\n    os._exit(3)", top=f"import os\n{chance}")
    yield Case("flaky", "the process ends, one in 3", "flaky", crash, one_in=3, asked=known)
    source = {
        "shop/draw.py": f"{chance}\n\n\ndef winner(names):\n    return names[randrange(len(names))]\n",
        **_test('assert winner(["ada", "bob"]) == "ada"', top="from shop.draw import winner"),
    }
    yield Case("flaky", "chance in the source, one in 2", "flaky", source, one_in=2, asked=known)


def _environment() -> Iterator[Case]:
    for name, extra in {
        "a module is missing": _test("assert numpy_of_somebody.array", top="import numpy_of_somebody"),
        "a program is missing": _test('assert subprocess.run(["no-such-tool", "--version"])', top="import subprocess"),
        "a service does not answer": _test('socket.create_connection(("127.0.0.1", 5432), 2)', top="import socket"),
        "there is no network": _test('urlopen("http://192.0.2.1/", timeout=3)', top="from urllib.request import urlopen"),
        "a name is not resolved": _test('socket.getaddrinfo("example.org", 443)', top="import socket"),
        "a variable is not set": _test('assert os.environ["SHOP_DATABASE"]', top="import os"),
        "a file of the machine is missing": _test('open("/etc/shop/settings.ini")'),
        "a certificate ran out": _test("assert date.today() < date(2024, 1, 1)", top="from datetime import date"),
        "the interpreter is another": _test("assert sys.version_info < (3, 8)", top="import sys"),
        "a folder cannot be written": _test('open("/usr/lib/shop.lock", "w")'),
    }.items():
        yield Case("environment", name, "environment", extra)
    yield Case("environment", "the command is missing", "environment", run="no-such-runner tests")
    yield Case("environment", "the runner is missing", "environment", run="python -m no_such_runner tests")


def _infrastructure() -> Iterator[Case]:
    most = {"max_memory": "256m"}
    memory = _test("data = bytearray(900_000_000)\nassert data")
    yield Case("infrastructure", "memory", "infrastructure", memory, asked=most)
    leak = "data = [bytearray(50_000_000) for _ in range(20) if not sleep(0.2)]\nassert data"
    slowly = _test(leak, top="from time import sleep")
    yield Case("infrastructure", "memory, little by little", "infrastructure", slowly, asked=most)
    disk = _test('with open(tmp / "data", "wb") as file:\n    file.write(bytes(90_000_000))', top=TMP)
    yield Case("infrastructure", "disk", "infrastructure", disk, asked={"max_disk": "16m"})
    limited = f"[steps.tests]\nrun = '{RUN}'\ntimeout-minutes = 0.08\n"
    waits = {".selfheal.toml": limited, **_test("sleep(60)", top="from time import sleep")}
    yield Case("infrastructure", "time, waiting", "infrastructure", waits, run="")
    works = {".selfheal.toml": limited, **_test("while True:\n    pass")}
    yield Case("infrastructure", "time, working", "infrastructure", works, run="")


TMP = "import tempfile\nfrom pathlib import Path\n\ntmp = Path(tempfile.mkdtemp())"


def _baseline() -> Iterator[Case]:
    """A regression beside what was red before: that one alone is a target."""
    broken = {**CHANGED, "shop/price.py": CHANGED["shop/price.py"].replace("price - tax", "price + tax")}
    for name, extra in {
        "an assertion": _test('assert greeting("ada") == "Hello Ada"', top="from shop.words import greeting"),
        "a module that is missing": _test("import somebody.words\nassert somebody.words"),
        "an exception": _test("assert greeting()", top="from shop.words import greeting"),
        "the machine": _test('assert os.environ["SHOP_WORDS"]', top="import os"),
    }.items():
        yield Case("baseline", name, "baseline", extra, broken, untouched="shop/words.py")


def _green() -> Iterator[Case]:
    yield Case("green", "nothing fails", "healthy")
    yield Case("green", "nothing fails, known to have failed", "flaky", asked={"failed": True})
    marked = "import pytest\n\n\n@pytest.mark.{}\ndef test_more():\n    assert 0\n"
    both = {f"tests/test_{mark}.py": marked.format(mark) for mark in ("skip", "xfail")}
    yield Case("green", "skipped and expected to fail", "healthy", both)
    yield Case("green", "errors in the output alone", "healthy", run="echo 'Error: AssertionError, 3 failed'; true")
    warns = _test('warnings.warn("error: this is old")', top="import warnings")
    yield Case("green", "warnings", "healthy", warns)
