from __future__ import annotations

import time

import pytest

from selfheal_ci.remedies.model.excerpt import Excerpt, Focus, excerpt, fitting
from selfheal_ci.remedies.model.structure import BY_SUFFIX, structure_of

SOURCES = {
    "a.py": (
        "import os\n\n\n@cached\nclass Cart:\n    def total(self):\n        def inner(): ...\n        return 1\n",
        6,
        {1, 5, 6},
    ),
    "a.js": (
        "import d from 'd'\n\nexport const total = (x) => {\n  return 1\n}\nclass Cart {\n  sum() {\n    return 2\n  }\n}\n",
        7,
        {1, 3, 6, 7},
    ),
    "a.ts": (
        "import d from 'd'\ninterface Cart {\n  a: number\n}\nexport function total(): number {\n  return 1\n}\n",
        5,
        {1, 2, 5},
    ),
    "a.tsx": ("import d from 'd'\nconst Cart = () => {\n  return <b/>\n}\n", 2, {1, 2}),
    "a.go": (
        'package a\n\nimport "fmt"\n\nfunc (c *Cart) Total() int {\n\treturn 1\n}\n\ntype Cart struct {\n\ta int\n}\n',
        5,
        {1, 3, 5, 9},
    ),
    "a.rs": (
        "use a::b;\n\nimpl Cart {\n    #[inline]\n    fn total(&self) -> i32 {\n        1\n    }\n}\n\nstruct Cart {\n    a: i32,\n}\n",
        5,
        {1, 3, 5, 10},
    ),
    "A.java": (
        "package a;\nimport b.C;\n\nclass Cart {\n    @Override\n    int total() {\n        return 1;\n    }\n}\n",
        6,
        {1, 2, 4, 6},
    ),
}


@pytest.mark.parametrize("path", SOURCES)
def test_finds_functions_imports_and_an_outline(path: str) -> None:
    source, function, outline = SOURCES[path]
    structure = structure_of(path, source.split("\n"))

    assert structure
    assert outline <= structure.imports | structure.outline
    assert function in {part.header.start for part in structure.parts if not part.is_group}
    assert not any("return" in source.split("\n")[line - 1] for line in structure.outline)


def test_a_definition_has_its_decorators_and_what_is_inside_of_it_is_not_outlined() -> None:
    structure = structure_of("a.py", SOURCES["a.py"][0].split("\n"))

    assert structure
    assert [(part.name, part.lines.start) for part in structure.parts] == [("Cart", 4), ("total", 6), ("inner", 7)]
    assert 7 not in structure.outline


@pytest.mark.parametrize("suffix", sorted(BY_SUFFIX))
@pytest.mark.parametrize("source", ["f'{" * 5000, "(" * 50_000, "\0\ud800", "x = '\u202e'", "if x {" * 9000, ""])
def test_any_text_will_do(suffix: str, source: str) -> None:
    began = time.process_time()

    structure_of(f"a{suffix}", source.split("\n"))

    assert time.process_time() - began < 5


def test_a_file_that_is_too_long_or_in_another_language_has_no_structure() -> None:
    assert structure_of("a.py", ["x = 1"] * 100_000) is None
    assert structure_of("a.cobol", ["x"]) is None


def test_the_core_is_told_before_what_is_usual() -> None:
    function = ["def f():", *(f"    x{n} = {n}" for n in range(100)), ""]
    lines = ["import os", *function, *["y = 1"] * 20, "def g():", "    pass"]
    found = excerpt("a.py", lines, Focus(core={50}), outline=True)
    assert found

    small, large = fitting([found], 0, 10_000), fitting([found], 10_000, 10_000)

    assert len(small[0].rows) == 101
    assert {row.number for row in large[0].rows} == set(range(1, len(lines) + 1))
    assert fitting([found], 0, 0) == []


def test_what_is_nearest_is_told_where_there_is_no_room_for_all() -> None:
    found = excerpt("a.txt", [f"line {n}" for n in range(1, 301)], Focus(core={150}), outline=True)

    assert isinstance(found, Excerpt)
    assert {row.number for row in fitting([found], 0, 200)[0].rows} >= {149, 150, 151}
