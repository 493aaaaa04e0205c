"""Files that only their user may read: a database has phone numbers and texts in it."""

from __future__ import annotations

from pathlib import Path

_FOLDER, _FILE = 0o700, 0o600


def make_private(file: Path) -> None:
    """Create the file, and its folder if that does not exist, for its user alone, whatever the umask.

    A file that exists loses the permissions of others. A folder that exists stays as it is: others may need it.
    """
    make_private_folder(file.parent)
    file.touch(_FILE)
    for name in ("", "-wal", "-shm", "-journal"):
        other = file.with_name(file.name + name)
        if other.exists() and other.stat().st_mode & 0o077:
            other.chmod(_FILE)


def make_private_folder(folder: Path) -> None:
    """Create the folder for its user alone, unless it exists; those above it are created as usual.

    A folder that is created says to Git that nothing in it is to be kept there.
    """
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(_FOLDER, exist_ok=True)
        folder.chmod(_FOLDER)
        ignored = folder / ".gitignore"
        ignored.touch(_FILE)
        ignored.write_text("*\n", encoding="utf-8")
