"""The whole story of a publication: believe nothing that the output folder says, then make the fix branch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from selfheal_ci.deliver import artifact, body
from selfheal_ci.deliver.artifact import Artifact, Delivery
from selfheal_ci.errors import ArtifactError, NothingToPublishError, PolicyError, UsageError
from selfheal_ci.gate.policy import MAY_REFORMAT_TESTS, Policy
from selfheal_ci.gate.scene import Known, scene_of
from selfheal_ci.gate.suspicion import Scene, suspicions
from selfheal_ci.paths import is_judge
from selfheal_ci.ports import Files, Forge, History
from selfheal_ci.values import Changes, Content, PatchedFile, Publication, Published, Status, Step, Tree
from selfheal_ci.words import one_line

KEY_SHOWN = 8
PATHS_SHOWN = 5
AGAIN = "run `selfheal heal` again"


class Store(History, Files, Protocol):
    """What the failing commit is read from, and the fix made in."""

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether a revision is in the history of another. Raises UsageError when there is no such revision."""

    def uncommitted(self) -> Sequence[str]:
        """The paths in which the checkout differs from its commit."""


@dataclass(frozen=True)
class Wishes:
    """How the request is to look: `publish.*` of the configuration."""

    target: str | None = None  # the failing branch unless named
    prefix: str = "selfheal/"
    labels: tuple[str, ...] = ("auto-fix", "self-healing")
    draft: bool = True
    reviewers: tuple[str, ...] = ()


def publish(folder: Path, publication: Publication, forge: Forge) -> Published:
    """Make the fix branch and its request, and write down where they are. Publishing again finds the first."""
    artifact.expect_writable(folder)
    published = forge.publish(publication)
    artifact.write_publication(folder, published)
    return published


def check(
    folder: Path, store: Store, policy: Policy, wishes: Wishes, *, repository: str, steps: Sequence[Step] = ()
) -> Publication:
    """What would be published; nothing is changed anywhere, the store aside. `steps` are those of the configuration.

    Raises NothingToPublishError, UsageError, ArtifactError or PolicyError for the first thing that is not as it must be.
    """
    delivery = artifact.receive(folder)
    told = delivery.artifact
    commit = _published_commit(told, folder, store, repository)
    failing = store.tree(commit)
    changes = _changes(told, failing)
    green = _green(told, commit, store)
    remedy = _remedy(told, changes, green)
    step = next((step for step in steps if step.name == told.step), None)
    if broken := policy.violations(failing, changes, remedy=remedy, read=store.read, step=step, green=green):
        raise PolicyError("the patch breaks the policy: " + "; ".join(map(one_line, broken)), hint="nothing was published")
    if refused := [each.words for each in suspicions(_scene(told, changes, failing, green, step, store)) if each.refused]:
        raise PolicyError("the patch is suspicious: " + "; ".join(map(one_line, refused)), hint="nothing was published")
    if store.patch(failing, store.write(failing, changes)) != delivery.patch:
        raise ArtifactError(f"{folder / 'fix.patch'} says something else than heal.json", hint=AGAIN)
    return _publication(delivery, commit, wishes)


def _published_commit(told: Artifact, folder: Path, store: Store, repository: str) -> str:
    """The failing commit, if there is something to publish and it is of this repository."""
    if told.status is not Status.HEALED or told.source is None:
        raise NothingToPublishError(
            f"there is nothing to publish: the status is {told.status}", hint=f"see {folder}/report.md"
        )
    if told.source.dirty:
        raise UsageError(
            f"the healed tree has changes that are not committed{_listed(store.uncommitted())}: a branch would lack them",
            hint="commit them, or have .gitignore name what is no source, and heal again; or take the fix as it is: "
            f"`selfheal apply --input {folder}` puts it into the working tree, as does `git apply {folder}/fix.patch`",
        )
    if told.source.repository != repository:
        said = one_line(told.source.repository)
        raise UsageError(f"the healing is of {said}, this is {repository}", hint="name its checkout with --source")
    if told.source.commit is None:
        raise UsageError("the healed folder has no git history", hint=f"`patch -p1 < {folder}/fix.patch` puts the fix in")
    return told.source.commit


def _listed(paths: Sequence[str]) -> str:
    """The first few, in brackets; nothing when they are gone since."""
    more = f" and {len(paths) - PATHS_SHOWN} more" if len(paths) > PATHS_SHOWN else ""
    return f" ({', '.join(map(one_line, paths[:PATHS_SHOWN]))}{more})" if paths else ""


def _changes(told: Artifact, failing: Tree) -> Changes:
    """The patch, if it starts from the failing commit. That `after` names the content was seen when it was read."""
    if told.source is None or told.source.tree != failing.id:
        raise ArtifactError("heal.json names another tree than the failing commit has", hint=AGAIN)
    for file in told.patched:
        entry = failing.entries.get(file.path)
        if file.before != (entry.blob if entry else None):
            raise ArtifactError(f"{one_line(file.path)} is not what heal.json says it was", hint=AGAIN)
        if entry and file.after is None and file.mode != entry.mode:
            raise ArtifactError(f"{one_line(file.path)} has not the mode that heal.json says it had", hint=AGAIN)
    return Changes({file.path: _content(file) for file in told.patched})


def _content(file: PatchedFile) -> Content | None:
    return None if file.content is None else Content(file.content, file.mode)


def _remedy(told: Artifact, changes: Changes, green: Tree | None) -> str:
    """Whose rules the patch is held to. That it is a revert is seen from the history, not believed.

    That it is a fixer's is believed: it counts only where the configuration says that the step is a formatter's check.
    """
    verified = [attempt for attempt in told.attempts if attempt.verdict == "verified"]
    if not verified:
        raise ArtifactError("heal.json has no verified attempt", hint=AGAIN)
    gone = [path for path, content in changes.files.items() if content is None]
    if gone:
        return "revert" if green and not any(path in green.entries for path in gone) else "publish"
    fixers = [attempt for attempt in verified if attempt.remedy in MAY_REFORMAT_TESTS]
    others = [path for attempt in verified if attempt not in fixers for path in attempt.files]
    return fixers[0].remedy if fixers and not any(map(is_judge, others)) else "publish"


def _green(told: Artifact, commit: str, store: Store) -> Tree | None:
    """The tree that is told to be green, if it is of an earlier commit. What it has is not new."""
    base = told.source.base.commit if told.source and told.source.base else None
    return store.tree(base) if base and store.is_ancestor(base, commit) else None


def _scene(told: Artifact, changes: Changes, failing: Tree, green: Tree | None, step: Step | None, store: Store) -> Scene:
    def before(path: str) -> bytes | None:
        entry = failing.entries.get(path)
        return store.read(entry) if entry else None

    hunks = {hunk.path for hunk in store.hunks(green, failing)} if green else set()
    ids, said = [failure.id for failure in told.failures], [failure.message for failure in told.failures]
    known = Known(ids, said, step=step, green=green, hunks=hunks)
    return scene_of(changes, failing, store.read, known, before=before)


def _publication(delivery: Delivery, commit: str, wishes: Wishes) -> Publication:
    told = delivery.artifact
    target = wishes.target or (told.source.branch if told.source else None)
    if target is None:
        raise UsageError("it is not known which branch failed", hint="name the branch that gets the fix with --target")
    if told.key is None or told.step is None:
        raise ArtifactError("heal.json has no key or no step", hint=AGAIN)
    return Publication(
        key=told.key,
        step=told.step,
        commit=commit,
        target=target,
        files=told.patched,
        branch=f"{wishes.prefix}{_slug(told.step)}-{told.key[:KEY_SHOWN]}",
        title=body.title(told),
        message=body.commit_message(told),
        body=delivery.report,
        labels=wishes.labels,  # never told.labels: a label may start a workflow
        draft=wishes.draft,
        reviewers=wishes.reviewers,
    )


def _slug(step: str) -> str:
    """The step's name as a part of a branch's."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", step).strip("-")[:40].strip("-") or "step"
