"""What a model proposes: the input of the tool `propose_fix`, or SEARCH/REPLACE blocks in a text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from selfheal_ci.remedies.model import strict_json
from selfheal_ci.remedies.model.lines import split
from selfheal_ci.words import one_line

TOOL = "propose_fix"
Declining = Literal["test_is_wrong", "environment", "flaky", "cannot_fix"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Edit(_Strict):
    """One place in one file: what stands there, and what shall."""

    path: str
    old_str: str
    new_str: str


class Proposal(_Strict):
    """What the model thinks of the failure."""

    verdict: Literal["fix"] | Declining
    root_cause: str
    edits: list[Edit]
    risk: Literal["low", "medium", "high"]
    expected_tests: list[str]


class ProposalError(Exception):
    """There is no proposal in the reply; why, in one line."""


def tool() -> dict[str, Any]:
    """The tool as the Messages API wants it."""
    text = {"type": "string"}
    edit = _object(dict.fromkeys(Edit.model_fields, text))
    properties = {
        "verdict": {"enum": ["fix", "test_is_wrong", "environment", "flaky", "cannot_fix"], **text},
        "root_cause": {**text, "description": "at most three sentences that name file and line"},
        "edits": {"type": "array", "items": edit, "description": "none unless the verdict is fix"},
        "risk": {"enum": ["low", "medium", "high"], **text},
        "expected_tests": {"type": "array", "items": text, "description": "ids of the tests that will pass"},
    }
    return {
        "name": TOOL,
        "description": "Say why the step fails, and the edits that mend it.",
        "strict": True,
        "input_schema": _object(properties),
    }


def read_input(data: bytes | str) -> Proposal:
    """The tool's input. Raises ProposalError."""
    try:
        return Proposal.model_validate(strict_json.loads(data))
    except strict_json.JsonError as broken:
        raise ProposalError(f"the input of {TOOL} cannot be read: {broken}") from broken
    except ValidationError as wrong:
        first = wrong.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ProposalError(one_line(f"the input of {TOOL} is wrong at {where or 'the top'}: {first['msg']}")) from wrong


def read_text(text: str) -> Proposal:
    """The edits in a text. Raises ProposalError where there is none, or one that can be read in two ways."""
    edits = list(_edits(split(text)))
    if not edits:
        raise ProposalError(f"the answer has neither a call of {TOOL} nor SEARCH/REPLACE blocks")
    said = re.split(r"^#{1,6} |^<{5}", text, maxsplit=1, flags=re.MULTILINE)[0]
    return Proposal(verdict="fix", root_cause=one_line(said), edits=edits, risk="medium", expected_tests=[])


_PATH = re.compile(r"#{1,6}[ \t]+[`*\"]*([^`*\"]+?)[`*\":]*\s*")
_OPEN = re.compile(r"\s*(<{5,9})[ \t]*SEARCH\s*")
_MIDDLE = re.compile(r"\s*={5,9}\s*")
_CLOSE = re.compile(r"\s*>{5,9}[ \t]*REPLACE\s*")


@dataclass
class _Block:
    path: str
    marks: int
    lines: list[str]


def _edits(lines: list[str]) -> Iterator[Edit]:
    path, block = "", None
    for line in lines:
        if block is None:
            if named := _PATH.fullmatch(line):
                path = named[1].strip()
            elif opened := _OPEN.fullmatch(line):
                block = _Block(path, len(opened[1]), [])
        elif _CLOSE.fullmatch(line):
            yield _edit(block)
            block = None
        else:
            block.lines.append(line)
    if block:
        raise ProposalError("the last SEARCH block has no end: `>>>>>>> REPLACE`")


def _edit(block: _Block) -> Edit:
    if not block.path:
        raise ProposalError("a SEARCH block has no `### path` line before it")
    if any(_OPEN.fullmatch(line) for line in block.lines):
        raise ProposalError(f"a SEARCH block of {block.path} begins before the one before it has ended")
    middles = [at for at, line in enumerate(block.lines) if _MIDDLE.fullmatch(line)]
    if len(middles) > 1:  # "=======" is also how headings are underlined
        middles = [at for at in middles if block.lines[at].strip() == "=" * block.marks]
    if len(middles) != 1:
        raise ProposalError(f"a SEARCH block of {block.path} has {len(middles) or 'no'} lines `=======`: it wants one")
    at = middles[0]
    return Edit(path=block.path, old_str="".join(block.lines[:at]), new_str="".join(block.lines[at + 1 :]))


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": list(properties), "properties": properties}
