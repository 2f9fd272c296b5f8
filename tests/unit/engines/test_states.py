"""What is prepared once serves later healings, as long as it is the same, and as long as there is room."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from selfheal_ci.engines.holding import LOCK, hold
from selfheal_ci.engines.host import remove
from selfheal_ci.engines.local import LocalEngine
from selfheal_ci.engines.sandbox import LocalSandbox
from selfheal_ci.engines.states import ENTRIES, RECORD, States, open_folder, unkept
from selfheal_ci.errors import UsageError
from selfheal_ci.values import Changes, Command, Content, Limits, Recipe, Tree
from tests.builders_tree import Files, a_tree, exporter

SETUP = Recipe(
    ("mkdir .venv; cat /proc/sys/kernel/random/uuid > .venv/made; echo made > ~/made",),
    build_files=frozenset({"pyproject.toml"}),
)
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
        return sorted((self.place / "cache").glob("*-*"))

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
    first = machine.run("cat .venv/made ~/made a.py sub/b.py")
    second = machine.run("cat .venv/made ~/made a.py sub/b.py")

    assert (first == second, machine.exported, len(machine.kept)) == (True, [3], 1)


def test_nothing_is_left_beside_what_is_kept(machine: Machine) -> None:
    machine.run("true")

    assert list((machine.place / "work").iterdir()) == []


def test_a_run_changes_nothing_of_what_is_kept(machine: Machine) -> None:
    machine.run("rm -rf .venv sub; echo x > a.py; echo x > ~/made")

    assert machine.run("cat a.py sub/b.py ~/made") == "a = 1\nb = 1\nmade\n"


def test_another_tree_is_laid_over_what_setup_made(machine: Machine) -> None:
    made = machine.run("cat .venv/made")
    other: Files = {"pyproject.toml": b"1\n", "a.py": b"a = 2\n", "sub": b"a file now\n", "new/c.py": b"c = 1\n"}

    told = machine.run("cat .venv/made a.py sub new/c.py; ls", other)

    assert told == f"{made}a = 2\na file now\nc = 1\na.py\nnew\npyproject.toml\nsub\n"
    assert machine.exported == [3, 3]
    assert machine.run("cat a.py sub/b.py", changes=Changes({"a.py": Content(b"a = 3\n")})) == "a = 3\nb = 1\n"


def test_files_of_another_tree_are_newer_than_what_was_built(machine: Machine) -> None:
    recipe = replace(SETUP, setup=(*SETUP.setup, "cp a.py .venv/built"))
    machine.run("true", recipe=recipe)

    machine.run("test a.py -nt .venv/built", {**FILES, "a.py": b"a = 2\n"}, recipe)


OTHERS = {
    "setup": {"recipe": replace(SETUP, setup=(*SETUP.setup, "true"))},
    "a variable of setup": {"recipe": replace(SETUP, setup_env={"PIP_INDEX_URL": "https://example.org"})},
    "a build file": {"files": {**FILES, "pyproject.toml": b"2\n"}},
    "the scope": {"scope": "another branch"},
    "the place": {"root": "elsewhere"},
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_what_differs_is_prepared_anew(machine: Machine, other: dict[str, object]) -> None:
    first = machine.run("cat .venv/made")

    assert machine.run("cat .venv/made", **other) != first  # type: ignore[arg-type]


def test_an_environment_that_changed_is_copied_anew(machine: Machine) -> None:
    package = machine.place / "checkout/.venv/lib/package.py"
    package.parent.mkdir(parents=True)
    package.write_text("version = 1\n")
    first = machine.run("cat .venv/made", environment=(".venv",))
    assert machine.run("cat .venv/made", environment=(".venv",)) == first

    package.write_text("version = 12\n")

    assert machine.run("cat .venv/made", environment=(".venv",)) != first


def a_package(*, editable: bool) -> str:
    told = json.dumps({"url": "file://$PWD", "dir_info": {"editable": True} if editable else {}}).replace('"', '\\"')
    place = ".venv/lib/python3.11/site-packages/package-1.dist-info"
    return f'mkdir -p {place} && touch .venv/pyvenv.cfg; echo "{told}" > {place}/direct_url.json'


LINES = {
    "an editable install": (a_package(editable=True), ()),
    "an installed copy": (a_package(editable=False), (".venv/lib/python3.11/site-packages/package-1.dist-info",)),
    "a compiled module": ("touch sub/fast.cpython-311.so", ("sub/fast.cpython-311.so",)),
    "a file of a source": ("cp a.py generated.py", ("generated.py",)),
    "several, of which some are named": ("touch e d c b a", ("a", "b", "c")),
    "a changed file": ("echo >> a.py", ("a.py",)),
    "a file that may be run": ("chmod +x a.py", ("a.py",)),
    "a file that is gone": ("rm sub/b.py", ("sub/b.py",)),
    "a link in place of a file": ("ln -sf sub/b.py a.py", ("a.py",)),
    "a copy for one user": (
        "d=~/.local/lib/python3.11/site-packages/p.dist-info; mkdir -p $d; echo '{\"url\": \"file://'$PWD'\"}' > $d/direct_url.json",
        ("~/.local/lib/python3.11/site-packages/p.dist-info",),
    ),
    "the same again": ("cp a.py x; mv x a.py", ()),
    "a changed build file": ("echo >> pyproject.toml", ()),
    "caches and links to sources": ("mkdir -p sub/__pycache__ p.egg-info; touch sub/__pycache__/b p.egg-info/x; ln -s a.py c.py", ()),
    "what was fetched": ("mkdir -p web/node_modules/x env/lib vendor/x; touch web/node_modules/x/y env/pyvenv.cfg env/lib/x vendor/x/y uv.lock", ()),
}  # fmt: skip


@pytest.mark.parametrize(("line", "made"), LINES.values(), ids=LINES.keys())
def test_what_setup_made_of_the_sources_serves_no_other_tree(machine: Machine, line: str, made: tuple[str, ...]) -> None:
    recipe = replace(SETUP, setup=(*SETUP.setup, line))
    first = machine.run("cat .venv/made", recipe=recipe)

    same = machine.run("cat .venv/made", recipe=recipe)
    with machine.engine(FILES).prepare(a_tree(machine.place / "checkout", FILES), recipe) as sandbox:
        told = sandbox.made
    other = machine.run("cat .venv/made", {**FILES, "c/c.py": b"c = 2\n"}, recipe)

    assert (told, same == first, other == first) == (made, True, not made)


def test_what_lay_in_the_checkout_before_setup_was_not_made_by_it(machine: Machine) -> None:
    (machine.place / "checkout/build").mkdir()
    (machine.place / "checkout/build/fast.so").touch()
    first = machine.run("cat .venv/made", environment=("build",))

    assert machine.run("cat .venv/made", {**FILES, "a.py": b"a = 2\n"}, environment=("build",)) == first


def test_what_setup_fetched_too_long_ago_is_fetched_again(machine: Machine) -> None:
    first = machine.run("cat .venv/made")
    record = machine.kept[0] / RECORD
    record.write_text(json.dumps(json.loads(record.read_text()) | {"prepared": 0}))

    assert machine.run("cat .venv/made") != first
    assert len(machine.kept) == 1


@pytest.mark.parametrize("broken", ["", "[]", "{}", "null", '{"layout": 99}', "\xff"])
def test_a_record_that_cannot_be_read_is_no_state(machine: Machine, broken: str) -> None:
    first = machine.run("cat .venv/made")
    (machine.kept[0] / RECORD).write_text(broken)

    assert machine.run("cat .venv/made") != first
    assert len(machine.kept) == 1


def shorten(state: Path) -> None:
    (state / "tree/a.py").write_bytes(b"a")


def forget(part: str) -> Callable[[Path], None]:
    return lambda state: remove(state / part)


def damage(name: str, text: str) -> Callable[[Path], object]:
    return lambda state: (state / name).write_text(text)


def tell(**wrong: object) -> Callable[[Path], object]:
    return lambda state: (state / RECORD).write_text(json.dumps(json.loads((state / RECORD).read_text()) | wrong))


DAMAGED = {
    "a file is shorter": shorten,
    "a file is gone": forget("tree/sub/b.py"),
    **{f"{part} is gone": forget(part) for part in ("tree", "home", "git", ENTRIES)},
    **{f"entries are {text!r}": damage(ENTRIES, text) for text in ("", "[]", "[1]", '{"a.py": 1}', '{"a.py": [1, 2, 3]}')},
    "a time is a word": tell(prepared="yesterday"),
    "a size is a word": tell(size="1"),
    "what was made is a word": tell(made="x"),
}


@pytest.mark.parametrize("spoil", DAMAGED.values(), ids=DAMAGED.keys())
def test_what_is_damaged_is_prepared_anew(
    machine: Machine, spoil: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    first = machine.run("cat .venv/made ~/made a.py sub/b.py")
    spoil(machine.kept[0])

    again = machine.run("cat .venv/made ~/made a.py sub/b.py")

    assert (again != first, again.splitlines()[1:]) == (True, ["made", "a = 1", "b = 1"])
    assert machine.run("cat .venv/made ~/made a.py sub/b.py") == again
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == []


def test_a_state_that_cannot_be_read_is_counted_and_cleaned(machine: Machine) -> None:
    machine.run("true", {"big": b"x" * 100_000})
    (machine.kept[0] / RECORD).write_text("")

    count, size = machine.states.usage()

    assert (count, size > 100_000) == (1, True)
    assert machine.states.shrink(0) == (size, 0)
    assert machine.kept == []


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

    (half_made / "tree/file").write_bytes(b"x" * 100_000)

    assert machine.states.usage()[1] > 100_000
    replace(machine, max_size=0).run("true", scope="another")  # which keeps nothing itself
    assert not half_made.exists()


def test_what_is_being_made_is_counted_and_stays(machine: Machine) -> None:
    with machine.states.take("key", "tree", age=1.0) as state:
        assert machine.states.usage()[0] == 1
        assert machine.states.shrink(0) == (0, 1)
        assert state.folder.exists()


# where nothing can be kept --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["take", "keep"])
@pytest.mark.parametrize("code", [errno.EROFS, errno.ENOSPC, errno.EACCES, errno.EDQUOT], ids=errno.errorcode.get)
def test_a_folder_that_is_of_no_use_ends_no_healing(
    machine: Machine, step: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = machine.states
    warned: list[str] = []

    def refused(states: States, *words: object, **more: object) -> object:
        if states.folder == cache.folder:
            raise OSError(code, os.strerror(code))
        return usual(states, *words, **more)

    usual = getattr(States, step)
    monkeypatch.setattr(States, step, refused)
    engine = replace(machine.engine(FILES), warn=warned.append)
    with engine.prepare(a_tree(machine.place / "checkout", FILES), SETUP) as sandbox:
        run = sandbox.run(Command("cat a.py ~/made", 30.0))

    assert run.output.text == "a = 1\nmade\n"
    assert warned == [unkept(f"{cache.folder}: {os.strerror(code)}")]
    assert (machine.kept, list((machine.place / "work").iterdir())) == ([], [])


def test_a_disk_that_setup_fills_is_no_fault_of_setups(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    full = machine.states.folder
    warned: list[str] = []

    def set_up(sandbox: LocalSandbox, line: str, env: object) -> None:
        if full in sandbox.frozen.tree.parents:
            raise UsageError("setup failed (exit code 1)")

    def no_room(folder: Path) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(LocalSandbox, "set_up", set_up)
    monkeypatch.setattr("selfheal_ci.engines.local.try_room", no_room)
    engine = replace(machine.engine(FILES), warn=warned.append)
    with engine.prepare(a_tree(machine.place / "checkout", FILES), SETUP) as sandbox:
        assert sandbox.run(Command("cat a.py", 30.0)).output.text == "a = 1\n"

    assert len(warned) == 1


def test_what_cannot_be_read_of_the_checkout_is_no_fault_of_the_folders(machine: Machine) -> None:
    def export(tree: Tree, into: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", f"{tree.root}/closed")

    engine = replace(machine.engine(FILES), export=export)
    with pytest.raises(PermissionError), engine.prepare(a_tree(machine.place / "checkout", FILES), SETUP):
        pass


DISKS = {
    "full": ("-t tmpfs -o size=64k,mode=700 none", "No space left on device"),
    "read-only": ("--bind -o ro .", "Read-only file system"),
}


@pytest.mark.parametrize(("disk", "said"), DISKS.values(), ids=DISKS.keys())
def test_a_folder_that_cannot_be_written_is_seen_when_it_is_opened(tmp_path: Path, disk: str, said: str) -> None:
    program = f"from selfheal_ci.engines.states import open_folder, Path; open_folder(Path({str(tmp_path)!r}))"
    line = f'cd {tmp_path} && mount {disk} {tmp_path} && exec "$@"'
    unshare = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", line, "sh", sys.executable, "-c", program]

    done = subprocess.run(unshare, capture_output=True, text=True, timeout=60, check=False)

    assert "OSError" in done.stderr, done.stderr
    assert said in done.stderr


def test_no_state_is_kept_in_what_states_have_a_copy_of(machine: Machine) -> None:
    cache = machine.place / "checkout/build/cache"
    warned: list[str] = []
    engine = replace(machine.engine(FILES), states=States(open_folder(cache), 1 << 30), warn=warned.append)

    with engine.prepare(replace(a_tree(machine.place / "checkout", FILES), environment=("build",)), SETUP) as sandbox:
        assert sandbox.run(Command("cat a.py", 30.0)).output.text == "a = 1\n"

    assert warned == [unkept(f"{cache} lies in build, of which every state has a copy")]
    assert list(cache.glob("state-*")) == []


def test_git_ignores_the_folder(tmp_path: Path) -> None:
    assert (open_folder(tmp_path / "cache") / ".gitignore").read_text() == "*\n"


def test_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)

    with pytest.raises(UsageError, match="others can write into"):
        open_folder(tmp_path)
