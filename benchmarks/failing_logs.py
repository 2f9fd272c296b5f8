"""Programs that fail, run for real by the tools of this machine, and the lines of their output that say why."""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
import textwrap
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from selfheal_ci import shell

HERE = Path(sys.executable).parent
SECONDS = 300.0


@dataclass(frozen=True)
class Failing:
    """A program that fails, by a tool."""

    tool: str  # what must be there
    name: str
    run: str
    files: Mapping[str, str]
    critical: tuple[str, ...]  # patterns of the lines that say why
    wheels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # name-version → what it requires


TEST = """
    import pytest
    from cart import total

    def test_empty():
        assert total([]) == 0

    @pytest.mark.parametrize("n", range(2000))
    def test_many(n):
        assert n >= 0

    def test_total():
        assert total([{"price": 3}]) == 4

    def test_missing():
        assert total([{"cost": 3}]) == 3
    """
CART = """
    def total(items):
        return sum(price(item) for item in items)

    def price(item):
        return item["price"]
    """
PROGRAMS = (
    Failing(
        "pytest",
        "pytest",
        "python -m pytest -v -p no:cacheprovider",
        {"cart.py": CART, "test_cart.py": TEST},
        (
            r"E +KeyError: 'price'$",
            r"E +AssertionError: assert 3 == 4",
            r"cart\.py:\d+: KeyError$",
            r"FAILED test_cart\.py::test_total",
            r"FAILED test_cart\.py::test_missing",
            r"2 failed, 2001 passed",
        ),
    ),
    Failing(
        "pytest",
        "pytest, a file that cannot be read",
        "python -m pytest -q -p no:cacheprovider",
        {"test_a.py": "import nowhere\n", "test_b.py": "def test_b(:\n"},
        (
            r"E +ModuleNotFoundError: No module named 'nowhere'",
            r"E +SyntaxError: ",
            r"ERROR test_a\.py",
            r"ERROR test_b\.py",
        ),
    ),
    Failing(
        "python",
        "unittest",
        "python -m unittest -v",
        {
            "test_a.py": """
            import unittest

            class A(unittest.TestCase):
                def test_sum(self):
                    self.assertEqual(1 + 1, 3)

                def test_key(self):
                    {}["k"]

            for n in range(300):
                setattr(A, f"test_{n}", lambda self: None)
            """
        },
        (
            r"FAIL: test_sum",
            r"ERROR: test_key",
            r"AssertionError: 2 != 3",
            r"KeyError: 'k'",
            r"FAILED \(failures=1, errors=1\)",
        ),
    ),
    Failing(
        "python",
        "a program's exception",
        "python -m app.main",
        {
            "app/main.py": "from app import load\nload.load({'host': 'x'})\n",
            "app/__init__.py": "",
            "app/load.py": """
                def load(options):
                    return port(options)

                def port(options):
                    return int(options['port'])
                """,
        },
        (r"Traceback \(most recent call last\):", r'File ".*app/load\.py", line 5, in port', r"KeyError: 'port'"),
    ),
    Failing(
        "python",
        "compileall",
        "python -m compileall .",
        {"a.py": "x = (\n", "b.py": "x = 1\n", "c.py": "def f(:\n"},
        (
            r"SyntaxError: '\(' was never closed",
            r"SyntaxError: (?!'\()",
            r'File "\./a\.py", line 1',
            r'File "\./c\.py", line 1',
        ),
    ),
    Failing(
        "pip",
        "pip's resolver",
        "python -m pip install --no-index --find-links wheels -t out aa bb",
        {},
        (
            r"ERROR: Cannot install aa==1\.0 and bb==1\.0",
            r"aa 1\.0 depends on cc==1\.0",
            r"bb 1\.0 depends on cc==2\.0",
            r"ERROR: ResolutionImpossible",
        ),
        {"aa-1.0": ("cc==1.0",), "bb-1.0": ("cc==2.0",), "cc-1.0": (), "cc-2.0": ()},
    ),
    Failing(
        "pip",
        "pip without a candidate",
        "python -m pip install --no-index -t out nowhere==9",
        {},
        (r"ERROR: Could not find a version that satisfies the requirement nowhere==9", r"ERROR: No matching distribution"),
    ),
    Failing(
        "ruff",
        "ruff check",
        "ruff check --isolated --no-cache .",
        {"a.py": "import os\nprint(nowhere)\n", "b.py": "def f(:\n"},
        (r"F401 \[\*\] `os` imported", r"F821 Undefined name `nowhere`", r"--> a\.py:2:7", r"invalid-syntax: "),
    ),
    Failing(
        "ruff",
        "ruff format",
        "ruff format --isolated --no-cache --check .",
        {"a.py": "x = {  'a':1 }\n"},
        (r"unformatted: |Would reformat: ", r"a\.py", r"1 file would be reformatted"),
    ),
    Failing(
        "mypy",
        "mypy",
        "mypy --cache-dir /dev/null .",
        {"a.py": "def f(n: int) -> str:\n    return n\n\nf('x')\n", "b.py": "from a import g\n"},
        (
            r"a\.py:2: error: Incompatible return value",
            r'a\.py:4: error: Argument 1 to "f"',
            r'b\.py:1: error: Module "a" has no',
        ),
    ),
    Failing(
        "make",
        "gcc by make",
        "make -k",
        {
            "Makefile": "all: a b\na: a.c\n\tgcc -Wall -o a a.c\nb: b.c\n\tgcc -Wall -o b b.c\n",
            "a.c": "int main(void) {\n    return total(1)\n}\n",
            "b.c": "int total(int);\nint main(void) { return total(1); }\n",
        },
        (
            r"a\.c:2:.*error: expected .;.",
            r"undefined reference to `total'",
            r"make: \*\*\* \[Makefile:3: a\] Error 1",
            r"make: \*\*\* \[Makefile:5: b\] Error 1",
        ),
    ),
    Failing(
        "go",
        "go build",
        "go build ./...",
        {
            "go.mod": "module shop\n\ngo 1.18\n",
            "main.go": """
                package main

                import "os"

                func main() {
                    var n int = "x"
                    print(total)
                }
                """,
        },
        (r'main\.go:3:\d+: "os" imported and not used', r"main\.go:6:\d+: cannot use", r"main\.go:7:\d+: undefined: total"),
    ),
    Failing(
        "go",
        "go test",
        "go test -v ./...",
        {
            "go.mod": "module shop\n\ngo 1.18\n",
            "cart.go": "package shop\n\nfunc Total(n []int) int { return n[0] }\n",
            "cart_test.go": """
            package shop

            import (
                "fmt"
                "testing"
            )

            func TestMany(t *testing.T) {
                for n := 0; n < 300; n++ {
                    t.Run(fmt.Sprint(n), func(t *testing.T) {})
                }
            }

            func TestOne(t *testing.T) {
                if got := Total([]int{2}); got != 3 {
                    t.Errorf("Total() = %d, want 3", got)
                }
            }

            func TestNone(t *testing.T) { Total(nil) }
            """,
        },
        (
            r"cart_test\.go:\d+: Total\(\) = 2, want 3",
            r"--- FAIL: TestOne",
            r"--- FAIL: TestNone",
            r"panic: runtime error: index out",
            r"FAIL\tshop",
        ),
    ),
    Failing(
        "rustc",
        "rustc",
        "rustc --color never main.rs",
        {"main.rs": 'fn main() {\n    let n: i32 = "x";\n    println!("{}", total);\n}\n'},
        (
            r"error\[E0308\]: mismatched types",
            r"error\[E0425\]: cannot find value `total`",
            r"--> main\.rs:2:18",
            r"aborting due to",
        ),
    ),
    Failing(
        "cargo",
        "cargo test",
        "cargo test --offline",
        {
            "Cargo.toml": '[package]\nname = "shop"\nversion = "0.1.0"\nedition = "2021"\n',
            "src/lib.rs": "pub fn total(n: &[i32]) -> i32 { n[0] }\n\n#[test]\nfn one() { assert_eq!(total(&[2]), 3); }\n\n"
            "#[test]\nfn none() { total(&[]); }\n" + "".join(f"\n#[test]\nfn fine_{n}() {{}}\n" for n in range(200)),
        },
        (
            r"thread 'one'.* panicked at src/lib\.rs:4",
            r"left: 2",
            r"right: 3",
            r"index out of bounds",
            r"test one \.\.\. FAILED",
            r"test result: FAILED\. 200 passed; 2 failed",
        ),
    ),
    Failing(
        "javac",
        "javac",
        "javac Cart.java Shop.java",
        {
            "Cart.java": 'class Cart {\n    int total() { return "x"; }\n}\n',
            "Shop.java": "class Shop {\n    Basket basket;\n}\n",
        },
        (
            r"Cart\.java:2: error: incompatible types",
            r"Shop\.java:2: error: cannot find symbol",
            r"symbol: +class Basket",
            r"2 errors",
        ),
    ),
    Failing(
        "node",
        "node --test",
        "node --test",
        {
            "cart.test.js": """
            const test = require('node:test'), assert = require('node:assert');
            for (let n = 0; n < 300; n++) test(`fine ${n}`, () => {});
            test('adds', () => { assert.strictEqual(1 + 1, 3); });
            test('reads', () => { null.price; });
            """
        },
        (
            r"(?:not ok \d+ - |✖ )adds",
            r"(?:not ok \d+ - |✖ )reads",
            r"Expected values to be strictly equal",
            r"2 !== 3",
            r"Cannot read properties of null",
        ),
    ),
    Failing(
        "node",
        "a script's exception",
        "node app.js",
        {"app.js": "const cart = require('./cart');\n"},
        (r"Error: Cannot find module '\./cart'", r"code: 'MODULE_NOT_FOUND'", r"- .*app\.js"),
    ),
    Failing(
        "tsc",
        "tsc",
        "tsc --noEmit a.ts",
        {"a.ts": "const n: number = 'x';\nconsole.log(total);\n"},
        (r"a\.ts\(1,7\): error TS2322", r"error TS2304: Cannot find name 'total'"),
    ),
    Failing(
        "git",
        "git merge",
        "git init -q . && git config user.email a@b && git config user.name a && git add . && "
        "git commit -qm one && git checkout -qb other && echo two >a && git commit -qam two && git checkout -q - && "
        "echo three >a && git commit -qam three && git merge other",
        {"a": "one\n"},
        (r"CONFLICT \(content\): Merge conflict in a", r"Automatic merge failed"),
    ),
    Failing(
        "git",
        "git without a remote",
        "git init -q . && git push origin HEAD",
        {},
        (r"(?:error|fatal): .*(?:src refspec|does not appear to be)",),
    ),
    Failing("sh", "a command that is not there", "set -x; frobnicate --all", {}, (r"frobnicate: (?:command )?not found",)),
)


def missing() -> list[str]:
    """The tools that this machine has not."""
    return sorted({program.tool for program in PROGRAMS if not _is_there(program.tool)})


def collect() -> Iterator[tuple[Failing, str]]:
    """Run each program whose tool is there, and give what it printed."""
    for program in PROGRAMS:
        if _is_there(program.tool):
            with tempfile.TemporaryDirectory() as folder:
                yield program, _output(program, Path(folder))


def _output(program: Failing, folder: Path) -> str:
    for path, text in program.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(textwrap.dedent(text).lstrip("\n"))
    for name, requires in program.wheels.items():
        (folder / "wheels").mkdir(exist_ok=True)
        (folder / "wheels" / f"{name}-py3-none-any.whl").write_bytes(_wheel(name, requires))
    env = {**os.environ, "PATH": f"{HERE}:{os.environ['PATH']}", "NO_COLOR": "1", "COLUMNS": "80"}
    done = shell.run(["sh", "-c", f"exec 2>&1; {program.run}"], cwd=folder, env=env, timeout=SECONDS)
    if done.exit_code == 0:
        raise SystemExit(f"{program.name} does not fail:\n{done.stdout.decode()}")
    return done.stdout.decode("utf-8", "replace")


def _is_there(tool: str) -> bool:
    return (HERE / tool).exists() or shutil.which(tool) is not None


def _wheel(name: str, requires: tuple[str, ...]) -> bytes:
    project, _, version = name.partition("-")
    info = f"{project}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as wheel:
        wheel.writestr(f"{project}.py", "")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n{needs}")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return packed.getvalue()
