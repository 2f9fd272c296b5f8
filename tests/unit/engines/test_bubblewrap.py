"""Where a tree may lie in the sandbox, and which system calls it has."""

from __future__ import annotations

import errno
import struct
from pathlib import Path

import pytest

from selfheal_ci.engines.bubblewrap import check_root
from selfheal_ci.engines.seccomp import seccomp_filter
from selfheal_ci.errors import EngineError
from selfheal_ci.values import REPORTS, SUPPORT

X86_64, I386, AARCH64, ARM, RISCV64 = 0xC000003E, 0x40000003, 0xC00000B7, 0x40000028, 0xC00000F3
X32 = 0x40000000
REFUSED, ALLOWED = 0x00050000 | errno.EPERM, 0x7FFF0000


@pytest.mark.parametrize(
    "root",
    ["/", "/home", "/home/selfheal", "/tmp", "/usr", "/etc", "/proc/1/cwd", "/dev/shm/x", "/sys", REPORTS, SUPPORT + "/x"],
)
def test_refuses_a_checkout_that_would_hide_the_sandbox(root: str) -> None:
    with pytest.raises(EngineError, match="cannot be run") as refused:
        check_root(Path(root))

    assert refused.value.hint


def test_refuses_a_checkout_whose_links_lead_there(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/tmp")

    with pytest.raises(EngineError):
        check_root(tmp_path / "link")


@pytest.mark.parametrize(
    "root", ["/home/me/project", "/home/selfheal/project", "/tmp/project", "/usr/src/app", "/root/p", "/app"]
)
def test_takes_a_checkout_elsewhere(root: str) -> None:
    check_root(Path(root))


def verdict(program: bytes, arch: int, number: int, argument: int = 0) -> int:
    """What the kernel would make of a system call: its machine for these programs, as far as ours go."""
    steps = list(struct.iter_unpack("=HBBI", program))
    held = at = 0
    while True:
        code, yes, no, value = steps[at]
        at += 1
        match code:
            case 0x20:
                held = {0: number, 4: arch, 16: argument}[value]
            case 0x54:
                held &= value
            case 0x15:
                at += yes if held == value else no
            case 0x35:
                at += yes if held >= value else no
            case 0x25:
                at += yes if held > value else no
            case _:
                assert code == 0x06
                return int(value)


@pytest.mark.parametrize(("arch", "first"), [(X86_64, 248), (X86_64, X32 + 248), (I386, 286), (AARCH64, 217), (ARM, 309)])
def test_the_keyrings_are_refused_under_each_abi(arch: int, first: int) -> None:
    program = seccomp_filter()
    assert program

    found = [verdict(program, arch, number) for number in range(first - 1, first + 4)]

    assert found == [ALLOWED, REFUSED, REFUSED, REFUSED, ALLOWED]


@pytest.mark.parametrize(("arch", "socket"), [(X86_64, 41), (X86_64, X32 + 41), (I386, 359), (AARCH64, 198), (ARM, 281)])
def test_a_socket_that_leads_to_the_hypervisor_is_refused(arch: int, socket: int) -> None:
    program = seccomp_filter()
    assert program

    assert [verdict(program, arch, socket, family) for family in (1, 2, 10, 39, 40, 41)] == [
        ALLOWED, ALLOWED, ALLOWED, ALLOWED, REFUSED, ALLOWED,
    ]  # fmt: skip
    assert verdict(program, arch, socket - 1, 40) == ALLOWED


def test_a_call_that_hides_the_family_is_refused() -> None:
    program = seccomp_filter()
    assert program

    assert [verdict(program, arch, 102) for arch in (I386, X86_64)] == [REFUSED, ALLOWED]


def test_nothing_else_is_refused() -> None:
    program = seccomp_filter()
    assert program

    assert {verdict(program, X86_64, number) for number in range(248)} == {ALLOWED}
    assert {verdict(program, RISCV64, number) for number in range(500)} == {ALLOWED}


def test_a_machine_we_do_not_know_has_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")

    assert seccomp_filter() is None
