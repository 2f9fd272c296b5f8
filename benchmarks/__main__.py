"""Prints every figure; `python -m benchmarks sandbox` prints one file's."""

from __future__ import annotations

import sys

from benchmarks import commands, sandbox

ALL = {"commands": commands.measure, "sandbox": sandbox.measure}

for name in sys.argv[1:] or ALL:
    for figure in ALL[name]():
        print(figure, flush=True)
