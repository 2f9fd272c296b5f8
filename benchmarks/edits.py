"""Edits that a model did not quote quite exactly: applied as they were meant, or refused; never anything else."""

from __future__ import annotations

import random
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks.figures import Figure
from selfheal_ci.remedies.model.matching import Passage as Edit
from selfheal_ci.remedies.model.matching import is_indented_unclearly, matches, replaced

SEED = 20_261_125
EACH = 100  # edits of each kind
SOURCES = sorted((Path(__file__).parents[1] / "selfheal_ci").rglob("*.py"))

Mangled = tuple[str, str]  # what is quoted, and what shall stand there
Mangle = Callable[[str, str, random.Random], Mangled]


def _numbered(text: str, separator: str) -> str:
    return "\n".join(f"{number}{separator}{line}" for number, line in enumerate(text.split("\n"), 41))


def _elided(old: str, new: str, _: random.Random) -> Mangled:
    """All but the first and the last line left out, in both."""
    before, after = old.split("\n"), new.split("\n")
    return "\n".join([before[0], "...", before[-1]]), "\n".join([after[0], "...", after[-1]])


def _blank(old: str, new: str, rng: random.Random) -> Mangled:
    head, tail = rng.choice([("\n", ""), ("", "\n"), ("\n", "\n")])
    return head + old + tail + "\n", head + new + tail + "\n"


MANGLES: Mapping[str, Mangle] = {
    "exact": lambda old, new, _: (old, new),
    "without indentation": lambda old, new, _: (textwrap.dedent(old), textwrap.dedent(new)),
    "indented once more": lambda old, new, _: (textwrap.indent(old, "    "), textwrap.indent(new, "    ")),
    "with tabs for spaces": lambda old, new, _: (old.replace("    ", "\t"), new.replace("    ", "\t")),
    "with CRLF": lambda old, new, _: (old.replace("\n", "\r\n"), new.replace("\n", "\r\n")),
    "with trailing space": lambda old, new, _: (old.replace("\n", "  \n"), new),
    "with line numbers": lambda old, new, _: (_numbered(old, "\t"), _numbered(new, "\t")),
    "with line numbers, the old lines only": lambda old, new, _: (_numbered(old, " | "), new),
    "with a blank line too many": _blank,
    "elided": _elided,
    "half of the first line": lambda old, new, _: (old[len(old.split("\n")[0]) // 2 :], new[len(old.split("\n")[0]) // 2 :]),
    "a letter wrong": lambda old, new, rng: (_misspelt(old, rng), new),
    "a line left out": lambda old, new, _: ("\n".join([old.split("\n")[0], *old.split("\n")[2:]]), new),
    "one short line": lambda old, new, _: (old.split("\n")[-1].strip(), new.split("\n")[-1].strip()),
}


def _misspelt(text: str, rng: random.Random) -> str:
    at = rng.choice([place for place, letter in enumerate(text) if letter.isalpha()])
    return text[:at] + ("q" if text[at] != "q" else "z") + text[at + 1 :]


def measure() -> Iterator[Figure]:
    """Each kind of mangling on real source: what is applied has to be what was meant, to the byte."""
    rng = random.Random(SEED)  # noqa: S311  no secret
    wrong = whole = 0
    for name, mangle in MANGLES.items():
        applied = refused = 0
        for _ in range(EACH):
            text, old, new = _an_edit(rng)
            edit = Edit(text, *mangle(old, new, rng))
            found = matches(edit)
            if len(found) != 1 or is_indented_unclearly(edit, found[0]):
                refused += 1
            elif replaced(text, found[0]) == text.replace(old, new, 1):
                applied += 1
            else:
                wrong += 1
                print(f"     MISAPPLIED {name}: {edit.old!r} → {edit.new!r}", flush=True)
        whole += EACH
        print(f"     {name}: {applied} applied, {refused} refused", flush=True)
    yield Figure(f"edits mangled in {len(MANGLES)} ways: cases", whole, 60, "", at_least=True)
    yield Figure("the same, misapplied", wrong, 0, f"/{whole}")


def _an_edit(rng: random.Random) -> tuple[str, str, str]:
    """A text, three to six lines that are in it once, and the same lines with one of them changed."""
    while True:
        text = rng.choice(SOURCES).read_text()
        lines = text.split("\n")
        at, size = rng.randrange(max(1, len(lines) - 7)), rng.randint(3, 6)
        chosen = lines[at : at + size]
        old = "\n".join(chosen)
        if len(chosen) == size and all(line.strip() for line in (chosen[0], chosen[-1])) and text.count(old) == 1:
            break
    changed = [*chosen[:-1], f"{chosen[-1]}  # changed"]
    return text, old, "\n".join(changed)
