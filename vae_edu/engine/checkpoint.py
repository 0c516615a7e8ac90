"""Checkpoint files: tensors and plain values only, written whole or not at all, never pickled code."""

import os
import platform
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import vae_edu
from vae_edu.engine.files import whole_file

FORMAT, VERSION = "vae_edu checkpoint", 3
PLAIN = (str, int, float, bool, type(None))


def contents_of(model: nn.Module) -> dict[str, Any]:
    """A model's weights, and its `architecture`, which rebuilds it, and `about`, if it has them."""
    return {
        "model": model.state_dict(),
        "architecture": getattr(model, "architecture", None),
        "about": getattr(model, "about", {}),
    }


def check_path(path: str | Path) -> None:
    """Raise ValueError if no file can be written at path, before any work is done for it."""
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name a file in it.")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise ValueError(
            f"{path} cannot be written: the folder {path.parent} is missing or cannot be written."
        )


def save(path: str | Path, contents: dict) -> None:
    """Write contents to path, with the versions of vae_edu, PyTorch and Python.

    Args:
        path: The file; an older one stays until the new one is whole.
        contents: Tensors, numbers, strings, lists and dicts.

    Raises:
        ValueError: For anything else in the contents, and if the file cannot be written.
    """
    check_path(path)
    _check_plain(contents, "contents")
    versions = {
        "vae_edu": vae_edu.__version__,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }
    try:
        with whole_file(Path(path)) as temporary:
            torch.save({"format": FORMAT, "version": VERSION, "versions": versions, **contents}, temporary)
    except (OSError, RuntimeError) as error:  # a full disk is a RuntimeError of PyTorch's writer
        reason = getattr(error, "strerror", None) or "is the disk full?"
        raise ValueError(f"{path} cannot be written ({reason}): free space, or name another.") from error


def load(path: str | Path) -> dict:
    """Read a file that `save` wrote, onto the CPU, with `weights_only=True`.

    Raises:
        ValueError: If the file is missing, damaged, foreign, or of a newer version.
    """
    try:
        contents = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ValueError(f"there is no checkpoint {path}: check the path.") from error
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}): name another file.") from error
    except Exception as error:  # a foreign file can make the unpickler fail in any way
        raise ValueError(f"{path} is damaged or not a checkpoint of vae_edu: name another file.") from error
    if not isinstance(contents, dict) or contents.get("format") != FORMAT:
        raise ValueError(f"{path} is not a checkpoint of vae_edu: name another file.")
    if not isinstance(contents.get("version"), int):
        raise ValueError(f"{path} is damaged: it does not say which version it is; name another file.")
    if contents["version"] > VERSION:
        raise ValueError(f"{path} was written by a newer vae_edu: update the package to read it.")
    return contents


def _check_plain(value: Any, where: str) -> None:
    """Any other type could be written, but not read with weights_only=True."""
    if isinstance(value, dict):
        for name, item in value.items():
            _check_plain(name, f"a name in {where}")
            _check_plain(item, f"{where}[{name!r}]")
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            _check_plain(item, f"{where}[{i}]")
    elif type(value) not in PLAIN and not isinstance(value, Tensor):
        raise ValueError(
            f"{where} is a {type(value).__name__}, which no checkpoint holds: make it a number, a string or "
            "a tensor."
        )
