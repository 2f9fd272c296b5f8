"""A script of the CI as one line for `sh -c` in the root of the checkout."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

from selfheal_ci.discover.found import Script

_BASH = re.compile(
    r"\[\[|<<<|(?m:(?:^|[;&|(])\s*source\s)|\bpipefail\b|\bfunction\b|[<>]\(|\(\(|\bdeclare\b|\bshopt\b|\blet\b|=~|\$'|&>"
    r"|\$\{\w+(?:\[|[/^,@])|\bpopd\b|\{\w*(?:\.\.|,)[^}\s]{0,200}\}|\[ [^]]{0,200} == "
)
_PIPE = re.compile(r"(?<!\|)\|(?!\|)")
_SEVERAL = re.compile(r"\|\||;|(?<!&)&\s*$")
_NAME = re.compile(  # of a variable that does more than to change how things look
    r"(?!(?:FORCE_COLOR|PY_COLORS|CLICOLOR_FORCE|TERM|PIP_DISABLE_PIP_VERSION_CHECK|PIP_NO_PYTHON_VERSION_WARNING)$)[A-Za-z_]\w*"
)
_OURS = re.compile(r"\$(?:GITHUB_WORKSPACE|PATH|HOME)\b")


def shell_line(script: Script, prelude: Sequence[str]) -> str:
    """What does the same: behind the prelude, in its folder, with its variables; by bash where sh would not do."""
    place = [f"cd {shlex.quote(script.folder)}"] if script.folder not in {"", "."} else []
    before, body = [*prelude, *_exports(script), *place], script.run.strip()
    if _BASH.search(body) or (script.pipefail and _PIPE.search(body)):
        options = "-eo pipefail" if script.pipefail else "-e"
        return f"bash {options} -c {shlex.quote(chr(10).join([*before, body]))}"
    if "\n" not in body and not (before and _SEVERAL.search(body)):
        return " && ".join([*before, body])
    return "\n".join(["set -e", *before, body])


def anyway(line: str) -> str:
    """The line, and no failure of it: what then lacks, one step will say."""
    return f"{{\n{line}\n}} || true" if "\n" in line else f"{{ {line}; }} || true"


def _exports(script: Script) -> Iterator[str]:
    if "GITHUB_WORKSPACE" in f"{script.run}{script.env}":
        yield 'export GITHUB_WORKSPACE="$PWD"'
    if re.search(r"GITHUB_(?:STEP_SUMMARY|OUTPUT)", script.run):
        yield "export GITHUB_STEP_SUMMARY=/dev/null GITHUB_OUTPUT=/dev/null"
    if words := [f"{name}={_quoted(value)}" for name, value in script.env.items() if _NAME.fullmatch(name)]:
        yield f"export {' '.join(words)}"


def _quoted(value: str) -> str:
    plain = value.replace(" ", "").replace("$", "")
    return f'"{value}"' if _OURS.search(value) and re.fullmatch(r"[\w/.:~-]*", plain) else shlex.quote(value)
