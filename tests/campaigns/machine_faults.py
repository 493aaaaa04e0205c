"""Faults of the machine that a process runs on: its clock steps, and the disk of the database is full for a while."""

from __future__ import annotations

import errno
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from io import FileIO
    from types import TracebackType

_LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1")
_MEBIBYTE, _PAGE = 1 << 20, 4096


def find_faketime() -> Path | None:
    """Return the library that lets a process see another time (Debian's ``libfaketime``), where it is installed."""
    found = (path for pattern in _LIBRARIES for path in Path("/").glob(pattern.lstrip("/")))
    return next(found, None)


class SteppedClock:
    """The clock of processes that are started with its ``environment``; their monotonic clock is the real one."""

    def __init__(self, file: Path, library: Path) -> None:
        self._file = file
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self.show(0.0)

    def show(self, seconds: float) -> None:
        """Let the clock be ahead of the real one by so many seconds, or behind it; it steps within a second."""
        written = self._file.with_suffix(".new")
        written.write_text(f"{seconds:+.0f}\n", encoding="utf-8")
        written.replace(self._file)


class SmallDisk:
    """A file system of its own, in memory, which can be filled. It takes the right to mount one."""

    def __init__(self, folder: Path, mebibytes: int) -> None:
        self._folder = folder
        self._filler = folder / "filler"
        self._size = f"size={mebibytes}m,mode=1777"

    @classmethod
    def is_possible(cls, folder: Path) -> bool:
        """Whether this user may mount one, tried at this folder."""
        try:
            with cls(folder, 1):
                return True
        except (OSError, subprocess.CalledProcessError):
            return False

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        mount = ["mount", "-t", "tmpfs", "-o", self._size, "tmpfs", str(self._folder)]
        subprocess.run(mount, check=True, capture_output=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        subprocess.run(["umount", "--lazy", str(self._folder)], check=True, capture_output=True)

    def fill(self, seconds: float) -> None:
        """Leave no room for so long, whatever is deleted meanwhile, and then as much as before."""
        end = time.monotonic() + seconds
        with self._filler.open("wb", buffering=0) as filler:
            while time.monotonic() < end:
                for size in (_MEBIBYTE, _PAGE):
                    _write_all(filler, bytes(size))
                time.sleep(0.05)
        self._filler.unlink()


def _write_all(file: FileIO, piece: bytes) -> None:
    """Write the piece again and again until there is no room for it."""
    try:
        while file.write(piece) == len(piece):
            pass
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
