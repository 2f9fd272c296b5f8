"""What bubblewrap says where it cannot start, and what a person is told to do there."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfheal_ci.engines.obstacles import way_out

BWRAP = Path("/opt/venv/bwrap")
UID_MAP = "bwrap: setting up uid map: Permission denied"
NO_NAMESPACE = "bwrap: No permissions to creating new namespace, likely because the kernel does not allow it"


def told(tmp_path: Path, said: str, **sysctls: str) -> str:
    for name, value in sysctls.items():
        place = tmp_path.joinpath(*name.split("__"))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{value}\n")
    return way_out(said, BWRAP, sysctls=tmp_path)


def test_ubuntus_restriction_is_met_with_a_profile_for_exactly_this_program(tmp_path: Path) -> None:
    hint = told(tmp_path, UID_MAP, kernel__apparmor_restrict_unprivileged_userns="1")

    assert f"profile selfheal-bwrap {BWRAP} flags=(unconfined)" in hint
    assert "sudo apparmor_parser -r /etc/apparmor.d/selfheal-bwrap" in hint
    assert "--engine dagger" in hint


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
    assert line in told(tmp_path, said, **{name: value})


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (UID_MAP, "this system restricts user namespaces"),
        (NO_NAMESPACE, "this container forbids user namespaces (the Docker default)"),
        ("bwrap: Creating new namespace failed: maximum number of user namespaces exceeded", "switched off here"),
        ("unshare: unshare failed: Operation not permitted", "root has no right to make mounts here"),
        ("bwrap: Can't mount proc on /newroot/proc", "this container hides /proc"),
        ("it said nothing", "selfheal doctor"),
    ],
)
def test_without_such_a_switch_its_words_decide(tmp_path: Path, said: str, words: str) -> None:
    hint = told(tmp_path, said, kernel__unprivileged_userns_clone="1", user__max_user_namespaces="96000")

    assert words in hint
    assert "--engine dagger" in hint
