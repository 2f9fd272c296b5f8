"""The system calls that no namespace closes: the kernel's keyrings, and sockets that lead to the hypervisor."""

from __future__ import annotations

import errno
import platform
import struct
from dataclasses import dataclass


@dataclass(frozen=True)
class Abi:
    """Numbers of one kind of program. keys: the first of add_key, request_key and keyctl, which follow each other."""

    arch: int  # its AUDIT_ARCH
    keys: int
    socket: int
    socketcall: int | None = None  # makes sockets whose family cannot be seen here: nobody needs it any more


ABIS = {
    "x86_64": Abi(0xC000003E, 248, 41),
    "i386": Abi(0x40000003, 286, 359, socketcall=102),
    "aarch64": Abi(0xC00000B7, 217, 198),
    "arm": Abi(0x40000028, 309, 281),
}
AF_VSOCK = 40
ARCH, NUMBER, FIRST_ARGUMENT = 4, 0, 16  # where struct seccomp_data holds them
NOT_X32 = 0xBFFFFFFF  # x32 calls are those of x86_64 with one more bit
LOAD, AND, EQUAL, AT_LEAST, ABOVE, RETURN = 0x20, 0x54, 0x15, 0x35, 0x25, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM


def seccomp_filter() -> bytes | None:
    """A program for bubblewrap's --seccomp that refuses them; None on a machine whose numbers we do not know."""
    if platform.machine() not in ABIS:
        return None
    return b"".join([_step(LOAD, ARCH), *map(_block, ABIS.values()), _step(RETURN, ALLOW)])


def _block(abi: Abi) -> bytes:
    steps = [
        _step(LOAD, NUMBER),
        _step(AND, NOT_X32),
        _step(AT_LEAST, abi.keys, no=2),
        _step(ABOVE, abi.keys + 2, yes=1),
        _step(RETURN, REFUSE),
        *([_step(EQUAL, abi.socketcall, no=1), _step(RETURN, REFUSE)] if abi.socketcall else []),
        _step(EQUAL, abi.socket, yes=1),
        _step(RETURN, ALLOW),
        _step(LOAD, FIRST_ARGUMENT),
        _step(EQUAL, AF_VSOCK, no=1),
        _step(RETURN, REFUSE),
        _step(RETURN, ALLOW),
    ]
    return b"".join([_step(EQUAL, abi.arch, no=len(steps)), *steps])  # another program: on to the next block


def _step(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    """One struct sock_filter; `yes` and `no` are how many steps a jump leaves out."""
    return struct.pack("=HBBI", code, yes, no, value)
