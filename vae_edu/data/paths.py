"""What a path leads to, and the sentence for one that leads nowhere."""

import os
import stat
from pathlib import Path

from vae_edu.data.errors import DatasetError

IGNORED = {"thumbs.db", "desktop.ini", "__macosx"}  # besides hidden files


def kind_of(path: Path) -> str | None:
    """ "file", "folder", or None if there is nothing.

    Raises:
        DatasetError: If the path cannot be followed, or leads to a pipe, a socket or a device.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise DatasetError(
                f"{path} is a link to {os.readlink(path)}, which does not exist: mend the link."
            ) from None
        return None
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        raise _unreadable(path, error) from error
    if stat.S_ISDIR(mode):
        return "folder"
    if stat.S_ISREG(mode):
        return "file"
    raise DatasetError(f"{path} is a pipe, a socket or a device: name a file or a folder.")


def contents(folder: Path) -> list[Path]:
    """The visible files and folders in a folder, by name.

    Raises:
        DatasetError: If the folder cannot be read.
    """
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise _unreadable(folder, error) from error
    return [folder / name for name in names if name[0] != "." and name.lower() not in IGNORED]


def _unreadable(path: Path, error: Exception) -> DatasetError:
    reason = getattr(error, "strerror", None) or error
    return DatasetError(f"{path} cannot be read ({reason}): check the path and its permissions.")
