"""What setup made of a tree's own sources, as survey.sh lists it inside a container; made.py says what that is good for."""

from __future__ import annotations

import re
from collections.abc import Collection

from selfheal_ci.engines.made import MOST, tells
from selfheal_ci.engines.parcel import Prints

DIGEST = re.compile("[0-9a-f]{64}")


def read_made(listed: str, known: Prints, *, fixed: Collection[str]) -> tuple[str, ...]:
    """The first few that say something of the sources; setup may do with `fixed` files what it likes."""
    lines = [(what, path.removeprefix("./")) for what, _, path in (line.partition("  ") for line in listed.splitlines())]
    virtual = tuple(path.removesuffix("pyvenv.cfg") for _, path in lines if path.endswith("/pyvenv.cfg"))
    found = {path for what, path in lines if what == "copy"}
    for what, path in lines:
        if path not in fixed and not path.startswith(virtual) and _is_made(what, path, known):
            found.add(path)
    return tuple(sorted(filter(str.isprintable, found))[:MOST])


def _is_made(what: str, path: str, known: Prints) -> bool:
    if what == "gone":
        return path in known
    another = path not in known or known[path][1].hex() != what
    return DIGEST.fullmatch(what) is not None and another and tells(path)
