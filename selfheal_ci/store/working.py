"""The two forms of a file: as git keeps it, and as the working tree has it. Runs see the second, all else is the first."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from selfheal_ci.ports import Engine
from selfheal_ci.store.around import AroundSandbox
from selfheal_ci.store.conversions import Conversions
from selfheal_ci.values import NOTHING, Changes, Command, Content, Entry, Recipe, Run, Tree

log = logging.getLogger(__name__)

LINK = "120000"


@dataclass(frozen=True)
class Forms:
    """The files of one checkout, as git keeps them (`entries`) and, where it converts them, as they are (`raw`)."""

    conversions: Conversions
    read: Callable[[Entry], bytes]
    entries: Mapping[str, Entry] = field(default_factory=dict)
    raw: Mapping[str, Entry] = field(default_factory=dict)
    unsure: frozenset[str] = frozenset()  # those that may have been changed: only their filter could tell

    def __bool__(self) -> bool:
        return bool(self.conversions)

    def to_working_tree(self, changes: Changes) -> Changes:
        """Changes as runs get them."""
        return Changes({path: content and self.content(path, content) for path, content in changes.files.items()})

    def to_git(self, changes: Changes) -> Changes:
        """What a run changed, as git would keep it. What a filter makes of a file is not known: it is left out."""
        found = {}
        for path, content in changes.files.items():
            conversion = self.conversions.files.get(path)
            if conversion is None or content is None or content.mode == LINK:
                found[path] = content
            elif conversion.filter and path in self.raw:
                log.warning("%s was changed by a run and stays as it is: the filter %s makes it", path, conversion.filter)
            else:
                found[path] = replace(content, data=conversion.to_git(content.data, partial(self._kept, path)))
        return Changes(found)

    def content(self, path: str, content: Content) -> Content:
        """What a path of the working tree holds when git keeps this."""
        conversion = self.conversions.files.get(path)
        if conversion is None or content.mode == LINK:
            return content
        if path not in self.entries:
            return replace(content, data=conversion.to_working_tree(content.data))
        kept = self._kept(path)
        now = self.read(self.raw[path]) if path in self.raw else kept
        return replace(content, data=conversion.to_working_tree(content.data, now=now, kept=kept))

    def _kept(self, path: str) -> bytes:
        return self.read(self.entries[path]) if path in self.entries else b""


@dataclass(frozen=True)
class ConvertingEngine:
    """An engine whose runs see files as the working tree has them."""

    inner: Engine
    forms: Forms
    checked_out: Callable[[Tree], Tree]

    @property
    def name(self) -> str:
        """See Engine."""
        return self.inner.name

    @contextmanager
    def prepare(self, tree: Tree, recipe: Recipe) -> Iterator[ConvertingSandbox]:
        """See Engine."""
        with self.inner.prepare(self.checked_out(tree), recipe) as sandbox:
            yield ConvertingSandbox(sandbox, self.forms)


@dataclass(frozen=True)
class ConvertingSandbox(AroundSandbox):
    """A sandbox that is spoken to as git keeps files."""

    forms: Forms

    def run(self, command: Command, changes: Changes = NOTHING) -> Run:
        """See Sandbox."""
        run = self.inner.run(command, self.forms.to_working_tree(changes))
        return replace(run, changed=self.forms.to_git(run.changed))
