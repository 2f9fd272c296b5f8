"""The Dockerfile of a run: our own words alone, in forms that no shell of the image and no parser reads differently."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from selfheal_ci.errors import UsageError

HOME = "/home/selfheal"
UID = 60999  # ours in the image; nobody's elsewhere
OUT = "/.selfheal/out"  # what a run leaves behind; see run.sh
STAMP = "/.selfheal/made/stamp"  # older than all that setup makes
MADE = "/.selfheal/made/list"  # what survey.sh says of it
SETUP_TIMEOUT = 1800  # seconds for each line of setup
# exit codes of ours, so that a line that fails is not taken for an engine that broke
SETUP_FAILED = 93
IMAGE_LACKS = 94
CHANGES_FAILED = 95

# Folders of an image that a checkout cannot have: its own place is taken then, and nothing that holds paths is kept.
SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "etc", "proc", "sys", "dev", "run", "boot", "root")
TOP = ("home", "opt", "srv", "mnt", "media", "var", "tmp")  # fine to be below, not to be
ELSEWHERE = "/project"

IMAGE_CHECK = f"""
for tool in setpriv prlimit timeout tar find xargs stat awk; do
  command -v $tool >/dev/null || {{ echo "$tool"; exit {IMAGE_LACKS}; }}
done
setpriv --reuid={UID} --regid={UID} --clear-groups --no-new-privs --inh-caps=-all true || {{
  echo "setpriv that changes the user"; exit {IMAGE_LACKS}; }}
echo "selfheal:x:{UID}:{UID}::{HOME}:/bin/sh" >>/etc/passwd
echo "selfheal:x:{UID}:" >>/etc/group
mkdir -p "$1" {HOME} /.selfheal/made && chmod 755 /.selfheal && chown {UID}:{UID} "$1" {HOME} /.selfheal/made
"""
UNPACK = f'cd "$1" && tar -xf /.selfheal/tree/tree.tar && touch {STAMP}'
SURVEY = f'sh /.selfheal/tree/survey.sh "$1" /.selfheal/tree/known {STAMP} >{MADE}'
SET_UP = f"""
cd "$1" && timeout -k 10 {SETUP_TIMEOUT} sh -c "$2" 2>&1 </dev/null
code=$?
[ $code -eq 0 ] || {{ echo; echo "exit code $code"; exit {SETUP_FAILED}; }}
"""
MOUNT_TREE = "--mount=type=bind,source=tree,target=/.selfheal/tree"
MOUNT_CHANGES = "--mount=type=bind,source=changes,target=/.selfheal/changes"


def place(root: Path) -> str:
    """Where the tree lies inside: at its own path, unless the image needs that one for itself."""
    path = root.as_posix()
    parts = path.split("/")[1:]
    printable = path.isprintable() and path.startswith("/") and len(parts) > 0
    taken = not parts or parts[0] in {*SYSTEM, ".selfheal", ""} or (len(parts) == 1 and parts[0] in TOP)
    return path if printable and not taken else ELSEWHERE


def named(image: str) -> str:
    """The name of an image, fit for a Dockerfile. Raises UsageError for one that is none."""
    if not image or image.startswith("-") or not image.isprintable() or " " in image:
        raise UsageError(f"{image!r} is no name of an image", hint="give `image` as in python:3.11-slim")
    return image


def from_folder(folder: str, env: Mapping[str, str]) -> list[str]:
    """How a Dockerfile begins on an image whose files lie in a folder of its context, with that image's variables."""
    printable = {name: value for name, value in env.items() if name.isidentifier() and value.isprintable()}
    return ["FROM scratch", f"COPY {folder} /", *(f"ENV {name}={_quoted(value)}" for name, value in printable.items())]


def prepared(*, base: Sequence[str], root: str, setup: Sequence[str], env: Mapping[str, str]) -> str:
    """Everything up to the frozen state, after the lines that it begins with: the user, the tree, setup with network."""
    variables = ["env", *(f"{name}={value}" for name, value in env.items())]
    lines = [
        *base,
        "USER 0:0",
        f"ENV HOME={HOME} OTEL_SDK_DISABLED=true OTEL_TRACES_EXPORTER=none",
        _run([], ["sh", "-c", IMAGE_CHECK, "sh", root]),
        f"USER {UID}:{UID}",
        _run([MOUNT_TREE], ["sh", "-c", UNPACK, "sh", root]),
        *(_run([], [*variables, "sh", "-c", SET_UP, "sh", root, line]) for line in setup),
    ]
    return "\n".join(lines) + "\n"


def with_survey(frozen: str, root: str) -> str:
    """The frozen state, and a list of what setup made of the tree."""
    return frozen + _run(["--network=none", MOUNT_TREE], ["sh", "-c", SURVEY, "sh", root]) + "\n"


RUN = ("sh", "/.selfheal/changes/run.sh")


def with_run(frozen: str, *, network: bool) -> str:
    """The frozen state and one run on it; a new NONCE makes it run again."""
    flags = [*(() if network else ("--network=none",)), MOUNT_CHANGES]
    return frozen + "\n".join(["USER 0:0", "ARG NONCE", _run(flags, RUN)]) + "\n"


def _run(flags: Sequence[str], argv: Sequence[str]) -> str:
    return " ".join(["RUN", *flags, json.dumps(list(argv))])


def _quoted(value: str) -> str:
    return '"' + re.sub(r'(["\\$])', r"\\\1", value) + '"'
