"""A network for setup that leads out of the machine and not into it, where a user-mode bridge is installed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass

PATHS = "/usr/local/bin:/usr/bin:/bin"
CLOSED = ("-t", "none", "-u", "none", "-T", "none", "-U", "none")  # no port leads from one side to the other
# slirp4netns connects to a process that is there already: ours waits for its device, then becomes the sandbox.
SLIRP_SCRIPT = """exec 8>&0
unshare --user --map-root-user --net sh -c '
  n=0; until grep -q tap0 /proc/net/dev; do n=$((n+1)); [ $n -lt 200 ] || exit 96; sleep 0.05; done
  exec "$@" <&8 8<&-' sh "$@" &
child=$!
until [ "$(cat /proc/$child/comm)" = sh ]; do sleep 0.01; done
%s --configure --disable-host-loopback $child tap0 >/dev/null 2>&1 </dev/null 8<&- &
bridge=$!
wait $child
code=$?
kill $bridge 2>/dev/null
exit $code
"""


@dataclass(frozen=True)
class Bridge:
    """The beginning of a command line whose rest has a network of its own, as uid 0 of a namespace."""

    name: str
    words: tuple[str, ...]
    resolver: str  # where it answers for the host's resolver


def bridges() -> Sequence[Bridge]:
    """What is installed here, the better one first."""
    found = []
    if pasta := shutil.which("pasta", path=PATHS):
        resolver = "169.254.1.1"
        options = ("--config-net", "--no-map-gw", "--quiet", "--foreground", *CLOSED, "--dns-forward", resolver)
        found.append(Bridge("pasta", (pasta, *options, "--"), resolver))
    if slirp := shutil.which("slirp4netns", path=PATHS):
        found.append(Bridge("slirp4netns", ("/bin/sh", "-c", SLIRP_SCRIPT % slirp, "sh"), "10.0.2.3"))
    return found
