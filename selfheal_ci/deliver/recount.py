"""A healing told anew as the records of `heal.json`."""

from __future__ import annotations

import base64

from selfheal_ci.deliver.confidence import confidence
from selfheal_ci.deliver.records import (
    Artifact,
    AttemptRecord,
    BaseRecord,
    CostRecord,
    CulpritRecord,
    DiagnosisRecord,
    EvidenceRecord,
    FailureRecord,
    FileRecord,
    PatchRecord,
    SourceRecord,
    key,
)
from selfheal_ci.values import (
    Attempt,
    Content,
    Cost,
    Culprit,
    Failure,
    Finding,
    Healing,
    Kind,
    Refused,
    Rejected,
    Source,
    Status,
    Tree,
    Unusable,
    Verified,
)


def key_of(told: Healing, most: int) -> str | None:
    """The key of a healing of which at most `most` failures are listed: whoever reads the list can make it again."""
    source = _source(told.source)
    return key(source.repository, source.branch, (_failure(failure, None).fingerprint for failure in told.failures[:most]))


def recount(told: Healing, *, engine: str, patch: PatchRecord | None, files: dict[str, str], most: int) -> Artifact:
    """What `heal.json` says, with at most `most` failures and ids, of a healing whose texts are redacted already."""
    kinds = told.finding.kinds if told.finding else {}
    return Artifact.model_validate(
        {
            "schema": 1,
            "key": key_of(told, most),
            "status": told.status,
            "step": told.step.name,
            "engine": engine,
            "source": _source(told.source),
            "failures": tuple(_failure(failure, kinds.get(failure.id)) for failure in told.failures[:most]),
            "diagnosis": _diagnosis(told.finding) if told.finding else None,
            "attempts": tuple(_attempt(number, attempt) for number, attempt in enumerate(told.attempts, 1)),
            "patch": patch,
            "evidence": _evidence(told, most),
            "labels": told.labels,
            "confidence": sure.value if (sure := confidence(told)) else None,
            "cost": _cost(told.cost),
            "files": files,
            "seconds": round(told.seconds, 3),
        }
    )


def _source(source: Source) -> SourceRecord:
    base = source.base
    return SourceRecord(
        repository=source.repository,
        branch=source.branch,
        commit=source.commit,
        tree=source.tree.id,
        dirty=source.dirty,
        base=BaseRecord(commit=base.commit, attested_by=base.attested_by) if base else None,
    )


def _failure(failure: Failure, kind: Kind | None) -> FailureRecord:
    return FailureRecord(
        id=failure.id,
        fingerprint=failure.fingerprint,
        message=failure.message,
        path=failure.path,
        line=failure.line,
        kind=kind,
    )


def _cost(cost: Cost) -> CostRecord:
    return CostRecord(
        calls=cost.calls,
        input_tokens=cost.input_tokens,
        output_tokens=cost.output_tokens,
        cached_tokens=cost.cached_tokens,
        usd=round(cost.usd, 6),
    )


def _diagnosis(finding: Finding) -> DiagnosisRecord:
    return DiagnosisRecord(
        kind=finding.kind,
        summary=finding.summary,
        culprit=_culprit(finding.culprit) if finding.culprit else None,
        model_verdict=finding.model_verdict,
    )


def _culprit(culprit: Culprit) -> CulpritRecord:
    return CulpritRecord(commit=culprit.commit, path=culprit.hunk.path, lines=culprit.hunk.lines, how=culprit.how)


def _attempt(number: int, attempt: Attempt) -> AttemptRecord:
    match attempt.verdict:
        case Verified():
            verdict = "verified"
        case Refused():
            verdict = "refused"
        case Rejected():
            verdict = "rejected"
        case Unusable():
            verdict = "unusable"
    return AttemptRecord.model_validate(
        {
            "number": number,
            "remedy": attempt.candidate.remedy,
            "verdict": verdict,
            "reason": attempt.verdict.reason,
            "files": tuple(sorted(attempt.candidate.changes.files)),
            "runs": attempt.runs,
            "seconds": round(attempt.seconds, 3),
        }
    )


def _evidence(told: Healing, most: int) -> EvidenceRecord:
    evidence = told.evidence
    not_checked = tuple(dict.fromkeys((*evidence.not_checked, *told.not_checked)))
    if len(told.failures) > most:
        not_checked = (*not_checked, f"{len(told.failures) - most} more failures are not listed here")
    return EvidenceRecord(
        reproduced=evidence.reproduced,
        red_to_green=evidence.red_to_green[:most],
        green_to_red=evidence.green_to_red[:most],
        missing=evidence.missing[:most],
        repeats=evidence.repeats,
        canary=evidence.canary.value if evidence.canary else None,
        not_checked=not_checked,
    )


def patch_record(healing: Healing, healed: Tree) -> PatchRecord:
    """Each path of the patch, before and after."""
    return PatchRecord(
        files=tuple(
            _file(path, content, healing.source.tree, healed) for path, content in sorted(healing.changes.files.items())
        )
    )


def _file(path: str, content: Content | None, old: Tree, new: Tree) -> FileRecord:
    before, after = old.entries.get(path), new.entries.get(path)
    mode = (after or before or content or Content(b"")).mode
    return FileRecord.model_validate(
        {
            "path": path,
            "mode": mode,
            "before": before.blob if before else None,
            "after": after.blob if after else None,
            "content": base64.b64encode(content.data).decode() if content else None,
        }
    )


def recount_error(*, step: str | None, engine: str | None, files: dict[str, str]) -> Artifact:
    """What `heal.json` says when something broke before there was a healing."""
    return Artifact.model_validate(
        {
            "schema": 1,
            "key": None,
            "status": Status.ERROR,
            "step": step,
            "engine": engine,
            "source": None,
            "failures": (),
            "diagnosis": None,
            "attempts": (),
            "patch": None,
            "evidence": EvidenceRecord(),
            "labels": (),
            "confidence": None,
            "cost": CostRecord(),
            "files": files,
            "seconds": 0.0,
        }
    )
