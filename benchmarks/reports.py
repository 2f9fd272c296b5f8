"""Reports to read: a huge one, and mutants of what test tools of all kinds write."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

GOLDEN = Path(__file__).parent.parent / "tests" / "golden" / "junit"
TRACE = "tests/test_a.py:12: AssertionError in f with words "
LENGTH = 120  # characters of a trace
PIECES = (
    b"<", b">", b"&", b'"', b"'", b"\0", b"\xff", b"]]>", b"<![CDATA[", b"<!DOCTYPE a>", b'<!ENTITY x "y">', b"&x;", b"&#0;",
    b"&#x1F600;", b"<testcase>", b"</testcase>", b"<testsuite>", b"</testsuite>", b"<failure>", b"<?xml ?>", b"<!--", b"-->",
    b'<?xml version="1.0" encoding="utf-16"?>', b"\xef\xbb\xbf", b"\xff\xfe", b'<!DOCTYPE a SYSTEM "file:///etc/passwd">',
)  # fmt: skip


def huge(failures: int) -> bytes:
    """One report, of 320 bytes for each failure."""
    cases = (
        f'<testcase classname="tests.test_m{n // 100}.TestA" name="test_{n}" file="tests/test_m{n // 100}.py" '
        f'line="{n % 500}" time="0.01"><failure message="assert {n} == 3" type="AssertionError">{(TRACE * 4)[:LENGTH]}'
        "</failure></testcase>"
        for n in range(failures)
    )
    return f'<testsuites><testsuite name="pytest">{"".join(cases)}</testsuite></testsuites>'.encode()


def seeds() -> list[bytes]:
    """What test tools write, and what was made to break readers."""
    return [path.read_bytes() for path in sorted(GOLDEN.glob("*.xml"))]


def mutants(corpus: Sequence[bytes], count: int, chance: random.Random) -> Iterator[bytes]:
    """The files of the corpus in turn, each with some pieces cut out, doubled, moved in or taken from another."""
    for number in range(count):
        mutant = bytearray(corpus[number % len(corpus)])
        for _ in range(chance.choice([1, 1, 2, 5])):
            start = chance.randrange(len(mutant) + 1)
            end = start + chance.choice([0, 0, 1, 5, 40, 400])
            other = chance.choice(corpus)
            from_other = chance.randrange(len(other))
            taken = other[from_other : from_other + 200]
            letter = bytes([chance.choice(b"abc 019./:")])
            mutant[start:end] = chance.choice([chance.choice(PIECES), letter, bytes(mutant[start:end]) * 2, taken, b""])
        yield bytes(mutant)
