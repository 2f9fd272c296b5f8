"""The words of each refusal: they are what the model and the reviewer read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from selfheal_ci.gate.policy import Policy
from selfheal_ci.gate.suspicion import TABLE, Scene, suspicions
from selfheal_ci.values import Changes, Content, Step
from tests.fakes import Check, MemoryFiles, Project
from tests.healings import assert_golden
from tests.unit.gate.test_suspicion import ATTACKS, BEFORE, TOTAL
from tests.unit.gate.test_verify import CHECKS, has, judge

TREE = {
    "shop/cart.py": b"one\n",
    "ci/run.sh": b"true\n",
    "tests/test_a.py": b"def test_a():\n    assert 1\n",
    "link": b"shop",
}
POLICY: list[tuple[str, Content | None]] = [
    ("tests/test_a.py", Content(b"x\n")),
    (".github/workflows/ci.yml", Content(b"x\n")),
    ("pyproject.toml", Content(b"x\n")),
    ("uv.lock", Content(b"x\n")),
    ("tox.ini", Content(b"x\n")),
    ("AGENTS.md", Content(b"x\n")),
    ("sitecustomize.py", Content(b"x\n")),
    (".env", Content(b"x\n")),
    ("own/a.py", Content(b"x\n")),
    ("../a.py", Content(b"x\n")),
    ("shop/a\n.py", Content(b"x\n")),
    ("shop/\udcff.py", Content(b"x\n")),
    ("shop/nul", Content(b"x\n")),
    (".git/config", Content(b"x\n")),
    ("link", Content(b"x\n")),
    ("link/a.py", Content(b"x\n")),
    ("shop/a.py", Content(b"shop", "120000")),
    ("shop/cart.py", Content(b"one\n", "100755")),
    ("shop/cart.py", None),
    ("shop/Cart.py", Content(b"x\n")),
    ("shop/cart/__init__.py", Content(b"x\n")),
    ("shop/cart.pyi", Content(b"x\n")),
    ("shop/--force.txt", Content(b"x\n")),
    ("shop/a:b.txt", Content(b"x\n")),
    ("shop/c\u0430rt.py", Content(b"x\n")),
    ("\ufb01xtures/a.txt", Content(b"x\n")),
    ("shop/logo.png", Content(b"\0")),
    ("shop/__pycache__/cart.cpython-311.pyc", Content(b"x\n")),
    ("venv/a.py", Content(b"x\n")),
    ("random.py", Content(b"x\n")),
    ("ci/run.sh", Content(b"exit 0\n")),
    ("shop/cart.py", Content(b"line\n" * 500)),
]


def test_of_the_policy() -> None:
    assert_golden("refused_by_policy.txt", "\n".join(_by_policy()) + "\n")


def _by_policy() -> Iterator[str]:
    files = MemoryFiles()
    tree = files.tree(TREE, {"link": "120000", "ci/run.sh": "100755"})
    step, policy = Step("tests", "bash ci/run.sh"), Policy(protected=("own/*",))
    for path, content in POLICY:
        changes = Changes({path: content})
        words = policy.violations(tree, changes, remedy="model", read=files.read, step=step)
        assert words, path
        yield "; ".join(words).encode("unicode_escape").decode()
    many = Changes({f"shop/new{n}.txt": Content(b"x\n") for n in range(11)})
    yield "; ".join(policy.violations(tree, many, remedy="model", read=files.read))


def test_of_suspicion() -> None:
    assert_golden("refused_by_suspicion.txt", "\n".join(_by_suspicion()) + "\n")


def _by_suspicion() -> Iterator[str]:
    scenes = {
        sign: Scene({"cart.py": BEFORE}, {"cart.py": f"{BEFORE}\n{attacks[0]}\n"}) for sign, attacks in ATTACKS.items()
    }
    without_check = BEFORE.replace("        if n < 0:\n            raise ValueError(n)\n", "")
    emptied = BEFORE.replace(TOTAL, "        return 3\n").replace("        if n < 0:\n            raise ValueError(n)\n", "")
    more = [
        Scene({"cart.py": BEFORE}, {"cart.py": emptied}),
        Scene({"cart.py": BEFORE}, {"cart.py": BEFORE.replace("        3\n", "        4\n")}, doctests=["cart.py"]),
        Scene({"cart.py": BEFORE}, {"cart.py": f"{BEFORE}\nx = 1  # noqa\n"}, judged_by_tools=True),
        Scene({"cart.py": BEFORE}, {"cart.py": BEFORE.replace(TOTAL, "        return 4273\n")}, expected=[4273]),
        Scene(
            {"cart.py": BEFORE}, {"cart.py": f"{BEFORE}\nimport subprocess\n"}, sources=lambda: iter([("a.py", b"import subprocess")])
        ),
        Scene({"cart.py": BEFORE}, {"cart.py": BEFORE[: BEFORE.index("def load")]}),
        Scene({"cart.py": BEFORE}, {"cart.py": without_check}),
        Scene({"cart.py": BEFORE}, {"cart.py": f"{BEFORE}\ntry:\n    load('x')\nexcept KeyError:\n    pass\n"}, raised=["KeyError"]),
        Scene({"cart.py": BEFORE}, {"cart.py": f"{BEFORE}\nimport atexit\n"}, sources=lambda: iter([("a.py", b"import atexit")])),
    ]  # fmt: skip
    found = [suspicion for scene in (*scenes.values(), *more) for suspicion in suspicions(scene)]
    assert {suspicion.sign for suspicion in found} == set(TABLE)
    yield from (
        f"{'refused' if each.refused else 'label'}: {each.words}".encode("unicode_escape").decode() for each in found
    )


def test_of_what_is_run() -> None:
    assert_golden("rejected.txt", "\n".join(_rejected()) + "\n")


def _rejected() -> Iterator[str]:
    def hidden(files: Project) -> str | None:
        return None if files["a.py"] == b"wrong\n" else "ABSENT"

    def unstable(files: Project) -> str | None:
        return "red" if files["a.py"] != b"right\n" else next(answers)

    def deaf(files: Project) -> str | None:
        return None if files["a.py"].startswith(b"right\n") else "no"

    answers = iter([None, None, "flickers", "flickers"])
    right = {"a.py": b"right\n"}
    whole: list[tuple[Mapping[str, bytes], Mapping[str, Check]]] = [
        ({"a.py": b"wrong\n"}, CHECKS),
        ({"a.py": b"other\n"}, CHECKS),
        ({**right, "b.py": b"broken\n"}, CHECKS),
        ({"a.py": b"right\n", "b.json": b"{"}, CHECKS),
        (right, {**CHECKS, "t::hidden": hidden}),
        (right, {**CHECKS, "t::a": deaf}),
        (right, {**CHECKS, "t::a": unstable}),
        (right, {**CHECKS, "t::a": lambda files: "HANG" if files["a.py"] == b"right\n" else "red"}),
        (right, {**CHECKS, "t::b": lambda files: "HANG" if files["a.py"] == b"right\n" else None}),
        (right, {**CHECKS, "t::a": lambda files: "ABSENT" if files["a.py"] == b"right\n" else "red"}),
        ({"c.py": b"def ("}, {**CHECKS, "t::a": has("c.py", b"x")}),
        ({"c.toml": b"x = ["}, {**CHECKS, "t::a": has("c.toml", b"x")}),
    ]
    for changes, checks in whole:
        verdict = judge(changes, checks)
        yield f"{type(verdict).__name__.lower()}: {verdict.reason}"
    yield f"unusable: {judge(right, flaw='the edit did not match').reason}"
