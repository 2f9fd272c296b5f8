"""What is remembered from one healing to the next."""

from __future__ import annotations
