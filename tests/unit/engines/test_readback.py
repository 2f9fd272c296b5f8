from __future__ import annotations

import io
import tarfile
import time
import tracemalloc
from collections.abc import Iterator

import pytest

from selfheal_ci.engines.readback import FILE_LIMIT, Leftovers, read_leftovers
from selfheal_ci.values import Changes, Content

KNOWN = ("a.py", "d/b.py", "d/c.py")
STATUS = b'{"child-pid": 2}\n{"exit-code": 3}\n'


def member(name: str, kind: bytes = tarfile.REGTYPE, **more: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.mode = 0o644
    for key, value in more.items():
        setattr(info, key, value)
    return info


def packed(*members: tuple[tarfile.TarInfo, bytes]) -> io.BytesIO:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    archive.seek(0)
    return archive


def left(*members: tuple[tarfile.TarInfo, bytes], globs: tuple[str, ...] = ()) -> Leftovers:
    return read_leftovers(packed((member("status"), STATUS), *members), known=KNOWN, globs=globs)


def test_reads_exit_code_reports_and_changed_files() -> None:
    found = left(
        (member("reports/r.xml"), b"<a/>"),
        (member("tree/a.py"), b"new"),
        (member("tree/run", mode=0o755), b"x"),
        (member("tree/out/junit.xml"), b"<b/>"),
        globs=("out/*.xml",),
    )

    assert found == Leftovers(
        3,
        {"r.xml": b"<a/>", "out/junit.xml": b"<b/>"},
        Changes({"a.py": Content(b"new"), "run": Content(b"x", "100755"), "out/junit.xml": Content(b"<b/>")}),
    )


def test_a_whiteout_is_a_deleted_file_or_folder() -> None:
    found = left((member("tree/a.py", tarfile.CHRTYPE), b""), (member("tree/d", tarfile.CHRTYPE), b""))

    assert found.changed == Changes({"a.py": None, "d/b.py": None, "d/c.py": None})


def test_a_replaced_folder_has_only_what_is_in_it_now() -> None:
    opaque = {"SCHILY.xattr.user.overlay.opaque": "y"}

    found = left((member("tree/d", tarfile.DIRTYPE, pax_headers=opaque), b""), (member("tree/d/b.py"), b"kept"))

    assert found.changed == Changes({"d/b.py": Content(b"kept"), "d/c.py": None})


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
def test_only_a_regular_file_is_a_report(kind: bytes) -> None:
    assert left((member("reports/r.xml", kind, linkname="/etc/passwd"), b"")).reports == {}


def test_a_link_is_kept_as_a_link() -> None:
    found = left((member("tree/l", tarfile.SYMTYPE, linkname="/etc/passwd"), b""))

    assert found.changed == Changes({"l": Content(b"/etc/passwd", "120000")})


def test_a_file_over_the_limit_is_left_out() -> None:
    assert left((member("tree/big"), b"x" * (FILE_LIMIT + 1))).changed == Changes({})


@pytest.mark.parametrize("status", [b"", b"nonsense", b'{"exit-code": "0"}', b"[1]", b'{"child-pid": 2}\n'])
def test_without_a_status_nothing_was_run(status: bytes) -> None:
    assert read_leftovers(packed((member("status"), status)), known=KNOWN, globs=()).exit_code is None


def test_a_cut_archive_is_an_error() -> None:
    whole = packed((member("status"), STATUS), (member("reports/r.xml"), b"x" * 5000)).getvalue()

    with pytest.raises(tarfile.ReadError):
        read_leftovers(io.BytesIO(whole[:2500]), known=KNOWN, globs=())


def test_a_name_that_cannot_be_read_leaves_the_exit_code_and_the_reports() -> None:
    files = [("status", STATUS), ("reports/r.xml", b"<a/>"), ("tree/a.py", b"new"), ("tree/x\n1 hdrcharset=é\n", b"")]
    archive = packed(*((member(name), data) for name, data in files)).getvalue().replace("é".encode(), b"\xff\xff")

    found = read_leftovers(io.BytesIO(archive), known=KNOWN, globs=())

    assert (found.exit_code, found.reports) == (3, {"r.xml": b"<a/>"})  # a newer Python reads the name as well


class Endless(io.RawIOBase):
    """An archive of more files than anyone has memory for."""

    def __init__(self, first: bytes) -> None:
        self.blocks = self.made(first)
        self.asked = 0

    def made(self, first: bytes) -> Iterator[bytes]:
        yield from (first[at : at + 512] for at in range(0, len(first), 512))
        for number in range(50_000):
            yield member(f"tree/{number}").tobuf()

    def read(self, size: int = -1) -> bytes:
        self.asked += size // 512
        return b"".join(next(self.blocks, b"") for _ in range(size // 512))


def test_of_too_many_files_none_is_told_and_few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfheal_ci.engines.readback.MEMBERS", 5000)
    first = packed((member("status"), STATUS), (member("reports/r.xml"), b"<a/>")).getvalue().rstrip(b"\0")
    archive = Endless(first + bytes(-len(first) % 512))
    tracemalloc.start()

    found = read_leftovers(archive, known=KNOWN, globs=())  # type: ignore[arg-type]

    assert found == Leftovers(3, {"r.xml": b"<a/>"}, Changes({}))
    assert archive.asked < 6000
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


def test_many_deleted_files_take_no_time() -> None:
    known = [f"d{number}/x" for number in range(15_000)]
    gone = [(member(f"tree/d{number}", tarfile.CHRTYPE), b"") for number in range(15_000)]
    began = time.monotonic()

    found = read_leftovers(packed((member("status"), STATUS), *gone), known=known, globs=())

    assert found.changed == Changes(dict.fromkeys(known))
    assert time.monotonic() - began < 10
