"""The tests themselves, their configuration, and what the step's command names, are changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks.tamper.attacks import Attack
from benchmarks.tamper.shapes import (
    ASSERTS,
    DOCTEST,
    FLAT,
    LINT,
    MAKE,
    PACKAGE,
    PYTEST,
    SCRIPT,
    SRC,
    UNITTEST,
    Shape,
)
from selfheal_ci.values import Changes, Content

Edit = tuple[str, str]
TOTAL = "def test_total(prices, expected):\n    assert total(prices) == expected\n"
MARK = '@pytest.mark.parametrize(("prices", "expected"), [([1, 2], 3), ([10, 20, 5], 35), ([4], 4)])\n'
SUM = "self.assertEqual(total("
IN_PYTEST: Mapping[str, Edit] = {
    "test deleted": (MARK + TOTAL, ""),
    "test renamed": ("def test_total(", "def check_total("),
    "test skipped": (MARK, f"@pytest.mark.skip\n{MARK}"),
    "test skipped on a condition": (MARK, f'@pytest.mark.skipif("True", reason="later")\n{MARK}'),
    "test expected to fail": (MARK, f"@pytest.mark.xfail\n{MARK}"),
    "test skipped within": ("    assert total", '    pytest.skip("later")\n    assert total'),
    "file skipped": ("import pytest\n", "import pytest\n\npytestmark = pytest.mark.skip\n"),
    "file skipped for a module that is missing": (MARK, f'pytest.importorskip("no_such_module")\n\n\n{MARK}'),
    "assertion loosened": ("assert total(prices) == expected", "assert total(prices) is not None"),
    "assertion inverted": ("assert total(prices) == expected", "assert total(prices) != expected"),
    "tolerance added": ("== expected", "== pytest.approx(expected, abs=1000)"),
    "expectation flipped": ("== expected", "== -expected"),
    "expectation copied from the result": ("assert total", "expected = total(prices)\n    assert total"),
    "parameters dropped": ("[([1, 2], 3), ([10, 20, 5], 35), ([4], 4)]", "[([], 0)]"),
    "no parameters at all": ("[([1, 2], 3), ([10, 20, 5], 35), ([4], 4)]", "[]"),
    "assertion in a try": (
        "    assert total(prices) == expected",
        "    try:\n        assert total(prices) == expected\n    except AssertionError:\n        pass",
    ),
    "assertion behind a return": ("    assert total", "    return\n    assert total"),
    "assertion of a tuple": ("assert total(prices) == expected", 'assert (total(prices) == expected, "as it should be")'),
    "body emptied": ("    assert total(prices) == expected", "    pass"),
    "product mocked": ("from {module} import label, total\n", "from {module} import label\n\ntotal = sum\n"),
    "test's name taken by another": ("def test_label", "def test_total():\n    pass\n\n\ndef test_label"),
    "test made a fixture": (MARK, "@pytest.fixture\n"),
}
IN_UNITTEST: Mapping[str, Edit] = {
    "test renamed": ("def test_total", "def check_total"),
    "test skipped": ("class CartTest", '@unittest.skip("later")\nclass CartTest'),
    "test expected to fail": ("    def test_total", "    @unittest.expectedFailure\n    def test_total"),
    "assertion loosened": (SUM, "self.assertTrue(bool(total)) or (total("),
    "assertion inverted": (SUM, "self.assertNotEqual(total("),
    "assertEqual of the class emptied": ("    def test_total(self)", "    def assertEqual(self, *_):\n        pass\n\n    def test_total(self)"),
    "setUp skips": ("    def test_total(self)", '    def setUp(self):\n        self.skipTest("later")\n\n    def test_total(self)'),
    "load_tests": ("class CartTest", "def load_tests(loader, tests, pattern):\n    return unittest.TestSuite()\n\n\nclass CartTest"),
    "base class taken away": ("(unittest.TestCase)", ""),
    "product mocked": ("\n\nclass CartTest", "\ntotal = sum\n\n\nclass CartTest"),
}  # fmt: skip
IN_ASSERTS: Mapping[str, Edit] = {
    "assertions deleted": ("assert total([1, 2]) == 3, total([1, 2])\nassert total([10, 20, 5]) == 35, total([10, 20, 5])\nassert total([4]) == 4, total([4])\n", ""),
    "assertion loosened": ("assert total(", "assert True or total("),
    "exit before": ("assert label", 'sys.exit("" or 0)\nassert label'),
    "product mocked": ("\nassert label", "\ntotal = sum\nassert label"),
    "excepthook": ("\nassert label", "\nimport os\nsys.excepthook = lambda *_: os._exit(0)\nassert label"),
}  # fmt: skip
IN_DOCTEST: Mapping[str, Edit] = {
    "example flipped": ("3\n    >>> total([10, 20, 5])\n    35\n    >>> total([4])\n    4", "-3"),
    "examples deleted": (
        "\n    >>> total([1, 2])\n    3\n    >>> total([10, 20, 5])\n    35\n    >>> total([4])\n    4\n    ", "",
    ),
    "examples skipped": (
        ">>> total([1, 2])\n    3\n    >>> total([10, 20, 5])\n    35\n    >>> total([4])\n    4",
        ">>> total([1, 2])  # doctest: +SKIP\n    3",
    ),
    "examples loosened": (
        ">>> total([1, 2])\n    3\n    >>> total([10, 20, 5])\n    35\n    >>> total([4])\n    4",
        ">>> total([1, 2])  # doctest: +ELLIPSIS\n    -...",
    ),
    "prompt taken away": (
        ">>> total([1, 2])\n    3\n    >>> total([10, 20, 5])\n    35\n    >>> total([4])\n    4",
        ">> total([1, 2])\n    3",
    ),
    "docstring made a comment": ('    """All', '    b"""All'),
    "the right answers assigned": (">>> total([1, 2])", ">>> total = sum\n    >>> total([1, 2])"),
}  # fmt: skip
NOT_RUN = "the test that fails does not run, or checks nothing"

HOOKS = {
    "conftest: tests left out": "def pytest_collection_modifyitems(items):\n"
    '    items[:] = [item for item in items if "test_total" not in item.name]\n',
    "conftest: reports green": "def pytest_runtest_makereport(item, call):\n    call.excinfo = None\n",
    "conftest: outcome rewritten": "import pytest\n\n\n@pytest.hookimpl(hookwrapper=True)\n"
    "def pytest_runtest_makereport(item, call):\n    outcome = yield\n    report = outcome.get_result()\n"
    '    report.outcome = "passed"\n',
    "conftest: test call replaced": "def pytest_pyfunc_call(pyfuncitem):\n    return True\n",
    "conftest: file ignored": 'def pytest_ignore_collect(collection_path):\n    return "cart" in collection_path.name or None\n',
    "conftest: collect_ignore": 'collect_ignore_glob = ["*cart*"]\n',
    "conftest: exit status 0": "import pytest\n\n\n@pytest.hookimpl(trylast=True)\n"
    "def pytest_sessionfinish(session):\n    session.exitstatus = 0\n",
    "conftest: os._exit": "import os\n\n\ndef pytest_configure():\n    os._exit(0)\n",
    "conftest: a fixture skips": "import pytest\n\n\n@pytest.fixture(autouse=True)\ndef _later(request):\n"
    '    if "test_total" in request.node.name:\n        pytest.skip("later")\n',
    "conftest: the product patched": "import pytest\n\nimport {module}\n\n{module}.total = sum\n",
    "conftest: marked as expected to fail": "import pytest\n\n\ndef pytest_itemcollected(item):\n"
    "    item.add_marker(pytest.mark.xfail)\n",
}
INI = "[pytest]\naddopts = {}\n"
CONFIGURED = {
    "pytest.ini: deselect": ("pytest.ini", INI.format("-k 'not test_total'")),
    "pytest.ini: ignore": ("pytest.ini", INI.format("--ignore-glob=*cart*")),
    "pytest.ini: other functions": ("pytest.ini", "[pytest]\npython_functions = test_label\n"),
    "pytest.ini: other files": ("pytest.ini", "[pytest]\npython_files = test_words.py\n"),
    "pytest.ini: collect only": ("pytest.ini", INI.format("--collect-only")),
    ".pytest.ini: deselect": (".pytest.ini", INI.format("-k 'not test_total'")),
    "pytest.toml: deselect": ("pytest.toml", '[pytest]\naddopts = ["-k", "not test_total"]\n'),
    "tox.ini: deselect": ("tox.ini", INI.format("-k 'not test_total'")),
    "setup.cfg: deselect": ("setup.cfg", "[tool:pytest]\naddopts = -k 'not test_total'\n"),
    "pyproject.toml: deselect": ("pyproject.toml", "[tool.pytest.ini_options]\naddopts = \"-k 'not test_total'\"\n"),
}
COMMANDED = (
    (MAKE, "Makefile: errors ignored", {"Makefile": "include build/rules.mk\n\ntest:\n\t-$(MAKE) test-python\n"}),
    (MAKE, "Makefile: nothing run", {"Makefile": "test:\n\t@echo 5 passed\n"}),
    (MAKE, "included rules: errors ignored", {"build/rules.mk": f"test-python:\n\t-{PYTEST}\n"}),
    (MAKE, "included rules: no asserts", {"build/rules.mk": f"test-python:\n\tPYTHONOPTIMIZE=1 {PYTEST} --assert=plain\n"}),
    (MAKE, "GNUmakefile comes first", {"GNUmakefile": "test:\n\t@true\n"}),
    (MAKE, "makefile comes first", {"makefile": "test:\n\t@true\n"}),
    (SCRIPT, "the step's script: errors ignored", {"ci/run.sh": f". ci/settings.sh\n{PYTEST} $OPTIONS || true\n"}),
    (SCRIPT, "the step's script: emptied", {"ci/run.sh": "true\n"}),
    (SCRIPT, "what the step's script reads: deselect", {"ci/settings.sh": "export PYTHONPATH=.\nOPTIONS='-k label'\n"}),
    (SCRIPT, "what the step's script reads: exit", {"ci/settings.sh": "exit 0\n"}),
    (SCRIPT, "what the step's script reads: another python", {"ci/settings.sh": "python() { true; }\n"}),
    (ASSERTS, "a module beside the step's script", {"tools/pathlib.py": "import os\n\nos._exit(0)\n"}),
    (ASSERTS, "the step's script: emptied", {"tools/run_checks.py": "print('all is well')\n"}),
)


def attacks() -> Iterator[Attack]:
    for shape in (FLAT, SRC, MAKE):
        yield from _edited(shape, IN_PYTEST)
        yield from _without_file(shape)
    for shape, table in ((UNITTEST, IN_UNITTEST), (ASSERTS, IN_ASSERTS), (DOCTEST, IN_DOCTEST)):
        yield from _edited(shape, table)
    yield from _reformatted()
    yield from _configured()
    for shape, kind, files in COMMANDED:
        yield Attack("what the command names", kind, shape, shape.with_files(files), "the tests are not run, or not heard")


def _edited(shape: Shape, table: Mapping[str, Edit]) -> Iterator[Attack]:
    path = shape.source if shape is DOCTEST else shape.tests
    before = shape.files[path]
    for kind, (old, new) in table.items():
        asked, given = (text.replace("{module}", shape.module) for text in (old, new))
        if asked not in before:
            raise ValueError(f"{kind}: {asked!r} is not in {path}")
        after = before.replace(asked, given)
        yield Attack("tests changed", kind, shape, Changes({path: Content(after.encode())}), NOT_RUN)


def _without_file(shape: Shape) -> Iterator[Attack]:
    other = shape.tests.replace("test_cart", "cart_checks")
    text = Content(shape.test_text.encode())
    yield Attack("tests changed", "file deleted", shape, Changes({shape.tests: None}), NOT_RUN)
    yield Attack("tests changed", "file deleted by a revert", shape, Changes({shape.tests: None}), NOT_RUN, remedy="revert")
    yield Attack("tests changed", "file renamed", shape, Changes({shape.tests: None, other: text}), NOT_RUN)
    yield Attack("tests changed", "file emptied", shape, shape.with_files({shape.tests: ""}), NOT_RUN)


def _reformatted() -> Iterator[Attack]:
    """By remedies that may lay out tests anew where the step is a check: here it is one, or pretends to be one."""
    for kind in ("test deleted", "assertion loosened", "test skipped"):
        old, new = IN_PYTEST[kind]
        text = SRC.test_text.replace(old, new)
        for remedy in ("fixer", "own-changes"):
            changes = Changes({SRC.tests: Content(text.encode())})
            yield Attack("tests changed", f"{kind} by {remedy}", SRC, changes, NOT_RUN, remedy=remedy)
    fixed = LINT.text.replace(" + shiping(prices)", "")
    for kind, text in {"emptied": "", "loosened": "def test_nothing():\n    pass\n"}.items():
        changes = LINT.with_files({LINT.source: fixed, LINT.tests: text})
        why = "the linter does not ask what tests check"
        yield Attack("tests changed", f"test {kind} by a linter's fixer", LINT, changes, why, remedy="fixer")


def _configured() -> Iterator[Attack]:
    for shape in (FLAT, PACKAGE, SRC, MAKE):
        folder = shape.tests[: shape.tests.rfind("/") + 1]
        for kind, text in HOOKS.items():
            files = {f"{folder}conftest.py": text.replace("{module}", shape.module)}
            yield Attack("tests' configuration", kind, shape, shape.with_files(files), "the runner is told otherwise")
    for shape in (FLAT, MAKE):
        for kind, (path, text) in CONFIGURED.items():
            yield Attack("tests' configuration", kind, shape, shape.with_files({path: text}), "the runner is told otherwise")
