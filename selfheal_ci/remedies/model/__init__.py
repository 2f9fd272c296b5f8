"""Asking a model: what it is told, what it answers, what that costs."""

from __future__ import annotations
