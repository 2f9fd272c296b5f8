"""A found configuration as the text of `.selfheal.toml`, each line with the place that it came from."""

from __future__ import annotations

import json
import re

from selfheal_ci.discover.found import Found, FoundStep, Origin

HEAD = "# From the repository's own files: look it through. `selfheal heal --step NAME` tries a step.\n"


def written(found: Found) -> str:
    """The whole file."""
    text = HEAD
    if found.image:
        text += f"image = {_string(found.image)}  # for the Dagger engine; the local one has this machine's tools\n"
    if found.setup:
        text += "setup = [\n" + "".join(f"  {_string(line.run)},  # {_plain(line.origin)}\n" for line in found.setup) + "]\n"
    return text + "".join(_step(step) for step in found.steps)


def _step(step: FoundStep) -> str:
    text = f"\n[steps.{_key(step.name)}]  # {_plain(step.line.origin)}\nrun = {_string(step.line.run)}\n"
    for key, lines in (("build", step.build), ("fix", step.fix)):
        if lines:
            text += f"{key} = [{', '.join(map(_string, lines))}]\n"
    return text


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name}"'


def _string(text: str) -> str:
    """A TOML string: with its lines as they are where it has several."""
    shown = all(letter == "\n" or letter.isprintable() for letter in text)
    if "\n" in text and shown and "'''" not in text and not text.endswith("'"):
        return f"'''\n{text}'''"
    if '"' in text and shown and "'" not in text and "\n" not in text:
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _plain(origin: Origin) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in str(origin))
