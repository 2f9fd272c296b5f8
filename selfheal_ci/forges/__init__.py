"""Where fixes go."""

from __future__ import annotations
