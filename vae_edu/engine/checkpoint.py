"""Checkpoint files: tensors and plain values only, written whole or not at all, never pickled code.

They are files of `torch.save`, read with `weights_only=True`. Files of version 0.1.0 are, too, so another
format would be a second way to read and to check. And everything would have to be checked in any format:
one that can hold no code, such as safetensors, can still hold weights of a wrong shape.

Such a file is a ZIP archive with a checksum (CRC-32) of every part. PyTorch does not look at them, so a
flipped bit would be a wrong weight. `load` compares them all first; files of older versions have them, too.
"""

import errno
import os
import platform
import stat
import threading
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

import vae_edu
from vae_edu.engine.arguments import shortened
from vae_edu.engine.files import temporary_path, whole_file
from vae_edu.engine.plain import is_plain, plain

FORMAT, VERSION = "vae_edu checkpoint", 4
COMPILED = "_orig_mod."  # what torch.compile puts before the names of weights
ABOUT = {  # what the command line notes, and relies on
    "data": (str, "the name of a data set"),
    "binarize": (str | None, "a string or None"),
    "seed": (int, "a whole number"),
    "epochs": (int, "a whole number"),
}
_replacing = threading.Lock()


class Damaged(ValueError):
    """What is wrong with the contents of a file, to follow after "is damaged: "."""


class Taken(ValueError):
    """Somebody else wrote the file meanwhile."""


def contents_of(model: nn.Module) -> dict[str, Any]:
    """A model's weights, and its `architecture`, which rebuilds it, and `about`, if it has them.

    A parametrized model (`torch.nn.utils.parametrize`) has other weights than the one that its architecture
    rebuilds. Those of the latter are in `computed`.

    Raises:
        ValueError: If `about` is not what it should be.
    """
    about = check_about(getattr(model, "about", None))
    computed = {
        uncompiled(f"{prefix}.{name}" if prefix else name): getattr(module, name)
        for prefix, module in model.named_modules()
        if parametrize.is_parametrized(module)
        for name in module.parametrizations  # type: ignore[union-attr]
    }
    return {
        "model": weights_of(model),
        "architecture": getattr(model, "architecture", None),
        "about": about,
    } | ({"computed": computed} if computed else {})


def check_about(about: Any) -> dict[str, Any]:
    """What is known about a model, {} for None. Raises Damaged if it is no dict, or has a wrong value."""
    about = {} if about is None else about
    need(isinstance(about, dict), f"about is a {type(about).__name__}, not a dict")
    for name, value in about.items():
        need(isinstance(name, str), f"about has the name {name!r}, which is no string")
        if name in ABOUT:
            right, words = ABOUT[name]
            need(isinstance(value, right), f"about[{name!r}] is {shortened(value)}, not {words}")
    return about


def weights_of(model: nn.Module) -> dict[str, Any]:
    """The model's `state_dict`, with the names that it has if it is not compiled."""
    return {uncompiled(name): value for name, value in model.state_dict().items()}


def load_weights(model: nn.Module, weights: Mapping[str, Any]) -> None:
    """Give a model, compiled or not, what `weights_of` found in one of its kind."""
    model.load_state_dict({name: weights[uncompiled(name)] for name in model.state_dict()})


def uncompiled(name: str) -> str:
    """The name of a weight, or a layer, without what torch.compile puts before it."""
    return name.replace(COMPILED, "").removesuffix(COMPILED[:-1]).removesuffix(".")


def check_path(path: str | Path) -> None:
    """Raise ValueError if no file can be written at path, before any work is done for it."""
    path = _path(path)
    try:
        if path.is_dir():
            raise ValueError(f"{path} is a folder: name a file in it.")
        if path.exists() and not path.is_file():
            raise ValueError(f"{path} is a device or a pipe: name a file.")
        if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
            raise ValueError(
                f"{path} cannot be written: the folder {path.parent} is missing or cannot be written."
            )
        temporary = temporary_path(path)
        temporary.touch()
        temporary.unlink()
    except OSError as error:
        raise ValueError(f"{path} cannot be written ({error.strerror}): name another file.") from error


def _path(path: Any) -> Path:
    if not isinstance(path, str | os.PathLike) or "\0" in str(path):
        raise ValueError(f"{path!r} is not the path of a file: give a string or a Path.")
    return Path(path)


def save(path: str | Path, contents: dict, *, instead_of: str | None = "") -> str | None:
    """Write contents to path, with the versions of vae_edu, PyTorch and Python.

    Args:
        path: The file; an older one stays until the new one is whole.
        contents: Tensors, numbers, strings, lists and dicts.
        instead_of: What `checksums` says of the file that may be replaced; by default any.

    Returns:
        The `checksums` of the new file.

    Raises:
        ValueError: For anything else in the contents, and if the file cannot be written.
        Taken: If the file is not the one that may be replaced.
    """
    check_path(path)
    versions = {
        "vae_edu": vae_edu.__version__,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }
    whole = {"format": FORMAT, "version": VERSION, "versions": versions, **only_plain(contents, "contents")}
    try:
        with _replacing, whole_file(Path(path)) as temporary:
            with open(temporary, "wb") as file:  # by its name, the name would be in the file
                torch.save(whole, file)
            written = checksums(temporary)
            if instead_of != "" and checksums(path) not in (instead_of, None):
                raise Taken(f"{path} was written by another training meanwhile.")
    except (OSError, RuntimeError) as error:  # a full disk is a RuntimeError of PyTorch's writer
        reason = getattr(error, "strerror", None) or "is the disk full?"
        raise ValueError(f"{path} cannot be written ({reason}): free space, or name another.") from error
    return written


def only_plain(value: Any, where: str) -> Any:
    """A copy of what is plain. Raises ValueError, in one sentence, for what cannot be made so."""
    problems: list[str] = []
    try:
        copied = plain(value, where, problems)
    except RecursionError:
        raise ValueError(f"{where} holds itself, or too many dicts in each other: keep it flat.") from None
    if problems:
        raise ValueError(problems[0])
    return copied


def checksums(path: str | Path) -> str | None:
    """The checksums of the parts of a file, by which it is known again; None if there is no file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return " ".join(f"{part.CRC:08x}" for part in archive.infolist())
    except FileNotFoundError:
        return None
    except (zipfile.BadZipFile, OSError):
        return "no archive"


def load(path: str | Path) -> dict:
    """Read a file that `save` wrote, onto the CPU, with `weights_only=True`.

    Raises:
        ValueError: If the file is missing, damaged, foreign, or of a newer version.
    """
    path = _path(path)
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "Is a directory")
        if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe would wait
            raise OSError(errno.EINVAL, "it is not a file")
        _check_parts(path)
        contents = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ValueError(f"there is no checkpoint {path}: check the path.") from error
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}): name another file.") from error
    except Damaged as error:
        raise ValueError(f"{path} is damaged: {error}; name another file.") from error
    except Exception as error:  # a foreign file can make the unpickler fail in any way
        raise ValueError(f"{path} is damaged or not a checkpoint of vae_edu: name another file.") from error
    if not isinstance(contents, dict) or contents.get("format") != FORMAT:
        raise ValueError(f"{path} is not a checkpoint of vae_edu: name another file.")
    version = contents.get("version")
    if type(version) is not int:
        raise ValueError(f"{path} is damaged: it does not say which version it is; name another file.")
    if version > VERSION:
        raise ValueError(f"{path} was written by a newer vae_edu: update the package to read it.")
    try:
        right = is_plain(contents)
    except RecursionError:
        right = False
    if not right:
        raise ValueError(f"{path} is damaged: it holds what no checkpoint does; name another file.")
    return contents


def _check_parts(path: str | Path) -> None:
    """Compare every part of the archive with its checksum. Raises Damaged if one is not what was written."""
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        need(all(part.compress_type == zipfile.ZIP_STORED for part in parts), "it is compressed")
        need(not any(part.external_attr for part in parts), "a part has attributes")  # PyTorch skips folders
        part = archive.testzip()
        need(part is None, f"its part {part} is not what was written")


def weights_in(saved: dict[str, Any]) -> dict[str, Tensor]:
    """The weights in a file, by the names that they have uncompiled. Raises Damaged if they are none."""
    weights = saved.get("model")
    if not isinstance(weights, dict):
        raise Damaged("it holds no weights")
    need(all(type(name) is str for name in weights), "a weight has no name")
    return {uncompiled(name): value for name, value in weights.items()}


def need(right: bool, otherwise: str) -> None:
    """Raise Damaged with the reason, unless something is right."""
    if not right:
        raise Damaged(otherwise)


def check_tensor(what: str, value: Any, like: Tensor, finite: bool = True) -> None:
    """Check that a value is a tensor of the same shape and the same kind of numbers, all of them finite.

    Raises:
        Damaged: If it is anything else.
    """
    need(isinstance(value, Tensor), f"{what} is no tensor but a {type(value).__name__}")
    need(value.shape == like.shape, f"{what} is {tuple(value.shape)}, not {tuple(like.shape)}")
    need(value.dtype == like.dtype, f"{what} is {value.dtype}, not {like.dtype}")
    need(not finite or bool(value.isfinite().all()), f"{what} holds NaN or infinity")
