"""Which image a project needs, by the files that say in which version of which language it is written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

USUAL = "python:3.11-slim"
LARGEST = 1 << 16  # bytes that are read of such a file
# file → where it says the version (none: it is there), the image, the version where it says none. The first one decides.
LANGUAGES: Sequence[tuple[str, str, str, str]] = (
    (".python-version", r"\A\s*(3\.\d{1,2})(?:\.\d+)?\s*\Z", "python:{}-slim", ""),
    ("pyproject.toml", r'^requires-python\s*=\s*["\'](?:>=|==|~=)?\s*(3\.\d{1,2})', "python:{}-slim", ""),
    ("setup.cfg", r"^python_requires\s*=\s*>=\s*(3\.\d{1,2})", "python:{}-slim", ""),
    ("setup.py", "", "python:{}-slim", "3.11"),
    ("requirements.txt", "", "python:{}-slim", "3.11"),
    (".nvmrc", r"\A\s*v?(\d{1,2})(?:\.[\d.]+)?\s*\Z", "node:{}-bookworm-slim", ""),
    (".node-version", r"\A\s*v?(\d{1,2})(?:\.[\d.]+)?\s*\Z", "node:{}-bookworm-slim", ""),
    ("package.json", r'"node"\s*:\s*">=\s*(\d{1,2})', "node:{}-bookworm-slim", "22"),
    ("go.mod", r"^go\s+(1\.\d{1,2})", "golang:{}-bookworm", "1.24"),
    ("Cargo.toml", r'^rust-version\s*=\s*"(1\.\d{1,3})', "rust:{}-slim-bookworm", "1"),
    ("pom.xml", r"<(?:maven\.compiler\.release|java\.version)>(\d{1,2})<", "maven:3-eclipse-temurin-{}", "21"),
    ("build.gradle", r"JavaLanguageVersion\.of\((\d{1,2})\)", "eclipse-temurin:{}", "21"),
    ("build.gradle.kts", r"JavaLanguageVersion\.of\((\d{1,2})\)", "eclipse-temurin:{}", "21"),
)


def usual_image(folder: Path) -> str:
    """The image for an exported tree; Python's where nothing says what it is. The tree wrote what is read: digits alone."""
    for name, version, image, otherwise in LANGUAGES:
        text = _read(folder / name)
        if text is None:
            continue
        said = re.search(version, text, re.MULTILINE) if version else None
        if found := said[1] if said else otherwise:
            return image.format(found)
    return USUAL


def _read(file: Path) -> str | None:
    if file.is_symlink() or not file.is_file():
        return None
    with file.open(errors="replace") as opened:
        return opened.read(LARGEST)
