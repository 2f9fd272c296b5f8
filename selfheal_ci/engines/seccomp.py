"""The system calls that no namespace closes: the kernel's keyrings, where logins keep their tickets."""

from __future__ import annotations

import errno
import platform
import struct

# By ABI: its AUDIT_ARCH, and the first of add_key, request_key and keyctl, whose numbers follow each other.
ABIS = {
    "x86_64": (0xC000003E, 248),
    "i386": (0x40000003, 286),
    "aarch64": (0xC00000B7, 217),
    "arm": (0x40000028, 309),
}
ARCH, NUMBER = 4, 0  # where struct seccomp_data holds them
NOT_X32 = 0xBFFFFFFF  # x32 calls are those of x86_64 with one more bit
LOAD, AND, EQUAL, AT_LEAST, ABOVE, RETURN = 0x20, 0x54, 0x15, 0x35, 0x25, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM


def seccomp_filter() -> bytes | None:
    """A program for bubblewrap's --seccomp that refuses them; None on a machine whose numbers we do not know."""
    if platform.machine() not in ABIS:
        return None
    blocks = (_block(arch, first) for arch, first in ABIS.values())
    return b"".join([_step(LOAD, ARCH), *blocks, _step(RETURN, ALLOW)])


def _block(arch: int, first: int) -> bytes:
    return b"".join([
        _step(EQUAL, arch, no=6),  # on to the next block
        _step(LOAD, NUMBER),
        _step(AND, NOT_X32),
        _step(AT_LEAST, first, no=2),
        _step(ABOVE, first + 2, yes=1),
        _step(RETURN, REFUSE),
        _step(RETURN, ALLOW),
    ])  # fmt: skip


def _step(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    """One struct sock_filter; `yes` and `no` are how many steps a jump leaves out."""
    return struct.pack("=HBBI", code, yes, no, value)
