"""What a unittest run is given by selfheal: a report of its own, and only the tests that are asked for.

Runs under the project's own Python (3.6 and newer), whatever starts the tests: what it hears is what `unittest.TestResult`
hears, and it selects where suites run. Runs that tests start inside themselves are left alone.
"""

import atexit
import json
import os
import re
import sys
import time
import traceback
from functools import wraps
from typing import Any, Callable, Dict, List, Optional, Set
from unittest.result import TestResult
from unittest.suite import BaseTestSuite, TestSuite

from selfheal_report import NESTED, SELECT, Suite, path_of, tree_path  # type: ignore[import-not-found]
from selfheal_trace import TRACER  # type: ignore[import-not-found]

FILE = re.compile(r'File "([^"\n]+)", line')
NOT_IMPORTED = "ImportError: Failed to import test module: "
PLACE = re.compile(r"(?:setUp|tearDown)(?:Class|Module) \((.+)\)$")


class Listener:
    """Follows the run of this process."""

    def __init__(self) -> None:
        self.owner: Any = None  # whose tests count
        self.test: Any = None  # that runs
        self.begun = 0.0
        self.announced = False  # the owner said that it starts, and will say that it ends
        self.suite: Optional[Suite] = None
        self.wanted: Optional[Set[str]] = None
        if SELECT:
            with open(SELECT, encoding="utf-8") as file:
                self.wanted = set(json.load(file))
        self.files = {path_of(id_) for id_ in self.wanted or ()}

    def nested(self) -> bool:
        return self.suite is None and NESTED in os.environ

    def open(self, result: Any, *, announced: bool) -> None:
        if self.nested() or self.test is not None or (self.announced and self.owner is not None):
            return
        if self.suite is None:
            self.suite = Suite("unittest", os.getcwd())
            os.environ[NESTED] = str(os.getpid())
        self.owner, self.announced = result, announced
        result.failfast = False  # a report of all tests, though the step would stop at the first failure

    def close(self, result: Any = None) -> None:
        if self.suite is None or (result is not None and result is not self.owner):
            return
        self.suite.write()
        if TRACER:
            TRACER.write()
        if self.suite.process == os.getpid():
            os.environ.pop(NESTED, None)
        self.owner = self.test = self.suite = None
        self.announced = False

    def begin(self, result: Any, test: Any) -> None:
        self.open(result, announced=False)
        if result is self.owner and self.test is None:
            self.test, self.begun = test, time.time()
            if TRACER:
                TRACER.begin()

    def end(self, result: Any, test: Any) -> None:
        if result is self.owner and test is self.test:
            self.test = None
            if TRACER:
                TRACER.end(id_of(test) or "")

    def add(self, result: Any, test: Any, outcome: str, told: Any = None) -> None:
        if result is not self.owner or self.suite is None or hasattr(test, "test_case"):  # the skipped part of a test
            return
        said = explained(told) if outcome in ("failure", "error") else {"message": str(told or "")}
        seconds = time.time() - self.begun if self.test is not None else 0.0
        for id_ in ids_of(test):
            if self.wants(id_):
                self.suite.add(id_, outcome, line=line_of(test), seconds=seconds, **said)

    def wants(self, id_: str) -> bool:
        return self.wanted is None or id_ in self.wanted or path_of(id_) in self.wanted

    def prune(self, suite: Any) -> bool:
        """Leave the wanted tests alone in the suite; whether there are any."""
        if not isinstance(suite, BaseTestSuite):
            id_ = id_of(suite)
            return id_ is None or self.wants(id_) or id_ in self.files
        kept: List[Any] = [test for test in suite if self.prune(test)]
        suite._tests = kept
        return bool(kept)


LISTENER = Listener()


def ids_of(test: Any) -> List[str]:
    """The ids that a result is about: one test, or all of a class or module that could not be set up."""
    place = PLACE.match(str(getattr(test, "description", "")))
    if place is None:
        id_ = id_of(test)
        return [] if id_ is None else [id_]
    module, *names = split(place.group(1))
    found = sys.modules.get(module)
    classes = [getattr(found, names[0], None)] if names else list(vars(found).values()) if found else []
    return [
        "::".join([path_of_module(module), class_.__qualname__.replace(".", "::"), name])
        for class_ in classes
        if isinstance(class_, type) and hasattr(class_, "setUpClass") and class_.__module__ == module
        for name in sorted(dir(class_))
        if name.startswith("test") and callable(getattr(class_, name))
    ]


def split(name: str) -> List[str]:
    """The module that is loaded, and the names in it."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        if ".".join(parts[:end]) in sys.modules:
            return [".".join(parts[:end]), *parts[end:]]
    return [name]


def id_of(test: Any) -> Optional[str]:
    """path::Class::name, the path relative to the tree; the path of what could not be loaded; None for what has neither."""
    class_ = type(test)
    if class_.__module__ == "unittest.loader":
        return path_of_broken(test)
    doctest = getattr(test, "_dt_test", None)
    if doctest is not None:
        return "::".join([tree_path(str(doctest.filename)), str(doctest.name)])
    name = getattr(test, "_testMethodName", None)
    if name is None:
        return None
    return "::".join([path_of_module(class_.__module__), class_.__qualname__.replace(".", "::"), str(name)])


def path_of_module(name: str) -> str:
    file = getattr(sys.modules.get(name), "__file__", None)
    return str(tree_path(file)) if file else name


def path_of_broken(test: Any) -> Optional[str]:
    """The file of a module that could not be imported."""
    name = str(getattr(test, "_testMethodName", ""))
    ends = [name.replace(".", os.sep) + end for end in (".py", os.sep + "__init__.py")]
    said = FILE.findall(str(getattr(test, "_exception", "")))
    for file in [*(os.path.join(folder, end) for folder in sys.path for end in ends), *said]:
        path = str(tree_path(file))
        if os.path.isfile(file) and not path.startswith("../") and file.endswith(tuple(os.sep + end for end in ends)):
            return path
    return None


def line_of(test: Any) -> Optional[int]:
    method = getattr(test, str(getattr(test, "_testMethodName", "")), None)
    code = getattr(method, "__code__", None)
    return None if code is None else code.co_firstlineno - 1


def explained(told: Any) -> Dict[str, str]:
    """What an exception says."""
    if not isinstance(told, tuple):
        return {"message": str(told), "text": str(told)}
    type_, value, frames = told
    while frames is not None and "__unittest" in frames.tb_frame.f_globals:
        frames = frames.tb_next
    message = "".join(traceback.format_exception_only(type_, value)).strip()
    name = type_.__name__
    if message.startswith(NOT_IMPORTED):  # the trace of the exception proper is its message
        message = message.splitlines()[-1]
        name = message.partition(":")[0].rpartition(".")[2]
    return {"message": message, "type_": name, "text": "".join(traceback.format_exception(type_, value, frames))}


def also(class_: Any, name: str) -> Callable[[Callable[..., None]], None]:
    """Does something beside what a method does."""
    original = getattr(class_, name)

    def patch(heard: Callable[..., None]) -> None:
        @wraps(original)
        def method(self: Any, *args: Any, **named: Any) -> Any:
            heard(self, *args, **named)
            return original(self, *args, **named)

        setattr(class_, name, method)

    return patch


@also(TestResult, "startTestRun")
def start_run(result: Any) -> None:
    LISTENER.open(result, announced=True)


@also(TestResult, "stopTestRun")
def stop_run(result: Any) -> None:
    LISTENER.close(result)


@also(TestResult, "startTest")
def start_test(result: Any, test: Any) -> None:
    LISTENER.begin(result, test)


@also(TestResult, "stopTest")
def stop_test(result: Any, test: Any) -> None:
    LISTENER.end(result, test)


@also(TestResult, "addSuccess")
def add_success(result: Any, test: Any) -> None:
    LISTENER.add(result, test, "")


@also(TestResult, "addFailure")
def add_failure(result: Any, test: Any, err: Any) -> None:
    LISTENER.add(result, test, "failure", err)


@also(TestResult, "addError")
def add_error(result: Any, test: Any, err: Any) -> None:
    LISTENER.add(result, test, "error", err)


@also(TestResult, "addSubTest")
def add_part(result: Any, test: Any, subtest: Any, err: Any) -> None:
    if err is not None:
        LISTENER.add(result, test, "failure", err)


@also(TestResult, "addSkip")
def add_skip(result: Any, test: Any, reason: Any) -> None:
    LISTENER.add(result, test, "skipped", reason)


@also(TestResult, "addExpectedFailure")
def add_expected_failure(result: Any, test: Any, err: Any) -> None:
    LISTENER.add(result, test, "skipped", "failed as expected")


@also(TestResult, "addUnexpectedSuccess")
def add_unexpected_success(result: Any, test: Any) -> None:
    LISTENER.add(result, test, "failure", "passed, though it is expected to fail")


@also(TestSuite, "run")
def run_suite(suite: Any, result: Any, debug: bool = False) -> None:
    if LISTENER.wanted is None or LISTENER.nested() or LISTENER.test is not None:
        return
    LISTENER.prune(suite)
    main = sys.modules.get("unittest.main")
    if hasattr(main, "_NO_TESTS_EXITCODE"):  # the wanted tests may be those of the step's next process
        main._NO_TESTS_EXITCODE = 0  # type: ignore[union-attr]


atexit.register(LISTENER.close)
if TRACER and NESTED not in os.environ:
    TRACER.start()  # now, so that what the tests import is seen as well
