"""Checkpoint files: tensors and plain values only, written whole or not at all, never pickled code."""

import os
import tempfile
from pathlib import Path

import torch

FORMAT, VERSION = "vae_edu checkpoint", 1


def save(path: str | Path, contents: dict) -> None:
    """Write contents (tensors, numbers, strings, lists, dicts) to path; an older file stays until the end.

    Raises ValueError where the folder cannot be written.
    """
    path = Path(path)
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".part", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            torch.save({"format": FORMAT, "version": VERSION, **contents}, file)
        os.replace(temporary, path)
    except OSError as error:
        raise ValueError(
            f"checkpoint {path} cannot be written ({error.strerror}): choose another folder."
        ) from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


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
