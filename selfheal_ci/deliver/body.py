"""The story of a healing for people: the report in the order in which a reviewer asks, the title, the commit message."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from selfheal_ci.deliver import tally
from selfheal_ci.deliver.confidence import ENOUGH, confidence
from selfheal_ci.values import (
    HEALABLE,
    Attempt,
    CanarySeen,
    Culprit,
    Failure,
    Healing,
    Kind,
    Refused,
    Rejected,
    Status,
    Unusable,
    Verified,
)
from selfheal_ci.words import code, counted, fenced, markdown, plain

if TYPE_CHECKING:
    from selfheal_ci.deliver.records import Artifact

MOST_ATTEMPTS = 30
MOST_LISTED = 20
MOST = 60_000  # characters; forges take 64 kB for a request
MOST_DIFF = (30_000, 10_000, 0)  # less where the rest is long
MOST_EXCERPT = 4_000
TITLE = 72

KINDS = {
    Kind.REGRESSION: "a regression",
    Kind.NEW_FAILURE: "never seen green",
    Kind.ORDER_DEPENDENT: "depends on the order of the tests",
    Kind.EXPECTATION_CHANGED: "the test expects something new",
    Kind.FLAKY: "flaky",
    Kind.ENVIRONMENT: "the environment",
    Kind.INFRASTRUCTURE: "the machine gave out",
    Kind.BASELINE: "red before as well, not to be healed",
}
HEADINGS = {
    Status.HEALTHY: "healthy",
    Status.HEALED: "healed",
    Status.NOT_HEALED: "not healed",
    Status.FLAKY: "flaky",
    Status.ENVIRONMENT: "the environment, not the code",
    Status.REFUSED: "a fix was refused",
    Status.OVER_BUDGET: "out of time or money",
    Status.SKIPPED: "skipped",
    Status.ERROR: "broke off",
}
SUMMARIES = {
    Status.HEALTHY: "passes. There is nothing to heal.",
    Status.HEALED: "failed, and the patch below turns it green. It was proven by running; a person should still read it.",
    Status.NOT_HEALED: "fails, and no fix was proven.",
    Status.FLAKY: "was red, and passes unchanged. Nothing was patched: a patch would only hide it.",
    Status.ENVIRONMENT: "fails for a reason outside the code. Nothing was patched: a patch would be wrong.",
    Status.REFUSED: "fails. A fix turns it green but breaks the policy: it is kept in `suggestion.patch`, not published.",
    Status.OVER_BUDGET: "fails, and time or money was used up before a fix was proven.",
    Status.SKIPPED: "fails, and nothing was tried.",
    Status.ERROR: "fails, and something that we need broke before a fix was proven.",
}
TOO_SMALL = "was ended by a limit or by the machine, before it could tell. Nothing was patched: a patch would be wrong."
PATCH_HEADINGS = {Status.HEALED: "What the fix changes", Status.REFUSED: "The fix that was refused"}


def report(healing: Healing, *, patch: bytes = b"", key: str | None = None, engine: str | None = None) -> str:
    """`report.md`, of a healing whose texts are redacted already."""
    for diff in MOST_DIFF:
        text = _report(healing, patch, key, engine, diff)
        if len(text) <= MOST:
            break
    return text


def _report(healing: Healing, patch: bytes, key: str | None, engine: str | None, diff: int) -> str:
    sections = (
        ("", f"**TL;DR** The step {code(healing.step.name)} {_summary(healing, patch)}"),
        ("What failed", _failed(healing)),
        ("Why", _why(healing)),
        (PATCH_HEADINGS.get(healing.status, "What was healed of it"), _patch(healing, patch, diff)),
        ("What proves it", _proof(healing)),
        ("How sure this is", _sure(healing)),
        ("What was not checked", _bullets(map(markdown, _not_checked(healing)))),
        ("What was tried", _tried(healing.attempts)),
        ("What was missing", _bullets(markdown(lack.message) for lack in healing.lacks)),
        ("What it took", _took(healing)),
    )
    title = "healed in part" if _is_partial(healing, patch) else HEADINGS[healing.status]
    shown = (f"### {heading}\n\n{text}" if heading else text for heading, text in sections if text)
    return "\n\n".join((f"## selfheal: {title}", *shown, _footer(healing, key, engine))) + "\n"


def error_report(message: str, *, step: str | None = None) -> str:
    """`report.md` when something broke before there was a healing."""
    what = f"The step {code(step)} was not healed" if step else "Nothing was healed"
    return f"## selfheal: {HEADINGS[Status.ERROR]}\n\n**TL;DR** {what}: selfheal could not go on.\n\n{fenced(message)}\n"


def title(artifact: Artifact) -> str:
    """The title of the request and of the commit."""
    what = _what(artifact)
    culprit = artifact.diagnosis.culprit if artifact.diagnosis else None
    if not any(attempt.remedy == "revert" and attempt.verdict == "verified" for attempt in artifact.attempts):
        return plain(f"fix(ci): make {what} pass", TITLE)
    place = f"{culprit.path}:{_span(culprit.lines)}" if culprit else "the change"
    return plain(f"Revert {place}, which broke {what}", TITLE)


def commit_message(artifact: Artifact) -> str:
    """Title, story and trailers."""
    story = [_failed_in_a_sentence(artifact)]
    if artifact.diagnosis:
        story.append(plain(artifact.diagnosis.summary) + ".")
        if culprit := artifact.diagnosis.culprit:
            where = f" of {culprit.commit[:12]}" if culprit.commit else ""
            story.append(plain(f"Culprit: {culprit.path}:{_span(culprit.lines)}{where}; {culprit.how}") + ".")
    proof = (
        f"With this change {counted(len(artifact.evidence.red_to_green), 'test')} turned green,"
        f" {counted(artifact.evidence.repeats, 'time')} in a row; nothing that passed before fails."
    )
    trailers = [f"Selfheal-Key: {artifact.key}"] if artifact.key else []
    trailers += [f"Selfheal-Fingerprint: {plain(fingerprint)}" for fingerprint in _fingerprints(artifact)]
    paragraphs = (title(artifact), _wrapped(" ".join(story)), _wrapped(proof), "\n".join(trailers))
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n"


# ---------------------------------------------------------------------------------------------------------------------
# The sections of the report


def _summary(healing: Healing, patch: bytes) -> str:
    if healing.status is Status.ENVIRONMENT and healing.finding and healing.finding.kind is Kind.INFRASTRUCTURE:
        return TOO_SMALL
    lack = tally.decisive(healing)
    told = f"fails, and no fix was proven: {markdown(lack)}." if lack else SUMMARIES[healing.status]
    if not _is_partial(healing, patch):
        return told
    part = f"{tally.part(healing)}: the patch is in `partial.patch`, for a person, and never published."
    if healing.status is Status.NOT_HEALED:
        return f"fails, and is healed in part, {part}"
    return f"{told} It is healed in part, {part}"


def _is_partial(healing: Healing, patch: bytes) -> bool:
    return bool(patch) and tally.is_partial(healing)


def _failed(healing: Healing) -> str:
    kinds = healing.finding.kinds if healing.finding else {}
    lines = [_failure(failure, kinds.get(failure.id)) for failure in healing.failures[:MOST_LISTED]]
    if more := len(healing.failures) - len(lines):
        lines.append(f"- and {more:,} more")
    excerpt = healing.failures[0].text if healing.failures else ""
    if excerpt.strip():
        cut = excerpt if len(excerpt) <= MOST_EXCERPT else "…" + excerpt[-MOST_EXCERPT:]
        whose = "Its output" if len(healing.failures) == 1 else "Output of the first of them"
        lines += ["", f"<details><summary>{whose}</summary>\n\n{fenced(cut, 'text')}\n\n</details>"]
    return "\n".join(lines)


def _failure(failure: Failure, kind: Kind | None) -> str:
    place = f" at {code(f'{failure.path}:{failure.line}')}" if failure.path and failure.line else ""
    why = f", {KINDS[kind]}" if kind else ""
    return f"- {code(failure.id)}{place}{why}" + (f": {code(failure.message)}" if failure.message else "")


def _why(healing: Healing) -> str:
    finding = healing.finding
    if finding is None:
        return ""
    parts = [f"{tally.by_kind(finding.kinds.values())}."] if len(set(finding.kinds.values())) > 1 else []
    parts.append(markdown(finding.summary, 1000) + ".")
    culprits = [finding.culprit, *finding.culprits.values()] if finding.culprit else []
    parts += [_culprit(culprit) for culprit in list(dict.fromkeys(culprits))[:MOST_LISTED]]
    if finding.kind is Kind.ENVIRONMENT and healing.source.base and healing.source.base.attested:
        base = healing.source.base
        parts.append(f"{code(base.commit[:12])} was green before, says the {base.attested_by}; now it fails there as well.")
    if finding.model_verdict:
        parts.append(f"The model declined: {markdown(finding.model_verdict)}.")
    return "\n\n".join(parts)


def _culprit(culprit: Culprit) -> str:
    commit = f" of {code(culprit.commit[:12])}" if culprit.commit else ""
    place = code(f"{culprit.hunk.path}:{_span(culprit.hunk.lines)}")
    return f"The culprit is {place}{commit}: {markdown(culprit.how)}."


def _patch(healing: Healing, patch: bytes, most: int) -> str:
    if not patch:
        return ""
    makers = [attempt.candidate for attempt in healing.attempts if _made(attempt, healing)]
    whys = [f"- {markdown(maker.remedy)}: {markdown(maker.why)}" for maker in makers]
    rivals = list(dict.fromkeys(rival for maker in makers for rival in maker.rivals))[:MOST_LISTED]
    text = patch.decode("utf-8", "replace")
    text = text[max(text.find("diff --git "), 0) :]  # without the head of a mail, which is for `git am`
    parts = ["\n".join(whys[:MOST_LISTED]), fenced(text[:most], "diff") if most else ""]
    parts.append("The patch is longer; all of it is in the output folder." if len(text) > most else "")
    parts.append(f"The same tests would turn green with:\n\n{_bullets(map(markdown, rivals))}" if rivals else "")
    parts.append(f"To look at: {', '.join(map(markdown, healing.labels[:MOST_LISTED]))}." if healing.labels else "")
    return "\n\n".join(part for part in parts if part)


def _made(attempt: Attempt, healing: Healing) -> bool:
    """Whether what the patch does came from this attempt."""
    if isinstance(attempt.verdict, Verified):
        return True
    return healing.status is Status.REFUSED and attempt.candidate.changes == healing.changes


def _proof(healing: Healing) -> str:
    evidence = healing.evidence
    if healing.status is Status.REFUSED:
        return "- the failing tests pass with it; nothing more was checked"
    if not healing.changes or not evidence.red_to_green:
        return ""
    lines = [f"- without the patch: failed in {counted(evidence.reproduced, 'run')}"]
    turned = ", ".join(map(code, evidence.red_to_green[:MOST_LISTED]))
    more = len(evidence.red_to_green) - MOST_LISTED
    lines.append(
        f"- with it: {counted(len(evidence.red_to_green), 'test')} turned green, in {evidence.repeats} of"
        f" {counted(evidence.repeats, 'run')}: {turned}" + (f" and {more:,} more" if more > 0 else "")
    )
    lines.append(
        f"- the whole step against what it was before: {counted(len(evidence.green_to_red), 'test')} turned red,"
        f" {counted(len(evidence.missing), 'test')} missing"
    )
    if evidence.canary is CanarySeen.FAILED:
        lines.append("- what must fail still fails with it (canary)")
    return "\n".join(lines)


def _sure(healing: Healing) -> str:
    """The confidence, and for what is below the line who has to look, and why."""
    found = confidence(healing)
    if found is None:
        return ""
    if found.value >= ENOUGH:
        return f"Confidence {found.value:.2f}."
    return f"Confidence {found.value:.2f}: **needs a person**.\n\n{_bullets(map(markdown, found.doubts))}"


def _not_checked(healing: Healing) -> list[str]:
    return list(dict.fromkeys((*healing.evidence.not_checked, *healing.not_checked)))[:MOST_LISTED]


def _tried(attempts: Sequence[Attempt]) -> str:
    told = [
        f"{number}. {markdown(attempt.candidate.remedy)}: {_verdict(attempt)}" for number, attempt in enumerate(attempts, 1)
    ]
    more = [f"\nand {len(told) - MOST_ATTEMPTS:,} more, in `heal.json`"] if len(told) > MOST_ATTEMPTS else []
    return "\n".join([*told[:MOST_ATTEMPTS], *more])


def _verdict(attempt: Attempt) -> str:
    files = ", ".join(map(code, sorted(attempt.candidate.changes.files)[:5]))
    spent = f" ({counted(attempt.runs, 'run')}, {attempt.seconds:.1f} s{', ' + files if files else ''})"
    match attempt.verdict:
        case Verified():
            return f"**verified**{spent}"
        case Refused(reason):
            return f"refused by the policy, {markdown(reason, 500)}{spent}"
        case Rejected(reason):
            return f"rejected, {markdown(reason, 500)}{spent}"
        case Unusable(reason):
            return f"unusable, {markdown(reason, 500)}{spent}"


def _took(healing: Healing) -> str:
    cost = healing.cost
    time = f"{healing.seconds:.1f} s, {counted(len(healing.attempts), 'attempt')}"
    if not cost.calls:
        return f"{time}, no call of a model."
    cached = f" ({cost.cached_tokens:,} more from the cache)" if cost.cached_tokens else ""
    tokens = f"{cost.input_tokens:,} tokens in{cached}, {cost.output_tokens:,} out"
    return f"{time}, {counted(cost.calls, 'call')} of a model: {tokens}, {tally.spent(healing)}."


def _footer(healing: Healing, key: str | None, engine: str | None) -> str:
    source = healing.source
    commit = f"commit {code(source.commit[:12])}" if source.commit else "a folder without git"
    dirty = " with changes that are not committed" if source.dirty else ""
    where = f", {markdown(engine)} engine" if engine else ""
    marker = f"\n\n<!-- selfheal-key: {key} -->" if key else ""
    return f"<sub>{commit}{dirty}, tree {code(source.tree.id[:12])}{where}</sub>{marker}"


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


# ---------------------------------------------------------------------------------------------------------------------
# The pieces of title and message


def _what(artifact: Artifact) -> str:
    """The one test that was healed, or how many."""
    ids = artifact.evidence.red_to_green or tuple(failure.id for failure in artifact.failures if failure.kind in HEALABLE)
    if len(ids) != 1:
        return f"{len(ids)} failing tests of {artifact.step}"
    return f"the step {artifact.step}" if ids[0].startswith("step:") else ids[0].rsplit("::", 1)[-1]


def _failed_in_a_sentence(artifact: Artifact) -> str:
    kinds = [failure.kind for failure in artifact.failures]
    if len(set(kinds)) > 1:
        return plain(f"The step {artifact.step} failed with {tally.by_kind(kinds)}.")
    return plain(f"The step {artifact.step} failed: {counted(len(kinds), 'failure')}.")


def _fingerprints(artifact: Artifact) -> Iterator[str]:
    healed = set(artifact.evidence.red_to_green)
    found = (
        failure.fingerprint
        for failure in artifact.failures
        if failure.id in healed or (not healed and failure.kind in HEALABLE)
    )
    yield from sorted(set(found))[:MOST_LISTED]


def _span(lines: tuple[int, int]) -> str:
    return str(lines[0]) if lines[0] == lines[1] else f"{lines[0]}-{lines[1]}"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, TITLE, break_long_words=False, break_on_hyphens=False)
