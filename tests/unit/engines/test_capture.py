from __future__ import annotations

import random
import tracemalloc

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


def test_small_pieces_take_no_more_memory_than_large_ones() -> None:
    tracemalloc.start()
    capture = Capture(1 << 17)
    for _ in range(1 << 18):
        capture.feed(b"x")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 3 << 17
    assert (len(capture.output.head), len(capture.output.tail), capture.output.left_out) == (1 << 16, 1 << 16, 1 << 17)


@pytest.mark.parametrize("limit", [0, 1])
def test_hardly_any_room_is_room_enough(limit: int) -> None:
    assert captured([b"", b"abc", b"", b"def"], limit) == Output(b"", b"f" * limit, 6 - limit)
