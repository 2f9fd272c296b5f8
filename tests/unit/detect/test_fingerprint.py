"""Fingerprints are kept in commits and ledgers: they must be the same tomorrow."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from selfheal_ci.detect import read_reports, result
from selfheal_ci.detect.fingerprint import fingerprint, mask
from selfheal_ci.detect.frames import Frame
from selfheal_ci.values import Output, Red, Run, Step, Stop

GOLDEN = Path(__file__).parents[2] / "golden" / "junit"


def of_report(name: str, old: str = "", new: str = "") -> dict[str, str]:
    data = (GOLDEN / name).read_text(encoding="utf-8").replace(old or "\0", new).encode()
    red = result(
        Run("pytest", Stop.EXITED, 1, Output(), 1.0),
        Step("tests", "pytest"),
        read_reports({"a.xml": data}, "/home/dev/shop"),
    )
    assert isinstance(red, Red)
    return {failure.id: failure.fingerprint for failure in red.failures}


@pytest.mark.parametrize("name", ["selfheal.xml", "pytest-xunit1.xml"])
def test_they_are_what_they_were(name: str) -> None:
    assert of_report(name) == {
        "tests/test_broken.py": "1:4a228c083d669107ac52122b1bdc48c2de357766",
        "tests/test_cart.py::TestTotal::test_one": "1:ec07f189789417e9954f24e91f20bc4b465e48ce",
        "tests/test_cart.py::test_param[x]y]": "1:399ac75f3fae48db269817fb0aface588344a467",
        "tests/test_cart.py::test_param[gr\\xfcn]": "1:399ac75f3fae48db269817fb0aface588344a467",
        "tests/test_cart.py::test_param[two\\nlines]": "1:399ac75f3fae48db269817fb0aface588344a467",
        "tests/test_cart.py::test_setup": "1:7ec26cc753912fdd8b50615d19a6e37d5940ec04",
    }


@pytest.mark.parametrize(
    ("old", "new"), [("cart.py:2: ", "cart.py:77: "), ("0x7fe0793ca550", "0x7f0000000000"), ("/home/dev/shop", "/srv/x")]
)
def test_lines_addresses_and_places_do_not_matter(old: str, new: str) -> None:
    assert of_report("pytest-xunit1.xml", old, new) == of_report("pytest-xunit1.xml")


def test_the_function_the_type_and_the_words_matter() -> None:
    here = [Frame("a.py", 1, "f")]
    all_of_them = {
        fingerprint("KeyError", "no", here),
        fingerprint("ValueError", "no", here),
        fingerprint("KeyError", "yes", here),
        fingerprint("KeyError", "no", [Frame("a.py", 1, "g")]),
        fingerprint("KeyError", "no", [Frame("b.py", 1, "f")]),
        fingerprint("KeyError", "no", []),
        fingerprint("KeyError", "no", [], path="a.py"),
    }

    assert len(all_of_them) == 7


def test_only_the_innermost_frames_matter() -> None:
    way = [Frame("a.py", n, f"f{n}") for n in range(5)]

    assert fingerprint("E", "m", way) == fingerprint("E", "m", way[2:]) != fingerprint("E", "m", way[3:])


@pytest.mark.parametrize(
    ("message", "masked"),
    [
        ("KeyError: 'user'", "KeyError: '…'"),
        ('got "a b" and `c`', "got '…' and '…'"),
        ("took 3.25 s, 17 of 20", "took # s, # of #"),
        ("<Cart object at 0x7f01ab>", "<Cart object at <hex>>"),
        ("commit 0123abcdef00 is bad", "commit <hex> is bad"),
        ("id 123e4567-e89b-12d3-a456-426614174000", "id <hex>"),
        ("No such file: /tmp/x1/a b", "No such file: <path> b"),
        ("cannot open src/a.c", "cannot open <path>"),
        ("feedback is defaced", "feedback is defaced"),
        ("a   b\tc", "a b c"),
    ],
)
def test_masks_what_differs_from_run_to_run(message: str, masked: str) -> None:
    assert mask(message) == masked


@pytest.mark.parametrize("piece", ["a", "a/", "/", "'", "0", "0x", "a.", "-", "abcdef0-", " ", "~+", "1:1."])
def test_masking_takes_linear_time(piece: str) -> None:
    began = time.process_time()

    mask(piece * (200_000 // len(piece)))

    assert time.process_time() - began < 2
