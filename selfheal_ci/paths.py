"""What kind of file a path is: one that judges (tests), one that steers (CI, manifests, configuration), or source."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from fnmatch import fnmatchcase

# What no fix may touch, by the words that users read. Globs match the file's name, or a folder's name where they end in "/".
# All of it is compared case-folded and normalised, in every folder; where they begin with "/", at the top of the tree alone.
JUDGES = (
    "test_*.*", "*_test.*", "*_tests.*", "*.test.*", "*.spec.*", "*_spec.*", "test.py", "tests.py", "conftest.py", "*.snap",
    "*test.java", "*tests.java", "test/", "tests/", "__tests__/", "__mocks__/", "__snapshots__/", "spec/", "specs/",
    "test_*/", "test-*/", "tests-*/", "*_tests/", "*-tests/", "testdata/", "fixtures/", "golden/", "expected/", "cassettes/",
    "e2e/", "cypress/",
    # Deeper down it is a library's product: numpy/testing, pandas/testing. What judges lies in tests/ there, too.
    "/testing/",
)  # fmt: skip
PROTECTED = {
    "a test file": JUDGES,
    "a CI file": (
        ".github/", ".gitlab/", ".circleci/", ".gitlab-ci*.yml", "jenkinsfile*", "azure-pipelines*.yml", "action.yml",
        "action.yaml", "bitbucket-pipelines.yml", "appveyor.yml", "cloudbuild.y*ml", "buildspec.y*ml", "codeowners",
    ),
    "a build or dependency manifest": (
        "pyproject.toml", "setup.py", "setup.cfg", "requirements*.txt", "requirements*.in", "requirements/",
        "constraints*.txt", "pipfile", "environment.y*ml", "uv.toml", "poetry.toml", "gradlew*", "rakefile", "*.cmake",
        "build.bazel", "workspace.bazel", "module.bazel",
        "package.json", "cargo.toml", "build.rs", "go.mod", "go.work", "pom.xml", "*.gradle", "*.gradle.kts", "gemfile",
        "composer.json", "makefile", "gnumakefile", "*.mk", "justfile", "taskfile.y*ml", "cmakelists.txt", "meson.build",
        "dockerfile*", "containerfile*", "docker-compose*.y*ml", "compose*.y*ml", "dagger.json", "manifest.in", "*.podspec",
    ),
    "a lock file": (
        "*.lock", "package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "go.sum", "*.lock.json", "locks/",
    ),
    "a tool's configuration": (
        "pytest.ini", "tox.ini", "noxfile.py", "mypy.ini", "ruff.toml", "pylintrc", "pyrightconfig.json", "tsconfig*.json",
        "*.config.js", "*.config.ts", "*.config.mjs", "*.config.cjs", "*.config.mts", "*.config.cts", "jest.setup.*",
        "pytest.toml", "tox.toml", "dagger-module.toml", "dagger.toml", "hatch.toml",
    ),
    "an instruction to coding agents": ("agents.md", "claude.md", "gemini.md", "copilot-instructions.md"),
    "a file that Python runs by itself": (
        "sitecustomize.*", "usercustomize.*", "sitecustomize/", "usercustomize/", "*.pth",
        "*.dist-info/", "*.egg-info/",  # entry points in them make pytest load a plugin
    ),
    "a compiled file": (
        "__pycache__/", "*.pyc", "*.pyo", "*.so", "*.pyd", "*.dll", "*.dylib", "*.exe", "*.o", "*.a", "*.class", "*.jar",
        "*.whl", "*.egg", "*.wasm", "*.node",
    ),
    "a dot file or folder": (".*", ".*/"),
}  # fmt: skip
PROSE = (".md", ".rst", ".txt", ".adoc", "/license", "/authors", "/changelog", "/news")
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


def folded(path: str) -> str:
    """The path as the most forgiving file system would compare it."""
    normal = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())
    return "/".join(part.rstrip(". ") or part for part in normal.split("/"))


def is_judge(path: str) -> bool:
    """Whether the path belongs to what judges: tests and their data."""
    return _matches(folded(path), JUDGES)


def protected(path: str, additions: Iterable[str] = (), *, judges_too: bool = True) -> str | None:
    """Why no fix may touch the path, in words; None when it may. `additions` are the project's own globs.

    Without `judges_too` it may be a test file, if nothing else speaks against it.
    """
    plain = folded(path)
    for why, globs in PROTECTED.items():
        if (judges_too or globs is not JUDGES) and _matches(plain, globs):
            return why
    if any(fnmatchcase(plain, folded(glob)) for glob in additions):
        return "protected by the configuration"
    return None


def is_source(path: str) -> bool:
    """Whether a fix may touch the path at all."""
    return protected(path) is None


def is_prose(path: str) -> bool:
    """Whether the path is text for people, which rarely makes a test fail."""
    return folded(path).endswith(PROSE)


def is_build_file(path: str) -> bool:
    """Whether a change of the file may change what setup installs."""
    return protected(path) in {"a build or dependency manifest", "a lock file"}


def is_mixed(name: str) -> bool:
    """Whether letters that look alike come from several scripts in it: Latin with Greek or Cyrillic ones."""
    scripts = {unicodedata.name(letter, "").split(" ")[0] for letter in name if letter.isalpha()}
    return len(scripts & {"LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "COPTIC"}) > 1


def untouchable(additions: Iterable[str] = ()) -> str:
    """What no fix may touch, in words for those who propose one."""
    kinds = [f"{why} ({', '.join(globs)})" for why, globs in PROTECTED.items()]
    own = [f"protected by the configuration ({', '.join(additions)})"] if additions else []
    return "; ".join([*kinds, *own])


def malformed(path: str) -> str | None:
    """Why a path cannot be the name of a file in a tree; None when it can."""
    parts = path.split("/")
    if path.startswith("/") or any(part in {"", ".", ".."} for part in parts):
        return "it does not stay in the tree"
    if "\\" in path or any(ord(letter) < 32 or ord(letter) == 127 for letter in path):  # noqa: PLR2004  control characters
        return "it has a backslash or a control character"
    if not path.isprintable():  # nor are the surrogates that stand for bytes
        return "it has bytes that are no text"
    if any(part != part.rstrip(". ") or _DEVICE.fullmatch(part.casefold()) for part in parts):
        return "it is a name that some systems read differently"
    if any(folded(part) in {".git", "git~1"} for part in parts):
        return "it is git's own"
    return None


def _matches(plain: str, globs: Iterable[str]) -> bool:
    *folders, name = plain.split("/")
    for glob in globs:
        words = (folders[:1] if glob.startswith("/") else folders) if glob.endswith("/") else [name]
        if any(fnmatchcase(word, glob.strip("/")) for word in words):
            return True
    return False
