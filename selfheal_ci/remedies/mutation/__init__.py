"""Small edits of Python code, tried one by one: what real one-line mistakes look like, undone."""

from __future__ import annotations
