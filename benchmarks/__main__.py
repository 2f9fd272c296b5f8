"""Prints every figure; `python -m benchmarks output hangs` prints those of two files."""

from __future__ import annotations

import sys

from benchmarks import (
    commands,
    dagger,
    detect,
    dont_patch,
    edits,
    expectations,
    faults,
    fixers,
    gate,
    hangs,
    honest,
    init,
    injections,
    mutants,
    output,
    prepare,
    programs,
    prompts,
    regressions,
    runs,
    secrets,
    tamper,
)

ALL = {
    "commands": commands.measure,
    "runs": runs.measure,
    "prepare": prepare.measure,
    "output": output.measure,
    "hangs": hangs.measure,
    "detect": detect.measure,
    "gate": gate.measure,
    "fixers": fixers.measure,
    "regressions": regressions.measure,
    "dont_patch": dont_patch.measure,
    "expectations": expectations.measure,
    "programs": programs.measure,
    "edits": edits.measure,
    "prompts": prompts.measure,
    "tamper": tamper.measure,
    "injections": injections.measure,
    "honest": honest.measure,
    "init": init.measure,
    "secrets": secrets.measure,
    "faults": faults.measure,
    "dagger": dagger.measure,
    "mutants": mutants.measure,
}

chosen = sys.argv[1:] or list(ALL)
if unknown := [name for name in chosen if name not in ALL]:
    raise SystemExit(f"there is no {', '.join(unknown)}; there are: {', '.join(ALL)}")
for name in chosen:
    for figure in ALL[name]():
        print(figure, flush=True)
