"""What stops the sandbox on a machine, and the way out: by what bubblewrap says, and what the system says of itself."""

from __future__ import annotations

import re
from pathlib import Path

SYSCTLS = {  # what the system says of itself → the value that forbids us → the one that lets us
    "kernel.apparmor_restrict_unprivileged_userns": ("1", "0"),
    "kernel.unprivileged_userns_clone": ("0", "1"),
    "user.max_user_namespaces": ("0", "15000"),
}
APPARMOR = """this system lets only programs with an AppArmor profile make user namespaces (Ubuntu 24.04 and later). Either
    give selfheal's bubblewrap one:
      printf 'abi <abi/4.0>,\\nprofile selfheal-bwrap {program} flags=(unconfined) {{\\n  userns,\\n}}\\n' \\
        | sudo tee /etc/apparmor.d/selfheal-bwrap && sudo apparmor_parser -r /etc/apparmor.d/selfheal-bwrap
    or, in a CI job of its own machine: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0
    or use --engine dagger"""
SAID = (
    ("uid map", "this system restricts user namespaces: let this user make some, or use --engine dagger"),
    ("creating new namespace", "this container forbids user namespaces (the Docker default): use --engine dagger, or a"
     " runner that allows them"),
    ("namespaces exceeded", "user namespaces are switched off here (sysctl user.max_user_namespaces), or nested too deep:"
     " use --engine dagger, or run outside of the sandbox that this is"),
    ("unshare failed: Operation not permitted", "root has no right to make mounts here: use --engine dagger, or start as"
     " another user"),
    ("mount proc", "this container hides /proc: use --engine dagger, or a runner that allows user namespaces"),
)  # fmt: skip


def way_out(said: str, program: Path, *, sysctls: Path = Path("/proc/sys")) -> str:
    """What to do where bubblewrap said this instead of starting."""
    forbidding = [name for name, (value, _) in SYSCTLS.items() if _value(sysctls, name) == value]
    if "kernel.apparmor_restrict_unprivileged_userns" in forbidding and "uid map" in said:
        return APPARMOR.format(program=program)
    for name in forbidding:
        if re.search("namespace|uid map|unshare", said) and "apparmor" not in name:
            return f"user namespaces are switched off here: sudo sysctl -w {name}={SYSCTLS[name][1]}, or use --engine dagger"
    return next((hint for words, hint in SAID if words in said), "use --engine dagger, or see `selfheal doctor`")


def _value(sysctls: Path, name: str) -> str:
    try:
        return sysctls.joinpath(*name.split(".")).read_text().strip()
    except OSError:
        return ""
