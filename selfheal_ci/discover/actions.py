"""What well-known actions do, in commands that do the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

Inputs = Mapping[str, str]


@dataclass(frozen=True)
class Does:
    """The commands of an action, the image that has what it installs, and whether Python is meant by `python`."""

    commands: tuple[str, ...] = ()
    image: str | None = None
    python: bool = False
    env: Mapping[str, str] = field(default_factory=dict)  # for the steps after it


NOTHING = Does()
# They keep, fetch or show what no step of ours needs.
SILENT = re.compile(
    r"actions/(checkout|cache(/.*)?|upload-artifact|github-script|labeler|stale)|codecov/.*|coverallsapp/.*"
    r"|.*/(upload|test-reporter|junit|publish-unit-test|report|summary|annotate|notify|slack|comment)[^/]*"
    r"|pypa/gh-action-pypi-publish|.*/[^/]*(deploy|release|publish|pages)[^/]*|docker/.*|sigstore/.*"  # what checks nothing
    r"|re-actors/alls-green|step-security/harden-runner|github/codeql-action/.*|Swatinem/rust-cache|mozilla-actions/.*"
    r"|hynek/build-and-inspect-python-package|jlumbroso/free-disk-space|styfle/.*|gradle/actions/wrapper-validation"
)
VERSION = re.compile(r"\d+(?:\.\d+)?")


def what(action: str, inputs: Inputs) -> Does | None:
    """What an action does; None where it is not known."""
    name = action.partition("@")[0]
    if name in KNOWN:
        return KNOWN[name](inputs)
    return NOTHING if SILENT.fullmatch(name) else None


def language_image(language: str, version: str, suffix: str = "") -> str:
    """The official image of a language, at the first version that is named."""
    plain = VERSION.search(version)
    return f"{language}:{plain[0] if plain else 'latest'}{suffix if plain else ''}"


def _python(inputs: Inputs) -> Does:
    version = inputs.get("python-version", "").strip().splitlines()
    wanted = next((word for word in reversed(version) if VERSION.match(word.strip())), "3")
    return Does(image=language_image("python", "3" if wanted.strip() in {"3.x", "3"} else wanted), python=True)


def _image(language: str, *keys: str) -> Callable[[Inputs], Does]:
    def does(inputs: Inputs) -> Does:
        version = next((inputs[key] for key in keys if VERSION.search(inputs.get(key, ""))), "")
        return Does(image=language_image(language, version))

    return does


def _java(inputs: Inputs) -> Does:
    versions = VERSION.findall(inputs.get("java-version", ""))  # the last of several is the one that `java` is
    return Does(image=f"maven:3-eclipse-temurin-{versions[-1] if versions else 21}")


def _pip(package: str, key: str = "version") -> Callable[[Inputs], Does]:
    def does(inputs: Inputs) -> Does:
        version = inputs.get(key, "")
        exact = f"=={version}" if re.fullmatch(r"\d+(\.\d+)+", version) else ""
        return Does((f"pip install {package}{exact}",), python=True)

    return does


def _uv(inputs: Inputs) -> Does:
    version = VERSION.search(inputs.get("python-version", ""))
    return replace(_pip("uv")(inputs), image=f"python:{version[0]}" if version else None)


def _own(package: str) -> Callable[[Inputs], Does]:
    """A tool that would break itself where it installs: it gets an environment of its own."""

    def does(inputs: Inputs) -> Does:
        version = inputs.get(f"{package}-version") or inputs.get("version", "")
        exact = f"=={version}" if re.fullmatch(r"\d+(\.\d+)+", version) else ""
        return Does((own_environment(package, exact),), python=True, env={"VENV": "$HOME/.venv/bin/activate"})

    return does


def own_environment(package: str, exact: str = "") -> str:
    """Commands that install a tool beside the environment it works on."""
    made = f"python3 -m venv ~/.{package} && ~/.{package}/bin/pip install {package}{exact}"
    return f"{made} && ln -sf ~/.{package}/bin/{package} ~/.venv/bin/{package}"


def _runs(command: str, *installs: str, key: str = "args") -> Callable[[Inputs], Does]:
    def does(inputs: Inputs) -> Does:
        more = inputs.get(key, "").strip()
        return Does((*installs, f"{command} {more}".strip()), python=bool(installs))

    return does


def _pre_commit(inputs: Inputs) -> Does:
    more = inputs.get("extra_args", "--all-files")
    return Does(("pip install pre-commit", f"pre-commit run --show-diff-on-failure --color=always {more}"), python=True)


def _black(inputs: Inputs) -> Does:
    options, place = inputs.get("options", "--check --diff"), inputs.get("src", ".")
    return Does(("pip install black", f"black {options} {place}"), python=True)


KNOWN: Mapping[str, Callable[[Inputs], Does]] = {
    "actions/setup-python": _python,
    "actions/setup-node": _image("node", "node-version"),
    "actions/setup-go": _image("golang", "go-version"),
    "actions/setup-java": _java,
    "actions/setup-dotnet": _image("mcr.microsoft.com/dotnet/sdk", "dotnet-version"),
    "ruby/setup-ruby": _image("ruby", "ruby-version"),
    "shivammathur/setup-php": _image("php", "php-version"),
    "dtolnay/rust-toolchain": _image("rust", "toolchain"),
    "dtolnay/rust-toolchain@stable": _image("rust"),
    "actions-rs/toolchain": _image("rust", "toolchain"),
    "actions-rust-lang/setup-rust-toolchain": _image("rust", "toolchain"),
    "oven-sh/setup-bun": _image("oven/bun", "bun-version"),
    "denoland/setup-deno": _image("denoland/deno", "deno-version"),
    "pnpm/action-setup": lambda inputs: Does((f"npm install -g pnpm@{inputs.get('version') or 'latest'}",)),
    "astral-sh/setup-uv": _uv,
    "hynek/setup-cached-uv": _pip("uv"),
    "yezz123/setup-uv": _pip("uv"),
    "snok/install-poetry": _own("poetry"),
    "abatilo/actions-poetry": _own("poetry"),
    "pdm-project/setup-pdm": _own("pdm"),
    "pypa/hatch": _own("hatch"),
    "wntrblm/nox": _pip("nox", "none"),
    "excitedleigh/setup-nox": _pip("nox", "none"),
    "pre-commit/action": _pre_commit,
    "psf/black": _black,
    "astral-sh/ruff-action": _runs("ruff check", "pip install ruff"),
    "chartboost/ruff-action": _runs("ruff", "pip install ruff"),
    "isort/isort-action": _runs("isort --check-only --diff .", "pip install isort", key="configuration"),
    "codespell-project/actions-codespell": _runs("codespell", "pip install codespell", key="none"),
    "golangci/golangci-lint-action": _runs("golangci-lint run"),
    "actions-rs/cargo": lambda inputs: Does((f"cargo {inputs.get('command', '')} {inputs.get('args', '')}".strip(),)),
}
