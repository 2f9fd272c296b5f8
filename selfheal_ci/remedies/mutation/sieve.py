"""Which of many versions of the tree may turn the failing tests green: pytest is started once for a batch of them.

Starting a sandbox, Python and pytest takes longer than most tests. Inside one run a plugin forks for each version, before
anything of the project is loaded. A version that passes there is asked again in a run of its own.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import resources
from itertools import chain

from selfheal_ci.lab import Lab
from selfheal_ci.values import NOTHING, REPORTS, SUPPORT, Changes, Stop

PLUGIN = "selfheal_sieve"
PLAN = "selfheal-sieve.json"
ANSWERS = "selfheal-sieve-answers"
BATCH = 40  # versions of one run
LEAST_SECONDS = 5.0  # that a run of one version may take
LONGER = 5  # times what the failing tests take as they are
RED = 1


@dataclass
class Sieve:
    """Asks for the same tests on many versions."""

    lab: Lab
    ids: Collection[str]
    works: bool = field(init=False)  # whether batches say anything; tried once

    def __post_init__(self) -> None:
        hopeful = self.lab.select and not any(id_.startswith("step:") for id_ in self.ids)
        self.works = hopeful and self._batch([]) is not None

    @cached_property
    def seconds(self) -> float:
        """What the failing tests take as they are."""
        return self.lab.run_tests(self.ids).run.seconds

    @cached_property
    def limited(self) -> Lab:
        """The lab, whose runs end where a version hangs."""
        allowed = min(self.lab.allowance.seconds, max(LEAST_SECONDS, LONGER * self.seconds))
        return self.lab.allowing(replace(self.lab.allowance, seconds=allowed))

    def green(self, versions: Sequence[Changes]) -> list[int]:
        """The indexes of those with which all the tests pass."""
        likely = self._likely(versions) if self.works else list(range(len(versions)))
        passing = self.lab.side_by_side(lambda index: self.limited.heals(self.ids, versions[index]), likely)
        return [index for index, passes in zip(likely, passing, strict=True) if passes]

    def _likely(self, versions: Sequence[Changes]) -> list[int]:
        """All but those that are known to fail."""
        batches = [versions[start : start + BATCH] for start in range(0, len(versions), BATCH)]
        failed = chain.from_iterable(self.lab.side_by_side(self._failed, batches))
        return [index for index, fails in enumerate(failed) if not fails]

    def _failed(self, versions: Sequence[Changes]) -> list[bool]:
        """For each version whether it is known to fail."""
        failed: list[bool] = []
        while len(failed) < len(versions):
            left = versions[len(failed) :]
            codes = self._batch(left)
            if codes is None:
                failed += [False] * len(left)
            else:
                reached = max(codes, default=-1) + 1
                failed += [codes.get(number, 0) != 0 for number in range(reached)]
                failed += [True] * (len(failed) < len(versions))  # the one that ended the run
        return failed

    def _batch(self, versions: Sequence[Changes]) -> Mapping[int, int] | None:
        """The exit codes of the versions that were tried; None where the tests do not fail there as they should."""
        files = [{path: new.data.hex() for path, new in each.files.items() if new} for each in (NOTHING, *versions)]
        seconds = self.limited.allowance.seconds
        plan = {"versions": files, "seconds": seconds, "answers": f"{REPORTS}/{ANSWERS}"}
        plugin = resources.files("selfheal_ci.remedies.mutation").joinpath("sieve_plugin.py").read_bytes()
        command = self.lab.runner.command(self.lab.step, frozenset(self.ids))
        command = replace(
            command,
            env={**command.env, "PYTEST_PLUGINS": PLUGIN, "SELFHEAL_SIEVE": f"{SUPPORT}/{PLAN}"},
            support={**command.support, f"{PLUGIN}.py": plugin, PLAN: json.dumps(plan).encode()},
        )
        run = self.lab.run_batch(command, self.seconds + len(files) * seconds)
        codes = _codes(run.reports.get(ANSWERS, b"").decode("ascii", "replace"), len(files))
        if codes.get(0) != RED:
            return None
        told = {number - 1: code for number, code in codes.items() if number}
        if run.stop is Stop.EXITED:  # those without an answer could not be tried there
            told |= {number: 0 for number in range(len(versions)) if number not in told}
        return told


def _codes(said: str, most: int) -> dict[int, int]:
    """The exit code of each version; where pytest was started several times, that of the one that failed."""
    codes: dict[int, int] = {}
    for line in said.splitlines():
        number, _, code = line.partition(" ")
        if number.isdecimal() and code.isdecimal() and int(number) < most:
            codes[int(number)] = codes.get(int(number), 0) or int(code)
    return codes
