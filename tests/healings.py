"""Healings of every kind, as `cycle.heal` would give them, and golden files."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from selfheal_ci.deliver.recount import key_of
from selfheal_ci.values import (
    Attempt,
    Attested,
    Base,
    CanarySeen,
    Candidate,
    Changes,
    Content,
    Cost,
    Culprit,
    Evidence,
    Failure,
    Finding,
    Healing,
    Hunk,
    Kind,
    Lack,
    Refused,
    Rejected,
    Shortfall,
    Source,
    Status,
    Step,
    Tree,
    Unusable,
    Verified,
)
from tests.fakes import MemoryFiles

GOLDEN = Path(__file__).parent / "golden"
BEFORE = b"def total(items):\n    return sum(items) - 1\n"
AFTER = b"def total(items):\n    return sum(items)\n"
FILES = MemoryFiles()
TREE: Tree = FILES.tree({"cart.py": BEFORE, "tests/test_cart.py": b"...\n"})
FIX = Changes({"cart.py": Content(AFTER)})
HEALED_TREE = FILES.write(TREE, FIX)
PATCH = b"""diff --git a/cart.py b/cart.py
index 1111111..2222222 100644
--- a/cart.py
+++ b/cart.py
@@ -1,2 +1,2 @@
 def total(items):
-    return sum(items) - 1
+    return sum(items)
"""
TEST = "tests/test_cart.py::test_total"
FAILURE = Failure(
    TEST,
    "1:" + "a" * 40,
    "assert 5 == 6",
    "cart.py",
    2,
    "AssertionError",
    "    assert total([1, 2, 3]) == 6\nE   assert 5 == 6",
)
CULPRIT = Culprit(
    (Hunk("cart.py", 1, (b"    return sum(items)\n",), (b"    return sum(items) - 1\n",)),),
    "c0ffee" * 6 + "c0ff",
    "reverting it alone turns 1 of 1 green",
)
SOURCE = Source("shop", "main", "d" * 40, TREE, dirty=False, base=Base("b" * 40, Attested.FORGE))
STEP = Step("tests", "pytest -q")
EVIDENCE = Evidence(reproduced=3, red_to_green=(TEST,), repeats=3, canary=CanarySeen.FAILED)
FINDING = Finding(
    Kind.REGRESSION,
    "1 failure here, green on bbbbbbbbbbbb: a change in between broke it",
    {TEST: Kind.REGRESSION},
    reproduced=3,
    culprit=CULPRIT,
)
REJECTED = Attempt(
    1,
    Candidate("fixer", Changes({"cart.py": Content(b"x\n")}), "ruff check --fix"),
    Rejected("0 of 1 now pass; tests/test_cart.py::test_total: assert 5 == 6 (cart.py:2)", Evidence()),
    runs=1,
    seconds=0.4,
)
UNUSABLE = Attempt(2, Candidate("model", Changes(), "", flaw="no"), Unusable("the edit of cart.py did not match"), 0, 0.0)
VERIFIED = Attempt(
    3, Candidate("model", FIX, "the total left out one item", cost=Cost(1, 6100, 900, 0, 0.021)), Verified(EVIDENCE), 4, 1.9
)
REFUSED = Attempt(
    1,
    Candidate("model", Changes({"tests/test_cart.py": Content(b"\n")}), "drop the test"),
    Refused("tests/test_cart.py: this is a test file, and no fix may touch it", works=True),
    1,
    0.5,
)


def a_healing(status: Status) -> Healing:
    """One with everything that such a healing has."""
    found = Healing(status, STEP, SOURCE, (FAILURE,), FINDING, evidence=Evidence(reproduced=3), seconds=6.2)
    match status:
        case Status.HEALTHY:
            return Healing(status, STEP, SOURCE, seconds=1.25)
        case Status.HEALED:
            attempts = (REJECTED, UNUSABLE, VERIFIED)
            return replace(found, attempts=attempts, changes=FIX, evidence=EVIDENCE, cost=Cost(1, 6100, 900, 0, 0.021))
        case Status.FLAKY:
            finding = Finding(Kind.FLAKY, "1 failure that passes when run again, unchanged: flaky", {TEST: Kind.FLAKY}, 4)
            return replace(found, finding=finding)
        case Status.ENVIRONMENT:
            summary = "1 failure here and on the green revision alike: the environment, not the code"
            finding = Finding(Kind.ENVIRONMENT, summary, {TEST: Kind.ENVIRONMENT}, 3)
            return replace(found, finding=finding)
        case Status.REFUSED:
            return replace(found, attempts=(REFUSED,), changes=REFUSED.candidate.changes)
        case Status.NOT_HEALED | Status.OVER_BUDGET | Status.SKIPPED | Status.ERROR:
            lacks = (Shortfall(Lack.KEY, "no key for the model: set ANTHROPIC_API_KEY"),)
            return replace(found, attempts=(REJECTED, UNUSABLE), lacks=lacks, not_checked=("the step lint",))


def an_infrastructure() -> Healing:
    """A step that needs more memory than it may have."""
    why = "it used more memory than it may (limits.memory, 4g)"
    failure = Failure("step:tests", "1:" + "b" * 40, why, text="tests/test_cart.py ...\n… 9000 bytes left out …\n...")
    advice = "with twice as much (8g) the step passes: raise limits.memory (--max-memory) to 8g"
    finding = Finding(
        Kind.INFRASTRUCTURE, f"{why}, on bbbbbbbbbbbb as well; {advice}", {"step:tests": Kind.INFRASTRUCTURE}, 9
    )
    evidence = Evidence(9, not_checked=("9,000 bytes in the middle of its output (limits.output, --max-output)",))
    return Healing(Status.ENVIRONMENT, STEP, SOURCE, (failure,), finding, evidence=evidence, seconds=6.2)


def a_key(healing: Healing) -> str | None:
    return key_of(healing, len(healing.failures))


def assert_golden(name: str, text: str) -> None:
    """The text is what the file says; UPDATE_GOLDEN=1 writes it anew, for a person to look at."""
    file = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")
