"""What tests may be asked for beside themselves: a real engine, a live model."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--dagger", action="store_true", help="run the engine's contract on a real Dagger engine too")
    parser.addoption("--live", action="store_true", help="ask a live model, with the key of the environment")
