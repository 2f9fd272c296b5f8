"""One job of scripts → what prepares it and what it checks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from selfheal_ci import checks
from selfheal_ci.discover.actions import own_environment
from selfheal_ci.discover.fetching import fetched, offline, without_fetching
from selfheal_ci.discover.found import FoundStep, Job, Line, Note, Script
from selfheal_ci.discover.lines import anyway, shell_line
from selfheal_ci.discover.sorting import Use, pieces, use_of
from selfheal_ci.discover.tasks import Tasks
from selfheal_ci.shell_words import commands

LONGEST = 1 << 13  # letters of a script
ENVIRONMENT = "~/.venv"
ACTIVATE = f". {ENVIRONMENT}/bin/activate"
GLOBAL_NPM = "export NPM_CONFIG_PREFIX=~/.npm-global PATH=~/.npm-global/bin:$PATH"
UV_TOOLS = f"export UV_TOOL_BIN_DIR={ENVIRONMENT}/bin"
PLACE = {"cd", "pushd", "popd", "export", "set", "source", "."}  # hold for all that follows
REMOVES = {"rm", "mv", "tar", "unzip", "git"}
_PYTHON = re.compile(r"\b(?:pip3?|python3?|pytest|tox|nox|pipx|uvx?)\b")
_INSTALLS_GLOBALLY = re.compile(r"\bnpm (?:i|install) (?:.* )?(?:-g|--global)\b")
WHY = {
    Use.SYSTEM: "it changes the machine: have `{}` done in the image, or here",
    Use.PUBLISH: "it publishes: `{}`",
}


@dataclass
class Made:
    """What comes of one job, in its order."""

    job: Job
    tasks: Tasks
    prelude: tuple[str, ...]
    steps: list[FoundStep] = field(default_factory=list)
    setup: list[Line] = field(default_factory=list)
    builds: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def line(self, script: Script) -> Line:
        """A script as a line of the configuration."""
        return Line(shell_line(script, self.prelude), script.origin)

    def note(self, script: Script, why: str) -> None:
        """Say what is not translated."""
        self.notes.append(Note(script.origin, script.title or self.job.name, why))


def made(job: Job, tasks: Tasks) -> Made:
    """The steps of a job under no names yet, and the lines of setup up to what the last of them needs."""
    text = "\n".join(script.run for script in job.scripts)
    python = job.python or bool(_PYTHON.search(text))
    prelude = [ACTIVATE] * python + [GLOBAL_NPM] * bool(_INSTALLS_GLOBALLY.search(text)) + [UV_TOOLS] * ("uv tool " in text)
    found = Made(job, tasks, tuple(prelude), notes=list(job.notes))
    if python:
        found.setup.append(Line(f"python3 -m venv {ENVIRONMENT}", job.origin))
    if re.search(r"\bpipx run\b", text):
        found.setup.append(Line(f"{ACTIVATE} && pip install pipx", job.origin))
    for script in job.scripts:
        _add(found, script)
    return found


def _add(found: Made, script: Script) -> None:
    """Sort the pieces of one script."""
    if len(script.run) > LONGEST:
        found.note(script, "it is longer than anybody writes")
        return
    told = [(piece, use_of(piece, found.tasks.expand)) for piece in pieces(script.run)]
    for piece, use in told:
        if use is Use.SYSTEM and (instead := _instead(piece)):
            found.setup.append(found.line(replace(script, run=instead)))
        elif use in WHY:
            found.note(script, WHY[use].format(shortened(piece)))
    kept = [(piece, use) for piece, use in told if use not in WHY]
    most = max((use for _, use in kept), default=Use.NOTHING)
    if most is Use.CHECK and found.job.services and not all(checks.is_check(p) for p, use in kept if use is Use.CHECK):
        found.note(script, "it needs services beside it")
    elif most in {Use.CHECK, Use.BUILD}:
        _check(found, script, kept, most)
    else:
        _prepare(found, script, kept, most)


def _instead(piece: str) -> str | None:
    """What installs the same for nobody but the steps."""
    version = re.search(r"--version[ =](\d+(?:\.\d+)+)", piece)
    if "install.python-poetry.org" in piece:
        return own_environment("poetry", f"=={version[1]}" if version else "")
    return "pip install uv" if "astral.sh/uv" in piece else None


def _prepare(found: Made, script: Script, kept: Sequence[tuple[str, Use]], most: Use) -> None:
    """A script that checks nothing: those after it may need it."""
    if len(kept) < len(pieces(script.run)):  # what is not translated may be what the others work on
        kept = [(piece, use) for piece, use in kept if use is Use.INSTALL or _sets_place(piece)]
        most = max((use for _, use in kept), default=Use.NOTHING)
    answers = re.search(r"GITHUB_OUTPUT|::set-output", script.run)
    removes = any(words[0] in REMOVES for piece, _ in kept for words in commands(piece))
    if most is Use.INSTALL:
        found.setup += _lines(found, script, [piece for piece, _ in kept])
    elif most is Use.OTHER and (answers or removes):
        found.note(script, f"it checks nothing: `{shortened(script.run)}`")
    elif most is Use.OTHER:  # nobody knows whether it is needed
        found.setup += [replace(line, run=anyway(line.run)) for line in _lines(found, script, [piece for piece, _ in kept])]


def _lines(found: Made, script: Script, kept: Sequence[str]) -> Iterator[Line]:
    """One for each piece, where none depends on one before; else one for the script."""
    apart = len(kept) > 1 and all(use_of(piece, lambda _: "") is Use.INSTALL and "$" not in piece for piece in kept)
    for run in kept if apart else [_joined(script, kept)]:
        yield found.line(replace(script, run=run))


def _joined(script: Script, kept: Sequence[str]) -> str:
    return script.run if len(kept) == len(pieces(script.run)) else "\n".join(kept)


def _check(found: Made, script: Script, kept: Sequence[tuple[str, Use]], most: Use) -> None:
    """A script that checks or builds: what it installs first goes to setup, what it would fetch is fetched there."""
    rest = [piece for piece, use in kept if use is not Use.INSTALL]
    if len(rest) < len(kept):
        installs = [piece for piece, use in kept if use is Use.INSTALL or _sets_place(piece)]
        found.setup += _lines(found, script, installs)
    step = replace(script, run=_joined(script, rest).strip(), env={**script.env, **_for_tox(found, script)})
    found.setup += _fetching(found, step, rest)
    uv = any(re.search(r"\buv\b", line.run) for line in found.setup)
    quiet = {**step.env, **offline(step.run, found.tasks, uv=uv)}
    line = found.line(replace(step, run=without_fetching(step.run), env=quiet))
    needs, builds = tuple(line.run for line in found.setup), tuple(found.builds)
    found.steps.append(FoundStep("", line, script.run, script.names, builds, _fixer(found, step), needs))
    if most is Use.BUILD:
        found.setup.append(Line(anyway(found.line(step).run), script.origin))
        found.builds.append(line.run)


def _fetching(found: Made, step: Script, rest: Sequence[str]) -> Iterator[Line]:
    """What fetches for one step: where that fails, it is this step that lacks something, and no other."""
    before = [piece for piece in rest if _sets_place(piece)]
    for command in dict.fromkeys(fetched(step.run, found.tasks)):
        yield Line(anyway(found.line(replace(step, run=" && ".join([*before, command]))).run), step.origin)


def _sets_place(piece: str) -> bool:
    return next(iter(commands(piece)), [""])[0] in PLACE


def _for_tox(found: Made, script: Script) -> dict[str, str]:
    """Its plugin for GitHub chooses the environment of the Python there is; elsewhere tox would take all."""
    installed = any(re.search(r"\btox-gh", line.run) for line in found.setup)
    plain = re.search(r"\btox\b", script.run) and not re.search(r"\btox\b.* -[efm]", script.run)
    return {"TOXENV": "py"} if installed and plain and not {"TOXENV", "TOX_ENV"} & set(script.env) else {}


def _fixer(found: Made, step: Script) -> tuple[str, ...]:
    """How the tools of a step fix, where all it does is to check."""
    for line in (step.run, *map(found.tasks.expand, commands(step.run))):
        if checks.is_check(line) and (fixing := checks.fixing(line)) and "$(" not in fixing:
            return (found.line(replace(step, run=fixing)).run,)
    return ()


def shortened(text: str, limit: int = 60) -> str:
    """The beginning of a command, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
