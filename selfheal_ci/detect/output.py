"""What a step printed, reduced to the lines that say why it failed; and the failure that is made of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from selfheal_ci.detect.fingerprint import fingerprint, mask
from selfheal_ci.detect.frames import frames
from selfheal_ci.values import Failure, Run, Step

TOKENS = 5000
PER_TOKEN = 4  # characters, about
LINE = 8192  # characters of a line that are looked at
SHOWN = 400  # characters of a line that are shown
TAIL = 40  # last lines that are always kept
BEFORE, AFTER = 3, 8  # lines around an anchor
ALIKE = 3  # windows for anchors that say the same
RARE = 0.35  # how much less a line says that comes often
MESSAGE = 300
_SAYS_ALL = re.compile(r"` (?:was not found|may not be run)|^pytest: usage error: ")  # it quotes the output already

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_TIME = re.compile(r"\[?(?:\d{4}-\d\d-\d\d[T ])?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?\]?[ \t]")
_QUICK = re.compile(
    r"error|fail|exception|traceback|panic|fatal|cannot|can't|unable|denied|refused|timed out|killed|not found|no such|"
    r"no module|undefined|unexpected|expected|exit|fault|npm err|[✗✕✖×]|^E  |assert|"
    r"would reformat|:\d{1,6}:|^[A-Z]{1,4}\d{2,5} ",
    re.IGNORECASE,
)
_EXCEPTION = re.compile(r"(?:E   )?(?:[A-Za-z_]\w*\.)*(?:[A-Z]\w*)?(?:Error|Exception|Exit|Interrupt)(?:: |$)")
# What only sounds bad. Taken out before a line is weighed.
_HARMLESS = re.compile(
    r"\b(?:0|no|without) (?:errors?|failures?|failed|warnings?)\b|\b(?:errors?|fail(?:ed|ures?)?)[=:] ?0\b|"
    r"--[\w-]{0,40}fail[\w-]{0,40}|continue[-_]on[-_]error|^\+ .*",
    re.IGNORECASE,
)
# The first that matches a line says how much it tells; a line of which none does tells nothing.
_WEIGHTS: tuple[tuple[int, re.Pattern[str]], ...] = (
    (10, re.compile(r"##\[error\]|^::error|^panic: |^fatal(?: error)?: ", re.IGNORECASE)),
    (9, _EXCEPTION),
    (8, re.compile(r"E   |FAILED |ERROR[ :]|--- FAIL|FAIL(?:ED)?\b|not ok |Traceback |error(?:\[\w{1,12}\])?: |npm ERR!")),
    (7, re.compile(r".{0,300}?(?:: (?:fatal )?error\b|\bError: | No module named |[✗✕✖×] )")),
    (7, re.compile(r"(?:[^\s:]{1,300}:\d{1,6}:(?:\d{1,6}:)? )?[A-Z]{1,4}\d{2,5} ")),  # a linter's rule
    (
        6,
        re.compile(
            r".*?(?:exit (?:code|status)[ :=]{1,3}[1-9]|exited with (?:code )?[1-9]|command not found|no such file|"
            r"permission denied|undefined reference|segmentation fault|core dumped|out of memory|killed|timed out|"
            r"would reformat|can't open)",
            re.IGNORECASE,
        ),
    ),
    (4, re.compile(r".*?\b(?:errors?|fail(?:ed|ure|ures|s)?|exception|assert\w*)\b", re.IGNORECASE)),
    (
        2,
        re.compile(
            r".*?\b(?:cannot|can't|unable|denied|refused|not found|undefined|unexpected|expected|panic|fatal)\b",
            re.IGNORECASE,
        ),
    ),
)


def reduce_log(text: str, tokens: int = TOKENS) -> str:
    """The lines that tell most, in their order, within a budget; the end is always there."""
    lines = clean(text)
    room = tokens * PER_TOKEN
    kept: set[int] = set()
    for window in (range(max(0, len(lines) - TAIL), len(lines)), *_windows(lines)):
        for index in reversed(window) if not kept else window:
            cost = min(len(lines[index]), SHOWN) + 1
            if index not in kept and cost <= room:
                kept.add(index)
                room -= cost
    return _joined(lines, sorted(kept))


def clean(text: str) -> list[str]:
    """The lines without colours, times and what a progress bar wrote over."""
    lines = []
    for raw in text.split("\n"):
        line = _ANSI.sub("", raw[:LINE].rstrip("\r")).rpartition("\r")[2]
        time = _TIME.match(line)
        lines.append(_CONTROL.sub(" ", line[time.end() :] if time else line).rstrip())
    while lines and not lines[-1]:
        lines.pop()
    return lines


def headline(lines: Sequence[str]) -> str:
    """The one line that tells most: the last exception of a trace, else the first of the strongest lines."""
    exceptions = [line for line in lines if _EXCEPTION.match(line)]
    weights = [weight(line) for line in lines]
    if exceptions:
        best = exceptions[-1]
    elif max(weights, default=0) > 0:
        best = lines[weights.index(max(weights))]
    else:
        best = next((line for line in reversed(lines) if line.strip()), "")
    return best.removeprefix("E   ").strip()[:MESSAGE]


def weight(line: str) -> int:
    """How much a line tells about a failure."""
    if not _QUICK.search(line):
        return 0
    rest = _HARMLESS.sub("", line)
    return next((weight for weight, pattern in _WEIGHTS if pattern.match(rest)), 0)


def step_failure(step: Step, run: Run, why: str, *, root: str = "") -> Failure:
    """The failure that a step is as a whole, told by its output. `why` is what is known besides: how the run ended."""
    lines = clean(run.output.text)
    said = headline(lines)
    way = frames("\n".join(lines), root)
    last = way[-1] if way else None
    return Failure(
        id=step_id(step),
        fingerprint=fingerprint(why, said, way),
        message=f"{why}: {said}" if why and said and not _SAYS_ALL.search(why) else why or said,
        path=last.path if last else None,
        line=last.line if last else None,
        text=reduce_log(run.output.text),
    )


def step_id(step: Step) -> str:
    """The id of the step as a whole."""
    return f"step:{step.name}"


def _windows(lines: Sequence[str]) -> list[range]:
    """Ranges around the anchors, the most telling first."""
    anchors = {index: told for index, line in enumerate(lines) if (told := weight(line))}
    templates = {index: mask(lines[index][:SHOWN]) for index in anchors}
    often = Counter(templates.values())
    most = max(anchors.values(), default=0)
    marked = max((index for index, told in anchors.items() if told == most), default=0)
    scores = {
        index: told / often[templates[index]] ** RARE * (1.5 if abs(index - marked) <= TAIL else 1.0)
        for index, told in anchors.items()
    }
    used: Counter[str] = Counter()
    windows = []
    for index in sorted(scores, key=lambda at: (-scores[at], at)):
        used[templates[index]] += 1
        if used[templates[index]] <= ALIKE:
            windows.append(range(max(0, index - BEFORE), min(len(lines), index + AFTER + 1)))
    return windows


def _joined(lines: Sequence[str], kept: Sequence[int]) -> str:
    shown = []
    before = -1
    for index in kept:
        if index > before + 1:
            shown.append(f"… {index - before - 1} lines left out …")
        shown.append(lines[index][:SHOWN])
        before = index
    return "\n".join(shown)
