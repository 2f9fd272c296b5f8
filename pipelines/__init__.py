"""Heals failing CI steps: reruns the step in a container, finds out why it fails, and keeps only what is proven.

Call from an empty, trusted folder with an absolute --source, never from a checkout that you do not trust.
"""

from __future__ import annotations

from pipelines.main import SelfhealCi

__all__ = ["SelfhealCi"]
