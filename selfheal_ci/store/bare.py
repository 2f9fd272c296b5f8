"""Makes a bare repository that borrows a checkout's objects and knows its refs, and nothing else of it."""

from __future__ import annotations

from pathlib import Path

from selfheal_ci.store.checkout import Checkout
from selfheal_ci.store.git import Git

SETTINGS = """[core]
	commitGraph = false
	compression = 1
	hooksPath = /dev/null
	fsync = none
	protectNTFS = true
[gc]
	auto = 0
[maintenance]
	auto = false
[fetch]
	unpackLimit = 1
[attr]
	tree = {empty}
"""
EMPTY_TREE = {
    "sha1": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "sha256": "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}


def make_store(checkout: Checkout, work: Path) -> Git:
    """A bare repository without hooks, templates or anything of the checkout's configuration."""
    work.mkdir(mode=0o700, parents=True, exist_ok=True)
    git = Git(work.resolve(), checkout.object_format, checkout.objects)
    git.run("init", "--bare", "--quiet", "--template=", f"--object-format={checkout.object_format}")
    with (git.folder / "config").open("a") as config:
        config.write(SETTINGS.format(empty=EMPTY_TREE[checkout.object_format]))
    (git.folder / "info").mkdir(exist_ok=True)
    (git.folder / "info" / "exclude").write_bytes(checkout.excludes)
    refs = b"".join(f"{id_} {name}\n".encode("utf-8", "surrogateescape") for name, id_ in sorted(checkout.refs.items()))
    (git.folder / "packed-refs").write_bytes(refs)
    if checkout.shallow:
        (git.folder / "shallow").write_bytes(checkout.shallow)
    (git.folder / "HEAD").write_text(f"{checkout.commit or 'ref: refs/selfheal/unborn'}\n")
    return git
