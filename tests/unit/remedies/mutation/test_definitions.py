"""A name without a definition gets one that the project has elsewhere."""

from __future__ import annotations

import pytest

from selfheal_ci.remedies.mutation.definitions import definitions, undefined
from selfheal_ci.remedies.mutation.text import Source, parse
from tests.fakes import a_failure

CACHE = '''"""Caches."""

import time


class First:
    def expire(self):
        getitem = Cache.__getitem__
        return [getitem(self, key) for key in self]


class Second:
    def expire(self):
        """Old ones go."""
        gone = []
        for key in self:
            gone.append(getitem(self, key))
        return gone
'''


def source(text: str, path: str = "shop/cache.py") -> Source:
    found = parse(path, text.encode())
    assert found
    return found


def made(text: str, name: str, *others: Source) -> list[str]:
    """What the file becomes, the likeliest first."""
    here = source(text)
    found = sorted(definitions(here, frozenset({name}), [here, *others]), key=lambda each: -each.prior)
    return [here.changed(each.edits) for each in found]


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("NameError: name 'getitem' is not defined", {"getitem"}),
        ("UnboundLocalError: cannot access local variable 'x' where it is not associated with a value", {"x"}),
        ("UnboundLocalError: local variable 'x' referenced before assignment", {"x"}),
        ("KeyError: 'name'", set()),
    ],
)
def test_reads_which_name_is_not_defined(said: str, names: set[str]) -> None:
    assert undefined([a_failure(message=said)]) == names


def test_an_assignment_of_another_function_is_put_before_the_first_use() -> None:
    assert made(CACHE, "getitem") == [
        CACHE.replace("        for key in self:\n", "        getitem = Cache.__getitem__\n        for key in self:\n")
    ]


@pytest.mark.parametrize(
    ("other", "line"),
    [
        ("from functools import cache, wraps as deco\n", "from functools import wraps as deco\n"),
        ("def f():\n    import deco\n", "import deco\n"),
        ("from .tools import deco\n", "from .tools import deco\n"),
    ],
)
def test_an_import_of_another_file_follows_the_last_one(other: str, line: str) -> None:
    text = f"{CACHE}\n@deco\ndef f():\n    pass\n"

    assert made(text, "deco", source(other, "shop/other.py")) == [text.replace("import time\n", f"import time\n{line}")]


def test_a_relative_import_counts_in_its_own_folder_only() -> None:
    assert made("deco()\n", "deco", source("from .tools import deco\n", "shop/below/other.py")) == []


@pytest.mark.parametrize(
    ("text", "then"),
    [
        ("print(json)\n", "import json\nprint(json)\n"),
        ('"""Doc."""\nprint(json)\n', '"""Doc."""\nimport json\nprint(json)\n'),
        ("@json\r\ndef f(): pass\r\n", "import json\r\n@json\r\ndef f(): pass\r\n"),
        ("import json\nprint(json)\n", None),
        ("print(yaml)\n", None),
    ],
)
def test_modules_of_the_standard_library_are_known(text: str, then: str | None) -> None:
    [name] = {"json", "yaml"} & set(text.replace("(", " ").replace(")", " ").replace("@", " ").split())

    assert made(text, name) == ([then] if then else [])
