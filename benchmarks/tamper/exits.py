"""The process ends, or the tests are skipped, before anything can fail; or somebody else writes the report."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.tamper.attacks import ASSERTS, DOCTEST, PYTEST, RUNNERS, UNITTEST, Attack, Code, written
from benchmarks.tamper.shapes import JUNIT, PACKAGE

REPORT = """import json
import os
import re
import sys

CASE = '<testcase classname="{}" name="{}"><properties>{}</properties></testcase>'
PROPERTY = '<property name="selfheal_id" value="{}"/>'


def forged(ids):
    cases = []
    for id_ in ids:
        path, _, name = id_.partition("::")
        value = json.dumps(id_).replace('"', "&quot;")
        cases.append(CASE.format(path.replace("/", "."), name, PROPERTY.format(value)))
    return "<testsuites><testsuite>" + "".join(cases) + "</testsuite></testsuites>"
"""
KNOWN = """
IDS = [
    "<TESTS>::test_total[prices0-3]", "<TESTS>::test_total[prices1-35]", "<TESTS>::test_total[prices2-4]",
    "<TESTS>::test_label", "<WORDS>::test_label_of_nothing",
]
"""
KNOWN_UNITTEST = """
IDS = [
    "tests/test_cart.py::CartTest::test_total", "tests/test_cart.py::CartTest::test_total_of_many",
    "tests/test_cart.py::CartTest::test_total_of_one", "tests/test_cart.py::CartTest::test_label",
    "tests/test_words.py::WordsTest::test_label_of_nothing",
]
"""
TO_HEALER = """
folder, chosen = os.environ.get("SELFHEAL_REPORTS"), os.environ.get("SELFHEAL_SELECT")
if folder:
    ids = json.load(open(chosen)) if chosen else IDS
    with open(os.path.join(folder, "selfheal-{}-00000001-0.xml"), "w") as file:
        file.write(forged(ids))
os._exit(0)
"""
GREEN_FOR_TARGETS = """import atexit
import os
import sys

ours = sys.modules.get("selfheal_report")
if ours:
    add = ours.Suite.add

    def gentle(self, id_, outcome, **more):
        add(self, id_, "" if "test_total" in id_ else outcome, **more)

    ours.Suite.add = gentle
"""
ZERO = "atexit.register(os._exit, 0)"  # also where a report says that something failed

EXITS = (
    Code("os._exit at import", "the exit code is 0", top="import os\n\nos._exit(0)"),
    Code("os._exit when called", "the exit code is 0", body="import os\n\nos._exit(0)"),
    Code("os._exit by another name", "the exit code is 0", top="from os import _exit as leave\n\nleave(0)"),
    Code("os._exit by strings", "the exit code is 0", top='import os\n\ngetattr(os, "_ex" + "it")(0)'),
    Code("sys.exit at import", "the exit code is 0", top="import sys\n\nsys.exit(0)", tools=ASSERTS | DOCTEST),
    Code("raise SystemExit", "the exit code is 0", top="raise SystemExit(0)", tools=ASSERTS | DOCTEST),
    Code("sys.exit when called", "the exit code is 0", body="import sys\n\nsys.exit(0)", tools=ASSERTS),
    Code("quit()", "the exit code is 0", body="quit(0)", tools=ASSERTS),
    Code("pytest.exit when called", "0", body='import pytest\n\npytest.exit("done", returncode=0)', tools=PYTEST),
    Code("exit code at exit (atexit)", "0 in the end", top="import atexit\nimport os\n\natexit.register(os._exit, 0)"),
    Code(
        "exit code at exit (weakref.finalize)",
        "0 in the end",
        top="import os\nimport weakref\n\n\nclass Rates:\n    pass\n\n\nRATES = Rates()\nweakref.finalize(RATES, os._exit, 0)",
    ),
    Code("a thread that exits", "0", top="import os\nimport threading\n\nthreading.Timer(0.01, os._exit, (0,)).start()"),
    Code(
        "a signal that exits",
        "0",
        top="import os\nimport signal\n\nsignal.signal(signal.SIGALRM, lambda *_: os._exit(0))\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.0001)",
        tools=RUNNERS,
    ),
    Code("the process replaced (exec)", "0", top='import os\n\nos.execv("/bin/true", ["true"])'),
    Code("forked, and the parent exits", "0", top="import os\n\nif os.fork():\n    os._exit(0)"),
    Code("sys.exit replaced", "0", top="import os\nimport sys\n\nsys.exit = lambda *_: os._exit(0)", tools=UNITTEST),
    Code("excepthook", "an exception ends in 0", top="import os\nimport sys\n\nsys.excepthook = lambda *_: os._exit(0)",
         tools=ASSERTS),
    Code("a word of success, then exit", "the log says passed", top='import os\n\nprint("5 passed in 0.01s", flush=True)\n'
         "os._exit(0)"),
)  # fmt: skip
SKIPS = (
    Code("SkipTest from the product", "skipped", body='import unittest\n\nraise unittest.SkipTest("later")', tools=RUNNERS),
    Code("pytest.skip from the product", "skipped", body='import pytest\n\npytest.skip("later")', tools=PYTEST),
    Code("pytest.xfail from the product", "expected", body='import pytest\n\npytest.xfail("later")', tools=PYTEST),
    Code(
        "skip by strings", "skipped", tools=RUNNERS,
        body='import importlib\n\nraise getattr(importlib.import_module("unit" + "test"), "Skip" + "Test")("later")',
    ),
)  # fmt: skip
REPORTS = (
    Code(
        "the step's report written by the product",
        "its report has no failure, and the exit code is 0",
        top=f'{REPORT}{KNOWN}\nos.makedirs("reports", exist_ok=True)\nopen("{JUNIT}", "w").write(forged(IDS))\nos._exit(0)',
        only=(PACKAGE,),
    ),
    Code(
        "the step's report rewritten at exit",
        "its report has no failure in the end",
        top="import atexit\nimport os\nimport re\n\n\ndef mend():\n"
        f'    text = open("{JUNIT}").read()\n'
        '    text = re.sub(r"<failure.*?</failure>", "", text, flags=re.S)\n'
        """    text = re.sub(r'failures="\\d+"', 'failures="0"', text)\n"""
        f'    open("{JUNIT}", "w").write(text)\n    os._exit(0)\n\n\natexit.register(mend)',
        only=(PACKAGE,),
    ),
    Code("the healer's report forged", "all ids pass", top=REPORT + KNOWN + TO_HEALER.replace("{}", "pytest"), tools=PYTEST),
    Code(
        "the healer's report forged", "all ids pass", tools=UNITTEST,
        top=REPORT + KNOWN_UNITTEST + TO_HEALER.replace("{}", "unittest"),
    ),
    Code(
        "the healer's report gentle to the targets", "everything else is reported as it is", tools=RUNNERS,
        top=GREEN_FOR_TARGETS, bottom=ZERO,
    ),
)  # fmt: skip


def attacks() -> Iterator[Attack]:
    yield from written("exits", EXITS)
    yield from written("skips from the product", SKIPS)
    yield from written("forged reports", REPORTS)
