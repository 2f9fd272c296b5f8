"""What is suspicious in a candidate: signs that its code has, and the code before it, here or on green, has not."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from selfheal_ci.gate.suspicion import answers, features, lines, python
from selfheal_ci.gate.suspicion.signs import TABLE, Row, Sign

__all__ = ["TABLE", "Row", "Scene", "Sign", "Suspicion", "suspicions"]

_IMPORTED = re.compile(rb"^\s*(?:from\s+([\w.]+)\s+import\b|import\s+([\w., ]+))", re.MULTILINE)
Key = TypeVar("Key")
_LONG = 4  # letters from which a text of the failing test is no chance
SHOWN = 3  # examples of one sign


@dataclass(frozen=True)
class Scene:
    """What a candidate is looked at beside. Texts by path; of files that are not there, nothing."""

    before: Mapping[str, str]
    after: Mapping[str, str]
    green: Mapping[str, str] = field(default_factory=dict)
    judged_by_tools: bool = False  # a linter or type checker complains, and is to be content
    doctests: Collection[str] = ()  # paths of modules whose doctests the step runs
    expected: Collection[object] = ()  # the constants of the failing tests
    sources: Callable[[], Iterator[tuple[str, bytes]]] = lambda: iter(())  # the project's Python, where it has to be asked

    @cached_property
    def known(self) -> frozenset[str]:
        """The names of packages that the project imports anywhere, or has itself."""
        names: set[str] = set()
        for path, data in self.sources():
            names.update(path.removesuffix(".py").split("/"))
            for one, other in _IMPORTED.findall(data):
                names.update(part.split()[0].split(b".")[0].decode() for part in (one or other).split(b",") if part.strip())
        return frozenset(names)


@dataclass(frozen=True)
class Suspicion:
    """A sign, and what shows it."""

    sign: Sign
    shown: tuple[str, ...]

    @property
    def refused(self) -> bool:
        return TABLE[self.sign].refused

    @property
    def words(self) -> str:
        """What follows "it": `ends the process (os._exit)`."""
        more = ", …" if len(self.shown) > SHOWN else ""
        return f"{self.sign} ({', '.join(self.shown[:SHOWN])}{more})" if self.shown else str(self.sign)


def suspicions(scene: Scene) -> list[Suspicion]:
    """In the order of the table, so those first for which it is refused."""
    found: dict[Sign, list[str]] = {}
    for sign, what in [*_new_signs(scene), *_packages(scene), *_features(scene), *_answers(scene)]:
        found.setdefault(_in_this_scene(sign, what, scene), []).append(what)
    return [Suspicion(sign, tuple(dict.fromkeys(found[sign]))) for sign in Sign if sign in found]


def _in_this_scene(sign: Sign, what: str, scene: Scene) -> Sign:
    """Some signs weigh more or less by what fails and by what the project does anyway."""
    if sign is Sign.SILENCES and scene.judged_by_tools:
        return Sign.SILENCES_JUDGE
    if sign is Sign.STARTS and what.split(".", maxsplit=1)[0] not in scene.known:
        return Sign.REACHES_OUT
    return sign


def _new_signs(scene: Scene) -> list[tuple[Sign, str]]:
    return sorted(_new(scene, _signs), key=lambda each: each[1])


def _signs(path: str, text: str) -> Counter[tuple[Sign, str]]:
    found = lines.signs(path, text)
    return found + python.signs(text) if path.endswith(".py") else found


def _packages(scene: Scene) -> Iterator[tuple[Sign, str]]:
    """Packages that nobody has imported so far."""
    for name in sorted(_new(scene, _imports)):
        if name not in sys.stdlib_module_names and name not in scene.known:
            yield Sign.UNKNOWN, name


def _imports(path: str, text: str) -> Counter[str]:
    return python.imports(text) if path.endswith(".py") else Counter()


def _features(scene: Scene) -> Iterator[tuple[Sign, str]]:
    before, after, green = (
        {path: features.features(text) for path, text in texts.items() if path.endswith(".py")}
        for texts in (scene.before, scene.after, scene.green)
    )
    nothing = features.Features()
    for path in sorted(before):
        was, now, had = before[path], after.get(path, nothing), green.get(path, nothing)
        yield from ((Sign.EMPTIES, name) for name in sorted((was.full & now.empty) - had.empty))
        if path in scene.doctests and (lost := was.examples - now.examples) and not lost <= _gone(was, had):
            yield Sign.EXPECTS, path
    gone = _total(before, "public") - _total(after, "public")
    yield from ((Sign.REMOVES, name) for name in sorted(gone) if not green or name in _total(green, "public"))
    checks = [sum(each.checks for each in texts.values()) for texts in (before, after, green)]
    if checks[1] < checks[0] and (not green or checks[1] < checks[2]):
        yield Sign.CHECKS_LESS, f"{checks[0] - checks[1]} fewer"


def _gone(was: features.Features, had: features.Features) -> Counter[str]:
    """The examples that green does not have: taking them back loses nothing that was tried."""
    return was.examples - had.examples if had.examples else Counter()


def _total(texts: Mapping[str, features.Features], name: str) -> Counter[str]:
    total: Counter[str] = Counter()
    for each in texts.values():
        total += getattr(each, name)
    return total


def _answers(scene: Scene) -> Iterator[tuple[Sign, str]]:
    """New constants of the failing test; those that everybody uses only where one is given for another."""
    if not scene.expected:
        return
    known = {(type(value), value) for value in scene.expected}
    for value in sorted(_new(scene, _values), key=repr):
        if (type(value), value) in known and value not in answers.COMMON and not _is_short(value):
            yield Sign.COPIES, repr(value)
    for left, right in sorted(_new(scene, _pairs), key=repr):
        if (type(left), left) in known and (type(right), right) in known:
            yield Sign.COPIES, f"{right!r} for {left!r}"


def _is_short(value: answers.Value) -> bool:
    return isinstance(value, str | bytes) and len(value) < _LONG


def _values(path: str, text: str) -> Counter[answers.Value]:
    return answers.values(text) if path.endswith(".py") else Counter()


def _pairs(path: str, text: str) -> Counter[tuple[answers.Value, answers.Value]]:
    return answers.pairs(text) if path.endswith(".py") else Counter()


def _new(scene: Scene, count: Callable[[str, str], Counter[Key]]) -> Sequence[Key]:
    """What is there more often than before and than on green, over all files of the candidate: code may have moved."""
    totals = []
    for texts in (scene.before, scene.after, scene.green):
        total: Counter[Key] = Counter()
        for path, text in texts.items():
            total += count(path, text)
        totals.append(total)
    before, after, green = totals
    return list(after - (before | green))
