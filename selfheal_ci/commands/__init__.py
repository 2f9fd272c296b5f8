"""Commands that are more than a call into the wiring."""

from __future__ import annotations
