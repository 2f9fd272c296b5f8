"""Heals failing CI steps: finds out why they fail, tries remedies, and keeps only what is proven."""

from __future__ import annotations

__version__ = "0.1.0"
