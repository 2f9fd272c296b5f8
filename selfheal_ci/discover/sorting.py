"""What a command is for: to install, to build, to check, to publish, or none of these."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum

from selfheal_ci import checks
from selfheal_ci.discover.starting import place_of, program_of
from selfheal_ci.shell_words import commands, parts


class Use(IntEnum):
    """The higher, the more it says of a line that holds several."""

    NOTHING = 0  # shows something, or sets the place
    OTHER = 1
    INSTALL = 2
    SYSTEM = 3  # installs for the whole machine
    BUILD = 4
    CHECK = 5
    PUBLISH = 6


_PYTHON = r"(?:python|pypy)[\d.]*"
_GRADLE = r"(?:gradle|gradlew)"
# Of a command's words, its program without its folder, the first that begins it tells.
TABLE: tuple[tuple[Use, str], ...] = (
    (Use.NOTHING, r"\S+ (?:--version|-V|-v|version)$|uname|env$|whoami|date|sleep|which|df|free|du|file|stat|lscpu"),
    (Use.NOTHING, r"(?:pip3?|uv pip|poetry|npm) (?:list|freeze|show|env|ls)$|poetry (?:config|check --lock)"),
    (Use.NOTHING, r"(?:coverage|coverage3) (?:combine|report|xml|html|json|lcov|erase)"),
    (
        Use.NOTHING,
        r"(?:uv|poetry|hatch|pdm|flit) build|build|(?:python\S* )?setup\.py (?:sdist|bdist\w*)|twine check|check-manifest",
    ),
    (Use.SYSTEM, r"apt|apt-get|aptitude|brew|choco|apk|yum|dnf|pacman|snap|dpkg|add-apt-repository|update-alternatives"),
    (Use.SYSTEM, r"docker|docker-compose|podman|systemctl|service|wget|curl|sudo|nix|nix-shell|vcpkg"),
    (Use.SYSTEM, r"conda|mamba|micromamba"),
    (Use.PUBLISH, r"(?:twine upload|(?:npm|cargo|flit|poetry|hatch|uv|pdm) publish)"),
    (Use.PUBLISH, r"gh|aws|gcloud|az|kubectl|helm|goreleaser|semantic-release|coveralls|rsync|scp|ssh|mike|snyk"),
    (Use.PUBLISH, r"mkdocs gh-deploy|git push|git tag|netlify|vercel|wrangler|firebase|heroku|fly|flyctl|cc-test-reporter"),
    (Use.PUBLISH, r"terraform (?:apply|plan|init)|mvn .*\bdeploy|codecov\S*|codeclimate\S*"),
    (Use.INSTALL, r"pip[\d.]* (?:install|uninstall|download|wheel|config|cache)|pipx (?:install|inject|ensurepath)"),
    (Use.INSTALL, r"ensurepip|venv|virtualenv|uv (?:sync|pip (?:install|sync|uninstall)|lock|venv|add)"),
    (Use.INSTALL, r"uv (?:python|tool) install|hatch env create"),
    (Use.INSTALL, r"(?:poetry|pdm|pipenv|rye|pixi) (?:install|sync|lock|self|add|update|env|use|config|plugin)"),
    (Use.INSTALL, r"(?:npm|pnpm|yarn|bun) (?:ci|i|install|add|config|set)|yarn(?:$| --\S+)|corepack|playwright install"),
    (Use.INSTALL, r"go (?:mod|get|install)|cargo (?:fetch|install|binstall|update)|rustup|dotnet (?:restore|tool)"),
    (Use.INSTALL, r"bundle (?:install|config)|gem install|composer (?:install|update|require)|mvn .*dependency:"),
    (Use.INSTALL, r"pre-commit install|tox .*--notest|nox .*--install-only"),
    (Use.INSTALL, r"git (?:submodule|fetch|config|checkout|clone|lfs|init|remote)"),
    (Use.CHECK, r"(?:cargo|go|dotnet|zig) build"),
    (Use.BUILD, r"(?:npm|pnpm|yarn|bun) (?:run )?(?:build|compile)|cmake|ninja$|meson (?:setup|compile)|\./configure"),
    (
        Use.BUILD,
        r"(?:python\S* )?setup\.py (?:build\w*|develop|install)|maturin develop|autoreconf|mvn .*\b(?:compile|package)",
    ),
    (Use.BUILD, rf"{_GRADLE} .*\b(?:assemble|classes|testClasses)"),
    (Use.CHECK, rf"mvn .*\b(?:test|verify|install)|{_GRADLE} .*\b(?:test|check|build)|cargo (?:doc|bench|deny|hack)"),
    (Use.CHECK, r"go (?:test|vet|run)|golangci-lint|hatch (?:run|test|fmt)|sphinx-build|mkdocs build|tox|nox"),
    (Use.CHECK, r"coverage run|rake|rspec|phpunit|deptry|interrogate|slotscheck|towncrier check"),
)
# What the name of a script, a target or a task says.
WORDS: tuple[tuple[Use, str], ...] = (
    (Use.PUBLISH, r"deploy|publish|release|upload|push"),
    (
        Use.CHECK,
        r"\w*(?<!la)tests?|checks?|lint\w*|ci|cov(?:erage)?|typecheck|types?|typing|mypy|verify|validate|style|spec|doctest",
    ),
    (Use.INSTALL, r"install|setup|set-up|bootstrap|deps|dependencies|requirements|prepare|init|develop|dev"),
    (Use.BUILD, r"all|build|compile|dist|generate|bundle"),
)  # fmt: skip
_TABLE = tuple((use, re.compile(rf"(?:{pattern})(?![\w-])")) for use, pattern in TABLE)
_WORDS = tuple((use, re.compile(rf"(?:.*[\W_])?(?:{pattern})(?:[\W_].*)?", re.IGNORECASE)) for use, pattern in WORDS)
_MODULE = re.compile(rf"(?:\S*/)?{_PYTHON}(?: -(?!m\b)\S+)* -m ")
_SCRIPT = re.compile(
    rf"(?:(?:{_PYTHON}|bash|sh|node|ruby|php|perl)(?: -\S+)* )?"
    r"\.?/?((?:[\w.-]+/)*[\w-]+(?:\.(?:py|sh|bash|js|mjs|ts|rb|pl|php))?)(?: |$)"
)
_RUN = re.compile(
    r"(?:npm|pnpm|yarn|bun|deno|just|task|make|gmake|poe|inv|invoke|rake|pdm|composer)(?: run(?:-script)?| task)?"
    r"((?: [^-=\s]\S*)+)"
)
DEEPEST, LONGEST = 2, 100  # a target that makes a target; letters of a name

Expand = Callable[[Sequence[str]], str]


def pieces(script: str) -> list[str]:
    """The parts that can be told from each other; a line whose parts depend on each other stays whole."""
    return [script] if "||" in script or "<<" in script else parts(script)


def use_of(piece: str, expand: Expand) -> Use:
    """What most of a piece is for: to publish tells more than to check, and this more than to install."""
    return max((_use_of(words, expand, 0) for words in commands(piece)), default=Use.NOTHING)


def _use_of(words: Sequence[str], expand: Expand, depth: int) -> Use:
    line = _MODULE.sub("", " ".join([words[0].rpartition("/")[2], *words[1:]]))
    if words[0] in checks.SAYS_NOTHING and words[0] != "git":
        return Use.NOTHING
    for use, pattern in _TABLE:
        if pattern.match(line):
            return use
    if checks.runs_tests(line) or checks.is_check(line):
        return Use.CHECK
    return _by_name(words, line, expand, depth)


def _by_name(words: Sequence[str], line: str, expand: Expand, depth: int) -> Use:
    if depth == DEEPEST:
        return Use.OTHER
    if place_of(words):
        return _use_of(program_of(words), expand, depth + 1)
    inner = [_use_of(found, expand, depth + 1) for found in commands(expand(words))]
    if Use.CHECK in inner:
        return Use.CHECK
    said = (use for name in _names(" ".join(words), line) for use, pattern in _WORDS if pattern.fullmatch(name[:LONGEST]))
    return next(said, max(inner, default=Use.OTHER))


def _names(words: str, line: str) -> Iterator[str]:
    if match := _RUN.match(line):
        yield from match[1].split()
    elif match := _SCRIPT.match(words):
        yield match[1].rpartition("/")[2]
