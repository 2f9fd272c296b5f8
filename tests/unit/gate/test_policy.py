from __future__ import annotations

from dataclasses import replace

import pytest

from selfheal_ci.gate.policy import Policy, can_be_laid
from selfheal_ci.values import Changes, Content, Step
from tests.fakes import MemoryFiles

PROJECT = {"shop/cart.py": b"one\ntwo\n", "shop/run.sh": b"#!/bin/sh\n", "README.md": b"hello\n", "link": b"shop"}
MODES = {"shop/run.sh": "100755", "link": "120000"}


def violations(path: str, content: Content | None, *, remedy: str = "model", policy: Policy | None = None) -> list[str]:
    files = MemoryFiles()
    tree = files.tree(PROJECT, MODES)
    return (policy or Policy()).violations(tree, Changes({path: content}), remedy=remedy, read=files.read)


@pytest.mark.parametrize(
    "path", ["shop/cart.py", "README.md", "shop/new.py", "docs/guide.md", "src/shop/a.js", "shop/testing/cart.py"]
)
def test_allows_source_and_text(path: str) -> None:
    assert violations(path, Content(b"one\n")) == []


@pytest.mark.parametrize(
    "path",
    [
        "tests/test_cart.py", "shop/test_cart.py", "shop/cart_test.go", "conftest.py", "a/conftest.py", "Tests/data.txt",
        "web/app.spec.ts", "web/__tests__/a.js", "web/__snapshots__/a.snap",
        ".github/workflows/ci.yml", ".GitHub/workflows/ci.yml", ".gitlab-ci.yml", "Jenkinsfile", "action.yml", "sub/action.yml",
        "pyproject.toml", "a/PyProject.toml", "setup.py", "requirements-dev.txt", "Makefile", "package.json", "Dockerfile",
        "helper-1.0.dist-info/entry_points.txt", "src/a.egg-info/entry_points.txt", "pytest.toml", "tox.toml", "uv.toml",
        "poetry.toml", "sitecustomize/__init__.py", "usercustomize/a.py", "requirements/dev.txt", "environment.yaml",
        "cmake/a.cmake", "gradlew", "gradlew.bat", "Rakefile", "BUILD.bazel", "WORKSPACE.bazel", "vite.config.mts",
        "vite.config.cts", "jest.setup.ts", "app/cart_spec.rb", "CartTest.java", "CartTests.java", "cypress/a.js",
        "app/__mocks__/fs.js", "fixtures/expected.json", "golden/a", "cassettes/a.yml", "e2e/a.ts", "unit_tests/helpers.py",
        "unit-tests/a.py", "tests-unit/a.py", "test_data/a.json", "test-data/a.json", "expected/a.txt", "testing/a.py",
        "Cargo.lock", "uv.lock", "package-lock.json", "go.sum",
        "pytest.ini", "tox.ini", "noxfile.py", "mypy.ini", "vite.config.ts",
        "AGENTS.md", "CLAUDE.md", "sitecustomize.py", "shop/usercustomize.py", "x.pth", ".env", ".selfheal.toml", "a/.hidden/b.py",
    ],
)  # fmt: skip
def test_refuses_what_judges_or_steers(path: str) -> None:
    assert any("no fix may touch it" in words for words in violations(path, Content(b"x = 1\n")))


@pytest.mark.parametrize("path", ["random.py", "src/json.py", "packaging/__init__.py", "packaging/version.py", "helper.py",
                                  "src/helper/__init__.py", "link.py"])  # fmt: skip
def test_refuses_a_new_top_level_module(path: str) -> None:
    assert "could stand in for an installed one" in violations(path, Content(b""))[0]


@pytest.mark.parametrize(
    ("tree", "path"),
    [
        (["backend/pyproject.toml", "backend/app/a.py"], "backend/packaging/__init__.py"),
        (["backend/setup.py", "backend/src/app/a.py"], "backend/src/rich/__init__.py"),
        (["flat/test_cart.py", "flat/cart.py"], "flat/rich.py"),
        (["packaging/build.py"], "packaging/__init__.py"),
        (["src/__init__.py", "src/cart.py"], "src/json.py"),
    ],
)
def test_refuses_it_wherever_python_looks(tree: list[str], path: str) -> None:
    assert "could stand in for an installed one" in new(tree, path)[0]


@pytest.mark.parametrize(
    ("tree", "path"),
    [
        (["shop/__init__.py"], "shop/json.py"),
        (["shop/__init__.py", "shop/test_cart.py"], "shop/types.py"),
        (["shop/cart.py"], "shop/__init__.py"),
        (["shop/cart.py"], "shop/deep/er/__init__.py"),
        (["src/shop/__init__.py"], "src/shop/deep/__init__.py"),
        (["src/__init__.py", "src/cart.py"], "src/basket.py"),
        (["shop/__init__.py"], "README.md"),
        (["shop/__init__.py"], "docs/guide.md"),
        (["shop/__init__.py"], "web/a.js"),
    ],
)
def test_allows_new_files_where_the_tree_has_the_name(tree: list[str], path: str) -> None:
    assert new(tree, path) == []


def new(tree: list[str], path: str) -> list[str]:
    files = MemoryFiles()
    there = files.tree(dict.fromkeys(tree, b""))
    return Policy().violations(there, Changes({path: Content(b"")}), remedy="model", read=files.read)


@pytest.mark.parametrize("path", ["venv/lib/pytest.py", "node_modules/chai/index.js", "venv"])
def test_refuses_what_belongs_to_the_environment(path: str) -> None:
    files = MemoryFiles()
    tree = replace(files.tree(PROJECT), environment=("node_modules", "venv"))

    broken = Policy().violations(tree, Changes({path: Content(b"")}), remedy="model", read=files.read)

    assert f"{path}: this is part of the environment, which is no part of the project" in broken


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd", "../up.py", "shop/../../up.py", "shop//cart.py", "shop/./cart.py", "shop\\cart.py", "shop/a\nb.py",
        "shop/a.py.", "shop/\udcff.py", "shop/a.py ", "con.py", "shop/NUL", ".git/config", "shop/.GIT/config", "shop/git~1/x", "",
    ],
)  # fmt: skip
def test_refuses_names_that_leave_the_tree_or_mean_something_else(path: str) -> None:
    assert violations(path, Content(b"x = 1\n"))


def test_refuses_a_name_that_differs_only_in_case() -> None:
    assert violations("shop/Cart.py", Content(b"")) == ["shop/Cart.py: there is a file whose name differs only in case"]


def test_refuses_a_file_below_a_link() -> None:
    assert violations("link/cart.py", Content(b"")) == ["link/cart.py: one of its folders is a file or a link"]


@pytest.mark.parametrize(("path", "content"), [
    ("shop/cart.py", Content(b"", "100755")),
    ("shop/cart.py", Content(b"/etc/passwd", "120000")),
    ("shop/new.py", Content(b"", "100755")),
    ("shop/new.py", Content(b"", "160000")),
    ("link", Content(b"elsewhere", "120000")),
    ("link", Content(b"a file now", "100644")),
])  # fmt: skip
def test_refuses_links_and_modes(path: str, content: Content) -> None:
    assert violations(path, content)


def test_only_a_revert_may_delete() -> None:
    assert violations("shop/cart.py", None) == ["shop/cart.py: only a revert may delete a file"]
    assert violations("shop/cart.py", None, remedy="revert") == []


@pytest.mark.parametrize("path", ["random.py", "src/json.py", "pytest.py", "unittest/__init__.py"])
def test_refuses_a_module_that_stands_in_for_the_real_one(path: str) -> None:
    assert violations(path, Content(b""))


def test_refuses_more_lines_than_allowed() -> None:
    long = Content(b"".join(b"%d\n" % n for n in range(500)))
    assert violations("shop/cart.py", long) == ["it changes 502 lines, more than 400"]
    assert violations("shop/cart.py", long, policy=Policy(max_lines=502)) == []


def test_refuses_more_files_than_allowed() -> None:
    files = MemoryFiles()
    many = Changes({f"shop/{n}.py": Content(b"") for n in range(11)})
    assert Policy().violations(files.tree(PROJECT), many, remedy="model", read=files.read) == [
        "it changes 11 files, more than 10"
    ]


def test_the_configuration_adds_to_the_list() -> None:
    policy = Policy(protected=("shop/money.py", "docs/*"))
    assert violations("shop/Money.py", Content(b""), policy=policy) == [
        "shop/Money.py: it is protected by the configuration"
    ]
    assert violations("docs/a/b.md", Content(b""), policy=policy)
    assert violations("shop/cart.py", Content(b""), policy=policy) == []


def test_says_what_is_wrong_with_each_file() -> None:
    assert violations("tests/test_cart.py", Content(b"")) == [
        "tests/test_cart.py: this is a test file, and no fix may touch it"
    ]


LINT = Step("lint", "ruff format --check .")
TESTED = b"def test_a():\n    assert 1\n"
REFORMATTED = b"def test_a():\n    assert 1\n\n\n"


def reformatted(path: str, after: bytes = REFORMATTED, *, remedy: str = "fixer", step: Step | None = LINT) -> list[str]:
    files = MemoryFiles()
    changes = Changes({path: Content(after)})
    return Policy().violations(files.tree({path: TESTED}), changes, remedy=remedy, read=files.read, step=step)


@pytest.mark.parametrize("remedy", ["fixer", "own-changes"])
@pytest.mark.parametrize(
    "path", ["tests/test_a.py", "conftest.py", "a_test.go", "tests/data/a.json", "web/__snapshots__/a.snap"]
)
def test_a_fixer_of_a_formatters_check_may_change_tests_and_their_data(remedy: str, path: str) -> None:
    assert reformatted(path, remedy=remedy) == []


@pytest.mark.parametrize("remedy", ["model", "mutation", "revert", "shrunk-revert", "recall", "publish"])
def test_nobody_else_may(remedy: str) -> None:
    assert reformatted("tests/test_a.py", remedy=remedy) == ["tests/test_a.py: this is a test file, and no fix may touch it"]


@pytest.mark.parametrize("line", ["pytest", "ruff format --check . && pytest", "make lint", "./check.sh"])
def test_nor_a_fixer_of_a_step_that_may_do_more_than_check(line: str) -> None:
    assert reformatted("tests/test_a.py", step=Step("tests", line))


@pytest.mark.parametrize(
    "path",
    [".github/workflows/ci.yml", "tests/.hidden.py", "AGENTS.md", "tests/CLAUDE.md", "uv.lock", "tests/go.sum", "pyproject.toml",
     "tests/requirements.txt", "tests/package.json", "tests/.github/a.yml", "tests/sitecustomize.py", "tox.ini"],
)  # fmt: skip
def test_no_fixer_may_change_what_steers(path: str) -> None:
    assert "no fix may touch it" in reformatted(path)[0]


def test_no_fixer_may_change_what_the_configuration_protects() -> None:
    files = MemoryFiles()
    changes = Changes({"tests/a.py": Content(b"")})

    broken = Policy(("tests/*",)).violations(files.tree({}), changes, remedy="fixer", read=files.read, step=LINT)

    assert "tests/a.py: it is protected by the configuration" in broken


def test_no_fixer_may_delete_a_test() -> None:
    files = MemoryFiles()
    tree, gone = files.tree({"tests/test_a.py": TESTED}), Changes({"tests/test_a.py": None})

    broken = Policy().violations(tree, gone, remedy="fixer", read=files.read, step=LINT)

    assert broken == ["tests/test_a.py: only a revert may delete a file"]


def test_no_fixer_may_take_something_out_of_a_test() -> None:
    assert reformatted("tests/test_a.py", b"def test_a():\n    pass\n") == [
        "tests/test_a.py: it has 1 assertions, and 0 after it"
    ]


@pytest.mark.parametrize("path", ["shop/run.sh", "./shop/run.sh"])
def test_refuses_the_script_that_the_step_starts(path: str) -> None:
    files = MemoryFiles()
    tree = files.tree(PROJECT, MODES)
    step = Step("tests", f"bash {path} && pytest")
    changes = Changes({"shop/run.sh": Content(b"#!/bin/sh\nexit 0\n", "100755")})

    broken = Policy().violations(tree, changes, remedy="model", read=files.read, step=step)

    assert broken == ["shop/run.sh: the step starts this script, and no fix may touch it"]


def test_a_module_that_green_has_may_come_back() -> None:
    files = MemoryFiles()
    tree, green = files.tree({"tests/test_a.py": b""}), files.tree({"shop/__init__.py": b"", "tests/test_a.py": b""})
    changes = Changes({"shop/__init__.py": Content(b"")})

    assert Policy().violations(tree, changes, remedy="revert", read=files.read)
    assert Policy().violations(tree, changes, remedy="revert", read=files.read, green=green) == []


@pytest.mark.parametrize(
    ("tree", "path", "other"),
    [
        (["shop.py"], "shop/__init__.py", "shop.py"),
        (["a/shop.py"], "a/shop/__init__.py", "a/shop.py"),
        (["a/b.py"], "a/b.pyi", "a/b.py"),
    ],
)
def test_refuses_what_is_found_before_a_file_that_is_there(tree: list[str], path: str, other: str) -> None:
    assert f"it would stand in for {other}" in "".join(new(tree, path))


@pytest.mark.parametrize(
    ("changes", "can"),
    [
        ({"shop/cart.py": Content(b"")}, True),
        ({"new/deep/a.py": Content(b"")}, True),
        ({"../a.py": Content(b"")}, False),
        ({"/a.py": Content(b"")}, False),
        ({"link/a.py": Content(b"")}, False),
        ({"shop": Content(b"shop", "120000")}, False),
        ({"shop/cart.py/a": Content(b"")}, False),
        ({"link": None, "link/a.py": Content(b"")}, True),
        ({"shop/cart.py": None, "shop/run.sh": None, "shop": Content(b"")}, True),
    ],
)
def test_what_cannot_be_laid_over_the_tree_is_not_tried(changes: dict[str, Content | None], can: bool) -> None:
    assert can_be_laid(MemoryFiles().tree(PROJECT, MODES), Changes(changes)) == can


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        (b"a\nb\nc\n", b"a\nB\nc\n", 2),
        (b"a\nb\nc\n", b"a\nb\nx\ny\nc\n", 2),
        (b"a\nb\nc\n", b"a\nc\n", 1),
        (b"a\nb\nc\nd\ne\n", b"a\nB\nc\nD\ne\n", 4),
        (b"a\na\n", b"a\na\na\na\n", 2),
        (b"a\n", b"", 1),
        (b"", b"a\nb\n", 2),
        (b"a\nb\n", b"a\nb\n", 0),
        (b"x\n" * 5 + b"m\n" + b"x\n" * 5, b"x\n" * 5 + b"M\n" + b"x\n" * 5, 2),
    ],
)
def test_counts_the_lines_that_are_removed_and_added(before: bytes, after: bytes, lines: int) -> None:
    files = MemoryFiles()
    tree = files.tree({"a.txt": before})
    changes = Changes({"a.txt": Content(after)})

    def broken(most: int) -> list[str]:
        return Policy(max_lines=most).violations(tree, changes, remedy="model", read=files.read)

    assert broken(lines) == []
    assert broken(lines - 1) == [f"it changes {lines} lines, more than {lines - 1}"]


def test_a_deleted_file_counts_with_all_its_lines() -> None:
    files = MemoryFiles()
    tree = files.tree({"a.txt": b"a\nb\nc\n"})

    assert Policy(max_lines=3).violations(tree, Changes({"a.txt": None}), remedy="revert", read=files.read) == []
    assert Policy(max_lines=2).violations(tree, Changes({"a.txt": None}), remedy="revert", read=files.read)


def test_as_many_files_as_it_may_change_are_no_violation() -> None:
    files = MemoryFiles()
    tree = files.tree({"a.txt": b""})
    changes = Changes({"a.txt": Content(b"x\n"), "b.txt": Content(b"x\n")})

    assert Policy(max_files=2).violations(tree, changes, remedy="model", read=files.read) == []
    assert Policy(max_files=1).violations(tree, changes, remedy="model", read=files.read) == [
        "it changes 2 files, more than 1"
    ]
