"""What a step's line says of its kind: a formatter's, linter's or generator's check; and how the same tool fixes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from selfheal_ci.shell_words import Word, commands, given_to_shell, parts, simple_commands, substitutions


@dataclass(frozen=True)
class Tool:
    """A tool that checks and fixes, by the words that make it do so."""

    name: str  # program and subcommand
    fix: str  # the same, made to fix
    when: str = ""  # one of these makes it a check; none: it always is one
    without: str = ""  # words that a fix has not, besides
    unsafe: str = ""  # a word with which it also fixes what may then behave in another way

    @property
    def words(self) -> list[str]:
        return self.name.split()

    def is_asked(self, options: Sequence[str]) -> bool:
        """Whether it is asked to check, and not to fix already."""
        added = set(self.fix.split()[len(self.words) :])
        return added.isdisjoint(options) and (not self.when or not set(self.when.split()).isdisjoint(options))

    def fixing(self, written: Sequence[str], options: Sequence[str], *, unsafe: bool) -> str:
        """The command, made to fix: its words as they are `written`, from the program on."""
        gone = {*self.when.split(), *self.without.split()}
        kept = [word for word, option in zip(written, options, strict=True) if option not in gone]
        more = self.unsafe.split() if unsafe else []
        return " ".join([kept[0], *self.fix.split()[1:], *more, *kept[len(self.words) :]])


TOOLS = (
    Tool("ruff check", "ruff check --fix", without="--diff --no-fix --no-unsafe-fixes", unsafe="--unsafe-fixes"),
    Tool("ruff format", "ruff format", "--check --diff"),
    Tool("black", "black", "--check --diff"),
    Tool("isort", "isort", "--check-only --check -c", "--diff --df"),
    Tool("autopep8", "autopep8 --in-place", "--diff -d --exit-code"),
    Tool("yapf", "yapf --in-place", "--diff -d"),
    Tool("autoflake", "autoflake --in-place", "--check -c --check-diff -cd"),
    Tool("docformatter", "docformatter --in-place", "--check -c", "--diff"),
    Tool("usort check", "usort format"),
    Tool("ufmt check", "ufmt format"),
    Tool("ufmt diff", "ufmt format"),
    Tool("mdformat", "mdformat", "--check"),
    Tool("djlint", "djlint --reformat", "--check"),
    Tool("sqlfluff lint", "sqlfluff fix"),
    Tool("codespell", "codespell --write-changes"),
    Tool("typos", "typos --write-changes"),
    Tool("hatch fmt", "hatch fmt", "--check"),
    Tool("prettier", "prettier --write", "--check -c --list-different -l"),
    Tool("eslint", "eslint --fix"),
    Tool("stylelint", "stylelint --fix"),
    Tool("standard", "standard --fix"),
    Tool("xo", "xo --fix"),
    Tool("biome check", "biome check --write", unsafe="--unsafe"),
    Tool("biome lint", "biome lint --write", unsafe="--unsafe"),
    Tool("biome format", "biome format --write"),
    Tool("biome ci", "biome check --write", unsafe="--unsafe"),
    Tool("dprint check", "dprint fmt"),
    Tool("deno fmt", "deno fmt", "--check"),
    Tool("markdownlint", "markdownlint --fix"),
    Tool("markdownlint-cli2", "markdownlint-cli2 --fix"),
    Tool("gofmt", "gofmt -w", "-l -d"),
    Tool("gofumpt", "gofumpt -w", "-l -d"),
    Tool("goimports", "goimports -w", "-l -d"),
    Tool("golangci-lint run", "golangci-lint run --fix"),
    Tool("cargo fmt", "cargo fmt", "--check"),
    Tool("rustfmt", "rustfmt", "--check"),
    Tool("taplo fmt", "taplo fmt", "--check --diff"),
    Tool("terraform fmt", "terraform fmt", "-check --check", "-diff --diff"),
    Tool("tofu fmt", "tofu fmt", "-check --check", "-diff --diff"),
    Tool("buf format", "buf format -w", "--diff -d --exit-code"),
    Tool("shfmt", "shfmt -w", "-d -l --diff --list"),
    Tool("clang-format", "clang-format -i", "--dry-run -n --Werror -Werror"),
    Tool("cmake-format", "cmake-format -i", "--check"),
    Tool("stylua", "stylua", "--check -c"),
    Tool("rubocop", "rubocop --autocorrect", unsafe="--autocorrect-all"),
    Tool("standardrb", "standardrb --fix"),
    Tool("php-cs-fixer fix", "php-cs-fixer fix", "--dry-run", "--diff"),
    Tool("mix format", "mix format", "--check-formatted"),
    Tool("dart format", "dart format", "--set-exit-if-changed", "--output=none"),
    Tool("swiftformat", "swiftformat", "--lint"),
    Tool("ktlint", "ktlint --format"),
    Tool("nixfmt", "nixfmt", "--check"),
    Tool("zig fmt", "zig fmt", "--check"),
)
# They check and run no test, and have no fixer of their own, or fix whenever they run.
OTHER_CHECKS = (
    "pre-commit", "prek", "lint-staged", "mypy", "dmypy run", "pyright", "basedpyright", "pytype", "pyre check", "ty check",
    "flake8", "pylint", "pycodestyle", "pydocstyle", "pyflakes", "bandit", "vulture", "lint-imports", "deptry", "pyupgrade",
    "add-trailing-comma", "reorder-python-imports", "absolufy-imports", "end-of-file-fixer", "trailing-whitespace-fixer",
    "pyproject-fmt", "tsc", "tslint", "jshint", "svelte-check", "vue-tsc", "cspell", "go vet", "staticcheck", "cargo clippy",
    "cargo check", "terraform validate", "tflint", "yamllint", "shellcheck", "hadolint", "actionlint", "buf lint",
    "luacheck", "check-jsonschema", "editorconfig-checker", "reuse lint",
)  # fmt: skip
TESTERS = frozenset({
    "pytest", "py.test", "unittest", "doctest", "nose2", "nosetests", "tox", "nox", "trial", "behave", "robot", "coverage",
    "jest", "vitest", "mocha", "ava", "tap", "karma", "cypress", "playwright", "jasmine", "ctest", "rspec", "minitest",
    "phpunit", "pest", "bats", "ginkgo", "gotestsum", "nextest", "prove", "busted",
})  # fmt: skip
# They run what a word behind them says: `make test`, `go test ./...`, `npm run test:unit`.
TASK_RUNNERS = frozenset({
    "make", "gmake", "just", "task", "go", "cargo", "npm", "pnpm", "yarn", "bun", "deno", "mvn", "mvnw", "gradle", "gradlew",
    "dotnet", "swift", "zig", "mix", "rake", "bazel", "ninja", "meson", "invoke", "inv", "poe", "hatch", "pdm", "composer",
    "sbt", "lein", "stack", "cabal", "dune", "flutter", "dart",
})  # fmt: skip
# They start the program that is named behind them.
STARTERS = frozenset({
    "uv", "uvx", "poetry", "pdm", "pipenv", "rye", "pixi", "hatch", "pipx", "npx", "npm", "pnpm", "yarn", "bun", "bunx",
    "bundle", "env", "xargs", "timeout", "nice", "sudo", "mise", "direnv",
})  # fmt: skip
STARTER_WORDS = frozenset({"run", "exec", "tool", "x", "dlx"})
_PYTHON = re.compile(r"(?:python|pypy)[\d.]*")
SAYS_NOTHING = frozenset({
    "cd", "pushd", "popd", "echo", "printf", "exit", "true", "false", ":", "test", "[", "[[", "set", "export", "source", ".",
    "mkdir", "pwd", "ls", "tee", "cat", "head", "tail", "grep", "wc", "find", "for", "fi", "done", "git",
})  # fmt: skip
_SETS_PLACE = frozenset({"cd", "pushd", "popd", "export", "source", ".", "set"})
_ECHOED = re.compile(r"(?:[\w.-]+: commands\[\d+\]> |nox > |Poe => |[>+$] )?(.*)")  # how task runners show what they run
LINES, LENGTH = 400, 400  # of an output that is looked through


def is_check(line: str) -> bool:
    """Whether all that a step's line does is to check: with formatters and linters we know, or what is generated."""
    told = [words for words in _all_commands(line) if not given_to_shell(words) and not _says_nothing(words)]
    if any(_runs_tests(words) for words in told):
        return False
    return compares_generated(line) or (bool(told) and all(_is_known(_program(words)) for words in told))


def compares_generated(line: str) -> bool:
    """Whether a line ends in a comparison with what is committed, such as `make generate && git diff --exit-code`."""
    told = [words for words in _all_commands(line) if not given_to_shell(words)]
    said = [words for words in told if not _says_nothing(words) or _compares(words)]
    return bool(said) and _compares(said[-1])


def runs_tests(line: str) -> bool:
    """Whether a line runs tests, as far as its words tell."""
    return any(_runs_tests(words) for words in _all_commands(line))


def fixing(line: str, *, unsafe: bool = False) -> str | None:
    """The line with each check in it made to fix, and without what has nothing to do with it. None: no check is in it."""
    found = False
    kept = []
    for part in parts(line):
        fixed = _fixed(part, unsafe=unsafe)
        found = found or fixed is not None
        if fixed is not None or _sets_place(part):
            kept.append(fixed or part)
    return "\n".join(kept) if found else None


def shown(output: str, *, unsafe: bool = False) -> Iterator[str]:
    """The fixers for the checks that a task runner showed when it ran them, each once."""
    seen = set()
    for row in output.splitlines()[:LINES]:
        match = _ECHOED.fullmatch(row.strip()[:LENGTH])
        said = match[1] if match else ""
        fixed = fixing(said, unsafe=unsafe)
        if fixed and is_check(said) and fixed not in seen:
            seen.add(fixed)
            yield fixed


def _all_commands(line: str) -> Iterator[list[str]]:
    yield from commands(line)
    for inner in substitutions(line):
        yield from _all_commands(inner)


def _fixed(part: str, *, unsafe: bool) -> str | None:
    """A part of a line, made to fix."""
    text, found = part, False
    for command in reversed(list(simple_commands(part))):
        texts = [word.text for word in command]
        inner = given_to_shell(texts)
        fixed = fixing(inner, unsafe=unsafe) if inner else _fixed_command(command, unsafe=unsafe)
        if fixed is not None:
            end = command[-1].start + len(command[-1].raw)
            text, found = text[: command[0].start] + fixed + text[end:], True
    if found:
        return text
    return next(filter(None, (fixing(inner, unsafe=unsafe) for inner in substitutions(part))), None)


def _fixed_command(command: Sequence[Word], *, unsafe: bool) -> str | None:
    texts = [word.text for word in command]
    program = _program(texts)
    before = len(texts) - len(program)
    tool = _tool(program)
    if tool is None or not tool.is_asked(program):
        return None
    written = [word.raw for word in command]
    return " ".join([*written[:before], tool.fixing(written[before:], program, unsafe=unsafe)])


def _tool(program: Sequence[str]) -> Tool | None:
    return next((tool for tool in TOOLS if _is_called(program, tool.words)), None)


def _is_known(program: Sequence[str]) -> bool:
    return _tool(program) is not None or any(_is_called(program, name.split()) for name in OTHER_CHECKS)


def _is_called(program: Sequence[str], name: Sequence[str]) -> bool:
    return bool(program) and [_base(program[0]), *program[1 : len(name)]] == list(name)


def _program(words: Sequence[str]) -> list[str]:
    """The words from the program on that is started in the end: of `uv run --frozen black .` the last two."""
    rest = list(words)
    while rest:
        name = _base(rest[0])
        if _PYTHON.fullmatch(name) and "-m" in rest[:-1]:
            return rest[rest.index("-m") + 1 :]
        if name not in STARTERS or _is_known(rest):
            return rest
        rest = _started(rest)
    return []


def _started(words: Sequence[str]) -> list[str]:
    """What a starter starts. The word behind an option may be its value: then it is no program that we know."""
    after_option = False
    for at, word in enumerate(words[1:], 1):
        option = word.startswith("-") or "=" in word
        known = _is_known(words[at:]) or _base(word) in TESTERS | STARTERS or bool(_PYTHON.fullmatch(_base(word)))
        if not option and word not in STARTER_WORDS and (known or not after_option):
            return list(words[at:])
        after_option = option
    return []


def _runs_tests(words: Sequence[str]) -> bool:
    program = _program(words)
    if not program:
        return False
    if _base(program[0]) in TESTERS:
        return True
    runs = _base(program[0]) in TASK_RUNNERS or _base(words[0]) in TASK_RUNNERS
    return runs and any(re.match(r"(?:unit|integration)?[-:_]?tests?\b", word) for word in words[1:])


def _says_nothing(words: Sequence[str]) -> bool:
    return _base(words[0]) in SAYS_NOTHING


def _compares(words: Sequence[str]) -> bool:
    """Whether it is a `git diff` whose exit code tells, or a look at `git status` for scripts."""
    if _base(words[0]) != "git":
        return False
    rest = [word for word in words[1:] if word != "--no-pager"]
    if rest[:1] == ["diff"] or rest[:1] == ["diff-index"] or rest[:1] == ["diff-files"]:
        return not {"--exit-code", "--quiet", "--check"}.isdisjoint(rest)
    return rest[:1] == ["status"] and not {"--porcelain", "-s", "--short"}.isdisjoint(rest)


def _sets_place(part: str) -> bool:
    command = next(commands(part), [])
    return not command or command[0] in _SETS_PLACE


def _base(program: str) -> str:
    return program.rpartition("/")[2]
