"""What every forge promises: the fix branch is made once, on what was tested, and never moves another one."""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from selfheal_ci.errors import ForgeError, TargetMovedError, UsageError
from selfheal_ci.forges.git import GitForge
from selfheal_ci.forges.requests import RequestForge
from selfheal_ci.ports import Forge
from selfheal_ci.store import open_store
from selfheal_ci.store.git import ENVIRONMENT
from selfheal_ci.store.remote import Address, Remote, address
from selfheal_ci.values import PatchedFile, Publication, Published
from tests.builders import a_publication, a_repository, branches, commit, git, put
from tests.forge_servers import a_server, a_service

BROKEN = b"def total(a):\n    return 0\n"
FIXED = b"def total(a):\n    return sum(a)\n"
KEY = a_publication().key
BRANCH = a_publication().branch
Publish = Callable[[Publication], Published]
Made = Callable[[], Forge]


def blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def a_file(path: str = "cart.py", before: bytes | None = BROKEN, after: bytes | None = FIXED) -> PatchedFile:
    old, new = (None if data is None else blob(data) for data in (before, after))
    return PatchedFile(path, "100644", old, new, after)


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    return tmp_path / "remote.git"


@pytest.fixture
def project(tmp_path: Path, remote: Path) -> Path:
    return a_repository(tmp_path / "project", {"cart.py": BROKEN, "other.py": "x = 1\n", "old.py": "o\n"}, remote=remote)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[Path], GitForge]]:
    with ExitStack() as stack:
        numbers = iter(range(1000))

        def open_(source: Path, remote: str = "origin") -> GitForge:
            work = tmp_path / f"store{next(numbers)}"
            store = stack.enter_context(open_store(source, work))
            return GitForge(store, address(store.checkout, remote, asked=True))

        yield open_


@pytest.fixture(params=["git", "github", "gitlab"])
def forge(request: pytest.FixtureRequest, project: Path, remote: Path, opened: Callable[[Path], GitForge]) -> Iterator[Made]:
    """A new forge each time, as in a new job: a store of its own, no memory."""
    if request.param == "git":
        yield lambda: opened(project)
        return
    with a_server(request.param, remote) as server:
        yield lambda: RequestForge(a_service(server))
        assert server.problems == []


@pytest.fixture
def publish(forge: Made) -> Publish:
    return lambda publication: forge().publish(publication)


@pytest.fixture
def push(project: Path, opened: Callable[[Path], GitForge]) -> Publish:
    """By git."""
    return lambda publication: opened(project).publish(publication)


def where(published: Published) -> tuple[str, str, bool]:
    return published.branch, published.commit, published.created


def a_fix(**more: object) -> Publication:
    return a_publication(**({"files": (a_file(),)} | more))


def other_clone(remote: Path, path: Path) -> Path:
    git(path.parent, "clone", "--quiet", str(remote), path.name)
    return path


# ---------------------------------------------------------------------------------------------------------------------
# The branch


def test_the_fix_is_one_commit_on_the_head_of_the_target(publish: Publish, project: Path, remote: Path) -> None:
    head = git(project, "rev-parse", "HEAD")

    published = publish(a_fix())

    assert where(published) == (BRANCH, branches(remote)[BRANCH], True)
    assert git(remote, "rev-list", "--parents", "-1", BRANCH).split() == [published.commit, head]
    assert git(remote, "show", f"{BRANCH}:cart.py").encode() == FIXED.strip()
    assert git(remote, "diff", "--name-status", "main", BRANCH) == "M\tcart.py"
    assert branches(remote)["main"] == head
    assert git(remote, "show", "--no-patch", "--format=%(trailers:key=Selfheal-Key,valueonly)", BRANCH) == KEY


def test_git_commits_under_a_name_of_our_own_at_the_time_of_the_head(push: Publish, remote: Path) -> None:
    push(a_fix())

    shown = git(remote, "show", "--no-patch", "--format=%an <%ae>%n%cn%n%ct%n%(trailers:key=Selfheal-Key,valueonly)", BRANCH)
    assert shown.split("\n")[:4] == ["selfheal-ci <selfheal-ci@users.noreply.github.com>", "selfheal-ci", "1700000000", KEY]


def test_new_and_deleted_files_are_published(publish: Publish, remote: Path) -> None:
    publish(a_fix(files=(a_file("new/n.py", None, b"\0bytes\r\n"), a_file("old.py", b"o\n", None))))

    assert git(remote, "diff", "--name-status", "main", BRANCH) == "A\tnew/n.py\nD\told.py"
    assert git(remote, "rev-parse", f"{BRANCH}:new/n.py") == blob(b"\0bytes\r\n")


def test_publishing_twice_is_once(publish: Publish, remote: Path) -> None:
    first = publish(a_fix())

    assert where(publish(a_fix())) == (first.branch, first.commit, False)
    assert set(branches(remote)) == {"main", BRANCH}


def test_the_first_is_found_when_the_target_went_on_elsewhere(publish: Publish, tmp_path: Path, remote: Path) -> None:
    first = publish(a_fix())
    clone = other_clone(remote, tmp_path / "clone")
    commit(clone, {"other.py": "x = 2\n"})
    git(clone, "push", "--quiet", "origin", "main")

    assert where(publish(a_fix())) == (first.branch, first.commit, False)


def test_another_fix_under_the_name_is_left_alone(publish: Publish, remote: Path) -> None:
    taken = publish(a_fix(key="f" * 64, files=(a_file(after=b"something else\n"),)))

    published = publish(a_fix())
    again = publish(a_fix())

    assert published.branch == f"{BRANCH}-2"
    assert where(again) == (published.branch, published.commit, False)
    assert branches(remote)[BRANCH] == taken.commit


def test_a_branch_of_a_person_under_the_name_is_left_alone(publish: Publish, project: Path, remote: Path) -> None:
    git(project, "push", "--quiet", "origin", f"HEAD:refs/heads/{BRANCH}")
    before = branches(remote)

    assert publish(a_fix()).branch == f"{BRANCH}-2"
    assert branches(remote)[BRANCH] == before[BRANCH]


def test_two_publishers_at_once_make_one_branch(remote: Path, forge: Made) -> None:
    for number in range(5):
        fix = a_fix(branch=f"selfheal/tests-{number}", key=f"{number:064x}")
        start = threading.Barrier(2)

        def publish(forge: Forge, fix: Publication = fix, start: threading.Barrier = start) -> Published:
            start.wait()
            return forge.publish(fix)

        with ThreadPoolExecutor(2) as pool:
            both = list(pool.map(publish, [forge(), forge()]))

        assert both[0].commit == both[1].commit == branches(remote)[fix.branch]
        assert sorted(published.created for published in both) == [False, True]
    assert len(branches(remote)) == 6


def test_the_target_may_be_another_branch_than_the_checked_out_one(publish: Publish, project: Path, remote: Path) -> None:
    git(project, "push", "--quiet", "origin", "HEAD:refs/heads/release/1.x")

    published = publish(a_fix(target="release/1.x"))

    assert git(remote, "rev-parse", f"{published.commit}^") == branches(remote)["release/1.x"]


@pytest.mark.usefixtures("project")
def test_a_shallow_clone_of_the_failing_commit_is_enough(
    tmp_path: Path, remote: Path, opened: Callable[[Path], GitForge]
) -> None:
    clone = other_clone(remote, tmp_path / "clone")
    for number in range(3):
        commit(clone, {"other.py": f"x = {number}\n"})
    git(clone, "push", "--quiet", "origin", "main")
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{remote}", "shallow")
    commit(clone, {"other.py": "x = 9\n"})
    git(clone, "push", "--quiet", "origin", "main")

    published = opened(tmp_path / "shallow").publish(a_fix())

    assert git(remote, "rev-parse", f"{published.commit}^") == branches(remote)["main"]
    assert git(remote, "show", f"{BRANCH}:other.py") == "x = 9"
    assert git(tmp_path / "shallow", "rev-list", "--count", "HEAD") == "1"


# ---------------------------------------------------------------------------------------------------------------------
# When the target moved


@pytest.mark.parametrize(
    "there",
    [
        pytest.param({"cart.py": b"someone fixed it\n"}, id="edited"),
        pytest.param({"cart.py": None}, id="deleted"),
        pytest.param({"new.py": "mine"}, id="added"),
    ],
)
def test_a_file_that_changed_on_the_target_stops_it(
    publish: Publish, tmp_path: Path, remote: Path, there: dict[str, bytes | None]
) -> None:
    clone = other_clone(remote, tmp_path / "clone")
    if there.get("cart.py", b"") is None:
        git(clone, "rm", "--quiet", "cart.py")
        there = {}
    commit(clone, there)
    git(clone, "push", "--quiet", "origin", "main")

    with pytest.raises(TargetMovedError, match="the target moved, run heal again"):
        publish(a_fix(files=(a_file(), a_file("new.py", None, b"n\n"))))

    assert set(branches(remote)) == {"main"}


def test_a_mode_that_changed_on_the_target_stops_it(publish: Publish, project: Path) -> None:
    (project / "cart.py").chmod(0o755)
    git(project, "commit", "--quiet", "--all", "--message", "executable")
    git(project, "push", "--quiet", "origin", "main")

    with pytest.raises(TargetMovedError):
        publish(a_fix())


# ---------------------------------------------------------------------------------------------------------------------
# When the remote says no


def test_what_a_hook_says_is_told(opened: Callable[..., GitForge], project: Path, remote: Path) -> None:
    put(remote, {"hooks/pre-receive": "#!/bin/sh\nprintf 'no \\033[31mfixes\\033[0m on Fridays\\n' >&2\nexit 1\n"})
    (remote / "hooks/pre-receive").chmod(0o755)

    with pytest.raises(ForgeError) as refused:
        opened(project, str(remote)).publish(a_fix())

    assert "no fixes on Fridays" in refused.value.message
    assert "pre-receive hook declined" in refused.value.message
    assert "\x1b" not in refused.value.message
    assert "the patch is kept" in refused.value.hint
    assert set(branches(remote)) == {"main"}


def test_a_target_that_is_not_there_is_told(publish: Publish) -> None:
    with pytest.raises(ForgeError, match="the branch gone is not on the remote"):
        publish(a_fix(target="gone"))


def test_a_remote_that_is_not_there_is_told(project: Path, opened: Callable[..., GitForge]) -> None:
    with pytest.raises(ForgeError, match="does not appear to be a git repository"):
        opened(project, "/nowhere/at/all.git").publish(a_fix())


def test_a_remote_without_a_name_here_is_told(project: Path, opened: Callable[..., GitForge]) -> None:
    with pytest.raises(UsageError, match="no remote named upstream"):
        opened(project, "upstream").publish(a_fix())


@pytest.mark.parametrize("url", ["ext::sh -c 'touch {ran}'", "http://example.org/x", "git://example.org/x", "fd::17"])
def test_only_safe_ways_to_a_remote_are_gone(
    tmp_path: Path, project: Path, opened: Callable[..., GitForge], url: str
) -> None:
    with pytest.raises(ForgeError, match="not allowed"):
        opened(project, url.format(ran=tmp_path / "ran")).publish(a_fix())

    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("url", ["-oProxyCommand=touch${IFS}ran/x", "--upload-pack=touch ran/x", "ssh://-oProxyCommand=x/y"])
def test_an_address_is_never_an_option(
    tmp_path: Path, project: Path, opened: Callable[..., GitForge], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ForgeError):
        opened(project, url).publish(a_fix())

    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("branch", ["-x", "a b", "a;b", "$(id)", "selfheal/../main", "x.lock", "a\n", "ünï", ""])
def test_a_branch_name_that_is_none_is_refused(publish: Publish, remote: Path, branch: str) -> None:
    with pytest.raises(UsageError):
        publish(a_fix(branch=branch))

    assert set(branches(remote)) == {"main"}


@pytest.mark.parametrize("target", ["--help", "a..b", "main:refs/heads/x", "a b", "*"])
def test_a_target_name_that_is_none_is_refused(publish: Publish, target: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a branch"):
        publish(a_fix(target=target))


def test_a_token_is_shown_to_nobody(project: Path, tmp_path: Path) -> None:
    git(project, "remote", "set-url", "origin", "https://me:hunter2@127.0.0.1:9/x.git")

    with open_store(project, tmp_path / "work") as store:
        forge = GitForge(store, address(store.checkout, "origin"), token="ghs_verysecret")
        with pytest.raises(ForgeError) as refused:
            forge.publish(a_fix())

    assert "hunter2" not in f"{refused.value}{forge}"
    assert "ghs_verysecret" not in f"{refused.value}{forge}"
    assert refused.value.message.startswith("https://127.0.0.1:9/x.git refused:")
    assert all(b"verysecret" not in path.read_bytes() for path in (tmp_path / "work").rglob("*") if path.is_file())


# ---------------------------------------------------------------------------------------------------------------------
# A hostile checkout


def test_nothing_that_the_checkout_configures_runs_or_redirects(
    push: Publish, tmp_path: Path, project: Path, remote: Path
) -> None:
    stolen = a_repository(tmp_path / "thief", {"x": ""}, remote=tmp_path / "stolen.git")
    touch = f"touch {tmp_path}/ran"
    hook = f"#!/bin/sh\n{touch}\n"
    put(project, {".git/hooks/pre-push": hook, ".git/hooks/reference-transaction": hook, ".git/hooks/pre-commit": hook})
    for path in (project / ".git/hooks").iterdir():
        path.chmod(0o755)
    with (project / ".git/config").open("a") as config:
        config.write(
            f'[core]\n\tfsmonitor = "{touch}"\n\tsshCommand = "{touch}"\n\tpager = "{touch}"\n\thooksPath = .git/hooks\n'
            f'[remote "origin"]\n\treceivepack = "{touch}; git-receive-pack"\n\tuploadpack = "{touch}; git-upload-pack"\n'
            f'\tpushurl = "{tmp_path}/stolen.git"\n\tvcs = x\n'
            f'[url "{tmp_path}/stolen.git"]\n\tinsteadOf = "{remote}"\n\tpushInsteadOf = "{remote}"\n'
            f'[remote "selfheal"]\n\turl = "{tmp_path}/stolen.git"\n'
            f'[filter "x"]\n\tclean = "{touch}"\n[gpg]\n\tprogram = "{touch}"\n[commit]\n\tgpgSign = true\n'
            f'[credential]\n\thelper = "!{touch}"\n[uploadpack]\n\tpackObjectsHook = "{touch}"\n'
        )
    put(project, {".git/info/attributes": "* filter=x\n"})

    push(a_fix())

    assert not (tmp_path / "ran").exists()
    assert set(branches(remote)) == {"main", BRANCH}
    assert set(branches(tmp_path / "stolen.git")) == {"main"}
    assert stolen.exists()


def test_our_own_environment_redirects_nothing(
    push: Publish, tmp_path: Path, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_repository(tmp_path / "thief", {"x": ""}, remote=tmp_path / "stolen.git")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{tmp_path}/stolen.git.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(remote))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "stolen.git"))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Mallory")

    published = push(a_fix())

    monkeypatch.undo()
    assert branches(remote)[BRANCH] == published.commit
    assert git(remote, "log", "-1", "--format=%an", BRANCH) == "selfheal-ci"


def test_the_ssh_agent_of_the_person_is_all_that_ssh_gets(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, {"bin/ssh": f'#!/bin/sh\nenv >{tmp_path}/seen; printf "%s\\n" "$@" >{tmp_path}/words; exit 255\n'})
    (tmp_path / "bin/ssh").chmod(0o755)
    monkeypatch.setitem(ENVIRONMENT, "PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    environ = {"SSH_AUTH_SOCK": "/run/agent", "ANTHROPIC_API_KEY": "secret", "GIT_SSH_COMMAND": "evil"}

    there = Address("git@example.org:a/b.git", asked=True)
    with open_store(project, tmp_path / "work") as store, pytest.raises(ForgeError):
        GitForge(store, there, token="secret", environ=environ).publish(a_fix())

    seen = (tmp_path / "seen").read_text()
    assert "SSH_AUTH_SOCK=/run/agent" in seen
    assert "secret" not in seen
    assert (tmp_path / "words").read_text().split("\n")[:3] == ["-o", "BatchMode=yes", "-o"]


# ---------------------------------------------------------------------------------------------------------------------
# Where a remote may be


@pytest.mark.parametrize("url", ["build.git", "./build.git", "../project/build.git", "{project}/build.git",
                                 "file://{project}/build.git", "//{project}/build.git", "{project}/../project/build.git",
                                 "file://{project}/%62uild.git", "{link}/build.git", "{project}/.git"])  # fmt: skip
def test_the_checkouts_own_word_leads_to_no_folder_in_it(tmp_path: Path, project: Path, url: str) -> None:
    git(project, "clone", "--quiet", "--bare", ".", "build.git")
    (tmp_path / "link").symlink_to(project)
    git(project, "remote", "set-url", "origin", url.format(project=project, link=tmp_path / "link"))

    with (
        open_store(project, tmp_path / "work") as store,
        pytest.raises(UsageError, match="any test could have put it there"),
    ):
        address(store.checkout, "origin")


@pytest.mark.usefixtures("remote")
def test_a_folder_that_a_person_names_is_taken_as_it_is(tmp_path: Path, project: Path) -> None:
    git(project, "config", f"remote.{project}/build.git.url", "https://example.org/thief.git")
    with open_store(project, tmp_path / "work") as store:
        assert address(store.checkout, f"{project}/build.git", asked=True).url == f"{project}/build.git"
        assert address(store.checkout, "./build.git", asked=True).url == f"{project}/build.git"
        with pytest.raises(UsageError, match="any test could"):
            address(store.checkout, "./build.git", asked=False)


def test_a_folder_beside_the_checkout_is_a_remote(tmp_path: Path, project: Path, remote: Path) -> None:
    with open_store(project, tmp_path / "work") as store:
        assert address(store.checkout, "origin") == Address(str(remote), asked=False)


def test_the_hooks_of_a_folder_are_told_no_secret(tmp_path: Path, project: Path, remote: Path) -> None:
    put(remote, {"hooks/pre-receive": f"#!/bin/sh\nenv >{tmp_path}/seen\n"})
    (remote / "hooks/pre-receive").chmod(0o755)
    environ = {"SSH_AUTH_SOCK": "/run/agent", "HTTPS_PROXY": "http://me:planted@proxy", "SELFHEAL_TOKEN": "planted"}

    with open_store(project, tmp_path / "work") as store:
        there = address(store.checkout, str(remote), asked=True)
        GitForge(store, there, token="planted", environ=environ).publish(a_fix())

    seen = (tmp_path / "seen").read_text()
    assert "planted" not in seen
    assert "SSH_AUTH_SOCK" not in seen


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://github.com/a/b", "github.com:443"),
        ("https://me:x@GitHub.com:8443/a/b", "github.com:8443"),
        ("https://example.org", "example.org:443"),
        ("https://example.org\\@github.com/a", None),
        ("https://example.org#@github.com/a", None),
        ("https://github.com?@example.org/", None),
        ("http://github.com/a/b", None),
        ("git@github.com:a/b", None),
        ("/srv/github.com", None),
    ],
)
def test_a_token_goes_to_a_host_that_nobody_can_misread(url: str, host: str | None) -> None:
    assert Address(url, asked=True).host == host


def test_a_remote_that_wants_a_token_which_it_does_not_get_says_so(project: Path, tmp_path: Path) -> None:
    with open_store(project, tmp_path / "work") as store, pytest.raises(ForgeError) as refused:
        Remote(store.git, Address("https://127.0.0.1:9/x.git", asked=False), {}).refs(["refs/heads/main"])

    assert refused.value.hint.startswith("no token was sent: ")
    assert "--remote" in refused.value.hint


def test_what_was_pushed_is_whole(publish: Publish, remote: Path) -> None:
    publish(a_fix())

    checked = subprocess.run(["git", "-C", remote, "fsck", "--strict"], capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr
