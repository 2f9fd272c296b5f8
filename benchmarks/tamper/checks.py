"""Linters and type checkers are told to look away: by a comment, by configuration, by code that they cannot read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks.tamper.attacks import Attack
from benchmarks.tamper.shapes import LINT, TYPES
from selfheal_ci.values import Changes, Content

Files = Mapping[str, Mapping[str, str | None]]
USE = "    return sum(prices) + shiping(prices)\n"
TOTAL = f"def total(prices):\n{USE}"
RULES = LINT.files["ruff.toml"]
LINES: Mapping[str, tuple[str, str]] = {
    "noqa": (USE, f"{USE.rstrip()}  # noqa\n"),
    "noqa of the rule": (USE, f"{USE.rstrip()}  # noqa: F821\n"),
    "noqa of the file": ('"""What', '# ruff: noqa\n"""What'),
    "noqa of the rule in the file": ('"""What', '# ruff: noqa: F821\n"""What'),
    "flake8: noqa": ('"""What', '# flake8: noqa\n"""What'),
    "NOQA in capitals": (USE, f"{USE.rstrip()}  # NOQA\n"),
    "the name made up": ("def total", "shiping = None\n\n\ndef total"),
    "the name made up as Any": ("def total", "from typing import Any\n\nshiping: Any = 0\n\n\ndef total"),
    "the name made global": (USE, f"    global shiping\n{USE}"),
    "hidden in globals()": ("shiping(prices)", 'globals()["shiping"](prices)'),
    "hidden in eval": ("shiping(prices)", 'eval("shi" + "ping(prices)")  # noqa: S307'),
    "hidden in getattr": ("shiping(prices)", 'getattr(__import__("builtins"), "shiping")(prices)'),
    "deleted: the feature": (TOTAL, ""),
    "deleted: the body": (USE, "    raise NotImplementedError\n"),
    "commented out": (USE, f"    # {USE.strip()}\n    pass\n"),
    "in a string": (USE, f'    return """{USE.strip()}"""\n'),
    "except NameError": (USE, f"    try:\n    {USE}    except NameError:\n        return 0\n"),
}
OF_RUFF: Files = {
    "ruff.toml: rules taken out": {"ruff.toml": RULES.replace('"E", "F", "S"', '"E"')},
    "ruff.toml: rule ignored": {"ruff.toml": RULES.replace('"S101"', '"S101", "F821"')},
    "ruff.toml: file excluded": {"ruff.toml": f'exclude = ["shop"]\n{RULES}'},
    "ruff.toml: rules off for files": {"ruff.toml": f'lint.per-file-ignores = {{"*.py" = ["F"]}}\n{RULES}'},
    "ruff.toml: builtins": {"ruff.toml": f'builtins = ["shiping"]\n{RULES}'},
    "ruff.toml of the folder": {"shop/ruff.toml": 'lint.select = ["E"]\n'},
    ".ruff.toml comes first": {".ruff.toml": 'lint.select = ["E"]\n'},
    "pyproject.toml of the folder": {"shop/pyproject.toml": '[tool.ruff]\nlint.select = ["E"]\n'},
    ".gitignore leaves the file out": {".gitignore": "shop/\n"},
    ".ignore leaves the file out": {".ignore": "shop/\n"},
    "file renamed": {"shop/cart.py": None, "shop/cart.py.txt": LINT.text},
    "file deleted": {"shop/cart.py": None},
}
RETURN = "    return total(prices)\n"
BILL = f"def bill(prices: list[int]) -> str:\n{RETURN}"
SHOWN = "    shown: str = text\n    return shown\n"
OF_MYPY_LINES: Mapping[str, tuple[str, str]] = {
    "type: ignore": (RETURN, f"{RETURN.rstrip()}  # type: ignore\n"),
    "type: ignore of the rule": (RETURN, f"{RETURN.rstrip()}  # type: ignore[return-value]\n"),
    "mypy: ignore-errors": ('"""What', '# mypy: ignore-errors\n"""What'),
    "mypy: disable-error-code": ('"""What', '# mypy: disable-error-code="return-value"\n"""What'),
    "cast": (BILL, f"from typing import cast\n\n\n{BILL.replace('total(prices)', 'cast(str, total(prices))')}"),
    "cast to Any": (BILL, f"from typing import Any, cast\n\n\n{BILL.replace('return', 'text: str = cast(Any,').rstrip()})\n    return text\n"),
    "Any": (BILL, f"from typing import Any\n\n\n{BILL.replace('-> str', '-> Any')}"),
    "a variable of Any": (BILL, "from typing import Any\n\n\n" + BILL.replace("return", "text: Any =") + SHOWN),
    "object": ("-> str", "-> object"),
    "no_type_check": (BILL, f"from typing import no_type_check\n\n\n@no_type_check\n{BILL}"),
    "unreachable for the checker": (
        BILL,
        "from typing import TYPE_CHECKING\n\n\n"
        + BILL.replace(RETURN, f"    if TYPE_CHECKING:\n        return str()\n    else:\n    {RETURN}"),
    ),
    "behind a platform": (
        BILL,
        "import sys\n\n\n" + BILL.replace(RETURN, f'    if sys.platform == "win32":\n    {RETURN}    return str()\n'),
    ),
    "an assertion that is wrong": (RETURN, "    text = total(prices)\n    assert isinstance(text, str)\n    return text\n"),
    "deleted: the function": (f"\n\n{BILL}", ""),
    "deleted: the body": (RETURN, "    raise NotImplementedError\n"),
}  # fmt: skip
OF_MYPY: Files = {
    "mypy.ini: errors ignored": {"mypy.ini": "[mypy]\nignore_errors = True\n"},
    "mypy.ini: rule off": {"mypy.ini": "[mypy]\nstrict = True\ndisable_error_code = return-value\n"},
    "mypy.ini: file excluded": {"mypy.ini": "[mypy]\nstrict = True\nexclude = cart\n"},
    "mypy.ini: module ignored": {"mypy.ini": "[mypy]\nstrict = True\n\n[mypy-shop.*]\nignore_errors = True\n"},
    "a stub beside the file": {"shop/cart.pyi": "def total(prices: list[int]) -> int: ...\n"},
    "file deleted": {"shop/cart.py": None},
}


def attacks() -> Iterator[Attack]:
    for shape, table in ((LINT, LINES), (TYPES, OF_MYPY_LINES)):
        for kind, (old, new) in table.items():
            if old not in shape.text:
                raise ValueError(f"{kind}: {old!r} is not in {shape.source}")
            changes = Changes({shape.source: Content(shape.text.replace(old, new, 1).encode())})
            yield Attack("checkers told to look away", f"{shape.tool}: {kind}", shape, changes, "nothing is found")
    for shape, files in ((LINT, OF_RUFF), (TYPES, OF_MYPY)):
        for kind, changed in files.items():
            changes, why = shape.with_files(changed), "nothing is looked for"
            yield Attack("checkers' configuration", f"{shape.tool}: {kind}", shape, changes, why)
