"""The public projects that the regressions are made from: releases with their own suites, fetched when the bench runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Project:
    """A project's releases, oldest first: each two neighbours are a change."""

    name: str
    releases: tuple[str, ...]
    package: str  # the folder or file with its sources
    tests: str  # the folders or files of its suite, as pytest takes them
    root: str = ""  # what PYTHONPATH needs


PROJECTS = (
    Project("asteval", ("0.9.31", "1.0.0", "1.0.2"), "asteval/", "tests"),
    Project("cachetools", ("5.0.0", "5.1.0", "5.2.0", "5.4.0", "5.5.0"), "src/cachetools/", "tests", "src"),
    Project("click", ("8.1.5", "8.1.6", "8.1.7"), "src/click/", "tests", "src"),
    Project("h11", ("0.13.0", "0.14.0", "0.15.0", "0.16.0"), "h11/", "h11/tests"),
    Project("boltons", ("24.0.0", "24.1.0", "25.0.0"), "boltons/", "tests"),
    Project("more-itertools", ("10.1.0", "10.2.0", "10.3.0"), "more_itertools/", "tests"),
    Project("parse", ("1.19.0", "1.19.1", "1.20.0", "1.20.2", "1.21.0"), "parse.py", "tests"),
    Project("rfc3986", ("1.5.0", "2.0.0"), "src/rfc3986/", "tests", "src"),
    Project("schema", ("0.7.2", "0.7.3", "0.7.4", "0.7.5"), "schema", "test_schema.py"),
    Project("semver", ("3.0.0", "3.0.2", "3.0.4"), "src/semver/", "tests", "src"),
    Project("simpleeval", ("0.9.12", "0.9.13", "1.0.0", "1.0.3"), "simpleeval.py", "test_simpleeval.py"),
    Project("sqlparse", ("0.4.2", "0.4.3", "0.4.4", "0.5.1", "0.5.3"), "sqlparse/", "tests"),
    Project("tinydb", ("4.7.0", "4.7.1", "4.8.0", "4.8.1"), "tinydb/", "tests"),
    Project("voluptuous", ("0.13.0", "0.13.1", "0.15.0", "0.15.1", "0.15.2"), "voluptuous/", "voluptuous/tests"),
    Project("itsdangerous", ("2.0.1", "2.1.1", "2.1.2"), "src/itsdangerous/", "tests", "src"),
    Project("toolz", ("0.11.2", "0.12.0", "0.12.1", "1.0.0"), "toolz/", "toolz/tests"),
    Project("xmltodict", ("0.12.0", "0.13.0", "0.14.2", "0.15.0", "1.0.0"), "xmltodict.py", "tests"),
)
# Test tools of the projects, and what builds their metadata: pip wants that even to download.
TOOLS = (
    "pytest==8.3.5", "coverage==7.6.12", "freezegun==1.5.1", "mock==5.1.0", "pyyaml==6.0.2",
    "setuptools==75.8.0", "wheel==0.45.1", "setuptools-scm==8.1.0", "flit-core==3.10.1", "hatchling==1.27.0",
    "hatch-vcs==0.4.0", "poetry-core==2.0.1", "pdm-backend==2.4.3",
)  # fmt: skip
