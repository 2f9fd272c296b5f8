"""What is prepared once serves later healings, as long as it is the same, and as long as there is room."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from selfheal_ci.engines.holding import LOCK, hold
from selfheal_ci.engines.local import LocalEngine
from selfheal_ci.engines.states import RECORD, States, open_folder
from selfheal_ci.errors import UsageError
from selfheal_ci.values import Changes, Command, Content, Limits, Recipe, Tree
from tests.builders_tree import Files, a_tree, exporter

SETUP = Recipe(("cat /proc/sys/kernel/random/uuid > made; echo made > ~/made",), build_files=frozenset({"pyproject.toml"}))
FILES: Files = {"pyproject.toml": b"1\n", "a.py": b"a = 1\n", "sub/b.py": b"b = 1\n"}


@dataclass
class Machine:
    """One machine with a cache. exported: how often a tree was copied."""

    place: Path
    max_size: int = 1 << 30
    exported: list[int] = field(default_factory=list)

    @property
    def states(self) -> States:
        return States(open_folder(self.place / "cache"), self.max_size)

    @property
    def kept(self) -> list[Path]:
        return sorted((self.place / "cache").iterdir())

    def engine(self, files: Files, scope: str = "") -> LocalEngine:
        def export(tree: Tree, into: Path) -> None:
            self.exported.append(len(tree.entries))
            exporter(files)(tree, into)

        (self.place / "work").mkdir(exist_ok=True)
        return LocalEngine(export, self.place / "work", Limits(), os.environ, 2, self.states, scope)

    def run(
        self, shell: str, files: Files = FILES, recipe: Recipe = SETUP, *, scope: str = "", root: str = "checkout",
        environment: tuple[str, ...] = (), changes: Changes | None = None,
    ) -> str:  # fmt: skip
        tree = replace(a_tree(self.place / root, files), environment=environment)
        with self.engine(files, scope).prepare(tree, recipe) as sandbox:
            run = sandbox.run(Command(shell, 30.0), changes or Changes({}))
        assert run.exit_code == 0, run.output.text
        return run.output.text


@pytest.fixture
def machine() -> Iterator[Machine]:
    with tempfile.TemporaryDirectory(prefix="selfheal-test-") as folder:  # as root, pytest's own are closed to others
        place = Path(folder)
        place.chmod(0o711)
        (place / "checkout").mkdir()
        yield Machine(place)


def test_the_second_healing_finds_what_the_first_prepared(machine: Machine) -> None:
    first = machine.run("cat made ~/made a.py sub/b.py")
    second = machine.run("cat made ~/made a.py sub/b.py")

    assert (first == second, machine.exported, len(machine.kept)) == (True, [3], 1)


def test_nothing_is_left_beside_what_is_kept(machine: Machine) -> None:
    machine.run("true")

    assert list((machine.place / "work").iterdir()) == []


def test_a_run_changes_nothing_of_what_is_kept(machine: Machine) -> None:
    machine.run("rm -rf made sub; echo x > a.py; echo x > ~/made")

    assert machine.run("cat a.py sub/b.py ~/made") == "a = 1\nb = 1\nmade\n"


def test_another_tree_is_laid_over_what_setup_made(machine: Machine) -> None:
    made = machine.run("cat made")
    other: Files = {"pyproject.toml": b"1\n", "a.py": b"a = 2\n", "sub": b"a file now\n", "new/c.py": b"c = 1\n"}

    told = machine.run("cat made a.py sub new/c.py; ls", other)

    assert told == f"{made}a = 2\na file now\nc = 1\na.py\nmade\nnew\npyproject.toml\nsub\n"
    assert machine.exported == [3, 3]
    assert machine.run("cat a.py sub/b.py", changes=Changes({"a.py": Content(b"a = 3\n")})) == "a = 3\nb = 1\n"


def test_files_of_another_tree_are_newer_than_what_was_built(machine: Machine) -> None:
    machine.run("true", recipe=replace(SETUP, setup=(*SETUP.setup, "cp a.py built")))

    machine.run("test a.py -nt built", {**FILES, "a.py": b"a = 2\n"}, replace(SETUP, setup=(*SETUP.setup, "cp a.py built")))


OTHERS = {
    "setup": {"recipe": replace(SETUP, setup=(*SETUP.setup, "true"))},
    "a variable of setup": {"recipe": replace(SETUP, setup_env={"PIP_INDEX_URL": "https://example.org"})},
    "a build file": {"files": {**FILES, "pyproject.toml": b"2\n"}},
    "the scope": {"scope": "another branch"},
    "the place": {"root": "elsewhere"},
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_what_differs_is_prepared_anew(machine: Machine, other: dict[str, object]) -> None:
    first = machine.run("cat made")

    assert machine.run("cat made", **other) != first  # type: ignore[arg-type]


def test_an_environment_that_changed_is_copied_anew(machine: Machine) -> None:
    package = machine.place / "checkout/.venv/lib/package.py"
    package.parent.mkdir(parents=True)
    package.write_text("version = 1\n")
    first = machine.run("cat made", environment=(".venv",))
    assert machine.run("cat made", environment=(".venv",)) == first

    package.write_text("version = 12\n")

    assert machine.run("cat made", environment=(".venv",)) != first


def a_package(*, editable: bool) -> str:
    told = json.dumps({"url": "file://$PWD", "dir_info": {"editable": True} if editable else {}}).replace('"', '\\"')
    place = ".venv/lib/python3.11/site-packages/package-1.dist-info"
    return f'mkdir -p {place}; touch .venv/pyvenv.cfg; echo "{told}" > {place}/direct_url.json'


@pytest.mark.parametrize(
    ("line", "serves"),
    [(a_package(editable=True), True), (a_package(editable=False), False), ("touch sub/fast.cpython-311.so", False)],
)
def test_what_holds_copies_of_the_sources_serves_no_other_tree(machine: Machine, line: str, serves: bool) -> None:
    recipe = replace(SETUP, setup=(*SETUP.setup, line))
    first = machine.run("cat made", recipe=recipe)

    same = machine.run("cat made", recipe=recipe)
    other = machine.run("cat made", {**FILES, "a.py": b"a = 2\n"}, recipe)

    assert (same == first, other == first) == (True, serves)


def test_what_setup_fetched_too_long_ago_is_fetched_again(machine: Machine) -> None:
    first = machine.run("cat made")
    record = machine.kept[0] / RECORD
    record.write_text(json.dumps(json.loads(record.read_text()) | {"prepared": 0}))

    assert machine.run("cat made") != first
    assert len(machine.kept) == 1


@pytest.mark.parametrize("broken", ["", "[]", "{}", "null", '{"layout": 99}', "\xff"])
def test_a_record_that_cannot_be_read_is_no_state(machine: Machine, broken: str) -> None:
    first = machine.run("cat made")
    (machine.kept[0] / RECORD).write_text(broken)

    assert machine.run("cat made") != first
    assert len(machine.kept) == 1


def test_a_setup_that_fails_keeps_nothing(machine: Machine) -> None:
    with pytest.raises(UsageError, match="setup failed"):
        machine.run("true", recipe=Recipe(("false",)))

    assert machine.kept == []


def test_two_healings_at_once_do_not_meet(machine: Machine) -> None:
    told: list[str] = []
    threads = [threading.Thread(target=lambda: told.append(machine.run("cat ~/made a.py"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (told, len(machine.kept)) == (["made\na = 1\n"] * 3, 1)


# room -----------------------------------------------------------------------------------------------------------------


def test_what_was_not_used_for_longest_goes_first(machine: Machine) -> None:
    big = {"big": b"x" * 300_000}
    for number, scope in enumerate(("one", "two", "three")):
        machine.run("true", big, Recipe(), scope=scope)
        newest = max(machine.kept, key=lambda folder: (folder / LOCK).stat().st_mtime)
        os.utime(newest / LOCK, (number, number))
    machine.exported.clear()

    small = replace(machine, max_size=1_000_000)
    small.run("true", big, Recipe(), scope="one")  # used again: the youngest now
    small.run("true", big, Recipe(), scope="four")
    for scope in ("one", "three", "four", "two"):
        small.run("true", big, Recipe(), scope=scope)

    assert len(small.exported) == 2  # four and two


def test_what_is_in_use_stays(machine: Machine) -> None:
    machine.run("true")

    with hold(machine.kept[0]):
        assert machine.states.shrink(0)[1] == 1
        assert len(machine.kept) == 1
    assert machine.states.shrink(0)[1] == 0
    assert machine.kept == []


def test_a_state_larger_than_all_the_room_is_not_kept(machine: Machine) -> None:
    assert replace(machine, max_size=100).run("cat a.py") == "a = 1\n"

    assert machine.kept == []


def test_what_a_killed_healing_left_half_made_goes(machine: Machine) -> None:
    machine.run("true")
    half_made = machine.place / "cache/new-x"
    (half_made / "tree").mkdir(parents=True)
    (half_made / LOCK).touch()

    machine.run("true", scope="another")

    assert not half_made.exists()


def test_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)

    with pytest.raises(UsageError, match="others can write into"):
        open_folder(tmp_path)
