"""What a healing leaves behind: data for the publishing job, words for people."""

from __future__ import annotations
