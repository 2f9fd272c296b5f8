"""Takes in the files of a working tree, as they are and as git would keep them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from selfheal_ci.store.conversions import Conversion, Conversions
from selfheal_ci.store.index import Index, stat_below
from selfheal_ci.store.worktree import WorkTree
from selfheal_ci.values import Content, Entry

LINK = "120000"


@dataclass
class Snapshot:
    """The files of a working tree, as git would keep them (`entries`) and, where that differs, as they are (`raw`)."""

    place: WorkTree
    head: Mapping[str, Entry]
    conversions: Conversions
    index: Index
    read: Callable[[Entry], bytes]
    entry: Callable[[Content], Entry]
    entries: dict[str, Entry] = field(default_factory=dict)
    raw: dict[str, Entry] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)

    def take(self, paths: Iterable[str], *, sparse: bool) -> Iterator[bytes]:
        """Look at each path; the bytes that no blob of the commit has. `sparse`: what is not there was left out."""
        known = {entry.blob for entry in self.head.values()}
        for path in paths:
            before = self.head.get(path)
            content = self.place.look(path, before.mode if before else None)
            if content is None:
                if before and sparse:
                    self.entries[path] = before
                continue
            for entry, data in self._forms(path, content, before):
                self.entries[path] = entry
                if entry.blob not in known:
                    known.add(entry.blob)
                    yield data

    def _forms(self, path: str, content: Content, before: Entry | None) -> Iterator[tuple[Entry, bytes]]:
        """The file as it is and, where git would keep it otherwise, as that."""
        raw = self.entry(content)
        yield raw, content.data
        conversion = self.conversions.files.get(path)
        if conversion is None or content.mode == LINK or (before and raw.blob == before.blob):
            return
        kept, data = self._kept(path, content, before, conversion)
        if kept != raw:
            self.raw[path] = raw
            yield kept, data

    def _kept(self, path: str, content: Content, before: Entry | None, conversion: Conversion) -> tuple[Entry, bytes]:
        blob = self.read(before) if before and before.mode != LINK else b""
        kept = replace(content, data=conversion.to_git(content.data, lambda: blob))
        entry = self.entry(kept)
        if before and conversion.filter and entry.blob != before.blob:
            about = stat_below(self.place.root, path)
            if about and self.index.may_be_unchanged(path, before.blob, about):
                if not self.index.is_unchanged(path, before.blob, about):
                    self.unsure.add(path)
                return replace(entry, blob=before.blob), blob
        return entry, kept.data
