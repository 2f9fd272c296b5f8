"""The usual commands of the languages found, where no CI says others: as jobs of scripts."""

from __future__ import annotations

import ast
import configparser
import re
import tomllib
from collections.abc import Iterator
from typing import Any

from selfheal_ci.discover.actions import own_environment
from selfheal_ci.discover.found import Files, Job, Origin, Script
from selfheal_ci.discover.sorting import WORDS, Use
from selfheal_ci.discover.tasks import MAKEFILES, Tasks, scripts_of, tasks_of

TEST = re.compile(r"(.*/)?(test_[^/]*|[^/]*_test|tests?)\.py")
TESTERS = ("test", "tests", "testing", "dev", "develop", "all")  # extras and groups that tests are likely to need
CHECKS = next(pattern for use, pattern in WORDS if use is Use.CHECK)
LOCKS = {
    "pnpm-lock.yaml": ("pnpm install --frozen-lockfile", "pnpm"),
    "yarn.lock": ("yarn install --frozen-lockfile", "yarn"),
    "bun.lock": ("bun install --frozen-lockfile", "bun"),
    "package-lock.json": ("npm ci", "npm"),
}
FIXED = (
    ("Cargo.toml", "rust:latest", ("cargo test",)),
    ("go.mod", "golang:latest", ("go vet ./...", "go test ./...")),
    ("pom.xml", "maven:3-eclipse-temurin-21", ("mvn -B test",)),
    ("build.gradle", "gradle:jdk21", ("{gradle} test",)),
    ("build.gradle.kts", "gradle:jdk21", ("{gradle} test",)),
)


def jobs(files: Files, python: str) -> Iterator[Job]:
    """A job for each language; a Makefile speaks where no language is known."""
    found = [*_python(files, python), *_node(files), *_others(files)]
    yield from found or _make(files, tasks_of(files))


def _job(name: str, path: str, commands: list[str], image: str | None, *, line: int = 1, python: bool = False) -> Job:
    origin = Origin(path, line)
    return Job(name, origin, tuple(Script(command, origin) for command in commands), image, python=python)


def _python(files: Files, python: str) -> Iterator[Job]:
    image = f"python:{python}"
    project = _toml(files.text("pyproject.toml"))
    if sessions := _sessions(files.text("noxfile.py")):
        for name, line in sessions:
            yield _job(name, "noxfile.py", ["pip install nox", f"nox -s {name}"], image, line=line, python=True)
    elif environments := _environments(files, project):
        path = "tox.ini" if "tox.ini" in files.paths else "pyproject.toml"
        for name in environments:
            yield _job(name, path, ["pip install tox", f"tox -e {name}"], image, python=True)
    elif any(TEST.fullmatch(path) for path in files.paths) and (told := _installs(files, project)):
        path, installs, starter = told
        yield _job("tests", path, [*installs, f"{starter}python -m pytest"], image, python=True)


def _installs(files: Files, project: dict[str, Any]) -> tuple[str, list[str], str] | None:
    """What installs a Python project and its tests: where that is said, the commands, and how programs then start."""
    for lock, install, starter in (
        ("uv.lock", "uv sync --all-groups", "uv run "),
        ("poetry.lock", "poetry install", "poetry run "),
    ):
        if lock in files.paths:
            tool = starter.split()[0]
            return lock, ["pip install uv" if tool == "uv" else own_environment(tool), install], starter
    wanted = r"requirements(?:[-_/](?:dev|tests?|testing))?\.(?:txt)|(?:dev|test)[-_]requirements\.txt"
    listed = sorted(path for path in files.paths if re.fullmatch(wanted, path))
    commands = [f"pip install -r {path}" for path in listed]
    manifest = next((path for path in ("pyproject.toml", "setup.py", "setup.cfg") if path in files.paths), None)
    if manifest and (manifest != "pyproject.toml" or {"project", "build-system"} & set(project)):
        commands.append(_editable(project))
    if not commands:
        return None
    return manifest or listed[0], ["pip install --upgrade pip pytest", *commands], ""


def _editable(project: dict[str, Any]) -> str:
    extras = _table(project, "project", "optional-dependencies")
    groups = _table(project, "dependency-groups")
    chosen = [name for name in dict.fromkeys(TESTERS) if name in extras][:2]
    more = "".join(f" --group {name}" for name in dict.fromkeys(TESTERS) if name in groups)
    return f"pip install -e '.[{','.join(chosen)}]'{more}" if chosen else f"pip install -e .{more}"


def _sessions(text: str) -> list[tuple[str, int]]:
    """The sessions of a noxfile that check something, and their lines; it is read, never run."""
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found = []
    for node in module.body:
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                name = _session(decorator, node.name)
                if name and re.search(rf"(?:^|[\W_])(?:{CHECKS})(?:$|[\W_])", name):
                    found.append((name, node.lineno))
    return found


def _session(decorator: ast.expr, function: str) -> str | None:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    if ast.unparse(called) not in {"nox.session", "session", "nox_uv.session"}:
        return None
    keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
    named = next((each.value for each in keywords if each.arg == "name"), None)
    name = named.value if isinstance(named, ast.Constant) and isinstance(named.value, str) else function
    return name if re.fullmatch(r"[\w.-]+", name) else None


def _environments(files: Files, project: dict[str, Any]) -> list[str]:
    """Those of tox that check something here: `py`, and what is named after a check."""
    told = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        told.read_string(files.text("tox.ini"))
    except configparser.Error:
        return []
    listed = told.get("tox", "envlist", fallback=told.get("tox", "env_list", fallback=""))
    native = _table(project, "tool", "tox").get("env_list")
    if not told.has_section("tox") and not told.has_section("testenv") and native is None:
        return []
    names = re.split(r"[\s,]+", listed) if listed else [str(name) for name in native] if isinstance(native, list) else []
    others = [name for name in names if re.fullmatch(rf"(?:{CHECKS})", name) and not name.startswith("cov")]
    return ["py", *others]


def _node(files: Files) -> Iterator[Job]:
    scripts = scripts_of(files)
    wanted = [
        name
        for name in ("test", "lint", "typecheck", "check")
        if name in scripts and "no test specified" not in scripts[name]
    ]
    if not wanted:
        return
    install, tool = next((told for lock, told in LOCKS.items() if lock in files.paths), ("npm install", "npm"))
    version = re.search(r"\d+", files.text(".nvmrc") or files.text(".node-version"))
    image = f"node:{version[0]}" if version else "node:lts"
    yield _job("node", "package.json", [install, *(f"{tool} run {name}" for name in wanted)], image)


def _others(files: Files) -> Iterator[Job]:
    gradle = "./gradlew" if "gradlew" in files.paths else "gradle"
    for path, image, commands in FIXED:
        if path in files.paths:
            yield _job(path.partition(".")[0].lower(), path, [command.format(gradle=gradle) for command in commands], image)


def _make(files: Files, tasks: Tasks) -> Iterator[Job]:
    path = next((name for name in MAKEFILES if name in files.paths), None)
    name = next((each for each in ("test", "tests", "check") if each in tasks.targets), None)
    if path and name:
        yield _job("tests", path, [f"make {name}"], None, line=tasks.lines[name])


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return {}


def _table(table: dict[str, Any], *keys: str) -> dict[str, Any]:
    for key in keys:
        inner = table.get(key)
        table = inner if isinstance(inner, dict) else {}
    return table
