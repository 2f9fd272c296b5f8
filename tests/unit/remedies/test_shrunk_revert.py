from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from selfheal_ci.remedies import Tries
from selfheal_ci.remedies.halves import loses_types
from selfheal_ci.remedies.shrunk_revert import PROBES, ShrunkRevert
from selfheal_ci.values import Candidate, Case, Changes, Content, Culprit, Evidence, Hunk, Rejected
from tests.fakes import Check, Place, a_failure, a_finding, a_place

OLD = b"def total(items, tax):\n    net = sum(items)\n    return net + tax\n"
NEW = b"def total(items, tax, discount=0):\n    net = sum(items)\n    log(net)\n    return net - tax - discount\n"
HUNK = Hunk("a.py", 0, tuple(OLD.splitlines(keepends=True)), tuple(NEW.splitlines(keepends=True)))


def candidates(
    check: Check, *hunks: Hunk, project: Mapping[str, bytes] | None = None, green: Mapping[str, bytes] | None = None
) -> tuple[list[Candidate], Place]:
    place = a_place(project or {"a.py": NEW}, {"t::a": check})
    culprit = Culprit(hunks or (HUNK,), None, "how")
    case = Case(
        place.tree,
        place.lab.step,
        (a_failure("t::a"),),
        a_finding(culprit=culprit, green=green and place.files.tree(green)),
        hunks=culprit.hunks,
    )
    tries, found = Tries(ShrunkRevert().candidates(case, place.lab)), []
    for candidate in tries:
        found.append(candidate)
        tries.answer(Rejected("no", Evidence()))
    return found, place


def healed_by(needed: bytes) -> Check:
    return lambda files: None if needed in files["a.py"] else "red"


def test_reverts_one_token_and_keeps_the_rest() -> None:
    found, _ = candidates(healed_by(b"net + tax"))

    assert [candidate.changes.files for candidate in found] == [
        {"a.py": Content(NEW.replace(b"net - tax", b"net + tax"), "100644")}
    ]
    assert found[0].why == "a.py:4: `-` is `+` again"


def test_takes_several_pieces_where_one_is_not_enough() -> None:
    both: Check = lambda files: None if b"net + tax" in files["a.py"] and b"log" not in files["a.py"] else "red"  # noqa: E731

    found, _ = candidates(both)

    assert found[0].changes.files["a.py"] == Content(NEW.replace(b"    log(net)\n", b"").replace(b"net - tax", b"net + tax"))
    assert found[0].why.endswith(", and 1 more")


def test_leaves_to_the_whole_revert_what_takes_all_of_it() -> None:
    assert candidates(lambda files: None if files["a.py"] == OLD else "red")[0] == []


def test_searches_all_hunks_of_the_culprit() -> None:
    first, second = Hunk("a.py", 0, (b"x = 1\n",), (b"# two\n", b"x = 2\n")), Hunk("b.py", 0, (b"y = 1\n",), (b"y = 3\n",))
    check: Check = lambda files: None if b"x = 1" in files["a.py"] and b"y = 1" in files["b.py"] else "red"  # noqa: E731

    found, _ = candidates(check, first, second, project={"a.py": b"# two\nx = 2\n", "b.py": b"y = 3\n"})

    assert found[0].changes.files == {"a.py": Content(b"# two\nx = 1\n"), "b.py": Content(b"y = 1\n")}


def test_stops_at_its_budget() -> None:
    new = b"".join(b"line_%d = %d\n" % (n, n) for n in range(300))
    hunk = Hunk("a.py", 0, (), tuple(new.splitlines(keepends=True)))

    _, place = candidates(lambda _: "red", hunk, project={"a.py": new})

    assert len(place.sandbox.seen) <= PROBES


ONE = Hunk("a.py", 0, (b"a + b\n",), (b"a - b\n",))


def test_takes_one_token_though_it_is_all_of_the_hunk() -> None:
    found, _ = candidates(healed_by(b"+"), ONE, project={"a.py": b"a - b\n"})

    assert [candidate.changes.files for candidate in found] == [{"a.py": Content(b"a + b\n")}]


def test_leaves_to_the_whole_revert_what_would_undo_all_that_changed() -> None:
    assert candidates(healed_by(b"+"), ONE, project={"a.py": b"a - b\n"}, green={"a.py": b"a + b\n"})[0] == []


LOG = Hunk("a.py", 0, (b"def f(x):\n", b"    log(x)\n", b"    return x\n"), (b"def f(x):\n", b"    return x\n"))


@pytest.mark.parametrize("elsewhere", [True, False])
def test_a_statement_that_is_gone_comes_back_where_other_changes_stay(elsewhere: bool) -> None:
    now = {"a.py": b"".join(LOG.new), "b.py": b"2\n"}
    green = {"a.py": b"".join(LOG.old), "b.py": b"1\n" if elsewhere else b"2\n"}

    found, _ = candidates(healed_by(b"log"), LOG, project=now, green=green)

    assert [candidate.changes.files["a.py"] for candidate in found] == [Content(b"".join(LOG.old))] * elsewhere


TAKE = b'def take(n, seq):\n    """The first n."""\n    return islice(seq, n)\n'


def test_of_what_moved_only_the_mistake_is_put_back() -> None:
    now = b"x = 1\n" + TAKE.replace(b"seq, n)", b"seq, n + 1)")
    gone = Hunk("a.py", 0, tuple(TAKE.splitlines(keepends=True)), ())
    here = Hunk("a.py", 1, (), tuple(now.splitlines(keepends=True)[1:]))

    found, _ = candidates(healed_by(b"seq, n)"), gone, here, project={"a.py": now})

    assert found[0].changes.files == {"a.py": Content(b"x = 1\n" + TAKE)}


def test_a_type_checker_is_not_contented_with_fewer_types() -> None:
    was, now = b"def f(a: int, b: int) -> int: ...\n", b"def f(a, b: str) -> str: ...\n"
    hunk = Hunk("a.py", 0, (was,), (now,))
    place = a_place({"a.py": now}, {"a.py::mypy[x]::no": lambda files: None if b"-> int" in files["a.py"] else "red"})
    fewer = Changes({"a.py": Content(b"def f(a, b) -> int: ...\n")})
    case = Case(
        place.tree, place.lab.step, (a_failure("a.py::mypy[x]::no"),), a_finding(culprit=Culprit((hunk,), None, "how"))
    )

    assert loses_types(case, place.lab, fewer)
    assert not loses_types(case, place.lab, Changes({"a.py": Content(b"def f(a, b: str) -> int: ...\n")}))
    assert not loses_types(replace(case, failures=(a_failure("t::a"),)), place.lab, fewer)
