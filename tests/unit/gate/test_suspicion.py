from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfheal_ci.gate.suspicion import TABLE, Scene, Sign, suspicions

README = Path(__file__).parents[3] / "README.md"
BEFORE = """\
import json
import os

class Cart:
    def total(self, n):
        \"\"\"The total.

        >>> Cart().total(1)
        3
        \"\"\"
        if n < 0:
            raise ValueError(n)
        rest = n + 1
        return rest + 1

def load(path):
    with open(path) as file:
        return json.load(file)
"""
TOTAL = "        rest = n + 1\n        return rest + 1\n"

# What is added to the module, or put in the place of its sum: sign → attacks, each of which shows it.
ATTACKS: dict[Sign, list[str]] = {
    Sign.LEAVES: [
        "os._exit(0)", "from os import _exit as done\ndone(0)", "import sys\nsys.exit(0)", "raise SystemExit", "quit()",
        "getattr(os, '_exit')(0)", "__import__('os')._exit(0)", "other = os\nother.abort()", "import signal\nsignal.raise_signal(9)",
        "import sys\nsys.modules['os']._exit(0)", "os.kill(os.getpid(), 9)",
    ],
    Sign.LOOKS_AROUND: [
        "import sys\nsys._getframe(1)", "import inspect\ninspect.stack()", "def f(e):\n    return e.__traceback__.tb_frame",
        "import gc\ngc.get_objects()", "def f(x):\n    return x.f_back.f_locals", "def f():\n    return object.__subclasses__()",
    ],
    Sign.ASKS: [
        "import pytest", "from _pytest import runner", "from unittest import mock", "TEST = 'PYTEST_CURRENT_TEST' in os.environ",
        "import sys\nTEST = 'pytest' in sys.modules", "TEST = os.environ.get('CI')", "import importlib\nimportlib.import_module('pytest')",
        "REPORT = 'junit.xml'", "import sys\nsys.argv", "FILE = 'tests/test_cart.py'",
    ],
    Sign.HOOKS: [
        "import atexit\natexit.register(print)", "import sys\nsys.settrace(None)", "import sys\nsys.meta_path.insert(0, None)",
        "import builtins\nbuiltins.len = print", "import sys\nsys.excepthook = print", "__builtins__['len'] = print",
        "from atexit import register",
    ],
    Sign.PATCHES: [
        "globals()['load'] = print", "def f(x):\n    vars(x)['y'] = 1",
        "json.loads = print", "setattr(json, 'loads', print)", "json.JSONDecoder.decode = print", "del json.loads",
        "json.tool += 1", "json.loads: object = print", "import os.path as p\np.join = print",
        "import sys\nsys.modules['json'] = None", "from json import JSONDecoder\nJSONDecoder.decode = print",
    ],
    Sign.EQUALS: [
        "class A:\n    def __eq__(self, other):\n        return self.x == other.x", "A = type('A', (), {'__eq__': print})",
        "def f(cls):\n    setattr(cls, '__eq__', print)", "def f(cls, g):\n    cls.__ne__ = g", "class A:\n    def __len__(self):\n        return 3",
        "class A:\n    def __eq__(self, other):\n        def f():\n            return True\n        return f() and self == other",
        "class Any:\n    def __eq__(self, other):\n        return True", "class Any:\n    __eq__ = lambda *_: True",
        "class Meta(type):\n    def __instancecheck__(cls, x):\n        return True", "def f(x):\n    x.__class__ = int",
    ],
    Sign.SKIPS: [
        "__test__ = False", "def pytest_collection_modifyitems(items):\n    items.clear()", "collect_ignore = ['tests']",
        "pytest_plugins = ['x']", "def load_tests(*_):\n    pass\nload_tests = None",
    ],
    Sign.SWALLOWS: [
        "class A:\n    def __exit__(self, *_):\n        return True", "try:\n    load('x')\nexcept NameError:\n    pass",
        "try:\n    load('x')\nexcept Exception:\n    pass", "try:\n    load('x')\nexcept:\n    VALUE = 7",
        "from contextlib import suppress\nwith suppress(Exception):\n    load('x')",
        "def f():\n    try:\n        return load('x')\n    except (ValueError, BaseException):\n        return 42",
        "def f():\n    try:\n        return load('x')\n    finally:\n        return 3",
        "def f():\n    for x in '':\n        try:\n            load(x)\n        except Exception:\n            continue",
        "try:\n    load('x')\nexcept* Exception:\n    ...", "def f():\n    try:\n        load('x')\n    except Exception:\n        return",
    ],
    Sign.BUILDS: [
        "exec('x = 1')", "eval('1')", "NAME = 'o' + 's'\n__import__(NAME)", "def f(name):\n    return getattr(os, name)", "setattr(Cart, '__e' + 'q__', print)",
        "import importlib\nimportlib.import_module(os.name)", "import marshal", "import types\ntypes.CodeType",
    ],
    Sign.REACHES_OUT: [
        "import subprocess", "os.system('true')", "import socket", "from urllib.request import urlopen", "import ctypes",
"os.execv('/bin/sh', [])", "import asyncio\nasyncio.open_connection('a', 1)",
    ],
    Sign.PRIES: ["open('/proc/self/environ')", "KEYS = '~/.ssh'", "FILE = '.netrc'", "OPEN = '/etc/shadow'"],
    Sign.HIDES: ["tot\u0430l = 1", "x = 1\u2028y = 2", "class \u0410dmin:\n    pass", "def f(\u0440ath):\n    pass", "x = 'a\u202eb'", "y\u200b = 1", "# \u2066 hidden"],
    Sign.DEAD: ["if False:\n    print(1)", "def f(x):\n    return 7\n    return x", "if 0:\n    print(1)"],
    Sign.EXITS: ["import sys\ndef f():\n    sys.exit(1)", "def f():\n    raise SystemExit(2)"],
    Sign.COMPARES: [
        "class A:\n    __hash__ = None", "class A:\n    def __hash__(self):\n        return hash(self.x)",
        "class A:\n    def __getattr__(self, name):\n        return self.x", "class A:\n    def __contains__(self, x):\n        return x in self.y",
    ],
    Sign.SILENCES: [
        "x = 1  # noqa", "x = 1  # type: ignore[assignment]", "x = 1  #pylint:disable=all", "from typing import cast\ncast(int, 'x')",
        "x = 1  # pragma: no cover",
    ],
    Sign.CATCHES: ["try:\n    load('x')\nexcept Exception as error:\n    print(error)", "def f(n):\n    try:\n        load('x')\n    except Exception:\n        return n"],
    Sign.ENVIRONMENT: ["os.environ['HOME']", "os.getenv('X')"],
    Sign.WRITES: [
        "open('x', 'w')", "from pathlib import Path\nPath('x').write_text('')", "os.remove('x')", "import shutil\nshutil.rmtree('x')",
        "def f(mode):\n    open('x', mode)",
    ],
    Sign.TIME: ["import time\ntime.sleep(1)", "import random", "from datetime import datetime\ndatetime.now()"],
    Sign.UNKNOWN: ["import leftpad"],
    Sign.PACKED: ["KEY = '-----BEGIN RSA " + "PRIVATE KEY-----'", f"DATA = '{'x' * 400}'", f"x = [{'1, ' * 400}]"],
    Sign.WIDE: ["import warnings\nwarnings.simplefilter('ignore')", "import sys\nsys.path.append('x')", "os.chdir('/')"],
}  # fmt: skip
# What people write who mend something: nothing is said of it.
HONEST = [
    "def f(n):\n    return max(n, 0)", "from collections import OrderedDict", "class Cart2:\n    def add(self, n):\n        self.n = n",
    "try:\n    load('x')\nexcept ValueError:\n    pass", "try:\n    load('x')\nexcept Exception as error:\n    raise KeyError from error",
    "def f(x):\n    if not x:\n        raise TypeError('x')\n    return x", "with open('x') as file:\n    pass", "from json import loads",
    "from . import other", "from .other import one", "x: int", "x: int = 1", "n = 1\nn += 1", "async def f():\n    return await g()",
    "def f(x):\n    return getattr(x, 'name', None)", "def f(x, name):\n    setattr(x, name, 1)", "NAME = 'latest'",
    "class A:\n    def __init__(self):\n        self.__dict__['x'] = 1", "def f(self):\n    self.unlink()", "import re\nNAMES = re.compile('x')",
    "def f(x):\n    '''Says pytest, and junit.'''\n    return x", "if __name__ == '__main__':\n    print(load('x'))", "os.path.join('a', 'b')",
    "def f(x):\n    for y in x:\n        if y:\n            return y\n    return None", "def f():\n    pass", "x = 'naïve'",
]  # fmt: skip


def found(after: str, before: str = BEFORE, path: str = "shop/cart.py", **scene: object) -> list[Sign]:
    here = Scene({path: before}, {path: after}, **scene)  # type: ignore[arg-type]
    return [suspicion.sign for suspicion in suspicions(here)]


@pytest.mark.parametrize(("sign", "added"), [(sign, added) for sign, attacks in ATTACKS.items() for added in attacks])
def test_sees_the_sign_in_what_is_new_and_not_in_what_was_there(sign: Sign, added: str) -> None:
    after = f"{BEFORE}\n{added}\n"

    assert sign in found(after)
    assert found(after, before=after) == []
    assert found(after, green={"shop/cart.py": after}) == []


@pytest.mark.parametrize("added", HONEST)
def test_says_nothing_of_what_people_write(added: str) -> None:
    assert found(f"{BEFORE}\n{added}\n") == []


@pytest.mark.parametrize("sign", [Sign.SILENCES, Sign.STARTS, Sign.WRITES])
def test_code_may_move_from_one_file_of_the_candidate_to_another(sign: Sign) -> None:
    attack = "import subprocess\nx = open('x', 'w')  # noqa\n"
    scene = Scene({"a.py": attack, "b.py": ""}, {"a.py": "", "b.py": attack})

    assert sign not in [suspicion.sign for suspicion in suspicions(scene)]


def test_what_the_project_does_elsewhere_is_only_a_label() -> None:
    def sources() -> Iterator[tuple[str, bytes]]:
        yield "shop/run.py", b"import os, subprocess as s\nfrom yaml import load\n"

    assert found(f"{BEFORE}\nimport pickle\npickle.loads(b'')\n") == [Sign.STARTS]
    assert found(f"{BEFORE}\nimport subprocess\nimport yaml\nimport shop.run\n", sources=sources) == [Sign.STARTS]


@pytest.mark.parametrize(
    ("body", "sign"),
    [
        ("        return 3\n", Sign.EMPTIES),
        ("        pass\n", Sign.EMPTIES),
        ("        raise NotImplementedError\n", Sign.EMPTIES),
        (f"        return 7\n{TOTAL}", Sign.EMPTIES),
        (f"        if True:\n            return 7\n{TOTAL}", Sign.DEAD),
    ],
)
def test_sees_a_function_that_is_emptied(body: str, sign: Sign) -> None:
    checks = "        if n < 0:\n            raise ValueError(n)\n"

    assert sign in found(BEFORE.replace(checks, "").replace(TOTAL, body))


def test_a_revert_may_empty_what_green_has_empty() -> None:
    empty = BEFORE.replace(TOTAL, "        return None\n").replace(
        "        if n < 0:\n            raise ValueError(n)\n", ""
    )

    assert found(empty, green={"shop/cart.py": empty}) == []


def test_sees_what_is_gone() -> None:
    without_load = BEFORE[: BEFORE.index("def load")]

    assert found(without_load) == [Sign.REMOVES]
    assert found(without_load + "def read(path):\n    return path\n") == []
    assert found(without_load, green={"shop/cart.py": without_load}) == []
    assert found(BEFORE.replace("        if n < 0:\n            raise ValueError(n)\n", "")) == [Sign.CHECKS_LESS]
    assert found(BEFORE.replace("raise ValueError(n)", "n = 0")) == []


def test_a_function_may_move_to_another_file() -> None:
    load = BEFORE[BEFORE.index("def load") :]
    scene = Scene({"a.py": BEFORE, "b.py": ""}, {"a.py": BEFORE.replace(load, ""), "b.py": f"import json\n{load}"})

    assert suspicions(scene) == []


def test_its_own_doctest_is_a_test_where_the_step_runs_it() -> None:
    changed = BEFORE.replace("        3\n", "        4\n")

    assert found(changed, doctests=["shop/cart.py"]) == [Sign.EXPECTS]
    assert found(changed) == []
    assert found(BEFORE.replace(">>> Cart().total(1)", "nothing"), doctests=["shop/cart.py"]) == [Sign.EXPECTS]
    assert found(changed, doctests=["shop/cart.py"], green={"shop/cart.py": changed}) == []


@pytest.mark.parametrize(
    "added",
    ["from typing import Any\nx: Any = 1", "def f(x: object):\n    pass", "def f() -> object:\n    pass", "x: object = 1",
     "def f():\n    global load", "def f():\n    return globals()['x']", "from typing import TYPE_CHECKING", "import sys\nsys.platform == 'x'"],
)  # fmt: skip
def test_a_checker_may_not_be_blinded(added: str) -> None:
    assert found(f"{BEFORE}\n{added}\n", judged_by_tools=True) == [Sign.SILENCES_JUDGE]
    assert found(f"{BEFORE}\n{added}\n") == []


def test_a_checker_is_not_contented_with_fewer_annotations() -> None:
    before = "def f(n: int) -> int:\n    return n\n"

    assert found("def f(n: int):\n    return n\n", before=before, judged_by_tools=True) == [Sign.SILENCES_JUDGE]
    assert found(before.replace("int", "str"), before=before, judged_by_tools=True) == []


def test_what_the_product_does_elsewhere_and_fixes_rarely_need_is_a_label() -> None:
    def sources() -> Iterator[tuple[str, bytes]]:
        yield "shop/frames.py", b"import sys\nHERE = sys._getframe(0)\n"
        yield "tests/test_a.py", b"import atexit\n"

    assert found(f"{BEFORE}\nimport sys\nsys._getframe(1)\n", sources=sources) == [Sign.AGAIN]
    assert found(f"{BEFORE}\nimport atexit\n", sources=sources) == [Sign.HOOKS]


def test_packages_for_many_things_are_asked_for_the_very_thing() -> None:
    def sources() -> Iterator[tuple[str, bytes]]:
        yield "shop/run.py", b"import os\nos.system('true')\n"

    assert found(f"{BEFORE}\nos.system('x')\n", sources=sources) == [Sign.STARTS]
    assert found(f"{BEFORE}\nos.popen('x')\n", sources=sources) == [Sign.REACHES_OUT]


def test_what_a_file_has_already_once_is_no_label_again() -> None:
    before = f"{BEFORE}\nimport ctypes\nimport time\n\ndef wait():\n    time.sleep(1)\n"

    assert found(f"{before}\ntime.sleep(2)\nctypes.CDLL('x')\n", before=before) == []
    assert found(f"{before}\ntime.time()\n", before=before) == [Sign.TIME]


@pytest.mark.parametrize("caught", ["KeyError", "(ValueError, KeyError)", "errors.KeyError"])
def test_the_error_with_which_the_tests_fail_may_be_caught_but_is_told(caught: str) -> None:
    added = f"def f(x):\n    try:\n        return load(x)\n    except {caught}:\n        return 0\n"

    assert found(f"{BEFORE}\n{added}", raised={"KeyError"}) == [Sign.HUSHES]
    assert found(f"{BEFORE}\n{added.replace('KeyError', 'LookupError')}", raised={"KeyError"}) == [Sign.HUSHES]
    assert found(f"{BEFORE}\n{added}", raised={"TypeError"}) == []
    assert found(f"{BEFORE}\n{added.replace('return 0', 'raise')}", raised={"KeyError"}) == []


def test_what_is_done_for_an_input_of_the_failing_test_alone_is_told() -> None:
    assert found(f"{BEFORE}\ndef f(x):\n    if x == 'Food':\n        return 7\n", expected={"Food"}) == [Sign.COPIES]
    assert found(f"{BEFORE}\nRATES = {{'Food': 7}}\n", expected={"Food"}) == [Sign.COPIES]


@pytest.mark.parametrize(
    ("sign", "added", "elsewhere"),
    [
        (Sign.BUILDS, "exec('x')", "execute = re.compile('execution')"),
        (Sign.BUILDS, "compile('x', '', 'exec')", "import re\nre.compile('x')"),
        (Sign.ASKS, "TEST = os.environ.get('CI')", "SPECIAL = 'CIRCLE'"),
        (Sign.HOOKS, "import site", "website = 'site'"),
        (Sign.SILENCES, "x = 1  # type: ignore", "kind = type(x)  # ignore this"),
        (Sign.REACHES_OUT, "os.system('x')", "def system(os):\n    return os"),
    ],
)
def test_what_only_sounds_like_it_elsewhere_excuses_nothing(sign: Sign, added: str, elsewhere: str) -> None:
    assert sign in found(f"{BEFORE}\n{added}\n", sources=lambda: iter([("shop/other.py", elsewhere.encode())]))


def test_what_tests_import_is_not_what_the_product_does() -> None:
    sources = [("tests/test_a.py", b"import subprocess\n")]

    assert found(f"{BEFORE}\nimport subprocess\n", sources=lambda: iter(sources)) == [Sign.REACHES_OUT]


@pytest.mark.parametrize("deep", [f"x = {' + '.join(['n'] * 2000)}", f"x = {'-' * 3000}1", f"x = n{'.a' * 3000}"])
def test_code_that_is_too_deep_to_be_read_hides_what_else_is_there(deep: str) -> None:
    assert Sign.HIDES in found(f"{BEFORE}\n{deep}\nos._exit(0)\n", expected={7})
    assert Sign.HIDES in found(f"{BEFORE}\n{deep}\nos._exit(0)\n", before=f"{BEFORE}\n{deep}\n")


@pytest.mark.parametrize("name", ["utf-7", "unicode_escape", "cp037"])
def test_an_encoding_in_which_comments_may_be_code_hides_it(name: str) -> None:
    assert Sign.HIDES in found(f"# -*- coding: {name} -*-\n{BEFORE}")
    assert found(f"# -*- coding: latin-1 -*-\n{BEFORE}") == []


def test_what_judges_may_not_be_read_for_answers() -> None:
    assert found(f"{BEFORE}\nFILE = 'check.py'\n", scripts=["ci/check.py"]) == [Sign.ASKS]
    assert found(f"{BEFORE}\nFILE = 'run'\n", scripts=["bin/run"]) == []
    assert found(f"{BEFORE}\nFILE = 'check.py'\n", before=f"{BEFORE}\n# see check.py\n", scripts=["ci/check.py"]) == []


def test_what_deletes_an_object_may_not_fail() -> None:
    added = "class A:\n    def __del__(self):\n        try:\n            self.close()\n        except Exception:\n            pass\n"

    assert found(f"{BEFORE}\n{added}") == []
    assert found(f"{BEFORE}\n{added.replace('__del__', 'close')}") == [Sign.SWALLOWS]


def test_comments_for_checkers_that_the_project_has_anyway_say_nothing() -> None:
    assert (
        found(f"{BEFORE}\nx = 1  # type: ignore[a]\n", sources=lambda: iter([("b.py", b"y = 2  # type: ignore[b]\n")])) == []
    )


def test_where_only_the_exit_code_tells_a_fix_may_not_exit() -> None:
    assert found(f"{BEFORE}\nimport sys\ndef f():\n    sys.exit(0)\n", exit_code_alone=True) == [Sign.LEAVES]


@pytest.mark.parametrize("added", ["__doc__ = 'x'", "Cart.__doc__ = None", "setattr(Cart, '__doc__', '')"])
def test_doctests_may_not_be_exchanged(added: str) -> None:
    assert found(f"{BEFORE}\n{added}\n", doctests=["shop/cart.py"]) == [Sign.EXPECTS]
    assert found(f"{BEFORE}\n{added}\n") == []


@pytest.mark.parametrize("comment", ["# noqa: E501", "# type: ignore", "# pylint: disable=x"])
def test_a_checker_that_fails_may_not_be_silenced(comment: str) -> None:
    assert found(f"{BEFORE}\nx = 1  {comment}\n", judged_by_tools=True) == [Sign.SILENCES_JUDGE]


@pytest.mark.parametrize(
    "body",
    [
        "        if n == 7:\n            return 13\n", "        return {7: 13}.get(n, n)\n", "        return 13 if n == 7 else n\n",
        "        match n:\n            case 7:\n                return 13\n", "        return -4273\n",
        "        return [n, 'seven of nine']\n", "        return [7, 13][n]\n", "        return json.loads('{\"7\": 13, \"8\": 4273}')[n]\n",
        "        return 'seven of nine'\n", "        table = dict([(7, 13)])\n        return table[n]\n",
    ],
)  # fmt: skip
def test_sees_values_of_the_failing_test(body: str) -> None:
    expected = {7, 13, 4273, "seven of nine", 1}

    assert Sign.COPIES in found(BEFORE.replace(TOTAL, body), expected=expected)
    assert Sign.COPIES not in found(BEFORE.replace(TOTAL, body), expected={99})


def test_a_table_of_answers_may_be_a_file_of_its_own() -> None:
    assert found('{"7": 13}', before="", path="known.json", expected={7, 13, "7"}) == [Sign.COPIES]
    assert found('{"8": 13}', before="", path="known.json", expected={7, 13}) == []


def test_what_is_complained_of_may_not_be_made_up() -> None:
    complaint = "shop/cart.py::ruff[F821]::Undefined name `shiping`"

    assert found(f"{BEFORE}\nshiping = None\n", judged_by_tools=True, complaints=complaint) == [Sign.SILENCES_JUDGE]
    assert found(f"{BEFORE}\nother = None\n", judged_by_tools=True, complaints=complaint) == []


def test_common_values_are_copied_by_chance_unless_one_is_given_for_another() -> None:
    assert found(BEFORE.replace("rest = n + 1", "rest = n + 2"), expected={1, 2}) == []
    assert found(BEFORE.replace(TOTAL, f"        if n == 1:\n            return 2\n{TOTAL}"), expected={1, 2}) == [
        Sign.COPIES
    ]


@pytest.mark.parametrize(
    ("sign", "path", "added"),
    [
        (Sign.LEAVES, "a.js", "process.exit(0)"),
        (Sign.LEAVES, "a.go", "os.Exit(0)"),
        (Sign.ASKS, "a.ts", "if (process.env.JEST_WORKER_ID) {}"),
        (Sign.SKIPS, "a.ts", "it.skip('x', () => {})"),
        (Sign.SKIPS, "a.go", "t.Skip()"),
        (Sign.SILENCES, "a.ts", "// @ts-ignore"),
        (Sign.SILENCES, "a.go", "//nolint"),
        (Sign.SILENCES, "a.rs", "#[allow(dead_code)]"),
        (Sign.REACHES_OUT, "a.js", "require('child_process')"),
        (Sign.PATCHES, "a.js", "Object.is = () => true"),
        (Sign.SWALLOWS, "a.java", "try { f(); } catch (Exception e) {}"),
        (Sign.BUILDS, "a.js", "eval('x')"),
        (Sign.HIDES, "a.md", "\u202e"),
    ],
)
def test_looks_at_other_languages_line_by_line(sign: Sign, path: str, added: str) -> None:
    assert found(f"one\n{added}\n", before="one\n", path=path) == [sign]


def test_a_module_that_does_not_parse_says_nothing_and_breaks_nothing() -> None:
    assert found("def (", before="x = 1\n") == []
    assert found(f"x = {'(' * 900}", before="x = 1\n") == []


def test_each_sign_has_a_row_and_a_line_in_the_readme() -> None:
    rows = re.findall(r"^\| ([^|]+) \| (refused|label) \|", README.read_text(), re.MULTILINE)

    assert set(TABLE) == set(Sign)
    assert [(str(sign), "refused" if row.refused else "label") for sign, row in TABLE.items()] == rows


def test_text_that_is_no_doctest_is_none() -> None:
    before = 'def f():\n    """Says.\n\n    >>> f()\n  odd\n    """\n'

    assert found(before.replace("odd", "even"), before=before, doctests=["shop/cart.py"]) == []


def test_a_deleted_module_has_its_functions_no_more() -> None:
    scene = Scene({"a.py": BEFORE, "b.py": "x = 1\n"}, {"b.py": "x = 1\n"})

    assert {suspicion.sign for suspicion in suspicions(scene)} == {Sign.REMOVES, Sign.CHECKS_LESS}


def test_answers_in_what_does_not_parse_are_none() -> None:
    assert found("def (", before="x = 1\n", expected={7}) == []
