"""Publishing believes nothing that the output folder says: all of it is checked against the repository first."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from selfheal_ci import publish
from selfheal_ci.deliver import artifact
from selfheal_ci.errors import (
    ArtifactError,
    ForgeError,
    NothingToPublishError,
    PolicyError,
    SelfhealError,
    UsageError,
)
from selfheal_ci.gate.policy import Policy
from selfheal_ci.publish import Wishes
from selfheal_ci.redact import Redactor
from selfheal_ci.store import Store, open_store
from selfheal_ci.values import (
    Attested,
    Base,
    Changes,
    Content,
    Healing,
    PatchedFile,
    Publication,
    Published,
    Status,
    Step,
    Tree,
)
from tests.builders import a_repository, commit, git, put
from tests.healings import VERIFIED, a_healing

FIXED = Changes({"cart.py": Content(b"total = 2\n")})
Edit = Callable[[dict[str, Any]], object]


@dataclass
class Shop:
    """A repository, its store, and a healing of it that was written to a folder."""

    project: Path
    store: Store
    folder: Path

    def heal(self, changes: Changes = FIXED, **more: object) -> Healing:
        """Write the folder anew, for a healing with these changes."""
        source = self.store.failing()
        healed = self.store.write(source.tree, changes)
        attempt = replace(VERIFIED, candidate=replace(VERIFIED.candidate, changes=changes))
        facts = {"source": source, "changes": changes, "attempts": (attempt,), **more}
        healing = replace(a_healing(Status.HEALED), **facts)  # type: ignore[arg-type]
        self.write(healing, healed)
        return healing

    def write(self, healing: Healing, healed: Tree) -> None:
        source = healing.source
        patch = self.store.patch(source.tree, healed)
        artifact.prepare_folder(self.folder)
        artifact.write(self.folder, healing, engine="local", patch=patch, redactor=Redactor(), healed=healed)

    def edit(self, edit: Edit) -> None:
        """Change heal.json as someone would who can write to the folder; its digests are made right."""
        told = json.loads((self.folder / "heal.json").read_text())
        edit(told)
        for name in told["files"]:
            told["files"][name] = "sha256:" + hashlib.sha256((self.folder / name).read_bytes()).hexdigest()
        (self.folder / "heal.json").write_text(json.dumps(told))

    def check(
        self,
        *,
        policy: Policy | None = None,
        wishes: Wishes | None = None,
        repository: str | None = None,
        steps: Sequence[Step] = (),
    ) -> Publication:
        name = repository or self.store.checkout.repository
        policy, wishes = policy or Policy(), wishes or Wishes()
        return publish.check(self.folder, self.store, policy, wishes, repository=name, steps=steps)


@dataclass
class MemoryForge:
    """Remembers what it is asked for."""

    asked: list[Publication] = field(default_factory=list)

    def publish(self, publication: Publication) -> Published:
        self.asked.append(publication)
        return Published(publication.branch, "c" * 40, created=len(self.asked) == 1, url="https://example.org/1", number=1)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    project = a_repository(tmp_path / "shop", {"cart.py": "total = 1\n", "tests/test_cart.py": "...\n", "run.sh": "x\n"})
    with open_store(project, tmp_path / "store") as store:
        yield Shop(project, store, tmp_path / "selfheal-out")


def test_what_is_published_is_what_was_healed(shop: Shop) -> None:
    shop.heal()

    publication = shop.check(wishes=Wishes(labels=("auto-fix",), reviewers=("ada",)))

    told = artifact.read(shop.folder)
    before, after = (hashlib.sha1(b"blob 10\0total = %d\n" % number).hexdigest() for number in (1, 2))
    assert publication.files == (PatchedFile("cart.py", "100644", before, after, b"total = 2\n"),)
    assert (publication.key, publication.step, publication.target) == (told.key, "tests", "main")
    assert publication.commit == git(shop.project, "rev-parse", "HEAD")
    assert publication.branch == f"selfheal/tests-{publication.key[:8]}"
    assert publication.message.startswith(f"{publication.title}\n\n")
    assert f"\nSelfheal-Key: {told.key}\nSelfheal-Fingerprint: 1:{'a' * 40}\n" in publication.message
    assert publication.body == (shop.folder / "report.md").read_text()
    assert (publication.labels, publication.reviewers, publication.draft) == (("auto-fix",), ("ada",), True)


def test_publishing_writes_down_where_the_fix_is(shop: Shop) -> None:
    shop.heal()
    publication = shop.check()
    forge = MemoryForge()

    published = publish.publish(shop.folder, publication, forge)

    assert (published.created, forge.asked) == (True, [publication])
    assert json.loads((shop.folder / "publish.json").read_text()) == {
        "branch": publication.branch,
        "commit": "c" * 40,
        "url": "https://example.org/1",
        "number": 1,
    }


def test_checking_alone_changes_neither_folder_nor_repository(shop: Shop) -> None:
    shop.heal()
    before = {path: path.stat().st_mtime_ns for path in (*shop.folder.rglob("*"), *shop.project.rglob("*"))}

    shop.check()

    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert not (shop.folder / "publish.json").exists()


def test_nothing_is_written_down_when_the_forge_refuses(shop: Shop) -> None:
    shop.heal()

    class Refusing:
        def publish(self, publication: Publication) -> Published:
            raise ForgeError("no")

    with pytest.raises(ForgeError):
        publish.publish(shop.folder, shop.check(), Refusing())

    assert not (shop.folder / "publish.json").exists()


def test_the_target_may_be_named(shop: Shop) -> None:
    shop.heal()

    assert shop.check(wishes=Wishes(target="release", prefix="bot/fix-")).target == "release"
    assert shop.check(wishes=Wishes(prefix="bot/fix-")).branch.startswith("bot/fix-tests-")


def test_a_branch_that_is_not_known_must_be_named(shop: Shop) -> None:
    healing = shop.heal()
    shop.heal(source=replace(healing.source, branch=None))

    with pytest.raises(UsageError, match="--target"):
        shop.check()


@pytest.mark.parametrize(
    ("step", "slug"),
    [("tests", "tests"), ("unit tests (3.11)", "unit-tests-3-11"), ("../../x", "x"), ("-x;$(id)", "x-id"), ("…", "step")],
)
def test_the_step_names_the_branch_in_letters_that_every_forge_takes(shop: Shop, step: str, slug: str) -> None:
    healing = shop.heal()
    shop.heal(step=replace(healing.step, name=step))

    publication = shop.check()

    assert publication.branch == f"selfheal/{slug}-{publication.key[:8]}"


# ---------------------------------------------------------------------------------------------------------------------
# What is not published


def refused(shop: Shop, kind: type[SelfhealError], **more: Any) -> SelfhealError:
    with pytest.raises(kind) as wrong:
        shop.check(**more)
    return wrong.value


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.HEALED])
def test_only_a_healed_step_is_published(shop: Shop, status: Status) -> None:
    source = shop.store.failing()
    shop.write(replace(a_healing(status), source=source, changes=Changes()), source.tree)

    wrong = refused(shop, NothingToPublishError)

    assert (wrong.exit_code, wrong.message) == (1, f"there is nothing to publish: the status is {status}")


def test_a_healing_of_uncommitted_changes_is_for_its_person(shop: Shop) -> None:
    put(shop.project, {"new.py": "n = 1\n"})
    shop.heal()

    wrong = refused(shop, UsageError)

    assert wrong.exit_code == 2
    assert wrong.message == "the healed tree has changes that are not committed (new.py): a branch would lack them"
    assert f"selfheal apply --input {shop.folder}" in wrong.hint
    assert ".gitignore" in wrong.hint
    assert f"git apply {shop.folder}/fix.patch" in wrong.hint


def test_only_the_first_few_uncommitted_paths_are_named(shop: Shop) -> None:
    put(shop.project, {f"n{number}.py": "" for number in range(6)} | {"cart.py": "total = 0\n", "a\nb": ""})
    shop.heal()

    assert "(a b, cart.py, n0.py, n1.py, n2.py and 3 more)" in refused(shop, UsageError).message


def test_what_was_uncommitted_may_be_gone_since(shop: Shop) -> None:
    put(shop.project, {"new.py": ""})
    shop.heal()
    put(shop.project, {"new.py": None})
    with open_store(shop.project, shop.folder.parent / "again") as store:
        again = replace(shop, store=store)

        assert "that are not committed: a branch" in refused(again, UsageError).message


def test_a_healing_without_history_has_no_branch_to_go_to(shop: Shop) -> None:
    healing = shop.heal()
    shop.heal(source=replace(healing.source, commit=None))

    assert "no git history" in refused(shop, UsageError).message


def test_a_healing_of_another_repository_is_refused(shop: Shop) -> None:
    shop.heal()

    wrong = refused(shop, UsageError, repository="https://example.org/other")

    assert wrong.message == "the healing is of shop, this is https://example.org/other"


def test_a_failing_commit_that_is_not_here_is_told(shop: Shop) -> None:
    shop.heal()
    shop.edit(lambda told: told["source"].update(commit="d" * 40))

    assert refused(shop, UsageError).message.startswith("there is no revision 'dddd")


def test_a_tree_that_is_not_the_commits_is_refused(shop: Shop) -> None:
    shop.heal()
    shop.edit(lambda told: told["source"].update(tree="d" * 40))

    assert "another tree" in refused(shop, ArtifactError).message


@pytest.mark.parametrize("before", ["d" * 40, None])
def test_a_file_that_was_something_else_before_is_refused(shop: Shop, before: str | None) -> None:
    shop.heal()
    shop.edit(lambda told: told["patch"]["files"][0].update(before=before))

    assert refused(shop, ArtifactError).message == "cart.py is not what heal.json says it was"


def test_content_that_after_does_not_name_is_refused(shop: Shop) -> None:
    shop.heal()
    shop.edit(lambda told: told["patch"]["files"][0].update(content=base64.b64encode(b"evil\n").decode()))

    assert "content is not the blob" in refused(shop, ArtifactError).message


def _more(told: dict[str, Any], path: str, data: bytes = b"x\n", mode: str = "100644") -> None:
    after = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    content = base64.b64encode(data).decode()
    told["patch"]["files"].append({"path": path, "mode": mode, "before": None, "after": after, "content": content})


def test_a_patch_that_says_something_else_is_refused(shop: Shop) -> None:
    shop.heal()
    shop.edit(lambda told: _more(told, "more.txt"))

    assert "says something else than heal.json" in refused(shop, ArtifactError).message


@pytest.mark.parametrize("more", [b"\n", b"diff --git a/x b/x\nnew file mode 100644\n"])
def test_a_patch_with_more_in_it_is_refused(shop: Shop, more: bytes) -> None:
    shop.heal()
    (shop.folder / "fix.patch").write_bytes((shop.folder / "fix.patch").read_bytes() + more)
    shop.edit(lambda told: None)

    assert "says something else than heal.json" in refused(shop, ArtifactError).message


def test_a_changed_file_of_the_folder_is_refused(shop: Shop) -> None:
    shop.heal()
    (shop.folder / "report.md").write_text("Trust me.\n")

    assert "its digest differs" in refused(shop, ArtifactError).message


def test_a_patch_without_a_verified_attempt_is_refused(shop: Shop) -> None:
    shop.heal()
    shop.edit(lambda told: told["attempts"][0].update(verdict="rejected"))

    assert "no verified attempt" in refused(shop, ArtifactError).message


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"tests/test_cart.py": Content(b"pass\n")}, id="a test"),
        pytest.param({".github/workflows/ci.yml": Content(b"on: push\n")}, id="a workflow"),
        pytest.param({"run.sh": Content(b"x\n", "100755")}, id="a mode"),
        pytest.param({"link.py": Content(b"/etc/passwd", "120000")}, id="a link"),
        pytest.param({"run.sh": None}, id="a deletion"),
        pytest.param({f"f{number}.py": Content(b"") for number in range(10)}, id="too many files"),
        pytest.param({"long.py": Content(b"x\n" * 400)}, id="too many lines"),
    ],
)
def test_a_patch_of_which_one_part_breaks_the_policy_is_refused_whole(
    shop: Shop, changes: dict[str, Content | None]
) -> None:
    shop.heal(Changes({**FIXED.files, **changes}))

    wrong = refused(shop, PolicyError)

    assert wrong.exit_code == 5
    assert wrong.message.startswith("the patch breaks the policy: ")


def test_a_suspicious_patch_is_refused_whatever_the_artifact_says(shop: Shop) -> None:
    shop.heal(Changes({"cart.py": Content(b"import os\nos._exit(0)\ntotal = 1\n")}))

    assert refused(shop, PolicyError).message == "the patch is suspicious: cart.py ends the process (os._exit)"


def test_what_the_green_revision_had_is_not_suspicious(tmp_path: Path) -> None:
    was = "import os\nos._exit(0)\n"
    project = a_repository(tmp_path / "shop", {"cart.py": was}, {"cart.py": "total = 2\n"})
    with open_store(project, tmp_path / "store") as store:
        shop = Shop(project, store, tmp_path / "selfheal-out")
        base = Base(git(project, "rev-parse", "HEAD~1"), Attested.GUESS)
        shop.heal(Changes({"cart.py": Content(was.encode())}), source=replace(store.failing(), base=base))

        assert [file.path for file in shop.check().files] == ["cart.py"]


def test_a_revert_may_take_out_what_the_green_revision_had_not(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "shop", {"cart.py": "total = 1\n"}, {"bad.py": "", "cart.py": "total = 2\n"})
    with open_store(project, tmp_path / "store") as store:
        shop = Shop(project, store, tmp_path / "selfheal-out")
        base = Base(git(project, "rev-parse", "HEAD~1"), Attested.GUESS)
        shop.heal(Changes({"bad.py": None}), source=replace(store.failing(), base=base))

        assert [file.path for file in shop.check().files] == ["bad.py"]


@pytest.mark.parametrize("green", ["HEAD~1", "HEAD", "aside", None])
def test_that_a_deletion_is_a_revert_is_not_believed(tmp_path: Path, green: str | None) -> None:
    project = a_repository(tmp_path / "shop", {"auth.py": "", "cart.py": "total = 1\n"}, {"cart.py": "total = 2\n"})
    git(project, "switch", "--quiet", "--orphan", "aside")
    commit(project, {"else.py": ""})
    git(project, "switch", "--quiet", "main")
    with open_store(project, tmp_path / "store") as store:
        shop = Shop(project, store, tmp_path / "selfheal-out")
        base = Base(git(project, "rev-parse", green), Attested.OPTION) if green else None
        shop.heal(Changes({"auth.py": None}), source=replace(store.failing(), base=base))
        shop.edit(lambda told: told["attempts"][0].update(remedy="revert"))

        assert "only a revert may delete a file" in refused(shop, PolicyError).message


def test_a_green_revision_that_is_not_here_is_told(shop: Shop) -> None:
    healing = shop.heal()
    base = Base("d" * 40, Attested.OPTION)
    shop.heal(Changes({"run.sh": None}), source=replace(healing.source, base=base))

    assert refused(shop, UsageError).message.startswith("there is no revision 'dddd")


def test_the_project_may_protect_more(shop: Shop) -> None:
    shop.heal()

    refused(shop, PolicyError, policy=Policy(protected=("cart.py",)))


@pytest.mark.parametrize("path", ["../out.py", "/etc/x.py", ".git/hooks/post-checkout", "a\0b"])
def test_a_path_that_leaves_the_tree_is_refused(shop: Shop, path: str) -> None:
    shop.heal()
    shop.edit(lambda told: _more(told, path))

    assert "this name is not allowed" in refused(shop, PolicyError).message


NEAT = Changes({"tests/test_cart.py": Content(b"NEAT = 1\n")})
LINT = Step("tests", "black --check .")


def test_a_formatters_change_of_a_test_is_published_where_the_configuration_says_it_is_one(shop: Shop) -> None:
    shop.heal(NEAT)
    shop.edit(lambda told: told["attempts"][0].update(remedy="fixer"))

    assert [file.path for file in shop.check(steps=[LINT]).files] == ["tests/test_cart.py"]


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([], id="no steps"),
        pytest.param([Step("tests", "pytest")], id="it runs tests"),
        pytest.param([Step("lint", "black --check .")], id="another step is one"),
    ],
)
def test_what_the_step_is_is_not_believed(shop: Shop, steps: Sequence[Step]) -> None:
    shop.heal(NEAT)
    shop.edit(lambda told: told["attempts"][0].update(remedy="fixer"))

    assert "this is a test file" in refused(shop, PolicyError, steps=steps).message


def test_another_remedy_may_have_healed_another_part(shop: Shop) -> None:
    shop.heal(Changes({**NEAT.files, **FIXED.files}))

    def by_two(told: dict[str, Any], tested_by: str) -> None:
        fixer, model = dict(told["attempts"][0], remedy="fixer"), dict(told["attempts"][0], remedy="model")
        fixer["files"], model["files"] = ["cart.py"], ["cart.py"]
        {"fixer": fixer, "model": model}[tested_by]["files"].append("tests/test_cart.py")
        told["attempts"] = [fixer, model]

    shop.edit(lambda told: by_two(told, "fixer"))
    assert len(shop.check(steps=[LINT]).files) == 2
    shop.edit(lambda told: by_two(told, "model"))
    refused(shop, PolicyError, steps=[LINT])


@pytest.mark.parametrize("remedy", ["model", "recall", "mutation", "revert"])
def test_nobody_but_a_fixer_publishes_a_changed_test(shop: Shop, remedy: str) -> None:
    shop.heal(NEAT)
    shop.edit(lambda told: told["attempts"][0].update(remedy=remedy))

    assert "this is a test file" in refused(shop, PolicyError, steps=[LINT]).message


def test_a_fixer_that_takes_something_out_of_a_test_is_not_published(tmp_path: Path) -> None:
    project = a_repository(tmp_path / "shop", {"tests/test_cart.py": "def test_a():\n    assert 1\n"})
    with open_store(project, tmp_path / "store") as store:
        shop = Shop(project, store, tmp_path / "selfheal-out")
        shop.heal(Changes({"tests/test_cart.py": Content(b"def test_a():\n    pass\n")}))
        shop.edit(lambda told: told["attempts"][0].update(remedy="own-changes"))

        assert "it has 1 assertions, and 0 after it" in refused(shop, PolicyError, steps=[LINT]).message
