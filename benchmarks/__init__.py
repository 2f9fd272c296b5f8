"""What we claim about speed, as commands anyone can run: `make bench`."""

from __future__ import annotations
