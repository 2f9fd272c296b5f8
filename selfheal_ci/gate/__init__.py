"""One judge for every candidate, whoever made it."""

from __future__ import annotations
