"""Bytes of a run → failures with ids and fingerprints that are the same in every run."""

from __future__ import annotations

from selfheal_ci.detect.fingerprint import fingerprint
from selfheal_ci.detect.frames import Frame, frames, relative
from selfheal_ci.detect.junit import Outcome, ReportCase, Reports, parse, read_reports
from selfheal_ci.detect.limits import Limit, gave_out, limit_of
from selfheal_ci.detect.output import headline, reduce_log, step_failure, step_id
from selfheal_ci.detect.result import result

__all__ = [
    "Frame",
    "Limit",
    "Outcome",
    "ReportCase",
    "Reports",
    "fingerprint",
    "frames",
    "gave_out",
    "headline",
    "limit_of",
    "parse",
    "read_reports",
    "reduce_log",
    "relative",
    "result",
    "step_failure",
    "step_id",
]
