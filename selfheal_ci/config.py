"""Every option, once: its key in the configuration, its flag, its default. All else follows from here."""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from selfheal_ci.errors import UsageError
from selfheal_ci.secret_names import password_of
from selfheal_ci.values import Limits, Recipe, Service, Step

FILES = (".selfheal.toml", "pyproject.toml")
NOWHERE = "no configuration"
LADDER = ("own-changes", "fixer", "recall", "shrunk-revert", "mutation", "model", "revert")
Kind = Literal["text", "path", "number", "integer", "size", "names", "switch", "table", "choice", "ports"]
HEAL, PUBLISH, SHELL, DOCTOR = "heal", "publish", "shell", "doctor"


@dataclass(frozen=True)
class Option:
    """How people can say one setting."""

    field: str  # of Settings
    kind: Kind
    help: str
    key: str | None = None  # in the configuration
    flag: str | None = None
    commands: tuple[str, ...] = (HEAL,)
    choices: tuple[str, ...] = ()
    repeatable: bool = False
    least: float | None = None  # of a number or a size; above 0 unless said

    @property
    def variable(self) -> str | None:
        """The environment variable, named after the flag."""
        return "SELFHEAL_" + self.flag.removeprefix("--").replace("-", "_").upper() if self.flag else None


def _option(default: Any, kind: Kind, text: str, **more: Any) -> Any:
    return field(default=default, metadata={"kind": kind, "help": text, **more})


@dataclass(frozen=True)
class Settings:
    """What was asked for, from flags, environment, configuration and defaults, in this order."""

    source: str = _option(".", "path", "checkout of the project", flag="--source", commands=(HEAL, PUBLISH, SHELL))
    config: str | None = _option(None, "path", "configuration file", flag="--config", commands=(HEAL, PUBLISH, SHELL))
    step: str | None = _option(None, "text", "step to heal; default: all, in order", flag="--step")
    base: str | None = _option(None, "text", "revision on which the step was green", flag="--base")
    failed: bool = _option(False, "switch", "the step is known to have failed", flag="--failed")
    report: tuple[str, ...] = _option(
        (), "names", "JUnit reports of the run that failed, as a hint (a glob; may be repeated)", flag="--report",
        repeatable=True,
    )  # fmt: skip
    output: str = _option("selfheal-out", "path", "folder for the result", flag="--output")
    engine: str = _option(
        "auto", "choice", "where steps run", key="engine", flag="--engine", choices=("auto", "dagger", "local")
    )
    ladder: tuple[str, ...] = _option(LADDER, "names", "remedies, in order", key="ladder", flag="--ladder")
    image: str | None = _option(
        None, "text", "image the Dagger engine starts from; default: that of the language found", key="image"
    )
    setup: tuple[str, ...] = _option((), "names", "commands that prepare the tree, with network", key="setup")
    setup_env: tuple[str, ...] = _option((), "names", "more variables for setup", key="setup-env")
    max_minutes: float = _option(30.0, "number", "minutes for the whole healing", key="limits.minutes", flag="--max-minutes")
    max_memory: str = _option("4g", "size", "memory for each run", key="limits.memory", flag="--max-memory")
    max_processes: int = _option(
        512, "integer", "processes for each run", key="limits.processes", flag="--max-processes", least=16
    )
    max_disk: str = _option("4g", "size", "what each run may write", key="limits.disk", flag="--max-disk")
    max_output: str = _option("16m", "size", "what is kept of each run's output", key="limits.output", flag="--max-output")
    concurrency: int = _option(
        0, "integer", "runs side by side; 0: as many as there are cores", key="concurrency", flag="--concurrency", least=0
    )
    cache_dir: str | None = _option(
        None, "path", "folder for prepared states; default: selfheal in the user's cache folder", key="cache.dir",
        flag="--cache-dir", commands=(HEAL, SHELL, DOCTOR),
    )  # fmt: skip
    cache_max_size: str = _option(
        "10g", "size", "what all prepared states may take; 0: nothing is kept", key="cache.max-size", least=0
    )
    dagger_hosts: tuple[str, ...] = _option(
        (), "names", "runner hosts of Dagger engines, tried in order; the next one where one is lost", key="dagger.hosts"
    )
    ledger: str | None = _option(
        None, "text", "sqlite:///FILE or postgresql://…, which keeps costs, flaky tests and green revisions", key="ledger",
        flag="--ledger",
    )  # fmt: skip
    model: str = _option("claude-sonnet-5-5", "text", "model to ask, or scripted:FILE", key="model.name", flag="--model")
    no_model: bool = _option(False, "switch", "ask no model", flag="--no-model")
    escalate_to: str = _option("claude-opus-5-5", "text", "model of the third attempt", key="model.escalate-to")
    max_attempts: int = _option(3, "integer", "attempts of the model", key="model.max-attempts", flag="--max-attempts")
    max_cost_usd: float = _option(
        1.0, "number", "dollars for the model", key="model.max-cost-usd", flag="--max-cost-usd", least=0
    )
    max_cost_usd_per_day: float | None = _option(
        None, "number", "dollars for the model per day (UTC), of all who share the ledger",
        key="model.max-cost-usd-per-day", least=0,
    )  # fmt: skip
    effort: str | None = _option(None, "text", "effort asked of the model", key="model.effort")
    prices: Mapping[str, Sequence[float]] = _option(None, "table", "USD per million tokens", key="model.prices")
    never_send: tuple[str, ...] = _option((), "names", "globs that no prompt may quote", key="model.never-send")
    protected: tuple[str, ...] = _option(
        (), "names", "more globs that no fix may touch", key="policy.protected", commands=(HEAL, PUBLISH)
    )
    max_files: int = _option(10, "integer", "files a fix may change", key="policy.max-files", commands=(HEAL, PUBLISH))
    max_lines: int = _option(400, "integer", "lines a fix may change", key="policy.max-lines", commands=(HEAL, PUBLISH))
    forge: str | None = _option(
        None, "choice", "where the fix goes; default: what the remote's address is of", key="publish.forge", flag="--forge",
        choices=("git", "github", "gitlab"), commands=(PUBLISH,),
    )  # fmt: skip
    remote: str = _option(
        "origin", "text", "remote that gets the branch", key="publish.remote", flag="--remote", commands=(PUBLISH,)
    )
    target: str | None = _option(
        None, "text", "branch that the fix is for; default: the failing one", key="publish.target", flag="--target",
        commands=(PUBLISH,),
    )  # fmt: skip
    branch_prefix: str = _option(
        "selfheal/", "text", "how fix branches begin", key="publish.branch-prefix", commands=(PUBLISH,)
    )
    labels: tuple[str, ...] = _option(
        ("auto-fix", "self-healing"), "names", "labels of the request", key="publish.labels", commands=(PUBLISH,)
    )
    draft: bool = _option(True, "switch", "the request is a draft", key="publish.draft", commands=(PUBLISH,))
    reviewers: tuple[str, ...] = _option(
        (), "names", "who is asked to review: names, on GitHub also ORGANISATION/TEAM", key="publish.reviewers",
        commands=(PUBLISH,),
    )  # fmt: skip
    remote_asked: bool = False  # no option: whether a person or a trusted file says `remote`, and no test can have


OPTIONS = tuple(Option(field.name, **field.metadata) for field in dataclasses.fields(Settings) if field.metadata)
STEP_KEYS: Mapping[str, Kind] = {
    "run": "text", "build": "names", "reports": "names", "fix": "names", "timeout-minutes": "number", "network": "switch",
}  # fmt: skip
SERVICE_KEYS: Mapping[str, Kind] = {"image": "text", "env": "table", "ports": "ports", "health": "text"}
PACKAGE_PREFIXES = ("PIP_", "UV_INDEX")
PACKAGE_VARIABLES = frozenset({
    "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "NPM_CONFIG_REGISTRY", "GOPROXY", "GOSUMDB", "GONOSUMDB",
    "GONOPROXY",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CARGO_HTTP_CAINFO", "GIT_SSL_CAINFO",
})  # fmt: skip
SECRET_WORDS = ("PASS", "TOKEN", "USERNAME", "SECRET", "AUTH", "KEY", "CREDENTIAL", "LOGIN")
# Ours to spend, and the job's to write with: no setup gets them, whoever asks.
NEVER_IN_SETUP = re.compile(
    r"ANTHROPIC_.*|SELFHEAL_(TOKEN|LEDGER)|(GITHUB|GITLAB|CI_JOB)_TOKEN|ACTIONS_.*|INPUT_(TOKEN|LEDGER|ANTHROPIC-API-KEY)",
    re.IGNORECASE,
)
_LOGIN = re.compile(r"((?:[\w.-]+=)?[A-Za-z][A-Za-z0-9+.-]*://)?.*@", re.DOTALL)  # with the name that uv gives an index
LAST_PORT = 65535
SIZES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


@dataclass(frozen=True)
class Configuration:
    """Settings and steps, checked."""

    settings: Settings
    steps: tuple[Step, ...]
    origin: str  # the file it came from, or NOWHERE


def load(texts: Mapping[str, bytes], asked: Mapping[str, Any], *, where: str = "", trusted: bool = True) -> Configuration:
    """Read the configuration among these files, and lay what was asked for over it.

    `texts` maps file names to bytes (see FILES; any one name for --config); `asked` maps fields of Settings to values, None
    where nothing was said. A file that is not `trusted` can have been written by tests.
    Raises UsageError that names the key and the file.
    """
    found = {name: table for name, data in texts.items() if (table := _table(name, data)) is not None}
    if len(found) > 1:
        raise UsageError("both .selfheal.toml and [tool.selfheal] in pyproject.toml configure selfheal", hint="keep one")
    name, table = next(iter(found.items()), (NOWHERE, {}))
    origin = f"{where}{name}" if found else name
    values = _values(table, origin)
    if password_of(values.get("ledger") or ""):
        hint = "say the whole address in SELFHEAL_LEDGER, or keep the password in PGPASSWORD or ~/.pgpass"
        raise UsageError(f"`ledger` in {origin} has a password in it, which everybody can read there", hint=hint)
    if not trusted and values.get("ledger") and not asked.get("ledger"):
        hint = "say it with --ledger or SELFHEAL_LEDGER, or name the file with --config"
        raise UsageError(
            f"`ledger` in {origin} is not followed: tests could have written it, and it says where to write", hint=hint
        )
    if not trusted and values.get("dagger_hosts"):
        hint = "name the file with --config, or say one host in _EXPERIMENTAL_DAGGER_RUNNER_HOST"
        raise UsageError(
            f"`dagger.hosts` in {origin} is not followed: tests could have written it, and it says what is started",
            hint=hint,
        )
    steps = tuple(_step(key, step, origin) for key, step in table.get("steps", {}).items())
    said = _said(asked)
    settings = Settings(**{**values, **said}, remote_asked="remote" in said or (trusted and "remote" in values))
    _refuse_secrets(settings.setup_env, f" in {origin}")
    return Configuration(settings, steps, origin)


def limits(settings: Settings) -> Limits:
    """The limits of each run, in bytes."""
    return Limits(
        memory=size_of(settings.max_memory),
        processes=settings.max_processes,
        disk=size_of(settings.max_disk),
        output=size_of(settings.max_output),
    )


def cache_folder(asked: str | None, environ: Mapping[str, str]) -> Path | None:
    """Where prepared states are kept; None where nothing says so."""
    if asked:
        return Path(os.path.expanduser(asked)).absolute()  # noqa: PTH111  Path's raises where there is no home
    home = environ.get("HOME", "")
    if (base := Path(environ.get("XDG_CACHE_HOME", ""))).is_absolute():  # its specification: a relative one is ignored
        return base / "selfheal"
    return Path(home, ".cache", "selfheal") if home and Path(home).is_dir() else None


def recipe(settings: Settings, environ: Mapping[str, str], build_files: frozenset[str]) -> Recipe:
    """How the tree is prepared; setup gets the variables that say where packages come from."""
    _refuse_secrets(settings.setup_env)
    passed = {name: _without_logins(value) for name, value in environ.items() if _names_packages(name)}
    asked = {name: environ[name] for name in settings.setup_env if name in environ}
    return Recipe(settings.setup, {**passed, **asked}, settings.image, build_files if settings.setup else frozenset())


def usual_steps(paths: Sequence[str], environment: Sequence[str]) -> tuple[Step, ...]:
    """The usual commands of the languages found, where there is no configuration."""
    python = any(re.fullmatch(r"(.*/)?(test_[^/]*|[^/]*_test)\.py", path) for path in paths)
    if not python:
        return ()
    own = usual_environment(environment)
    return (Step("tests", f"{own}/bin/python -m pytest" if own else "python -m pytest"),)


def usual_environment(environment: Sequence[str]) -> str | None:
    """The Python environment beside the project, where there is one."""
    return next((name for name in (".venv", "venv") if name in environment), None)


def size_of(text: str) -> int:
    """Bytes of "4g", "512m", "16k" or a plain number."""
    size = _bytes(text)
    if size is None:
        raise UsageError(f"{text!r} is no size", hint="write it like 512m or 4g")
    return size


def schema() -> dict[str, Any]:
    """The JSON Schema of the configuration."""
    step: dict[str, Any] = {"type": "object", "required": ["run"], "additionalProperties": False}
    step["properties"] = {key: _json_type(kind) for key, kind in STEP_KEYS.items()}
    service: dict[str, Any] = {"type": "object", "required": ["image"], "additionalProperties": False}
    service["properties"] = {key: _json_type(kind) for key, kind in SERVICE_KEYS.items()}
    step["properties"]["services"] = {"type": "object", "additionalProperties": service}
    root: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "selfheal-ci configuration",
        "type": "object",
        "additionalProperties": False,
        "properties": {"steps": {"type": "object", "additionalProperties": step}},
    }
    for option in OPTIONS:
        if option.key:
            *sections, key = option.key.split(".")
            place = root
            for section in sections:
                place = place["properties"].setdefault(
                    section, {"type": "object", "additionalProperties": False, "properties": {}}
                )
            typed = _json_type(option.kind, option.choices, option.least)
            place["properties"][key] = typed | {"description": option.help}
    return root


def _table(name: str, data: bytes) -> dict[str, Any] | None:
    try:
        parsed = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name} is no TOML: {error}", hint="mend the file, or name another with --config") from error
    if Path(name).name != "pyproject.toml":
        return parsed
    found = parsed.get("tool", {}).get("selfheal")
    return found if isinstance(found, dict) else None


def _values(table: Mapping[str, Any], origin: str) -> dict[str, Any]:
    by_key = {option.key: option for option in OPTIONS if option.key}
    values: dict[str, Any] = {}
    for key, value in _flat(table, {key.rpartition(".")[0] for key in by_key} - {""}):
        if key not in by_key:
            raise UsageError(f"unknown key `{key}` in {origin}", hint=did_you_mean(key, [*by_key, "steps"]))
        option = by_key[key]
        values[option.field] = _checked(value, option.kind, f"`{key}` in {origin}", option.choices, option.least)
    return values


def _said(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What flags and variables say, checked like a file's values."""
    by_field = {option.field: option for option in OPTIONS}
    values: dict[str, Any] = {}
    for name, value in asked.items():
        if value is None or value == ():
            continue
        option = by_field[name]
        place = f"`{option.flag}` (or {option.variable})" if option.flag else f"`{option.key}`"
        values[name] = _checked(value, option.kind, place, option.choices, option.least)
    return values


def _flat(table: Mapping[str, Any], sections: set[str]) -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for key, value in table.items():
        if key in sections and isinstance(value, dict):
            pairs += [(f"{key}.{inner}", item) for inner, item in value.items()]
        elif key != "steps":
            pairs.append((key, value))
    return pairs


def _step(name: str, table: Any, origin: str) -> Step:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise UsageError(f"step name {name!r} in {origin}", hint="use letters, digits, dots, dashes and underscores")
    for key in table if isinstance(table, dict) else ():
        if key not in {*STEP_KEYS, "services"}:
            raise UsageError(
                f"unknown key `steps.{name}.{key}` in {origin}", hint=did_you_mean(key, [*STEP_KEYS, "services"])
            )
    if not isinstance(table, dict) or "run" not in table:
        raise UsageError(f"steps.{name} in {origin} has no `run`", hint='write run = "the command"')
    checked = {
        key: _checked(value, STEP_KEYS[key], f"`steps.{name}.{key}` in {origin}")
        for key, value in table.items()
        if key != "services"
    }
    services = _checked(table.get("services", {}), "table", f"`steps.{name}.services` in {origin}")
    minutes = checked.pop("timeout-minutes", 15)
    running = tuple(_service(each, said, f"steps.{name}.services.{each}", origin) for each, said in services.items())
    return Step(name, timeout=minutes * 60, services=running, **checked)


def _service(name: str, table: Any, place: str, origin: str) -> Service:
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,62}", name):
        raise UsageError(f"`{place}` in {origin}", hint="a service's name is a host name: small letters, digits and dashes")
    checked = {}
    for key, value in _checked(table, "table", f"`{place}` in {origin}").items():
        if key not in SERVICE_KEYS:
            raise UsageError(f"unknown key `{place}.{key}` in {origin}", hint=did_you_mean(key, SERVICE_KEYS))
        checked[key] = _checked(value, SERVICE_KEYS[key], f"`{place}.{key}` in {origin}")
    if not checked.get("image"):
        raise UsageError(f"`{place}` in {origin} has no `image`", hint='write image = "postgres:16"')
    env = {key: _checked(value, "text", f"`{place}.env.{key}` in {origin}") for key, value in checked.pop("env", {}).items()}
    return Service(name, env=env, **checked)


def _checked(value: Any, kind: Kind, place: str, choices: Sequence[str] = (), least: float | None = None) -> Any:
    """The value as a field wants it. Raises UsageError that says in which place it is."""
    size = None if isinstance(value, bool) else _bytes(value)
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    enough = number and (value > 0 if least is None else value >= least)
    fits = {
        "text": isinstance(value, str),
        "path": isinstance(value, str | os.PathLike),
        "size": size is not None and (size > 0 or least == 0),
        "choice": value in choices,
        "number": enough,
        "integer": enough and isinstance(value, int),
        "switch": isinstance(value, bool),
        "names": isinstance(value, list | tuple) and all(isinstance(item, str) for item in value),
        "table": isinstance(value, dict),
        "ports": isinstance(value, list) and all(type(each) is int and 0 < each <= LAST_PORT for each in value),
    }
    if not fits[kind]:
        wanted = f"one of {', '.join(choices)}" if choices else WANTED[kind]
        if kind in {"number", "integer"}:
            wanted += " above 0" if least is None else f", {least} or more"
        raise UsageError(f"{place} is {value!r}", hint=f"it wants {wanted}")
    return tuple(value) if kind in {"names", "ports"} else str(value) if kind in {"size", "path"} else value


WANTED: Mapping[Kind, str] = {
    "text": "a string", "path": "a path", "size": "a size such as 512m or 4g", "choice": "a name", "number": "a number",
    "integer": "a whole number", "switch": "true or false", "names": "a list of strings", "table": "a table",
    "ports": "a list of numbers from 1 to 65535",
}  # fmt: skip
assert set(WANTED) == set(get_args(Kind))  # noqa: S101


def did_you_mean(word: str, known: Sequence[str] | Mapping[str, object]) -> str:
    """A hint with the nearest known words, or all of them."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"did you mean `{near[0]}`?" if near else f"known are: {', '.join(sorted(known))}"


def _bytes(text: object) -> int | None:
    match = re.fullmatch(r"(\d{1,15})([kmg]?)b?", str(text).strip().lower(), re.ASCII)
    return int(match[1]) * SIZES[match[2]] if match else None


def _json_type(kind: Kind, choices: Sequence[str] = (), least: float | None = None) -> dict[str, Any]:
    limit = {"exclusiveMinimum": 0} if least is None else {"minimum": least}
    types: dict[Kind, dict[str, Any]] = {
        "number": {"type": "number", **limit},
        "integer": {"type": "integer", **limit},
        "switch": {"type": "boolean"},
        "names": {"type": "array", "items": {"type": "string"}},
        "ports": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": LAST_PORT}},
        "table": {"type": "object"},
        "size": {"type": ["string", "integer"]},
        "choice": {"enum": list(choices)},
    }
    return types.get(kind, {"type": "string"})


def _names_packages(name: str) -> bool:
    """Whether a variable says where packages come from, or how to get there."""
    plain = name.upper()
    says = plain.startswith(PACKAGE_PREFIXES) or plain in PACKAGE_VARIABLES
    return says and not any(word in plain for word in SECRET_WORDS)


def _refuse_secrets(names: Sequence[str], where: str = "") -> None:
    if refused := [name for name in names if NEVER_IN_SETUP.fullmatch(name)]:
        hint = "setup runs what the project wrote: give it a token of its own, that may read packages and nothing else"
        raise UsageError(f"`setup-env`{where} names {', '.join(refused)}, which setup never gets", hint=hint)


def _without_logins(value: str) -> str:
    """Addresses without names and passwords. A password may hold "/", ":" and "@": all up to the last "@" goes."""
    parts = re.split(r"(\s+|[,|](?=[A-Za-z][A-Za-z0-9+.-]*://))", value)
    return "".join(part if part.startswith("/") else _LOGIN.sub(r"\1", part) for part in parts)
