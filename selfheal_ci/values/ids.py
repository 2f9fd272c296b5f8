"""How the ids of failures look: `path::Class::test`, `path::tool[rule]::message` and `step:NAME`."""

from __future__ import annotations

import re

TOOLS = ("ruff-format", "ruff", "flake8", "pyflakes", "black", "isort", "mypy", "pylint", "compileall", "pip", "python")
_DIAGNOSTIC = re.compile(rf"(?:[^\n]+?::)??(?P<tool>{'|'.join(TOOLS)})\[[^\s\[\]]*\]::")


def diagnostic_id(path: str, tool: str, rule: str, message: str) -> str:
    """Of what a tool complains of: "cart.py::ruff[F401]::`os` imported but unused"; no path where the tool names none."""
    said = f"{tool}[{rule}]::{message}"
    return f"{path}::{said}" if path else said


def tool_of(id_: str) -> str:
    """The tool that complains; nothing for tests and steps."""
    found = _DIAGNOSTIC.match(id_)
    return found["tool"] if found else ""


def is_checked(id_: str) -> bool:
    """Whether a checker complains that reads code and does not run it."""
    return tool_of(id_) not in {"", "python"}


def is_test(id_: str) -> bool:
    """Whether it is a test's, or that of a file of tests: it can be run on its own."""
    return not id_.startswith("step:") and not tool_of(id_)
