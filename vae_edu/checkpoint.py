"""Checkpoint files: tensors and plain values only, written whole or not at all, never pickled code."""

import os
from pathlib import Path

import torch

FORMAT, VERSION = "vae_edu checkpoint", 1


def check_path(path: str | Path) -> None:
    """Raise ValueError where no file can be written at path, before any work is done for it."""
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"checkpoint {path} is a folder: name a file in it, such as {path / 'run.pt'}.")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise ValueError(f"checkpoint {path}: the folder {path.parent} is missing or cannot be written.")


def save(path: str | Path, contents: dict) -> None:
    """Write contents (tensors, numbers, strings, lists, dicts) to path; an older file stays until the end.

    Raises ValueError where the file cannot be written.
    """
    check_path(path)
    path = Path(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        torch.save({"format": FORMAT, "version": VERSION, **contents}, temporary)
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:  # a full disk is a RuntimeError of PyTorch's writer
        reason = getattr(error, "strerror", None) or "is the disk full?"
        raise ValueError(
            f"checkpoint {path} cannot be written ({reason}): free space, or name another."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def load(path: str | Path) -> dict:
    """Read a file that `save` wrote, onto the CPU, with `weights_only=True`.

    Raises ValueError where the file is missing, damaged, foreign, or of a newer version.
    """
    try:
        contents = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ValueError(f"there is no checkpoint {path}: check the path.") from error
    except Exception as error:  # a foreign file can make the unpickler fail in any way
        raise ValueError(
            f"{path} is damaged or not a checkpoint of vae_edu: delete it or name another."
        ) from error
    if not isinstance(contents, dict) or contents.get("format") != FORMAT:
        raise ValueError(f"{path} is not a checkpoint of vae_edu: name another file.")
    if contents["version"] > VERSION:
        raise ValueError(f"{path} was written by a newer vae_edu: update the package to read it.")
    return contents
