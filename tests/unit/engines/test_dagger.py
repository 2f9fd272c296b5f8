"""The Dagger engine where it differs from the contract: what it asks for, what it limits, and all that can break."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys
import tarfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagger
import pytest

from selfheal_ci.engines.dagger import DaggerEngine
from selfheal_ci.engines.dagger_session import Given
from selfheal_ci.errors import EngineError, SelfhealError, UsageError
from selfheal_ci.values import NOTHING, Changes, Command, Content, Limits, Recipe, Service, Stop
from tests.builders_tree import a_tree, exporter
from tests.dagger_stub import Faults, Stub

FILES = {"a.txt": b"a\n"}
TREE = a_tree(Path("/home/me/project"), FILES)
SEE = Command("cat a.txt", timeout=20)


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[Stub]:
    with Stub.serving(tmp_path / "stub") as stub:
        yield stub


def an_engine(tmp_path: Path, environ: dict[str, str], **more: object) -> DaggerEngine:
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    options: dict[str, object] = {"limits": Limits(), "image": "python:3.11-slim", "patience": 20.0, **more}
    return DaggerEngine(export=exporter(FILES), work=work, environ=environ, **options)  # type: ignore[arg-type]


def a_cli(tmp_path: Path, script: str) -> dict[str, str]:
    """An environment with a `dagger` of ours."""
    program = tmp_path / "bin" / "dagger"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\n" + textwrap.dedent(script))
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:/usr/bin:/bin"}


# what is asked for ---------------------------------------------------------------------------------------------------


def test_setup_runs_again_only_for_another_tree_or_setup(tmp_path: Path, stub: Stub) -> None:
    def executed(recipe: Recipe) -> int:
        before = len(stub.executed)
        with an_engine(tmp_path, stub.environ).prepare(TREE, recipe) as sandbox:
            sandbox.run(SEE)
            sandbox.run(SEE, Changes({"a.txt": Content(b"b")}))
        return len(stub.executed) - before

    assert executed(Recipe(setup=("echo 1 > one",))) == 6  # the user, the tree, setup, what it made, two runs
    assert executed(Recipe(setup=("echo 1 > one",))) == 2  # another session: the runs alone
    assert executed(Recipe(setup=("echo 1 > one", "echo 2 > two"))) == 4


def test_the_recipes_image_wins(tmp_path: Path, stub: Stub) -> None:
    with (
        pytest.raises(EngineError, match="missing:latest"),
        an_engine(tmp_path, stub.environ).prepare(TREE, Recipe(image="missing:latest")),
    ):
        pass


def test_an_image_from_a_file_is_used_with_its_variables(tmp_path: Path, stub: Stub) -> None:
    with tarfile.open(tmp_path / "image.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("index.json"))
    engine = an_engine(tmp_path, stub.environ, archives=tmp_path)

    with engine.prepare(TREE, Recipe(image="file:image.tar")) as sandbox:
        run = sandbox.run(Command('cat /of-the-image; echo "$OF_THE_IMAGE"', timeout=20))

    assert run.output.text == "yes\na $b\n"


def test_a_file_that_is_no_image_is_told(tmp_path: Path, stub: Stub) -> None:
    (tmp_path / "image.tar").write_bytes(b"no archive")
    engine = an_engine(tmp_path, stub.environ, archives=tmp_path)

    with pytest.raises(EngineError, match=r"the image file:image\.tar cannot be read"):
        engine.prepare(TREE, Recipe(image="file:image.tar")).__enter__()
    with pytest.raises(UsageError, match=r"the image file:none\.tar is no file"):
        engine.prepare(TREE, Recipe(image="file:none.tar")).__enter__()


MADE = {
    "a generated file": ("cp a.txt generated.txt", ("generated.txt",)),
    "a source of the tree": ("echo new > a.txt", ("a.txt",)),
    "a source that is gone": ("rm a.txt", ("a.txt",)),
    "the same bytes": ("echo a > a.txt; cp a.txt b; mv b a.txt", ()),
    "an environment": ("mkdir -p .venv/bin env/lib; echo x > .venv/bin/x; touch env/pyvenv.cfg; echo y > env/lib/y", ()),
    "a cache": ("mkdir __pycache__ x.egg-info; echo x > __pycache__/a.pyc; echo x > x.egg-info/PKG-INFO", ()),
    "a copy": (
        """d=.venv/lib/python3.11/site-packages/x.dist-info; mkdir -p $d ~/.local/y.dist-info
        echo '{"url": "file:///home/me/project", "dir_info": {}}' > $d/direct_url.json
        cp $d/direct_url.json ~/.local/y.dist-info""",
        (".venv/lib/python3.11/site-packages/x.dist-info", "~/.local/y.dist-info"),
    ),
    "an editable one": (
        """d=.venv/lib/python3.11/site-packages/x.dist-info; mkdir -p $d
        echo '{"url": "file:///home/me/project", "dir_info": {"editable": true}}' > $d/direct_url.json""",
        (),
    ),
    "odd names": ("touch 'a\\b' 'c\nd' 'e f'", ("e f",)),
}


@pytest.mark.parametrize(("setup", "made"), MADE.values(), ids=MADE.keys())
def test_what_setup_made_of_the_sources_is_noticed(tmp_path: Path, stub: Stub, setup: str, made: tuple[str, ...]) -> None:
    with an_engine(tmp_path, stub.environ).prepare(TREE, Recipe(setup=(setup,))) as sandbox:
        assert sandbox.made == made


def test_an_image_without_what_we_need_is_told_with_a_remedy(tmp_path: Path, stub: Stub) -> None:
    stub.faults.lacks = frozenset({"setpriv"})

    with pytest.raises(EngineError) as told, an_engine(tmp_path, stub.environ).prepare(TREE, Recipe()):
        pass

    assert told.value.message == "the image python:3.11-slim has no setpriv"
    assert "apk add util-linux" in told.value.hint


@pytest.mark.parametrize("image", ["", "a b", "--flag", "a\nRUN x", "é\u200b"])
def test_a_name_that_is_no_image_is_refused(tmp_path: Path, stub: Stub, image: str) -> None:
    with (
        pytest.raises(UsageError, match="no name of an image"),
        an_engine(tmp_path, stub.environ, image=image).prepare(TREE, Recipe()),
    ):
        pass


def test_network_is_there_for_a_command_that_asks(tmp_path: Path, stub: Stub) -> None:
    look = f"{sys.executable} -c 'import socket; print(len(socket.if_nameindex()))'"
    with an_engine(tmp_path, stub.environ).prepare(TREE, Recipe()) as sandbox:
        closed = sandbox.run(Command(look, timeout=20))
        open_ = sandbox.run(Command(look, timeout=20, network=True))

    assert int(closed.output.text) == 1
    assert int(open_.output.text) >= 1
    assert stub.executed[-1] == ["sh", "/.selfheal/changes/run.sh"]


def test_environment_folders_stay_here(tmp_path: Path, stub: Stub) -> None:
    seen = []
    engine = an_engine(tmp_path, stub.environ)
    object.__setattr__(engine, "export", lambda tree, into: seen.append(tree.environment))

    with engine.prepare(a_tree(TREE.root, {}), Recipe()):
        pass

    assert seen == [()]


def test_nothing_is_left_in_the_work_folder(tmp_path: Path, stub: Stub) -> None:
    with an_engine(tmp_path, stub.environ).prepare(TREE, Recipe()) as sandbox:
        sandbox.run(SEE)

    assert list((tmp_path / "work").iterdir()) == []


# limits --------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="the stub has a second uid only as root")
def test_a_run_over_its_memory_is_stopped(tmp_path: Path, stub: Stub) -> None:
    limits = Limits(memory=200 << 20)
    hog = f"{sys.executable} -c 'import time; x = bytearray(500 << 20); time.sleep(20)'"
    with an_engine(tmp_path, stub.environ, limits=limits).prepare(TREE, Recipe()) as sandbox:
        run = sandbox.run(Command(f"echo said; {hog}", timeout=30))

    assert (run.stop, run.exit_code) == (Stop.MEMORY, None)
    assert run.output.text.startswith("said\n")
    assert run.seconds < 10


@pytest.mark.skipif(os.geteuid() != 0, reason="the stub has a second uid only as root")
def test_a_run_has_no_more_processes_than_allowed(tmp_path: Path, stub: Stub) -> None:
    limits = Limits(processes=20)
    with an_engine(tmp_path, stub.environ, limits=limits, concurrency=1).prepare(TREE, Recipe()) as sandbox:
        run = sandbox.run(Command("for n in $(seq 60); do sleep 5 & done; echo all", timeout=30))

    # the limit is for a uid: what another test's runs have left counts as well, and may leave no room at all
    assert re.search("fork|temporarily unavailable", run.output.text.lower())
    assert "all\n" not in run.output.text


@pytest.mark.skipif(os.geteuid() != 0, reason="the stub has a second uid only as root")
def test_a_run_that_starts_too_many_processes_is_told_as_that(tmp_path: Path, stub: Stub) -> None:
    threads = "import threading, time\nfor n in range(120): threading.Thread(target=time.sleep, args=(3,)).start()"
    limits = Limits(processes=80)
    with an_engine(tmp_path, stub.environ, limits=limits, concurrency=1).prepare(TREE, Recipe()) as sandbox:
        run = sandbox.run(Command(f"{sys.executable} -c '{threads}'", timeout=30))

    assert (run.stop, run.exit_code) == (Stop.PROCESSES, None), run.output.text


@pytest.mark.skipif(os.geteuid() != 0, reason="the stub has a second uid only as root")
@pytest.mark.parametrize("place", ["big", "~/big", "/var/tmp/big"])
def test_a_run_that_writes_too_much_is_stopped(tmp_path: Path, stub: Stub, place: str) -> None:
    write = f"for n in $(seq 40); do head -c 5000000 /dev/zero >>{place}; sleep 0.1; done"
    with an_engine(tmp_path, stub.environ, limits=Limits(disk=20 << 20)).prepare(TREE, Recipe()) as sandbox:
        run = sandbox.run(Command(f"echo said; {write}", timeout=30))

    assert (run.stop, run.exit_code) == (Stop.DISK, None)
    assert run.output.text.startswith("said\n")
    assert run.seconds < 10


def test_a_command_may_have_twice_as_much_of_what_ran_out(tmp_path: Path, stub: Stub) -> None:
    limits = Limits(memory=200 << 20, processes=20)
    with an_engine(tmp_path, stub.environ, limits=limits, concurrency=1).prepare(TREE, Recipe()) as sandbox:
        for stop, said in [(None, b"\nMEMORY=204800\n"), (Stop.MEMORY, b"\nMEMORY=409600\n"), (Stop.PROCESSES, b"=40\n")]:
            folder = tmp_path / f"{stop}"
            folder.mkdir()
            sandbox.parcel.write(folder, Command("true", timeout=30, more=stop), NOTHING)

            assert said in (folder / "settings").read_bytes()


def test_a_command_killed_from_outside_is_no_exit_code(tmp_path: Path, stub: Stub) -> None:
    with an_engine(tmp_path, stub.environ).prepare(TREE, Recipe()) as sandbox:
        killed = sandbox.run(Command("kill -9 $$", timeout=20))
        crashed = sandbox.run(Command("kill -SEGV $$", timeout=20))

    assert (killed.stop, killed.exit_code) == (Stop.KILLED, None)
    assert (crashed.stop, crashed.exit_code) == (Stop.EXITED, 139)


def test_a_flood_of_files_is_left_behind(tmp_path: Path, stub: Stub) -> None:
    flood = f"{sys.executable} -c 'for n in range(20001): open(str(n), \"w\")'"
    with an_engine(tmp_path, stub.environ).prepare(TREE, Recipe()) as sandbox:
        run = sandbox.run(Command(f"{flood}; rm a.txt; exit 3", timeout=60))

    assert (run.exit_code, dict(run.changed.files)) == (3, {"a.txt": None})


def test_the_trees_own_programs_are_not_ours(tmp_path: Path, stub: Stub) -> None:
    evil = "#!/bin/sh\necho evil >&2\nexit 1\n"
    changes = Changes({name: Content(evil.encode(), "100755") for name in ("find", "cp", "tar", "setpriv", "timeout")})
    with an_engine(tmp_path, stub.environ).prepare(TREE, Recipe()) as sandbox:
        stub.path = f"{TREE.root}:/usr/bin:/bin"
        run = sandbox.run(Command("find; echo new > a.txt", timeout=20), changes)

    assert run.output.text == "evil\n"
    assert run.changed == Changes({"a.txt": Content(b"new\n")})


# services -------------------------------------------------------------------------------------------------------------

COUNTER = """
import http.server, os
class Answer(http.server.BaseHTTPRequestHandler):
    seen = 0
    def do_GET(self):
        Answer.seen += 1
        body = f"{os.environ['WORD']} {Answer.seen}\\n".encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
        self.wfile.flush()
        os._exit(0) if self.path == "/die" else None
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
"""


def a_service(stub: Stub, code: str = COUNTER) -> Service:
    """One that counts how often it is asked, on a port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    stub.entrypoints["counter"] = (sys.executable, "-c", code)
    return Service("db", "counter", {"WORD": "asked", "PORT": str(port)}, ports=(port,))


def ask(service: Service, path: str = "") -> str:
    return (
        f"{sys.executable} -c \"import urllib.request as u; print(u.urlopen('http://db:{service.ports[0]}/{path}').read())\""
    )


def test_a_step_reaches_its_service_and_each_run_has_its_own(tmp_path: Path, stub: Stub) -> None:
    service = a_service(stub)
    with an_engine(tmp_path, stub.environ).prepare(TREE, Recipe()) as sandbox:
        command = Command(f"cat a.txt; {ask(service)}; {ask(service)}; exit 3", timeout=20, services=(service,))
        first = sandbox.run(command, Changes({"a.txt": Content(b"b\n")}))
        for process in stub.services:
            process.kill()  # as an engine stops one that nobody uses any more; the port is the same here
        second = sandbox.run(command)

    assert (first.exit_code, second.exit_code) == (3, 3), first.output.text
    assert first.output.text == "b\nb'asked 1\\n'\nb'asked 2\\n'\n"
    assert second.output.text == "a\nb'asked 1\\n'\nb'asked 2\\n'\n"


def test_a_service_that_died_is_started_again_and_the_step_runs_once_more(tmp_path: Path, stub: Stub) -> None:
    service = a_service(stub)
    with an_engine(tmp_path, stub.environ).prepare(TREE, Recipe()) as sandbox:
        dying = sandbox.run(Command(f"{ask(service, 'die')}; {ask(service)}", timeout=20, services=(service,)))

    assert stub.started == ["db", "db"]
    assert dying.exit_code == 1
    assert "refused" in dying.output.text


def test_a_service_that_does_not_start_is_no_failing_test(tmp_path: Path, stub: Stub) -> None:
    service = a_service(stub, "raise SystemExit('no data folder')")
    with an_engine(tmp_path, stub.environ).prepare(TREE, Recipe()) as sandbox:
        with pytest.raises(EngineError, match=r"a service of the step \(db\) does not run") as told:
            sandbox.run(Command("true", timeout=20, services=(service,)))
        with pytest.raises(EngineError, match="the image missing:1 is not there"):
            sandbox.run(Command("true", timeout=20, services=(Service("db", "missing:1"),)))

    assert "[steps.NAME.services]" in told.value.hint


# losing things -------------------------------------------------------------------------------------------------------


def test_no_engine_and_no_command_line_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")  # the tool cannot be downloaded

    with pytest.raises(EngineError) as told, an_engine(tmp_path, {"PATH": "/nowhere"}).prepare(TREE, Recipe()):
        pass

    assert "Failed to download the Dagger CLI" in told.value.message
    assert "--engine local" in told.value.hint


def test_a_tool_that_is_not_there(tmp_path: Path) -> None:
    environ = {"_EXPERIMENTAL_DAGGER_CLI_BIN": str(tmp_path / "nothing")}

    with pytest.raises(SelfhealError, match="does not start") as told:
        an_engine(tmp_path, environ).prepare(TREE, Recipe()).__enter__()

    assert told.value.exit_code == 7


def test_a_tool_that_finds_no_docker(tmp_path: Path) -> None:
    environ = a_cli(
        tmp_path, "import sys; print('Error: Cannot connect to the Docker daemon', file=sys.stderr); sys.exit(1)"
    )

    with pytest.raises(EngineError) as told:
        an_engine(tmp_path, environ).prepare(TREE, Recipe()).__enter__()

    assert (
        told.value.message
        == "no Docker answers, which would start the Dagger engine: Error: Cannot connect to the Docker daemon"
    )
    assert "start Docker" in told.value.hint


def test_a_tool_that_hangs_is_killed(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    environ = a_cli(tmp_path, f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(90)")
    began = time.monotonic()

    with pytest.raises(EngineError, match="did not answer within 1 s"):
        an_engine(tmp_path, environ, patience=1.0).prepare(TREE, Recipe()).__enter__()

    assert time.monotonic() - began < 15
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_a_tool_that_serves_is_used_and_let_go(tmp_path: Path, stub: Stub) -> None:
    session = json.dumps({"port": stub.port, "session_token": stub.token})
    ended = tmp_path / "ended"
    environ = a_cli(
        tmp_path,
        f"""
        import os, sys
        print({session!r}, flush=True)
        print("engine of", os.environ.get("ANTHROPIC_API_KEY", "nobody"), file=sys.stderr)
        sys.stdin.read()
        open({str(ended)!r}, "w").write("ended")
        """,
    )
    heard: list[str] = []
    engine = an_engine(tmp_path, {**environ, "ANTHROPIC_API_KEY": "sk-ant"}, log=heard.append)

    with engine.prepare(TREE, Recipe()) as sandbox:
        assert sandbox.run(SEE).output.text == "a\n"

    assert ended.read_text() == "ended"
    assert heard == ["engine of nobody"]


def test_a_tool_that_does_not_let_go_is_killed(tmp_path: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfheal_ci.engines.dagger_session.CLOSING", 1.0)
    session = json.dumps({"port": stub.port, "session_token": stub.token})
    environ = a_cli(tmp_path, f"import time; print({session!r}, flush=True); time.sleep(90)")
    with an_engine(tmp_path, environ).prepare(TREE, Recipe()):
        began = time.monotonic()

    assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    "environ", [{"DAGGER_SESSION_PORT": "1"}, {"DAGGER_SESSION_PORT": "x", "DAGGER_SESSION_TOKEN": "t"}]
)
def test_half_a_session(tmp_path: Path, environ: dict[str, str]) -> None:
    with pytest.raises(EngineError, match="DAGGER_SESSION_PORT names no session"):
        an_engine(tmp_path, environ).prepare(TREE, Recipe()).__enter__()


@pytest.mark.parametrize("change", [{"DAGGER_SESSION_PORT": "1"}, {"DAGGER_SESSION_TOKEN": "another"}])
def test_a_session_that_is_not_there(tmp_path: Path, stub: Stub, change: dict[str, str]) -> None:
    with pytest.raises(EngineError, match="the Dagger engine is gone"):
        an_engine(tmp_path, {**stub.environ, **change}).prepare(TREE, Recipe()).__enter__()


def test_an_older_engine_is_named(tmp_path: Path) -> None:
    with Stub.serving(tmp_path / "stub", version="v0.20.6") as stub, pytest.raises(EngineError, match=r"older than 0\.21"):
        an_engine(tmp_path, stub.environ).prepare(TREE, Recipe()).__enter__()


def _calls(tmp_path: Path, stub: Stub) -> int:
    stub.calls = 0
    with an_engine(tmp_path, stub.environ).prepare(TREE, Recipe()) as sandbox:
        sandbox.run(SEE)
    return stub.calls


FAULTS: dict[str, Callable[[int], Faults]] = {
    "lost": lambda n: Faults(lose_at=n, back_at=n + 1),
    "garbage": lambda n: Faults(garbage_at=n),
    "refused": lambda n: Faults(refuse_at=n),
}


def _run_once(tmp_path: Path, stub: Stub, faults: Faults) -> str | None:
    """What SEE prints while this goes wrong; None where the engine is told to be gone, with a hint."""
    stub.calls, stub.faults = 0, faults
    try:
        with an_engine(tmp_path, stub.environ).prepare(TREE, Recipe()) as sandbox:
            return sandbox.run(SEE).output.text
    except EngineError as told:
        return None if told.hint else "no hint"


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_an_engine_lost_at_any_call_is_asked_again(tmp_path: Path, stub: Stub, fault: Callable[[int], Faults]) -> None:
    calls = _calls(tmp_path, stub)
    assert calls > 5

    seen = [_run_once(tmp_path, stub, fault(number)) for number in range(1, calls + 1)]

    told = seen.count(None)  # of calls before there is a session: nothing was lost then, the engine is not there
    assert told <= 2
    assert seen == [None] * told + ["a\n"] * (calls - told)


def test_an_engine_that_stays_away_at_any_call_is_an_error_in_time(
    tmp_path: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selfheal_ci.engines.dagger_line.RECONNECTING", 0.5)
    calls = _calls(tmp_path, stub)
    for number in range(1, calls + 1):
        began = time.monotonic()

        assert _run_once(tmp_path, stub, Faults(lose_at=number, back_at=10**6)) is None
        assert time.monotonic() - began < 10


def test_what_comes_back_without_its_cache_is_set_up_again(tmp_path: Path, stub: Stub) -> None:
    recipe = Recipe(setup=("echo 1 > one",))
    with an_engine(tmp_path, stub.environ).prepare(TREE, recipe) as sandbox:
        before = len(stub.executed)
        stub.wipe()
        stub.faults = Faults(lose_at=stub.calls + 1, back_at=stub.calls + 2)
        run = sandbox.run(Command("cat one a.txt", timeout=20))

    assert run.output.text == "1\na\n"
    assert len(stub.executed) - before == 5


def test_the_next_host_is_taken(tmp_path: Path, stub: Stub) -> None:
    with Stub.serving(tmp_path / "other") as other:
        serving = {"unix:///one": stub, "unix:///two": other}
        environ = a_cli(
            tmp_path,
            f"""
            import json, os, sys
            there = {json.dumps({host: {"port": each.port, "session_token": each.token} for host, each in serving.items()})}
            print(json.dumps(there[os.environ["_EXPERIMENTAL_DAGGER_RUNNER_HOST"]]), flush=True)
            sys.stdin.read()
            """,
        )
        told: list[str] = []
        engine = an_engine(tmp_path, environ, hosts=("unix:///none", *serving), warn=told.append)
        with engine.prepare(TREE, Recipe()) as sandbox:
            first = sandbox.run(SEE)
            stub.faults = Faults(lose_at=stub.calls + 1, back_at=10**6)
            second = sandbox.run(SEE)

    assert (first.output, bool(stub.executed)) == (second.output, bool(other.executed))
    assert len(told) == 1
    assert told[0].endswith("connecting again")


def test_runs_side_by_side_share_the_new_connection(tmp_path: Path, stub: Stub) -> None:
    said: list[str] = []
    with an_engine(tmp_path, stub.environ).prepare(TREE, Recipe()) as sandbox:
        threads = [
            threading.Thread(
                target=lambda n=n: said.append(sandbox.run(Command(f"sleep 1; echo {n}", timeout=20)).output.text)
            )
            for n in range(4)
        ]
        stub.faults = Faults(lose_at=stub.calls + 6, back_at=stub.calls + 7)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert sorted(said) == ["0\n", "1\n", "2\n", "3\n"]


SAYINGS = {
    "a full disk": ("write /x: no space left on device", "the disk of the Dagger engine is full", "free it there"),
    "no such image": ("failed to resolve image i: not found", "the image python:3.11-slim is not there", "mend `image`"),
    "no login": ("pull access denied: insufficient_scope", "the image python:3.11-slim may not be pulled", "docker login"),
    "too many": ("pull: toomanyrequests", "may not be pulled now: too many pulls", "log in"),
    "no way": ("failed to do request: dial tcp: no such host", "cannot be reached", "file:PATH"),
    "anything": ("what is this", "the Dagger engine refused: what is this", "run again"),
}


@pytest.mark.parametrize(("said", "message", "hint"), SAYINGS.values(), ids=SAYINGS.keys())
def test_what_a_build_says_has_its_own_words(tmp_path: Path, stub: Stub, said: str, message: str, hint: str) -> None:
    stub.faults = Faults(says=said)

    with pytest.raises(EngineError) as told, an_engine(tmp_path, stub.environ).prepare(TREE, Recipe()):
        pass

    assert message in told.value.message
    assert hint in told.value.hint


TOOLS = {
    "another version": ('Error: unknown command "session"', "of another version", "take one of 0.21"),
    "another engine": ("Error: incompatible engine version v0.19.0", "different versions", "update the engine"),
    "no pull": ("Error: failed to pull image: i/o timeout", "cannot be pulled", "registry.dagger.io"),
    "nothing": ("Error: no supported container runtime found", "nothing here can start a Dagger engine", "start Docker"),
    "full": ("Error: mkdir /var: no space left on device", "the disk of the Dagger engine is full", "free it there"),
    "silence": ("", "`dagger session` gave no engine: it said nothing", "start Docker"),
}


@pytest.mark.parametrize(("said", "message", "hint"), TOOLS.values(), ids=TOOLS.keys())
def test_what_the_tool_says_has_its_own_words(tmp_path: Path, said: str, message: str, hint: str) -> None:
    environ = a_cli(tmp_path, f"import sys; print({said!r}, file=sys.stderr); sys.exit(1)")

    with pytest.raises(EngineError) as told, an_engine(tmp_path, environ).prepare(TREE, Recipe()):
        pass

    assert message in told.value.message
    assert hint in told.value.hint


def test_none_of_several_hosts_is_told_for_each(tmp_path: Path) -> None:
    environ = a_cli(tmp_path, "import os, sys; print('no', os.environ['_EXPERIMENTAL_DAGGER_RUNNER_HOST'], file=sys.stderr)")
    engine = an_engine(tmp_path, environ, hosts=("unix:///one", "unix:///two"))

    with pytest.raises(EngineError, match=r"none of 2 .*\n  unix:///one: .*\n  unix:///two: .* no unix:///two"):
        engine.prepare(TREE, Recipe()).__enter__()


@pytest.mark.parametrize("code", [137, 1])
def test_a_run_that_breaks_in_the_engine_is_no_failing_test(tmp_path: Path, stub: Stub, code: int) -> None:
    with an_engine(tmp_path, stub.environ).prepare(TREE, Recipe()) as sandbox:
        stub.faults.exec_error = code

        with pytest.raises(EngineError, match=rf"exit code {code}.*runc run failed"):
            sandbox.run(SEE)


def test_an_engine_that_does_not_answer_is_not_waited_for(
    tmp_path: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    with an_engine(tmp_path, stub.environ).prepare(TREE, Recipe()) as sandbox:
        monkeypatch.setattr("selfheal_ci.engines.dagger.MARGIN", 0.0)
        stub.faults.slow = 20.0
        began = time.monotonic()

        with pytest.raises(EngineError, match="did not answer within 1 s"):
            sandbox.run(Command("true", timeout=1))

        assert time.monotonic() - began < 20
        stub.faults.slow = 0.0


def test_an_error_of_ours_inside_comes_out_as_it_is(tmp_path: Path, stub: Stub) -> None:
    with pytest.raises(ValueError, match="mine"), an_engine(tmp_path, stub.environ).prepare(TREE, Recipe()):
        raise ValueError("mine")


def test_ctrl_c_stops_what_runs_in_the_engine(tmp_path: Path, stub: Stub) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background ignores it
    with an_engine(tmp_path, stub.environ).prepare(TREE, Recipe()) as sandbox:
        threading.Timer(2.0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()

        with pytest.raises(KeyboardInterrupt):
            sandbox.run(Command("sleep 50", timeout=60))
        signal.signal(signal.SIGINT, before)

        deadline = time.monotonic() + 5
        while stub.running and time.monotonic() < deadline:
            time.sleep(0.05)
        assert stub.running == 0


# inside a module -----------------------------------------------------------------------------------------------------


def test_a_given_client_is_used_from_any_thread(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    async def module(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        for name, value in stub.environ.items():
            monkeypatch.setenv(name, value)
        given = Given(dagger.dag, asyncio.get_running_loop(), workdir=scratch)
        engine = an_engine(tmp_path, {}, given=given)
        async with dagger.connection():
            return await asyncio.to_thread(healed, engine)

    def healed(engine: DaggerEngine) -> list[str]:
        said: list[str] = []
        with engine.prepare(TREE, Recipe()) as sandbox:
            threads = [
                threading.Thread(target=lambda n=n: said.append(sandbox.run(Command(f"echo {n}", timeout=20)).output.text))
                for n in range(3)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return sorted(said)

    with Stub.serving(tmp_path / "stub", workdir=scratch) as stub, pytest.MonkeyPatch.context() as monkeypatch:
        assert asyncio.run(module(stub, monkeypatch)) == ["0\n", "1\n", "2\n"]

    assert list(scratch.iterdir()) == []
