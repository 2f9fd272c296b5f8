"""A project that was healed once and is not yet published, for the tests of what comes then."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults import Scene, a_scene


@pytest.fixture(scope="session")
def healed_scene() -> Iterator[Scene]:
    with a_scene(healed=True) as scene:
        yield scene


@pytest.fixture
def scene(healed_scene: Scene) -> Scene:
    """As it was when it was healed."""
    healed_scene.reset()
    return healed_scene
