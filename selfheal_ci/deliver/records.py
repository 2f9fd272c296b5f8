"""What `heal.json` and `publish.json` look like, strictly, for writing and for reading."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
from collections.abc import Iterable
from typing import Annotated, Any, Literal, NoReturn, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, model_validator

from selfheal_ci.errors import ArtifactError
from selfheal_ci.values import Attested, Kind, PatchedFile, Status, blob_id
from selfheal_ci.words import one_line

LONGEST = 2000  # characters of one text
_DIGITS = 16  # of a number


def _shown(text: object, info: ValidationInfo) -> object:
    """What we write, as JSON can hold it: bytes that are not UTF-8 as escapes, the end of a long text cut off."""
    if info.mode == "json" or not isinstance(text, str):
        return text
    clean = text.encode("utf-8", "backslashreplace").decode()
    return clean if len(clean) <= LONGEST else clean[: LONGEST - 1] + "…"


Text = Annotated[str, Field(max_length=LONGEST), BeforeValidator(_shown)]
Count = Annotated[int, Field(ge=0)]
Number = Annotated[float, Field(ge=0)]
ObjectId = Annotated[str, Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Listed = Literal["fix.patch", "report.md"]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class BaseRecord(_Record):
    commit: ObjectId
    attested_by: Attested


class SourceRecord(_Record):
    repository: Text
    branch: Text | None
    commit: ObjectId | None
    tree: ObjectId
    dirty: bool
    base: BaseRecord | None


class FailureRecord(_Record):
    id: Text
    fingerprint: Text
    message: Text
    path: Text | None
    line: int | None
    kind: Kind | None  # from runs alone; null when the time was over before it was known


class CulpritRecord(_Record):
    commit: Text | None
    path: Text
    lines: tuple[Count, Count]
    how: Text


class DiagnosisRecord(_Record):
    kind: Kind
    summary: Text
    culprit: CulpritRecord | None
    model_verdict: Text | None


class AttemptRecord(_Record):
    number: Annotated[int, Field(ge=1)]
    remedy: Text
    verdict: Literal["verified", "refused", "rejected", "unusable"]
    reason: Text
    files: tuple[Text, ...]
    runs: Count
    seconds: Number


class FileRecord(_Record):
    """before null: a new file; after and content null: a deleted one."""

    path: Annotated[str, Field(min_length=1, max_length=4096)]
    mode: Literal["100644", "100755", "120000"]
    before: ObjectId | None
    after: ObjectId | None
    content: str | None

    @property
    def data(self) -> bytes | None:
        return None if self.content is None else base64.b64decode(self.content, validate=True)

    @model_validator(mode="after")
    def _content_is_what_after_says(self) -> Self:
        try:
            data = self.data
        except (binascii.Error, ValueError) as broken:
            raise ValueError("content is not base64") from broken
        if (data is None) != (self.after is None):
            raise ValueError("after and content go together")
        if data is not None and self.after is not None and blob_id(data, like=self.after) != self.after:
            raise ValueError("content is not the blob that after names")
        if self.before is None and self.after is None:
            raise ValueError("neither before nor after")
        return self


class PatchRecord(_Record):
    files: Annotated[tuple[FileRecord, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_each_path_once(self) -> Self:
        if len({file.path for file in self.files}) < len(self.files):
            raise ValueError("a path is there twice")
        return self


class EvidenceRecord(_Record):
    reproduced: Count = 0
    red_to_green: tuple[Text, ...] = ()
    green_to_red: tuple[Text, ...] = ()
    missing: tuple[Text, ...] = ()
    repeats: Count = 0
    canary: Literal["failed as it must", "not possible"] | None = None
    not_checked: tuple[Text, ...] = ()


class CostRecord(_Record):
    calls: Count = 0
    input_tokens: Count = 0
    output_tokens: Count = 0
    cached_tokens: Count = 0
    usd: Number = 0.0


class Artifact(_Record):
    """The story of one healing: data that the publishing job checks again."""

    schema_: Literal[1] = Field(1, alias="schema")
    key: Sha256 | None
    status: Status
    step: Text | None  # null, as the engine and the source, when it broke before they were known
    engine: Text | None
    source: SourceRecord | None
    failures: tuple[FailureRecord, ...]
    diagnosis: DiagnosisRecord | None
    attempts: tuple[AttemptRecord, ...]
    patch: PatchRecord | None  # of a healed one
    evidence: EvidenceRecord
    labels: tuple[Text, ...]
    confidence: Annotated[float, Field(ge=0, le=1)] | None
    cost: CostRecord
    files: dict[Listed, Digest]
    seconds: Number

    @property
    def patched(self) -> tuple[PatchedFile, ...]:
        """What the patch makes of each path."""
        files = self.patch.files if self.patch else ()
        return tuple(PatchedFile(file.path, file.mode, file.before, file.after, file.data) for file in files)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if "report.md" not in self.files:
            raise ValueError("report.md is not listed")
        healed = self.status is Status.HEALED
        if healed != (self.patch is not None) or healed != ("fix.patch" in self.files):
            raise ValueError("a patch belongs to a healed step, and to no other")
        if healed and (self.key is None or self.source is None):
            raise ValueError("a healed step has a key and a source")
        failed = (failure.fingerprint for failure in self.failures)
        if self.key != (key(self.source.repository, self.source.branch, failed) if self.source else None):
            raise ValueError("key is not the digest of the repository, the branch and the fingerprints that it names")
        return self


class PublishRecord(_Record):
    """Where the fix is."""

    branch: Text
    commit: ObjectId
    url: Text | None
    number: Count | None


def key(repository: str, branch: str | None, fingerprints: Iterable[str]) -> str | None:
    """What makes a healing the same as an earlier one; None when nothing failed."""
    failed = sorted(set(fingerprints))
    return hashlib.sha256(json.dumps([repository, branch, failed]).encode()).hexdigest() if failed else None


def schema() -> dict[str, Any]:
    """The JSON Schema of heal.json."""
    return _titled(Artifact, "heal.json")


def publish_schema() -> dict[str, Any]:
    """The JSON Schema of publish.json."""
    return _titled(PublishRecord, "publish.json")


def dumped(record: Artifact | PublishRecord) -> bytes:
    """The record as JSON, for people too."""
    return json.dumps(record.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=False).encode() + b"\n"


def parsed(raw: bytes) -> Artifact:
    """heal.json from bytes that anyone may have written. Raises ArtifactError saying what is wrong."""
    try:
        json.loads(raw, object_pairs_hook=_unique, parse_int=_number, parse_float=_number, parse_constant=_no_number)
        return Artifact.model_validate_json(raw)
    except RecursionError as deep:
        raise ArtifactError("heal.json: nested too deeply") from deep
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ArtifactError(f"heal.json: {one_line(place)}: {one_line(first['msg'])}".replace(": : ", ": ")) from wrong
    except ValueError as broken:  # not JSON, not UTF-8, or one of the hooks
        raise ArtifactError(f"heal.json: {one_line(str(broken))}") from broken


def _titled(record: type[BaseModel], name: str) -> dict[str, Any]:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **record.model_json_schema(), "title": name}


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"{next(key for key in keys if keys.count(key) > 1)!r} is there twice")
    return found


def _number(text: str) -> float:
    if len(text) > 2 * _DIGITS or not math.isfinite(float(text)) or len(text.lstrip("-").split(".")[0]) > _DIGITS:
        raise ValueError("a number is too large")
    return float(text)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")
