from __future__ import annotations

import random

import pytest

from selfheal_ci.engines.capture import Capture
from selfheal_ci.values import Output


def captured(chunks: list[bytes], limit: int) -> Output:
    capture = Capture(limit)
    for chunk in chunks:
        capture.feed(chunk)
    return capture.output


def test_keeps_all_of_what_fits() -> None:
    assert captured([b"ab", b"", b"cd"], 4) == Output(b"ab", b"cd", 0)


def test_leaves_out_the_middle() -> None:
    assert captured([b"abcdefgh"], 4) == Output(b"ab", b"gh", 4)


@pytest.mark.parametrize("seed", range(20))
def test_counts_every_byte_whatever_the_chunks(seed: int) -> None:
    rng = random.Random(seed)
    chunks = [rng.randbytes(rng.randrange(50)) for _ in range(100)]
    whole = b"".join(chunks)

    kept = captured(chunks, 64)

    assert kept.head == whole[:32]
    assert kept.tail == whole[-32:]
    assert kept.left_out == len(whole) - 64
