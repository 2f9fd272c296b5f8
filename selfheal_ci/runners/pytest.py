"""pytest: asked for a report by a plugin of ours, which also selects tests by their ids."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from importlib import resources
from itertools import pairwise

from selfheal_ci.detect import Reports, read_reports, result
from selfheal_ci.runners.line import ROOT_FILE, commands, root_of, step_line
from selfheal_ci.values import REPORTS, SUPPORT, Command, Result, Run, Step

PLUGIN = "selfheal_pytest"
SELECTION = "selfheal-select.json"
NOTHING = "no test was collected"
OURS = "selfheal-pytest-"  # how the plugin's reports begin

_NAMES = frozenset({"pytest", "py.test"})
_PYTHON = re.compile(r"(?:python|pypy)[\d.]*|coverage[\d.]*")
# What starts another program, named somewhere behind it.
_STARTERS = frozenset(
    {"uv", "uvx", "poetry", "pdm", "pipenv", "rye", "pixi", "conda", "mamba", "micromamba", "env", "timeout", "nice",
     "ionice", "nohup", "stdbuf", "xvfb-run", "dbus-run-session", "sudo", "doppler", "dotenv"}
)  # fmt: skip
_NAMES_NO_PROGRAM = frozenset({"add", "install", "--with", "--group", "--only-group", "--extra", "-E", "--package"})
_PATH_IS_SET = re.compile(r"(?<![\w$])PYTHONPATH=")
USAGE, NONE_COLLECTED = 4, 5
_USAGE = re.compile(r"^(?:ERROR: (?!usage: )|[^:\n]{0,200}(?:py\.?test|__main__\.py): error: )(.{1,1000})$", re.MULTILINE)
# What pytest's exit codes mean. Other commands of the step have codes too: the output must agree.
_EXIT_CODES = {
    2: (re.compile(r"Interrupted|KeyboardInterrupt"), "pytest was interrupted"),
    3: (re.compile(r"INTERNALERROR"), "pytest had an internal error"),
    4: (re.compile(r"ERROR: |error: |conftest|UsageError"), "pytest could not start"),
    5: (re.compile(r"no tests ran|deselected|^$"), NOTHING),
}


class PytestRunner:
    name = "pytest"

    def recognise(self, command: str) -> bool:
        return any(_starts_pytest(words) for words in commands(command))

    def command(self, step: Step, ids: Collection[str] | None = None) -> Command:
        # PYTEST_PLUGINS, not PYTEST_ADDOPTS: steps set the latter themselves.
        env = {"PYTHONPATH": SUPPORT, "PYTEST_PLUGINS": PLUGIN, "SELFHEAL_REPORTS": REPORTS}
        plugin = resources.files("selfheal_ci.runners").joinpath("pytest_plugin.py").read_bytes()
        support = {f"{PLUGIN}.py": plugin}
        if ids is not None and not any(id_.startswith("step:") for id_ in ids):
            env["SELFHEAL_SELECT"] = f"{SUPPORT}/{SELECTION}"
            support[SELECTION] = json.dumps(sorted(ids)).encode()
        line = _PATH_IS_SET.sub(f"PYTHONPATH={SUPPORT}:", step_line(step))
        return Command(line, step.timeout, env, reports=step.reports, support=support, network=step.network)

    def read(self, run: Run, step: Step) -> Result:
        ours = {name: data for name, data in run.reports.items() if name.startswith(OURS)}
        theirs = {name: data for name, data in run.reports.items() if name != ROOT_FILE}
        reports = read_reports(ours or theirs, root_of(run.reports))
        return result(run, step, reports, expected=True, why=_why(run, reports, wrote=bool(ours)))


def _starts_pytest(words: Sequence[str]) -> bool:
    program = words[0].rpartition("/")[2]
    if program in _NAMES:
        return True
    if _PYTHON.fullmatch(program):
        return any(pair in {("-m", "pytest"), ("-m", "py.test")} for pair in pairwise(words))
    return program in _STARTERS and any(
        words[at - 1] not in _NAMES_NO_PROGRAM and not _STARTERS & {words[at]} and _starts_pytest(words[at:])
        for at in range(1, len(words))
    )


def _usage_error(output: str) -> str:
    said = _USAGE.findall(output)
    return f"pytest: usage error: {said[-1].strip()}" if said else ""


def _why(run: Run, reports: Reports, *, wrote: bool) -> str:
    """What the exit code means, where it is pytest's own."""
    output = run.output.text
    if run.exit_code == 0:
        return NOTHING if wrote and not reports.cases else ""
    if not wrote and PLUGIN in output:
        return f"pytest could not load selfheal's plugin: the step hides PYTHONPATH={SUPPORT} from it"
    if run.exit_code not in _EXIT_CODES:
        return ""
    if run.exit_code == USAGE and (wrong := _usage_error(output)):
        return wrong
    if run.exit_code == NONE_COLLECTED and wrote and not reports.cases:
        return NOTHING
    sign, meaning = _EXIT_CODES[run.exit_code]
    return meaning if sign.search(output) else ""
