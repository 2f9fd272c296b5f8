"""What every engine promises, on the local one and on Dagger's: over a stub, and with --dagger over a real engine.

Where they differ, the test says so.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from selfheal_ci.engines.dagger import DaggerEngine
from selfheal_ci.engines.local import LocalEngine
from selfheal_ci.errors import EngineError, UsageError
from selfheal_ci.ports import Engine, Sandbox
from selfheal_ci.values import NOTHING, REPORTS, SUPPORT, Changes, Command, Content, Limits, Recipe, Run, Stop
from tests.builders_tree import Files, a_tree, exporter
from tests.dagger_stub import Stub

LIMITS = Limits(output=64 << 10)
AS_IT_IS = Recipe()


@dataclass(frozen=True)
class Bench:
    """An engine to be held to its promise."""

    build: Callable[[Files], Engine]
    root: Path
    python: str  # an interpreter that is there inside

    @contextmanager
    def sandbox(self, files: Files | None = None, recipe: Recipe = AS_IT_IS) -> Iterator[Sandbox]:
        files = {"a.txt": b"a\n"} if files is None else files
        with self.build(files).prepare(a_tree(self.root, files), recipe) as sandbox:
            yield sandbox

    def run(self, shell: str, files: Files | None = None, changes: Changes = NOTHING) -> Run:
        with self.sandbox(files) as sandbox:
            return sandbox.run(Command(shell, timeout=30), changes)


def _environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "SELFHEAL_TEST_SECRET"}


@contextmanager
def local(work: Path, root: Path, *, overlays: bool = True) -> Iterator[Bench]:
    environ = {**_environ(), "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}"}  # pytest is where this one runs from

    def build(files: Files) -> Engine:
        return LocalEngine(
            export=exporter(files),
            work=work,
            limits=LIMITS,
            environ=environ,
            concurrency=2,
            overlays=overlays,
        )

    yield Bench(build, root, sys.executable)


@contextmanager
def copying(work: Path, root: Path) -> Iterator[Bench]:
    """The local engine on a machine that cannot lay folders over each other."""
    with local(work, root, overlays=False) as bench:
        yield bench


@contextmanager
def stubbed(work: Path, root: Path) -> Iterator[Bench]:
    (work / "stub").mkdir()
    with Stub.serving(work / "stub") as stub:
        yield Bench(_dagger(work, stub.environ, "python:3.11-slim"), root, sys.executable)


@contextmanager
def real(work: Path, root: Path) -> Iterator[Bench]:
    image = os.environ.get("SELFHEAL_TEST_IMAGE", "python:3.11-slim")
    yield Bench(_dagger(work, _environ(), image), root, "python3")


def _dagger(work: Path, environ: dict[str, str], image: str) -> Callable[[Files], Engine]:
    def build(files: Files) -> Engine:
        return DaggerEngine(export=exporter(files), work=work, image=image, limits=LIMITS, environ=environ, concurrency=2)

    return build


BENCHES: dict[str, Callable[[Path, Path], AbstractContextManager[Bench]]] = {
    "local": local,
    "copying": copying,
    "stub": stubbed,
    "dagger": real,
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    asked = [name for name in BENCHES if name != "dagger" or metafunc.config.getoption("--dagger")]
    if "bench" in metafunc.fixturenames:
        metafunc.parametrize("bench", asked, indirect=True)


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    root = tmp_path / "home" / "project"  # the checkout: no engine may write here
    root.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="selfheal-") as name:  # as root, pytest's own folders are closed to others
        work = Path(name)
        work.chmod(0o755)
        with BENCHES[request.param](work, root) as bench:
            yield bench


# what a command says ------------------------------------------------------------------------------------------------


def test_a_failing_command_is_a_run(bench: Bench) -> None:
    run = bench.run("echo out; echo err >&2; exit 3")

    assert (run.stop, run.exit_code) == (Stop.EXITED, 3)
    assert sorted(run.output.text.split()) == ["err", "out"]
    assert run.shell == "echo out; echo err >&2; exit 3"
    assert 0 <= run.seconds < 30


def test_the_middle_of_a_long_output_is_left_out(bench: Bench) -> None:
    run = bench.run("echo first; yes | head -c 3000000; echo last")

    kept = len(run.output.head) + len(run.output.tail)
    assert run.output.head.startswith(b"first\n")
    assert run.output.tail.endswith(b"last\n")
    assert kept <= LIMITS.output
    assert run.output.left_out + kept == len("first\n") + 3000000 + len("last\n")


def test_a_short_output_is_whole(bench: Bench) -> None:
    run = bench.run("printf 'caf\\303\\251 \\377'")

    assert run.output.head + run.output.tail == b"caf\xc3\xa9 \xff"
    assert run.output.left_out == 0


def test_a_run_over_its_time_is_stopped_with_all_its_descendants(bench: Bench) -> None:
    with bench.sandbox() as sandbox:
        began = time.monotonic()
        run = sandbox.run(Command("setsid sleep 60 & echo started; sleep 60", timeout=1))

        assert (run.stop, run.exit_code) == (Stop.TIMEOUT, None)
        assert time.monotonic() - began < 20
        assert b"started" in run.output.head + run.output.tail


def test_a_descendant_left_behind_does_not_hold_the_run(bench: Bench) -> None:
    with bench.sandbox() as sandbox:
        began = time.monotonic()
        run = sandbox.run(Command("setsid sleep 60 & exit 4", timeout=50))

        assert (run.stop, run.exit_code) == (Stop.EXITED, 4)
        assert time.monotonic() - began < 20


# the tree and its changes ---------------------------------------------------------------------------------------------


def test_the_tree_lies_at_its_own_path(bench: Bench) -> None:
    run = bench.run("pwd; cat a.txt")

    assert run.output.text.splitlines() == [str(bench.root), "a"]


def test_modes_links_and_odd_names_arrive(bench: Bench) -> None:
    files: Files = {
        "bin/tool": Content(b"#!/bin/sh\necho ran\n", "100755"),
        "plain.sh": b"#!/bin/sh\n",
        "link": Content(b"bin/tool", "120000"),
        "with space/quo'te\".txt": b"1",
        "new\nline": b"2",
        "caf\udce9": b"3",  # Latin-1
        "-rf": b"4",
        "$(touch x)": b"5",
    }
    names = "for f in 'with space/quo'\\''te\".txt' 'new\nline' -rf '$(touch x)' caf*; do cat \"./$f\"; done"

    run = bench.run(f"./link; [ -x plain.sh ] || echo not executable; {names}", files)

    assert run.output.text == "ran\nnot executable\n12453"
    assert run.changed == NOTHING


def test_changes_are_seen_and_not_by_the_next_run(bench: Bench) -> None:
    files: Files = {"a.txt": b"a\n", "gone/b.txt": b"b\n", "tool": Content(b"#!/bin/sh\necho old\n", "100755")}
    changes = Changes(
        {
            "a.txt": Content(b"new\n"),
            "gone/b.txt": None,
            "deep/er/c'\n.txt": Content(b"c\n"),
            "tool": Content(b"#!/bin/sh\necho new tool\n", "100755"),
            "caf\udce9": Content(b"latin\n"),
        }
    )
    look = "cat a.txt; ./tool; find . -type f -exec echo . \\; | wc -l; cat deep/er/* caf* 2>/dev/null; true"
    with bench.sandbox(files) as sandbox:
        with_changes = sandbox.run(Command(look, timeout=30), changes)
        without = sandbox.run(Command(look, timeout=30))

    assert with_changes.output.text.split() == ["new", "new", "tool", "4", "c", "latin"]
    assert with_changes.changed == NOTHING
    assert without.output.text.split() == ["a", "old", "3"]


def test_nothing_a_run_writes_is_seen_by_the_next(bench: Bench) -> None:
    spoil = "echo x > a.txt; echo x > ~/x; echo x > /tmp/left-behind; rm -rf gone"
    with bench.sandbox({"a.txt": b"a\n", "gone/b": b"b\n"}) as sandbox:
        sandbox.run(Command(spoil, timeout=30))
        run = sandbox.run(Command("cat a.txt gone/b; ls -A ~; ls /tmp | grep left-behind", timeout=30))

    assert run.output.text == "a\nb\n"


def test_what_a_run_changed_is_read_back(bench: Bench) -> None:
    files = {"modified": b"1\n", "deleted": b"2\n", "sub/deleted too": b"3\n", "kept": b"4\n", "same": b"5\n"}
    shell = """
    echo new > modified; rm deleted; rm -r sub; mkdir -p made/here; echo fresh > 'made/here/a b'
    printf '#!/bin/sh\\n' > tool; chmod 755 tool; ln -s kept link; chmod 755 kept; head -c 2000000 /dev/zero > large
    mkfifo pipe; echo 5 > same; mkdir __pycache__; echo 1 > __pycache__/x.pyc
    """

    changed = dict(bench.run(shell, files).changed.files)
    if changed.get("same") == Content(b"5\n"):
        del changed["same"]  # rewritten with the same bytes: the local engine tells, Dagger does not

    assert changed == {
        "modified": Content(b"new\n"),
        "deleted": None,
        "sub/deleted too": None,
        "made/here/a b": Content(b"fresh\n"),
        "tool": Content(b"#!/bin/sh\n", "100755"),
        "link": Content(b"kept", "120000"),
        "kept": Content(b"4\n", "100755"),
    }


def test_a_file_back_in_time_is_a_change_too(bench: Bench) -> None:
    run = bench.run("echo b > a.txt; touch -d 2001-01-01 a.txt")

    assert run.changed == Changes({"a.txt": Content(b"b\n")})


def test_the_changes_of_a_run_are_told_against_its_own_changes(bench: Bench) -> None:
    changes = Changes({"a.txt": Content(b"ours\n"), "new": Content(b"n\n"), "b.txt": None})
    files = {"a.txt": b"a\n", "b.txt": b"b\n"}

    run = bench.run("rm new; echo more >> a.txt; cat b.txt", files, changes)

    assert run.changed == Changes({"new": None, "a.txt": Content(b"ours\nmore\n")})


def test_changed_files_are_newer_than_what_was_built_from_them(bench: Bench) -> None:
    files = {"m.py": b"print(1)\n", "Makefile": b""}
    compiled = Recipe(setup=(f"{bench.python} -m compileall -q m.py",))
    with bench.sandbox(files, compiled) as sandbox:
        run = sandbox.run(Command(f"{bench.python} -c 'import m'", timeout=30), Changes({"m.py": Content(b"print(2)\n")}))

    assert run.output.text == "2\n"


def test_a_file_becomes_a_folder_and_a_folder_a_file(bench: Bench) -> None:
    files = {"a": b"file\n", "b/c": b"c\n", "b/d": b"d\n"}
    changes = Changes({"a": None, "a/x": Content(b"x\n"), "b": Content(b"b\n"), "b/c": None, "b/d": None})

    run = bench.run("cat a/x b; ls a", files, changes)

    assert run.output.text.split() == ["x", "b", "x"]
    assert run.changed == NOTHING


def test_a_folder_that_is_made_anew_has_nothing_of_the_old(bench: Bench) -> None:
    run = bench.run("rm -r b && mkdir b && echo new > b/new && ls b", {"a": b"a\n", "b/c": b"c\n", "b/d/e": b"e\n"})

    assert run.output.text == "new\n"
    assert run.changed == Changes({"b/c": None, "b/d/e": None, "b/new": Content(b"new\n")})


def test_a_folder_that_is_moved_is_found_in_its_new_place(bench: Bench) -> None:
    run = bench.run("mv b moved && cat moved/c", {"a": b"a\n", "b/c": b"c\n"})

    assert run.output.text == "c\n"
    assert run.changed == Changes({"b/c": None, "moved/c": Content(b"c\n")})


def test_a_link_in_the_tree_leads_no_change_outside(bench: Bench, tmp_path: Path) -> None:
    host = tmp_path / "host"
    host.mkdir()
    files: Files = {
        "evil": Content(f"/oldroot{host}".encode(), "120000"),
        "worse": Content(str(host).encode(), "120000"),
        "file": Content(f"/oldroot{host}/file".encode(), "120000"),
        "a.txt": b"a\n",
    }
    changes = Changes({"evil/x": Content(b"1"), "worse/y/z": Content(b"2"), "file": Content(b"3"), "worse/gone": None})

    run = bench.run("cat evil/x worse/y/z file", files, changes)

    assert list(host.iterdir()) == []
    assert run.output.text == "123"


def test_a_path_outside_the_tree_is_refused(bench: Bench) -> None:
    with bench.sandbox() as sandbox:
        for path in ("../x", "/etc/x", "a/../../x", "", "a//b"):
            with pytest.raises(EngineError, match="no path below the tree"):
                sandbox.run(Command("true", timeout=30), Changes({path: Content(b"")}))


def test_the_checkout_is_never_written(bench: Bench) -> None:
    (bench.root / "a.txt").write_text("mine\n")

    bench.run("echo x > a.txt; echo y > b.txt", changes=Changes({"c.txt": Content(b"")}))

    assert [path.name for path in bench.root.iterdir()] == ["a.txt"]
    assert (bench.root / "a.txt").read_text() == "mine\n"


# reports and support --------------------------------------------------------------------------------------------------


def test_reports_are_read(bench: Bench) -> None:
    command = Command(
        f"mkdir -p reports; echo one > reports/a.xml; echo two > {REPORTS}/b.xml; echo no > reports/c.txt"
        "; head -c 1500000 /dev/zero > reports/large.xml",
        timeout=30,
        reports=("reports/*.xml",),
    )
    with bench.sandbox({"reports/old.xml": b"stale"}) as sandbox:
        run = sandbox.run(command)

    assert {path: len(data) for path, data in run.reports.items()} == {
        "reports/a.xml": 4,
        "b.xml": 4,
        "reports/large.xml": 1500000,
    }


def test_only_regular_files_are_reports(bench: Bench) -> None:
    command = Command(
        f"cd {REPORTS}; ln -s /etc/passwd link.xml; mkfifo pipe.xml; mkdir folder.xml; echo ok > a.xml"
        "; cd - >/dev/null; ln -s /etc/passwd link.xml; mkfifo pipe.xml; mkdir folder.xml",
        timeout=30,
        reports=("*.xml",),
    )
    with bench.sandbox() as sandbox:
        run = sandbox.run(command)

    assert run.reports == {"a.xml": b"ok\n"}


def test_a_reports_folder_that_is_gone_holds_none(bench: Bench) -> None:
    run = bench.run(f"rm -rf {REPORTS}; ln -s /etc {REPORTS}; exit 5")

    assert run.reports == {}
    assert run.exit_code == 5


def test_support_is_found_and_variables_are_set(bench: Bench) -> None:
    command = Command(
        f'cat {SUPPORT}/plugin.py; echo "$GREETING"',
        timeout=30,
        env={"GREETING": "it's\nfine $HOME"},
        support={"plugin.py": b"# a plugin\n"},
    )
    with bench.sandbox() as sandbox:
        run = sandbox.run(command)

    assert run.output.text == "# a plugin\nit's\nfine $HOME\n"


# isolation ------------------------------------------------------------------------------------------------------------


def test_no_variable_of_ours_is_seen(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFHEAL_TEST_SECRET", "hunter2")

    seen = bench.run("env; cat /proc/1/environ /proc/$PPID/environ 2>/dev/null").output.text

    for word in ("hunter2", "DAGGER", "OTEL", "TRACEPARENT", "NONCE", "password"):
        assert word not in seen


def test_there_is_no_network(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 3)"
        run = bench.run(f'{bench.python} -c "{code}"')

    assert run.exit_code == 1
    assert "ConnectionRefusedError" in run.output.text


def test_the_own_loopback_works(bench: Bench) -> None:
    code = "import socket; s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname(), 3)"

    assert bench.run(f'{bench.python} -c "{code}"').exit_code == 0


def test_the_command_can_write_only_what_is_its_own(bench: Bench, request: pytest.FixtureRequest) -> None:
    if os.geteuid() != 0 and "stub" in request.node.name:
        pytest.skip("the stub has a second uid only as root")
    run = bench.run("echo x > /etc/x; echo x > /usr/x; echo x > /.selfheal/x; ls /.selfheal/out; cat /etc/shadow; true")

    assert "x" not in run.output.text.split()
    refusals = [line for line in run.output.text.splitlines() if re.search("denied|No such|nonexistent|Read-only", line)]
    assert len(refusals) >= 4, run.output.text


def test_the_wrapper_cannot_be_killed(bench: Bench) -> None:
    run = bench.run("echo said; kill -9 -1; sleep 1")

    assert run.stop in {Stop.EXITED, Stop.KILLED}
    assert run.output.text.startswith("said")


def test_runs_beside_each_other_do_not_meet(bench: Bench) -> None:
    runs: dict[int, Run] = {}
    with bench.sandbox() as sandbox:

        def go(number: int) -> None:
            changes = Changes({"n": Content(str(number).encode())})
            runs[number] = sandbox.run(Command("sleep 0.3; cat n; ls | wc -l", timeout=30), changes)

        threads = [threading.Thread(target=go, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert [runs[number].output.text.split() for number in range(4)] == [[f"{number}2"] for number in range(4)]


# setup ----------------------------------------------------------------------------------------------------------------


def test_setup_runs_once_and_every_run_sees_its_result(bench: Bench) -> None:
    recipe = Recipe(
        setup=("date +%s%N > stamp; echo $FLAVOUR >> stamp", "cp stamp ~/copy; [ $(cat stamp | wc -l) = 2 ]"),
        setup_env={"FLAVOUR": "vanilla = 'good'"},
    )
    with bench.sandbox(recipe=recipe) as sandbox:
        seen = [sandbox.run(Command('cat stamp; diff stamp ~/copy; echo "<$FLAVOUR>"', timeout=30)) for _ in range(2)]

    assert seen[0].output.text == seen[1].output.text
    assert seen[0].output.text.splitlines()[1:] == ["vanilla = 'good'", "<>"]
    assert seen[0].changed == NOTHING


def test_a_failing_setup_is_told_with_its_last_words(bench: Bench) -> None:
    recipe = Recipe(setup=("true", "echo no such package; exit 3", "echo never"))

    with pytest.raises(UsageError) as told, bench.sandbox(recipe=recipe):
        pass

    text = str(told.value)
    assert "setup failed" in text
    assert "exit code 3" in text
    assert "no such package" in text
    assert "echo no such package; exit 3" in text
    assert told.value.hint


def test_what_setup_made_is_no_change_of_a_run(bench: Bench) -> None:
    with bench.sandbox(recipe=Recipe(setup=("echo made > made; rm a.txt",))) as sandbox:
        run = sandbox.run(Command("cat made", timeout=30))

    assert run.exit_code == 0
    assert "made" not in run.changed.files


def test_a_real_pytest_runs_and_reports(bench: Bench) -> None:
    files = {"test_a.py": b"import b\ndef test_b():\n    assert b.ONE == 1\n", "b.py": b"ONE = 2\n"}
    setup = () if bench.python == sys.executable else ("python3 -m venv .venv", ".venv/bin/pip install -q pytest")
    python = bench.python if bench.python == sys.executable else ".venv/bin/python"
    command = Command(f"{python} -m pytest -q --junitxml={REPORTS}/junit.xml", timeout=60)
    with bench.sandbox(files, Recipe(setup=setup)) as sandbox:
        red = sandbox.run(command)
        green = sandbox.run(command, Changes({"b.py": Content(b"ONE = 1\n")}))

    assert (red.exit_code, green.exit_code) == (1, 0)
    assert b"AssertionError" in red.reports["junit.xml"]
    assert b'failures="0"' in green.reports["junit.xml"]
