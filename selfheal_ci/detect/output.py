"""What a step printed, reduced to the lines that say why it failed; and the failure that is made of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from selfheal_ci.detect.fingerprint import fingerprint, mask
from selfheal_ci.detect.frames import in_lines
from selfheal_ci.detect.telling import EXCEPTION, weight
from selfheal_ci.values import Failure, Run, Step, Stop

TOKENS = 5000
PER_TOKEN = 4  # characters, about
LINE = 8192  # characters of a line that are looked at
SHOWN = 400  # characters of a line that are shown
TAIL = 40  # last lines that are always kept
REACHES = ((3, 8), (10, 30))  # lines before and after an anchor; more of them while there is room
ANCHORS = 20_000  # lines that are compared with each other
ALIKE = 3  # windows for anchors that say the same
RARE = 0.35  # how much less a line says that comes often
MESSAGE = 300
_SAYS_ALL = re.compile(r"` (?:was not found|may not be run)|^pytest: usage error: ")  # it quotes the output already

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_TIME = re.compile(r"\[?(?:\d{4}-\d\d-\d\d[T ])?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?\]?[ \t]")


def reduce_log(text: str, tokens: int = TOKENS) -> str:
    """The lines that tell most, in their order, within a budget; the end is always there."""
    lines = clean(text.split("\n"))
    return _reduced(lines, [weight(line) for line in lines], tokens)


def _reduced(lines: Sequence[str], weights: Sequence[int], tokens: int = TOKENS) -> str:
    room = tokens * PER_TOKEN
    kept: set[int] = set()
    for window in (range(max(0, len(lines) - TAIL), len(lines)), *_windows(lines, weights)):
        for index in reversed(window) if not kept else window:
            cost = min(len(lines[index]), SHOWN) + 1
            if index not in kept and cost <= room:
                kept.add(index)
                room -= cost
    return _joined(lines, sorted(kept))


def clean(printed: Iterable[str]) -> list[str]:
    """The lines without colours, times and what a progress bar wrote over."""
    lines = []
    for raw in printed:
        line = _ANSI.sub("", raw[:LINE].rstrip("\r")).rpartition("\r")[2]
        time = _TIME.match(line)
        lines.append(_CONTROL.sub(" ", line[time.end() :] if time else line).rstrip())
    while lines and not lines[-1]:
        lines.pop()
    return lines


def headline(lines: Sequence[str], weights: Sequence[int]) -> str:
    """The one line that tells most: the last exception of a trace, else the first of the strongest lines."""
    exceptions = [line for line, told in zip(lines, weights, strict=True) if told and EXCEPTION.match(line)]
    if exceptions:
        best = exceptions[-1]
    elif max(weights, default=0) > 0:
        best = lines[weights.index(max(weights))]
    else:
        best = next((line for line in reversed(lines) if line.strip()), "")
    return best.removeprefix("E   ").strip()[:MESSAGE]


def step_failure(step: Step, run: Run, why: str, *, root: str = "", lines: Sequence[str] | None = None) -> Failure:
    """The failure that a step is as a whole, told by its output. `why` is what is known besides: how the run ended.

    `lines` are those of the output that nothing else explains.
    """
    lines = clean(run.output.lines()) if lines is None else lines
    weights = [weight(line) for line in lines]
    said = headline(lines, weights)
    way = tuple(in_lines(lines, root))
    last = way[-1] if way else None
    return Failure(
        id=step_id(step),
        fingerprint=fingerprint(why if run.stop is Stop.EXITED else run.stop.value, said, way),
        message=f"{why}: {said}" if why and said and not _SAYS_ALL.search(why) else why or said,
        path=last.path if last else None,
        line=last.line if last else None,
        text=_reduced(lines, weights),
    )


def step_id(step: Step) -> str:
    """The id of the step as a whole."""
    return f"step:{step.name}"


def _windows(lines: Sequence[str], weights: Sequence[int]) -> list[range]:
    """Ranges around the anchors, the most telling first."""
    anchors = _anchors(weights)
    templates = {index: mask(lines[index][:SHOWN]) for index in anchors}
    often = Counter(templates.values())
    most = max(anchors.values(), default=0)
    marked = max((index for index, told in anchors.items() if told == most), default=0)
    scores = {
        index: told / often[templates[index]] ** RARE * (1.5 if abs(index - marked) <= TAIL else 1.0)
        for index, told in anchors.items()
    }
    used: Counter[str] = Counter()
    chosen = []
    for index in sorted(scores, key=lambda at: (-scores[at], at)):
        used[templates[index]] += 1
        if used[templates[index]] <= ALIKE:
            chosen.append(index)
    return [
        range(max(0, index - before), min(len(lines), index + after + 1)) for before, after in REACHES for index in chosen
    ]


def _anchors(weights: Sequence[int]) -> dict[int, int]:
    """The lines that tell something, and how much; of too many the heaviest, from both ends."""
    by_weight: dict[int, list[int]] = {}
    for index, told in enumerate(weights):
        if told:
            by_weight.setdefault(told, []).append(index)
    anchors: dict[int, int] = {}
    for told, found in sorted(by_weight.items(), reverse=True):
        half = (ANCHORS - len(anchors)) // 2
        some = found if len(found) <= 2 * half else [*found[:half], *found[len(found) - half :]]
        anchors.update(dict.fromkeys(some, told))
    return anchors


def _joined(lines: Sequence[str], kept: Sequence[int]) -> str:
    shown = []
    before = -1
    for index in kept:
        if index > before + 1:
            shown.append(f"… {index - before - 1} lines left out …")
        shown.append(lines[index][:SHOWN])
        before = index
    return "\n".join(shown)
