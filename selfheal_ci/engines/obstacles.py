"""What stops the sandbox on a machine, and the way out: by what bubblewrap says, and what the system says of itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from selfheal_ci.engines.host import Bubblewrap

SYSCTLS = {  # what the system says of itself → the value that forbids us → the one that lets us
    "kernel.apparmor_restrict_unprivileged_userns": ("1", "0"),
    "kernel.unprivileged_userns_clone": ("0", "1"),
    "user.max_user_namespaces": ("0", "15000"),
}
APPARMOR = """this system lets only programs with an AppArmor profile make user namespaces (Ubuntu 24.04 and later). Either
    {profile}
    or, in a CI job of its own machine: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0
    or use --engine dagger"""
PROFILE = """give selfheal's bubblewrap one:
      printf 'abi <abi/4.0>,\\nprofile selfheal-bwrap {program} flags=(unconfined) {{\\n  userns,\\n}}\\n' \\
        | sudo tee /etc/apparmor.d/selfheal-bwrap && sudo apparmor_parser -r /etc/apparmor.d/selfheal-bwrap"""
CLOSED = "install selfheal where every user reaches it, not in {folder}: then its bubblewrap can have one, and this says how"
CONTAINER = """a default Docker container forbids user namespaces: use --engine dagger, or start one that allows them
    (docker run --user 1000 --security-opt seccomp=unconfined --security-opt apparmor=unconfined
    --security-opt systempaths=unconfined) and that holds no secret"""
NO_RIGHT = "unshare failed: Operation not permitted"  # as root
SAID = (
    ("uid map", "this system restricts user namespaces: let this user make some, or use --engine dagger"),
    ("namespaces exceeded", "user namespaces are switched off here (sysctl user.max_user_namespaces), or nested too deep:"
     " use --engine dagger, or run outside of the sandbox that this is"),
    ("creating new namespace", CONTAINER),
    (NO_RIGHT, CONTAINER),
    ("mount proc", CONTAINER),
    ("make / slave", CONTAINER),
    ("pivot_root", CONTAINER),
)  # fmt: skip


def way_out(
    said: str, bubblewrap: Bubblewrap, *, another_user: Callable[[], bool], sysctls: Path = Path("/proc/sys")
) -> str:
    """What to do where bubblewrap said this instead of starting. another_user: whether it would start for one."""
    forbidding = [name for name, (value, _) in SYSCTLS.items() if _value(sysctls, name) == value]
    if "kernel.apparmor_restrict_unprivileged_userns" in forbidding and re.search("uid map|RTM_NEWADDR", said):
        closed = bubblewrap.copied_from
        profile = CLOSED.format(folder=closed.parents[2]) if closed else PROFILE.format(program=bubblewrap.program)
        return APPARMOR.format(profile=profile)
    for name in forbidding:
        if re.search("namespace|uid map|unshare", said) and "apparmor" not in name:
            return f"user namespaces are switched off here: sudo sysctl -w {name}={SYSCTLS[name][1]}, or use --engine dagger"
    if NO_RIGHT in said and another_user():
        return "root has no right to make mounts here, and needs none as another user: start as one, or use --engine dagger"
    return next((hint for words, hint in SAID if words in said), "use --engine dagger")


def _value(sysctls: Path, name: str) -> str:
    try:
        return sysctls.joinpath(*name.split(".")).read_text().strip()
    except OSError:
        return ""
