"""Whether a Docker answers here: it is what starts a Dagger engine where none is given."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from selfheal_ci import shell
from selfheal_ci.errors import ToolError

NEEDS = ("PATH", "HOME", "XDG_RUNTIME_DIR")
PATIENCE = 5.0  # seconds for its answer


@dataclass(frozen=True)
class Docker:
    """What came of asking it."""

    installed: bool
    version: str = ""  # of the daemon; none: it does not answer
    said: str = ""  # instead


def ask_docker(environ: Mapping[str, str]) -> Docker:
    """Ask the one that is found on PATH."""
    program = shutil.which("docker", path=environ.get("PATH"))
    if program is None:
        return Docker(False, said="docker is not installed")
    env = {name: value for name, value in environ.items() if name in NEEDS or name.startswith("DOCKER_")}
    try:
        tried = shell.run([program, "version", "--format", "{{.Server.Version}}"], env=env, timeout=PATIENCE)
    except ToolError as failed:
        return Docker(True, said=failed.message)
    said = (tried.stdout if tried.exit_code == 0 else tried.stderr).decode(errors="replace").strip()
    if tried.exit_code == 0 and said:
        return Docker(True, said)
    return Docker(True, said=f"docker is installed, and does not answer: {said[-200:]}")
