"""Stands for whoever starts us, with all that such a process has, and runs the probe: itself, or in sandboxes.

    python -m tests.escape_caller TARGETS                     the probe itself, from here
    python -m tests.escape_caller TARGETS CHECKOUT WORK       in a sandbox, each way in which code under repair runs

It has a controlling terminal, a keyring and open files; its environment and arguments are its starter's choice.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import platform
import sys
import termios
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from selfheal_ci.engines.local import LocalEngine
from selfheal_ci.engines.sandbox import LocalSandbox
from selfheal_ci.values import NOTHING, SUPPORT, Changes, Command, Content, Limits, Recipe, Run
from tests.builders_tree import Files, a_tree, exporter
from tests.escape_probe import SESSION_KEYRING

PROBE = Path(__file__).with_name("escape_probe.py")
ADD_KEY, KEYCTL = {"x86_64": (248, 250), "aarch64": (217, 219)}.get(platform.machine(), (-1, -1))
JOIN_SESSION_KEYRING = 1
PATIENCE = 120.0


def main() -> None:
    targets = Path(sys.argv[1])
    _have_terminal()
    _have_key(json.loads(targets.read_text()))
    if len(sys.argv) == 2:
        os.execv(sys.executable, [sys.executable, "-I", str(PROBE), str(targets)])
    checkout, work = map(Path, sys.argv[2:])
    print(json.dumps(_sandboxed(targets.read_bytes(), checkout, work)))


def _have_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _have_key(targets: dict[str, Any]) -> None:
    """In a session keyring of this process, which goes with it."""
    kernel = ctypes.CDLL(None)
    kernel.syscall(ctypes.c_long(KEYCTL), JOIN_SESSION_KEYRING, None)
    secret = os.environb[b"GITHUB_TOKEN"]
    kernel.syscall(ctypes.c_long(ADD_KEY), b"user", targets["key"].encode(), secret, len(secret), SESSION_KEYRING)


@dataclass(frozen=True)
class Way:
    """How the probe comes into the sandbox, and is started."""

    folder: str  # where it lies, and its targets
    files: Files

    @property
    def shell(self) -> str:
        return f"{sys.executable} {self.folder}/escape_probe.py {self.folder}/targets.json"


def _sandboxed(targets: bytes, checkout: Path, work: Path) -> dict[str, dict[str, Any]]:
    probe = {"escape_probe.py": PROBE.read_bytes(), "targets.json": targets}
    support = Way(SUPPORT, probe)
    in_tree = Way(".probe", {f".probe/{name}": data for name, data in probe.items()})
    changed = Way("new/probe", {f"new/probe/{name}": data for name, data in probe.items()})
    files: Files = {
        "src/a.py": b"",
        "way": Content(str(checkout.parent / "home/.netrc").encode(), "120000"),
        **in_tree.files,
    }
    changes = Changes({
        "src/a.py": Content(b"changed"), "way": Content(str(checkout.parent / "home/.netrc").encode(), "120000"),
        **{name: Content(data) for name, data in changed.files.items() if isinstance(data, bytes)},
    })  # fmt: skip
    laid_over = LocalEngine(exporter(files), work, Limits(), os.environ, 2)
    copying = replace(laid_over, overlays=False)
    tree, network = a_tree(checkout, files), Command(support.shell, PATIENCE, support=probe, network=True)
    with (
        laid_over.prepare(tree, Recipe(setup=(f"{in_tree.shell} > ~/said",))) as sandbox,
        copying.prepare(tree, Recipe()) as copy,
    ):
        return {
            "a step": _told(sandbox, Command(support.shell, PATIENCE, support=probe)),
            "a fixer": _told(sandbox, Command(in_tree.shell, PATIENCE)),
            "a step with changes": _told(sandbox, Command(changed.shell, PATIENCE), changes),
            "a step on a copy": _told(copy, Command(changed.shell, PATIENCE), changes),
            "a step with network": _told(sandbox, network) | {"bridged": sandbox.frozen.bridge is not None},
            "setup": _told(sandbox, Command("cat ~/said", PATIENCE)) | {"bridged": sandbox.frozen.bridge is not None},
        }


def _told(sandbox: LocalSandbox, command: Command, changes: Changes = NOTHING) -> dict[str, Any]:
    """What a run said; and everything that comes out of it, to be looked through for secrets."""
    run: Run = sandbox.run(command, changes)
    left = [*run.reports.values(), *(content.data for content in run.changed.files.values() if content)]
    return {"exit code": run.exit_code, "said": run.output.text, "left": [data.decode(errors="replace") for data in left]}


if __name__ == "__main__":
    main()
