"""The image follows the language that is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfheal_ci.engines.images import usual_image


@pytest.mark.parametrize(
    ("files", "image"),
    [
        ({}, "python:3.11-slim"),
        ({".python-version": "3.12.4\n"}, "python:3.12-slim"),
        (
            {".python-version": "pypy3.10\n", "pyproject.toml": '[project]\nrequires-python = ">=3.9,<4"\n'},
            "python:3.9-slim",
        ),
        ({"setup.cfg": "[options]\npython_requires = >=3.10\n"}, "python:3.10-slim"),
        ({"setup.py": "", "package.json": "{}"}, "python:3.11-slim"),
        ({".nvmrc": "v20.11.1\n", "package.json": "{}"}, "node:20-bookworm-slim"),
        ({".nvmrc": "lts/*\n", "package.json": '{"engines": {"node": ">=18"}}'}, "node:18-bookworm-slim"),
        ({"package.json": "{}"}, "node:22-bookworm-slim"),
        ({"go.mod": "module x\n\ngo 1.23.1\n"}, "golang:1.23-bookworm"),
        ({"Cargo.toml": '[package]\nrust-version = "1.80"\n'}, "rust:1.80-slim-bookworm"),
        ({"Cargo.toml": "[workspace]\n"}, "rust:1-slim-bookworm"),
        ({"pom.xml": "<maven.compiler.release>17</maven.compiler.release>"}, "maven:3-eclipse-temurin-17"),
        ({"build.gradle.kts": "x"}, "eclipse-temurin:21"),
        ({".python-version": "3.12\nRUN evil"}, "python:3.11-slim"),
    ],
)
def test_the_image_is_that_of_the_language(tmp_path: Path, files: dict[str, str], image: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    assert usual_image(tmp_path) == image


def test_a_link_out_of_the_tree_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("3.13\n")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/.python-version").symlink_to(tmp_path / "elsewhere")

    assert usual_image(tmp_path / "tree") == "python:3.11-slim"
