"""Limits, as a person meets them: what breaks one since green is healed; what needs more is told which to raise."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.builders import a_repository
from tests.e2e.test_heal import selfheal

PYTEST = "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q -p no:cacheprovider"
CONFIG = (
    f'[steps.tests]\nrun = "{PYTEST}"\ntimeout-minutes = 0.04\n[limits]\nmemory = "100m"\nprocesses = 64\ndisk = "20m"\n'
)
TEST = "from shop import total\n\n\ndef test_total():\n    assert total([1, 2]) == 3\n"
SHOP = '"""Sums."""\n\nimport os\nimport subprocess\n\n\ndef total(items):\n    return sum(items)\n'
GREEN = {"shop.py": SHOP, "tests/test_shop.py": TEST, ".selfheal.toml": CONFIG, "conftest.py": ""}

BROKEN = {
    "a loop": ("    while True:\n        pass\n", "timeout-minutes, 0.04"),
    "a leak": ("    held = []\n    while True:\n        held.append(bytearray(1 << 20))\n", "limits.memory, 100m"),
    "a full disk": (
        "    with open('/tmp/log', 'wb') as log:\n        while True:\n            log.write(bytes(1 << 20))\n",
        "limits.disk, 20m",
    ),
    "a fork bomb": (
        "    while True:\n        subprocess.Popen(['sh', '-c', 'sleep 3 & sleep 3'])\n",
        "limits.processes, 64",
    ),
}


@pytest.mark.parametrize(("lines", "limit"), BROKEN.values(), ids=BROKEN.keys())
def test_what_breaks_a_limit_since_green_is_reverted(tmp_path: Path, lines: str, limit: str) -> None:
    broken = SHOP.replace("    return sum", f"{lines}    return sum")
    project = a_repository(tmp_path / "project", GREEN, {"shop.py": broken})

    ended = selfheal(project, "heal", "--no-model")

    assert (ended.exit_code, ended.told["status"]) == (0, "healed"), ended.stderr
    assert ended.told["diagnosis"]["kind"] == "regression"
    assert limit in ended.told["diagnosis"]["summary"]
    patch = (ended.folder / "fix.patch").read_text()
    assert re.search(r"^-\s+while True:$", patch, re.MULTILINE), patch
    assert not re.search(r"^[+](?![+])", patch, re.MULTILINE), "nothing is added"


HUNGRY = "import time\nheld = bytearray(120 << 20)\ntime.sleep(0.45)\n"


def test_what_needs_more_memory_on_green_as_well_is_told_how_much(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "project", {**GREEN, "conftest.py": HUNGRY}, {"README.md": "hello\n"})

    ended = selfheal(project, "heal", "--no-model")

    advice = "with twice as much (200m) the step passes: raise limits.memory (--max-memory) to 200m"
    assert (ended.exit_code, ended.told["status"]) == (4, "environment"), ended.stderr
    assert ended.told["diagnosis"]["kind"] == "infrastructure"
    assert "it used more memory than it may (limits.memory, 100m), on " in ended.told["diagnosis"]["summary"]
    assert advice in " ".join(ended.stderr.split())
    assert advice.replace("-", "").split(": ")[1] in (ended.folder / "report.md").read_text().replace("-", "")
    assert selfheal(project, "heal", "--no-model", "--max-memory", "200m").exit_code == 0


def test_what_fails_with_more_memory_is_healed_with_more(tmp_path: Path) -> None:
    wrong = SHOP.replace("sum(items)", "sum(items) + 1")
    project = a_repository(tmp_path / "project", {**GREEN, "conftest.py": HUNGRY}, {"shop.py": wrong})

    ended = selfheal(project, "heal", "--no-model")

    assert (ended.exit_code, ended.told["status"]) == (0, "healed"), ended.stderr
    assert [failure["id"] for failure in ended.told["failures"]] == ["tests/test_shop.py::test_total"]
    summary = ended.told["diagnosis"]["summary"]
    assert re.match(
        r"it used more memory than it may \(limits\.memory, 100m\), .*; with twice as much \(200m\), as all", summary
    )


def test_what_needs_more_time_is_told_how_much(tmp_path: Path) -> None:
    config = '[steps.slow]\nrun = "sleep 2.4"\ntimeout-minutes = 0.03\n'
    project = a_repository(tmp_path / "project", {".selfheal.toml": config})

    ended = selfheal(project, "heal", "--no-model")

    assert (ended.exit_code, ended.told["diagnosis"]["kind"]) == (4, "infrastructure"), ended.stderr
    assert "raise timeout-minutes of the step to 0.06" in ended.told["diagnosis"]["summary"]


def test_output_that_is_left_out_is_counted_where_people_look(tmp_path: Path) -> None:
    config = '[steps.loud]\nrun = "seq 100000; echo it went wrong; exit 1"\n'
    project = a_repository(tmp_path / "project", {".selfheal.toml": config})

    ended = selfheal(project, "heal", "--no-model", "--max-output", "64k")

    printed = "".join(f"{number}\n" for number in range(1, 100_001)) + "it went wrong\n"
    left_out = f"{len(printed) - (64 << 10):,} bytes"
    assert ended.exit_code == 1, ended.stderr
    assert "it went wrong" in ended.told["failures"][0]["message"]
    assert f"{left_out} in the middle of its output are left out (limits.output, --max-output)" in ended.stderr
    assert f"{left_out} in the middle of its output (limits.output, --max-output)" in ended.told["evidence"]["not_checked"]
    assert f"{left_out} in the middle of its output" in (ended.folder / "report.md").read_text()
    assert "bytes left out" in next((ended.folder / "logs").iterdir()).read_text()
