"""The pristine bare store: the trees, commits and bytes of a checkout, read without trusting its configuration."""

from __future__ import annotations

from selfheal_ci.store.store import Store, open_store

__all__ = ["Store", "open_store"]
