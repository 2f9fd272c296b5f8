from __future__ import annotations

import pytest

from selfheal_ci.gate.tests_kept import lost

PYTHON = """
class TestA:
    def test_one(self):
        self.assertEqual(f(), {'a': 1})

    def test_two(self):
        with pytest.raises(ValueError):
            g()
        assert f() and g()
"""
JAVASCRIPT = "describe('cart', () => {\n  it('adds', () => { expect(a).toBe(1) })\n})\n"
GO = "func TestA(t *testing.T) {\n\tif a() != 1 {\n\t\tt.Fatal(1)\n\t}\n}\n"


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("test_a.py", PYTHON, PYTHON.replace("'a'", '"a"').replace("f() and g()", "(\n            f()\n            and g()\n        )")),
        ("test_a.py", PYTHON, PYTHON.replace("assert f() and g()", "assert f()\n        assert g()")),
        ("test_a.py", PYTHON, "import os\n" + PYTHON.replace("self.assertEqual(f(), ", "assert f() == (")),
        ("test_a.py", "assert False\n", "raise AssertionError\n"),
        ("test_a.py", "def (\n", "x = 1\n"),
        ("a.test.js", JAVASCRIPT, JAVASCRIPT.replace("'", '"').replace("{ expect", "{\n    expect")),
        ("a_test.go", GO, GO.replace("\t", "    ")),
        ("data/a.json", "{}", "[]"),
    ],
)  # fmt: skip
def test_a_formatter_loses_nothing(path: str, before: str, after: str) -> None:
    assert lost(path, before.encode(), after.encode()) is None


@pytest.mark.parametrize(
    ("path", "before", "after", "said"),
    [
        ("test_a.py", PYTHON, PYTHON.replace("test_two", "check_two"), "it loses the test test_two"),
        ("test_a.py", PYTHON, PYTHON.replace("assert f() and g()", "f() and g()"), "it has 3 assertions, and 2 after it"),
        ("test_a.py", PYTHON, PYTHON.replace("self.assertEqual(", "print("), "it has 3 assertions, and 2 after it"),
        ("test_a.py", PYTHON, PYTHON.replace("    def test_one", "    @pytest.mark.skip\n    def test_one"), "it skips more than before"),
        ("test_a.py", PYTHON, "def (\n", "it does not parse any more"),
        ("a.test.js", JAVASCRIPT, JAVASCRIPT.replace("it(", "note("), "it loses the test adds"),
        ("a.test.js", JAVASCRIPT, JAVASCRIPT.replace("expect(", "see("), "it has 1 assertions, and 0 after it"),
        ("a.test.js", JAVASCRIPT, JAVASCRIPT.replace("it(", "it.only("), "it skips more than before"),
        ("a_test.go", GO, GO.replace("t.Fatal(1)", ""), "it has 1 assertions, and 0 after it"),
        ("a_test.go", GO, "", "it loses the test TestA"),
    ],
)  # fmt: skip
def test_what_is_lost_is_told(path: str, before: str, after: str, said: str) -> None:
    assert lost(path, before.encode(), after.encode()) == said
