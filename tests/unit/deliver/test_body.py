from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from selfheal_ci.deliver import artifact, body
from selfheal_ci.deliver.artifact import Artifact
from selfheal_ci.redact import Redactor
from selfheal_ci.values import Candidate, Cost, Evidence, Healing, Kind, Status, Verified
from tests.healings import (
    FAILURE,
    FIX,
    HEALED_TREE,
    PATCH,
    TEST,
    VERIFIED,
    a_healing,
    a_key,
    an_infrastructure,
    assert_golden,
)


def told(folder: Path, healing: Healing) -> Artifact:
    return artifact.write(folder, healing, engine="local", patch=PATCH, redactor=Redactor(), healed=HEALED_TREE)


@pytest.mark.parametrize("status", Status)
def test_reports(status: Status) -> None:
    healing = a_healing(status)
    patch = PATCH if healing.changes else b""

    assert_golden(f"report_{status}.md", body.report(healing, patch=patch, key=a_key(healing), engine="local"))


def test_reports_which_limit_to_raise() -> None:
    healing = an_infrastructure()

    assert_golden("report_infrastructure.md", body.report(healing, key=a_key(healing), engine="local"))


def test_reports_what_was_healed_in_part() -> None:
    healed, other = Evidence(3, (TEST,), repeats=3), replace(FAILURE, id="tests/test_cart.py::test_count")
    found = a_healing(Status.NOT_HEALED)
    assert found.finding
    finding = replace(found.finding, kinds={TEST: Kind.REGRESSION, other.id: Kind.NEW_FAILURE})
    healing = replace(found, changes=FIX, failures=(FAILURE, other), evidence=healed, finding=finding)

    assert_golden("report_partial.md", body.report(healing, patch=PATCH, key=a_key(healing), engine="local"))


def test_reports_an_error_that_came_before_anything_else() -> None:
    assert_golden("report_early_error.md", body.error_report("no such revision: 'x'\n  name one with --base", step="tests"))


def test_names_every_culprit_and_what_else_would_do() -> None:
    healing = a_healing(Status.HEALED)
    made = healing.attempts[-1]
    rivals = ("cart.py:2: `a` instead of `b`", "cart.py:3: `c` is added")
    assert healing.finding
    assert healing.finding.culprit
    other = replace(healing.finding.culprit, how="reverting it alone turns 2 of 2 green")
    finding = replace(healing.finding, culprits={"1:a": healing.finding.culprit, "1:b": other, "1:c": other})
    attempts = (replace(made, candidate=replace(made.candidate, rivals=rivals)),)

    report = body.report(replace(healing, finding=finding, attempts=attempts), patch=PATCH)

    assert report.count("The culprit is ") == 2
    assert "turns 2 of 2 green" in report
    assert "The same tests would turn green with:\n\n- cart.py:2: \\`a\\` instead of \\`b\\`\n- cart.py:3: " in report


HOSTILE = "@admin Fixes #1 ![x](http://evil/a.png) <img src=x> ``` \n/close\n\x1b[31m \u202e [skip ci]"


def test_keeps_every_text_of_others_from_doing_anything() -> None:
    failure = replace(FAILURE, id=HOSTILE, message=HOSTILE, text=HOSTILE + "\n````\n</details>", path=HOSTILE)
    healed = a_healing(Status.HEALED)
    assert healed.finding
    healing = replace(
        healed,
        failures=(failure,),
        finding=replace(healed.finding, summary=HOSTILE, model_verdict=HOSTILE),
        labels=(HOSTILE,),
        not_checked=(HOSTILE,),
        attempts=(replace(VERIFIED, candidate=Candidate(HOSTILE, FIX, HOSTILE)),),
        evidence=Evidence(3, (HOSTILE,), (), (), 3),
    )

    assert_golden("report_hostile.md", body.report(healing, patch=PATCH + b"+```` @admin\n", key="0" * 64, engine="local"))


def test_cuts_long_lists_and_patches() -> None:
    healing = replace(a_healing(Status.HEALED), failures=(FAILURE,) * 5000, attempts=(VERIFIED,) * 5000)

    report = body.report(healing, patch=PATCH + b"+x\n" * 100_000)

    assert len(report) < 60_000
    assert "- and 4,980 more" in report
    assert "and 4,970 more, in `heal.json`" in report
    assert "The patch is longer" in report


def test_titles_a_fix_after_the_test(tmp_path: Path) -> None:
    assert body.title(told(tmp_path, a_healing(Status.HEALED))) == "fix(ci): make test_total pass"


def test_titles_a_revert_so(tmp_path: Path) -> None:
    revert = replace(VERIFIED, candidate=replace(VERIFIED.candidate, remedy="revert"))

    assert body.title(told(tmp_path, replace(a_healing(Status.HEALED), attempts=(revert,)))) == (
        "Revert cart.py:2, which broke test_total"
    )


@pytest.mark.parametrize(
    ("ids", "title"),
    [
        (("a::one", "a::two"), "fix(ci): make 2 failing tests of tests pass"),
        (("step:lint",), "fix(ci): make the step tests pass"),
        (("a.py::test[Fixes #1 @bob]",), "fix(ci): make test[Fixes # 1 @ bob] pass"),
        (("a::" + "x" * 99,), "fix(ci): make " + "x" * 57 + "…"),
    ],
)
def test_titles_fixes_by_template(tmp_path: Path, ids: tuple[str, ...], title: str) -> None:
    healing = replace(a_healing(Status.HEALED), evidence=Evidence(3, ids, (), (), 3))

    assert body.title(told(tmp_path, healing)) == title


def test_writes_the_commit_message(tmp_path: Path) -> None:
    other = replace(FAILURE, id="other", fingerprint="1:not-healed")
    healing = a_healing(Status.HEALED)
    assert healing.finding
    finding = replace(healing.finding, kinds={TEST: Kind.REGRESSION, "other": Kind.BASELINE})
    evidence = Evidence(3, (TEST,), (), (), 3)
    attempts = (replace(VERIFIED, verdict=Verified(evidence)),)

    message = body.commit_message(
        told(tmp_path, replace(healing, failures=(FAILURE, other), finding=finding, attempts=attempts))
    )

    assert_golden("commit_message.txt", message)


def test_says_that_a_cost_is_the_most_it_can_be() -> None:
    kept = replace(VERIFIED, candidate=replace(VERIFIED.candidate, cost=Cost(1, usd=0.105)))
    healing = replace(a_healing(Status.HEALED), attempts=(kept,), cost=Cost(2, 10, 10, 0, 0.106))

    assert "at most $0.106." in body.report(healing, patch=PATCH)
