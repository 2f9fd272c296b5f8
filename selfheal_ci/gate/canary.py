"""The canary: what must fail still fails with the candidate, or its green means nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from selfheal_ci.lab import Lab
from selfheal_ci.ports import Canary
from selfheal_ci.syntax import after_future, before_main
from selfheal_ci.values import CanarySeen, Case, Changes, Content, Result, is_checked

# Files whose broken end nothing that reads them can overlook.
_CODE = (".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs", ".go", ".rs", ".java", ".kt", ".c", ".h", ".cc", ".cpp", ".hpp",
         ".cs", ".rb", ".php", ".swift", ".scala", ".json", ".toml", ".yaml", ".yml", ".xml", ".sh")  # fmt: skip
_RAISE = b"raise SystemError('on purpose')\n"
_GARBAGE = b"\n)]}\x01<\n"


@dataclass(frozen=True)
class Sung:
    """What came of a canary."""

    seen: CanarySeen | None  # None: it was green
    passed: bool = False  # all targets passed beside it: as good as a repeat
    why: str = ""


def sing(judged: Changes, case: Case, lab: Lab) -> Sung:
    """Run the targets beside tests that must fail; where none can be added, with the patched files broken at their end."""
    planted = lab.runner.canary(case.targets, lab.read) if isinstance(lab.runner, Canary) else None
    if planted:
        ids = case.targets | planted.ids
        result = lab.run_tests(ids, planted.changes.over(judged), fresh=True)
        if _fail(planted.ids, result):
            return Sung(CanarySeen.FAILED, case.targets <= result.passes(case.targets))
        if _fail(planted.ids, lab.run_tests(ids, planted.changes)):  # without the candidate they do
            return Sung(None, why="with it, tests that must fail do not fail any more: its green says nothing")
    broken = broken_ends(judged, case)
    if broken is None:
        return Sung(CanarySeen.NOT_POSSIBLE)
    if not lab.heals(case.targets, broken, fresh=True):
        return Sung(CanarySeen.FAILED)
    if not lab.heals(case.targets, _at_the_top(judged, after_future), fresh=True):
        return Sung(None, why="the step stays green when what was changed is broken at its end: its green says nothing")
    # It runs none of it: a linter reads it at least, a check of white space does not.
    read = not lab.heals(case.targets, _at_the_top(judged, lambda data, _: _GARBAGE + data), fresh=True)
    return Sung(CanarySeen.FAILED if read else CanarySeen.NOT_POSSIBLE)


def _at_the_top(judged: Changes, put: Callable[[bytes, bytes], bytes]) -> Changes:
    """The candidate with an error in the first lines of its modules, with garbage in those of other files."""
    return Changes(
        {
            path: content
            and Content(put(content.data, _RAISE) if path.endswith(".py") else _GARBAGE + content.data, content.mode)
            for path, content in judged.files.items()
        }
    )


def broken_ends(judged: Changes, case: Case) -> Changes | None:
    """The candidate, each file of which fails when all of it was read; None where no reader would notice."""
    tools = any(is_checked(id_) for id_ in case.targets)
    files = {path: content for path, content in judged.files.items() if content is not None}
    broken = {path: _broken(path, content, tools=tools) for path, content in files.items()}
    noticed = {path: content for path, content in broken.items() if content is not None}
    return Changes({**judged.files, **noticed}) if noticed else None


def _broken(path: str, content: Content, *, tools: bool) -> Content | None:
    if path.endswith(".py"):
        data = content.data + _GARBAGE if tools else before_main(content.data, _RAISE)
    elif path.endswith(_CODE):
        data = content.data + _GARBAGE
    else:
        return None
    return Content(data, content.mode)


def _fail(ids: frozenset[str], result: Result) -> bool:
    """Whether all of these ran and none passed."""
    return bool(ids) and not result.passes(ids) and ids <= getattr(result, "ids", frozenset())
