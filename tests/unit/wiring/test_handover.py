"""What the CI job is told."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from selfheal_ci.ci import Ci
from selfheal_ci.wiring.handover import annotation_lines, hand_over, healing_outputs

TOLD: dict[str, Any] = {
    "status": "not_healed",
    "failures": [{"id": "t::a", "kind": "regression", "path": "cart.py", "line": 4, "message": "no"}],
    "diagnosis": {"kind": "regression"},
    "attempts": [{"remedy": "model", "verdict": "rejected"}] * 2,
    "cost": {"usd": 0.25, "input_tokens": 9, "output_tokens": 3},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "heal.json").write_text(json.dumps(TOLD))
    (tmp_path / "report.md").write_text("## selfheal: not healed\n")
    return tmp_path


def test_outputs_count_the_models_attempts_and_name_no_patch_that_is_not_there(folder: Path) -> None:
    told = healing_outputs(TOLD, folder)

    assert (told["healed"], told["attempts"], told["remedy"], told["cost-usd"]) == ("false", "2", "", "0.25")
    assert (told["confidence"], told["patch-file"]) == ("", "")


@pytest.mark.parametrize(
    ("failure", "line"),
    [
        ({"path": "a,b:c%.py"}, "::error file=a%2Cb%3Ac%25.py,line=4,title=t%3A%3Aa (regression)::no"),
        ({"message": "1\n::error::2\r%0A"}, "::error file=cart.py,line=4,title=t%3A%3Aa (regression)::1 ::error::2 %250A"),
        ({"message": ""}, "::error file=cart.py,line=4,title=t%3A%3Aa (regression)::fails"),
    ],
)
def test_an_annotation_is_one_command(failure: dict[str, str], line: str) -> None:
    assert list(annotation_lines({**TOLD, "failures": [TOLD["failures"][0] | failure]})) == [line]


def test_annotations_are_few_have_a_place_and_start_where_the_forge_starts() -> None:
    placeless = {**TOLD["failures"][0], "line": None}

    assert list(annotation_lines({**TOLD, "failures": [placeless]})) == []
    assert len(list(annotation_lines({**TOLD, "failures": TOLD["failures"] * 50}))) == 10
    assert list(annotation_lines({**TOLD, "status": "healthy"})) == []
    assert next(annotation_lines(TOLD, "packages/shop")).startswith("::error file=packages/shop/cart.py,")


def test_the_summary_grows_and_nothing_in_a_value_ends_it(folder: Path) -> None:
    summary, outputs = folder / "summary", folder / "outputs"
    summary.write_text("what others wrote\n")
    stream = io.StringIO()

    hand_over(folder, Ci("github", "main", None, summary=summary, outputs=outputs, workspace=folder), folder, stream)

    assert summary.read_text() == "what others wrote\n## selfheal: not healed\n\n"
    assert stream.getvalue().startswith("::error file=cart.py,")
    delimiters = [line.partition("<<")[2] for line in outputs.read_text().splitlines() if "<<" in line]
    assert len(delimiters) == len(set(delimiters)) == len(healing_outputs(TOLD, folder))


def test_a_job_whose_files_cannot_be_written_is_only_warned(folder: Path) -> None:
    stream = io.StringIO()

    hand_over(folder, Ci("github", "main", None, summary=folder / "gone/summary"), folder, stream)

    assert stream.getvalue() == "warning: the job is not told what came out: No such file or directory\n"
