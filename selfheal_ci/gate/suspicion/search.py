"""The search for signs that a candidate brings in: beside the code before it, here and on green, and beside the project."""

from __future__ import annotations

import builtins
import re
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from selfheal_ci.gate.suspicion import answers, features, lines, python
from selfheal_ci.gate.suspicion.signs import TABLE, Sign
from selfheal_ci.paths import is_judge

_IMPORTED = re.compile(rb"^\s*(?:from\s+([\w.]+)\s+import\b|import\s+([\w., ]+))", re.MULTILINE)
Key = TypeVar("Key")
_LOADERS = frozenset(
    {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "shelve", "joblib", "yaml", "threading", "_thread"}
)
_MANIFOLD = frozenset({"os", "asyncio", "http", "urllib"})  # packages for many things, most of them harmless
_RARE = frozenset({Sign.LOOKS_AROUND, Sign.ASKS, Sign.HOOKS, Sign.BUILDS, Sign.PRIES})
_SMALL = 10  # numbers below are anywhere; alone they say nothing
_TABLE = 2  # values of the failing test that stand together
_LONG = 4  # letters from which a text of the failing test is no chance
SHOWN = 3  # examples of one sign


@dataclass(frozen=True)
class Scene:
    """What a candidate is looked at beside. Texts by path; of files that are not there, nothing."""

    before: Mapping[str, str]
    after: Mapping[str, str]
    green: Mapping[str, str] = field(default_factory=dict)
    judged_by_tools: bool = False  # a linter or type checker complains, and is to be content
    scripts: Collection[str] = ()  # what the step starts
    raised: Collection[str] = ()  # the names in what the failing tests say, those of exceptions among them
    complaints: str = ""  # the ids of what these tools complain of
    exit_code_alone: bool = False  # there is no report of tests
    doctests: Collection[str] = ()  # paths of modules whose doctests the step runs
    expected: Collection[object] = ()  # the constants of the failing tests
    sources: Callable[[], Iterator[tuple[str, bytes]]] = lambda: iter(())  # the project's Python, where it has to be asked

    @cached_property
    def known(self) -> frozenset[str]:
        """The names of packages that the product imports anywhere, or that the project has itself."""
        names: set[str] = set()
        for path, data in self.sources():
            names.update(path.removesuffix(".py").split("/"))
            for one, other in () if is_judge(path) else _IMPORTED.findall(data):
                names.update(part.split()[0].split(b".")[0].decode() for part in (one or other).split(b",") if part.strip())
        return frozenset(names)

    def does(self, sign: Sign, what: str) -> bool:
        """Whether the product shows this sign in this very way somewhere, before the candidate."""
        words = re.findall(r"\w+", what)
        word = (words[0] if "…" in what else words[-1]).encode() if words else b""
        return any(word in data and (sign, what) in _signs_of(path, data) for path, data in self._product())

    def starts(self, what: str) -> bool:
        """Whether the product does this anyway, or it is no more than loading objects or a thread."""
        if _package(what) in _MANIFOLD:
            return self.does(Sign.STARTS, what)
        return _package(what) in self.known | _LOADERS

    def _product(self) -> Iterator[tuple[str, bytes]]:
        return ((path, data) for path, data in self.sources() if not is_judge(path))


def _signs_of(path: str, data: bytes) -> Counter[tuple[Sign, str]]:
    text = data.decode("utf-8", "replace")
    return lines.signs(path, text) + python.signs(text)


def _package(what: str) -> str:
    return what.split(".", maxsplit=1)[0]


@dataclass(frozen=True)
class Suspicion:
    """A sign, the first file that has it, and what shows it."""

    sign: Sign
    path: str
    shown: tuple[str, ...]

    @property
    def refused(self) -> bool:
        return TABLE[self.sign].refused

    @property
    def words(self) -> str:
        """`cart.py ends the process (os._exit)`."""
        more = ", …" if len(self.shown) > SHOWN else ""
        return f"{self.path} {self.sign} ({', '.join(self.shown[:SHOWN])}{more})"


Modules = Mapping[str, features.Features]  # by path
Seen = tuple[Sign, str, str]  # in which file, and what shows it


def suspicions(scene: Scene) -> list[Suspicion]:
    """In the order of the table, so those first for which it is refused."""
    found: dict[Sign, list[tuple[str, str]]] = {}
    every = (_signs, _packages, _judges, _features, _answers)
    for sign, path, what in (seen for look in every for seen in look(scene)):
        if _matters(sign, what, scene):
            found.setdefault(_weighed(sign, what, scene), []).append((path, what))
    return [
        Suspicion(sign, found[sign][0][0], tuple(dict.fromkeys(what for _, what in found[sign])))
        for sign in Sign
        if sign in found
    ]


def _matters(sign: Sign, what: str, scene: Scene) -> bool:
    """Whether a sign says something where this is what fails, and this is what the project does anyway."""
    match sign:
        case Sign.SILENCES_JUDGE:
            return scene.judged_by_tools
        case Sign.SILENCES:
            return scene.judged_by_tools or not scene.does(sign, what)
        case Sign.EXPECTS:
            return bool(scene.doctests)
        case Sign.HUSHES:
            return any(_is_one(raised, what) for raised in scene.raised)
        case _:
            return True


def _is_one(raised: str, caught: str) -> bool:
    """Whether an exception is caught by this name, as far as both are Python's own; else when they have the same."""
    one, other = getattr(builtins, raised, None), getattr(builtins, caught, None)
    return raised == caught or (isinstance(one, type) and isinstance(other, type) and issubclass(one, other))


def _weighed(sign: Sign, what: str, scene: Scene) -> Sign:
    """The sign, or the one that is more or less than it here."""
    if sign is Sign.SILENCES and scene.judged_by_tools:
        return Sign.SILENCES_JUDGE
    if sign is Sign.EXITS and scene.exit_code_alone:
        return Sign.LEAVES
    if sign is Sign.STARTS and not scene.starts(what):
        return Sign.REACHES_OUT
    return Sign.AGAIN if sign in _RARE and scene.does(sign, what) else sign


def _signs(scene: Scene) -> Iterator[Seen]:
    """Those that are new; of what only makes a label, those that nothing in these files shows so far."""
    of_python, imported = _of_python(python.signs), _of_python(python.imports)
    shown = {key for path, text in scene.before.items() for key in (*lines.signs(path, text), *of_python(path, text))}
    packages = {name for path, text in scene.before.items() for name in imported(path, text)}
    for path, (sign, what) in [*_new(scene, lines.signs), *_new(scene, of_python)]:
        known = (sign, what) in shown or (sign is Sign.STARTS and _package(what) in packages - _MANIFOLD)
        if TABLE[sign].refused or not known:
            yield sign, path, what


def _packages(scene: Scene) -> Iterator[Seen]:
    """Packages that nobody has imported so far."""
    for path, name in _new(scene, _of_python(python.imports)):
        if name not in sys.stdlib_module_names and name not in scene.known:
            yield Sign.UNKNOWN, path, name


def _judges(scene: Scene) -> Iterator[Seen]:
    """Scripts of the step that a file names now: what judges it may be read for answers."""
    for path, text in sorted(scene.after.items()):
        for name in sorted({script.rpartition("/")[2] for script in scene.scripts}):
            if "." in name and name in text and name not in scene.before.get(path, "") and path not in scene.scripts:
                yield Sign.ASKS, path, name


def _features(scene: Scene) -> Iterator[Seen]:
    before, after, green = (
        {path: features.features(text) for path, text in texts.items() if path.endswith(".py")}
        for texts in (scene.before, scene.after, scene.green)
    )
    for path in sorted(before):
        was, now = before[path], after.get(path, features.Features())
        had = green.get(path, was)  # what is the same on green is no sign
        yield from ((Sign.EMPTIES, path, name) for name in sorted((was.full & now.empty) - (had.empty - was.empty)))
        if path in scene.doctests:
            yield from ((Sign.EXPECTS, path, f"examples of {name}") for name in _other_examples(was, now, had))
        yield from ((Sign.SILENCES_JUDGE, path, f"{name} = None") for name in _made_up(was, now, scene))
        if now.annotations < min(was.annotations, had.annotations):
            yield Sign.SILENCES_JUDGE, path, "fewer annotations"
    yield from _less(before, after, green)


def _other_examples(was: features.Features, now: features.Features, had: features.Features) -> list[str]:
    """Whose doctests are neither what they were nor what they are on green."""
    allowed = {name: {said, had.examples.get(name)} for name, said in was.examples.items()}
    return [name.lstrip(".") or "the module" for name in was.examples if now.examples.get(name) not in allowed[name]]


def _made_up(was: features.Features, now: features.Features, scene: Scene) -> list[str]:
    """Names that a tool complains of, and that stand for nothing now."""
    new = sorted(now.nothing - was.nothing)
    return [name for name in new if re.search(rf"\b{re.escape(name)}\b", scene.complaints)]


def _less(before: Modules, after: Modules, green: Modules) -> Iterator[Seen]:
    """What is gone, and nothing new stands for it."""
    public = [_total(modules, "public") for modules in (before, after, green)]
    if not public[1] - public[0]:
        for path in sorted(before):
            gone = before[path].public - public[1]
            yield from ((Sign.REMOVES, path, name) for name in sorted(gone) if not green or name in public[2])
    checks = [sum(each.checks for each in modules.values()) for modules in (before, after, green)]
    size = [sum(each.statements for each in modules.values()) for modules in (before, after)]
    if checks[1] < checks[0] and size[1] < size[0] and (not green or checks[1] < checks[2]):
        yield Sign.CHECKS_LESS, min(before), f"{checks[0] - checks[1]} fewer"


def _total(texts: Modules, name: str) -> Counter[str]:
    total: Counter[str] = Counter()
    for each in texts.values():
        total += getattr(each, name)
    return total


def _answers(scene: Scene) -> Iterator[Seen]:
    """New constants of the failing test; those that everybody uses only where one is given for another."""
    if not scene.expected:
        return
    known = {(type(value), value) for value in scene.expected}

    def copied(value: answers.Value) -> bool:
        return (type(value), value) in known and value not in answers.COMMON and not _is_short(value)

    for path, value in _new(scene, _of_python(answers.values)):
        if copied(value) and not (isinstance(value, int) and abs(value) < _SMALL):
            yield Sign.COPIES, path, repr(value)
    for path, table in [*_new(scene, _of_python(answers.tables)), *_new(scene, _of_data)]:
        if len(found := set(filter(copied, table))) >= _TABLE:
            yield Sign.COPIES, path, ", ".join(sorted(map(repr, found)))
    for path, (left, right) in _new(scene, _of_python(answers.pairs)):
        if left != right and (copied(left) or {(type(left), left), (type(right), right)} <= known):
            yield Sign.COPIES, path, f"{right!r} for {left!r}"


def _of_data(path: str, text: str) -> Counter[tuple[answers.Value, ...]]:
    """All of a file that is no Python, as one table."""
    return Counter() if path.endswith(".py") else Counter([answers.words(text)])


def _is_short(value: answers.Value) -> bool:
    return isinstance(value, str | bytes) and len(value) < _LONG


def _of_python(count: Callable[[str], Counter[Key]]) -> Callable[[str, str], Counter[Key]]:
    """Of a file that is no Python, nothing; nor of one that is refused because it is nested too deeply."""

    def counted(path: str, text: str) -> Counter[Key]:
        try:
            return count(text) if path.endswith(".py") else Counter()
        except RecursionError:
            return Counter()

    return counted


def _new(scene: Scene, count: Callable[[str, str], Counter[Key]]) -> list[tuple[str, Key]]:
    """What is there more often than before and than on green, over all files of the candidate: code may have moved."""
    here = {path: count(path, text) for path, text in sorted(scene.after.items())}
    was = {path: count(path, text) for path, text in scene.before.items()}
    green = [count(path, text) for path, text in scene.green.items()]
    new = _sum(here.values()) - (_sum(was.values()) | _sum(green))
    found = [(path, key) for path, counted in here.items() for key in counted - was.get(path, Counter()) if key in new]
    return sorted(found, key=repr)


def _sum(counts: Iterable[Counter[Key]]) -> Counter[Key]:
    return sum(counts, Counter())
