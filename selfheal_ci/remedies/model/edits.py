"""Edits become changed files: all of them or none, each at the one place it means, encoding and line ends kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from selfheal_ci import paths
from selfheal_ci.lab import Lab
from selfheal_ci.remedies.model import matching
from selfheal_ci.remedies.model.lines import LARGEST, Text, decode
from selfheal_ci.remedies.model.nearest import nearest
from selfheal_ci.remedies.model.proposal import Edit
from selfheal_ci.syntax import mistaken, unreadable
from selfheal_ci.values import Changes, Content

SHOWN = 10  # line numbers named
_TELLING = 8  # characters from which finding a replacement says that it is there already


@dataclass(frozen=True)
class EditFlaw:
    """Why an edit does not apply."""

    path: str
    reason: str
    nearest: str = ""  # numbered lines of the file that are most like what was looked for


class _DoesNotApplyError(Exception):
    def __init__(self, flaw: EditFlaw) -> None:
        super().__init__(flaw.reason)
        self.flaw = flaw


Unredact = Callable[[str, str], str]  # a text, and what is there already: only what that holds is put in again


def _as_it_is(text: str, _: str) -> str:
    return text


def apply(edits: Sequence[Edit], lab: Lab, unredact: Unredact = _as_it_is) -> Changes | EditFlaw:
    """The files that the edits change, as the lab sees them; or the first flaw."""
    texts: dict[str, Text] = {}
    try:
        for number, edit in enumerate(edits, 1):
            plain = _plain(edit, lab, unredact)
            texts[plain.path] = _applied(plain, texts.get(plain.path), lab, f"edit {number} of {plain.path}")
        return _changes(texts, lab)
    except _DoesNotApplyError as no:
        return no.flaw


def unsound(changes: Changes, lab: Lab) -> EditFlaw | None:
    """What is wrong with the files that edits made, before anything is run."""
    for path, content in changes.files.items():
        before, after = lab.read(path), content.data if content else b""
        if wrong := unreadable(path, before, after) or mistaken(path, before, after):
            return EditFlaw(path, f"the edits apply, but what they make of the file is wrong: {wrong}")
    return None


def _plain(edit: Edit, lab: Lab, unredact: Unredact) -> Edit:
    """The edit with the secrets that its file has already, and no other: a model may name what it was never shown."""
    path = unredact(edit.path, "\n".join(lab.tree.entries)).removeprefix("./")
    path = path if path in lab.tree.entries else edit.path.removeprefix("./")
    text = decode(lab.read(path) or b"")
    there = text.text if text else ""
    return Edit(path=path, old_str=unredact(edit.old_str, there), new_str=unredact(edit.new_str, there))


def _applied(edit: Edit, earlier: Text | None, lab: Lab, what: str) -> Text:
    """The file after one edit; `earlier` is what edits before it made of the file."""
    if why := paths.malformed(edit.path):
        raise _DoesNotApplyError(EditFlaw(edit.path, f"{what}: this is no path of a file here, {why}"))
    data = None if earlier else lab.read(edit.path)
    is_link = data is None and lab.mode(edit.path) == "120000"
    if not edit.old_str:
        if earlier or data is not None or is_link:
            raise _DoesNotApplyError(EditFlaw(edit.path, f"{what}: old_str is empty, and the file is there already"))
        return Text(edit.new_str, "utf-8")
    if earlier is None and data is None:
        raise _DoesNotApplyError(EditFlaw(edit.path, f"{what}: there is no such file{_meant(edit.path, lab)}"))
    text = earlier or _decoded(data or b"", edit.path, what)
    return replace(text, text=_edited(text.text, edit, what))


def _decoded(data: bytes, path: str, what: str) -> Text:
    text = decode(data)
    if text is None:
        why = f"it is larger than {LARGEST >> 20} MB" if len(data) > LARGEST else "it is binary"
        raise _DoesNotApplyError(EditFlaw(path, f"{what}: this file is not edited, {why}"))
    return text


def _edited(text: str, edit: Edit, what: str) -> str:
    passage = matching.Passage(text, edit.old_str, edit.new_str)
    found = matching.matches(passage)
    if len(found) == 1 and matching.is_indented_unclearly(passage, found[0]):
        why = "old_str begins after the indentation of its line, and new_str has lines with less: quote whole lines in both"
        raise _DoesNotApplyError(EditFlaw(edit.path, f"{what}: {why}"))
    if len(found) == 1:
        return matching.replaced(text, found[0])
    if not found:
        there = len(edit.new_str.strip()) >= _TELLING and edit.new_str.strip() in text
        also = "; the replacement text is already there" if there else ""
        near = nearest(text, edit.old_str)
        raise _DoesNotApplyError(EditFlaw(edit.path, f"{what}: old_str is nowhere in the file{also}", near))
    lines = ", ".join(str(matching.line_of(text, match)) for match in found[:SHOWN])
    more = ", …" if len(found) > SHOWN else ""
    raise _DoesNotApplyError(
        EditFlaw(
            edit.path, f"{what}: old_str is in the file {len(found)} times, in lines {lines}{more}; it must be there once"
        )
    )


def _changes(texts: dict[str, Text], lab: Lab) -> Changes:
    files: dict[str, Content | None] = {}
    for path, text in texts.items():
        try:
            data = text.encode()
        except UnicodeEncodeError as error:
            letter = error.object[error.start]
            why = f"{path}: the file is Latin-1, which has no {letter!a}" if text.encoding != "utf-8" else f"{path}: no text"
            raise _DoesNotApplyError(EditFlaw(path, why)) from error
        if data != lab.read(path):
            files[path] = Content(data, lab.mode(path))
    return Changes(files)


def _meant(path: str, lab: Lab) -> str:
    near = get_close_matches(path, list(lab.tree.entries)[:5000], n=1, cutoff=0.6)
    same_name = sorted(name for name in lab.tree.entries if name.endswith("/" + path.rpartition("/")[2]))
    meant = next(iter(near or same_name), None)
    return f"; did you mean {meant}?" if meant else ""
