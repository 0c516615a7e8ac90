"""Where a data set's images are: the files of a name, of a folder, or of a path, and what they hold."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vae_edu.data.download import SOURCES, TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, fetch
from vae_edu.data.errors import DatasetError, note
from vae_edu.data.folders import Files, array_files
from vae_edu.data.idx import names_in_npz, read_array, read_npz
from vae_edu.data.labels import read_labels
from vae_edu.data.names import role_of
from vae_edu.data.paths import contents, kind_of
from vae_edu.data.pictures import find_pictures, is_picture, read_pictures
from vae_edu.data.pixels import read_pixels
from vae_edu.data.splits import Part, choose, divide

OWN = ("strokes", "photograph")  # data sets that the package makes by itself
NAMES = (*OWN, *SOURCES)  # of all data sets; anything else is a path
FILES = {"train": (TRAIN_IMAGES, TRAIN_LABELS), "test": (TEST_IMAGES, TEST_LABELS)}
HELP = "a folder of pictures, the four IDX or .npy files of a set, or a .npz file"
UNPACK = {".zip", ".tar", ".tgz", ".rar", ".7z", ".bz2", ".xz"}


class Source(NamedTuple):
    """What is known of a split before images are chosen.

    Attributes:
        x: (M, C, H, W), uint8 or float32.
        labels: (M,) int64, or None.
        classes: The name of each label, or None.
        rows: Which of the M images are of the split, or None: all.
        path: Of the file that x is mapped from, or None.
    """

    x: Tensor
    labels: Tensor | None
    classes: tuple[str, ...] | None = None
    rows: Tensor | None = None
    path: Path | None = None


def open_source(
    name: str | Path, split: str, mapped: bool, size: int | None = None, gray: bool | None = None
) -> Source:
    """The images of a split.

    Args:
        name: Of a public data set, or the path of a folder or a file. A Path is never a public data set.
        split: "train" or "test".
        mapped: Whether the images stay in their file.
        size: To which pictures are brought; arrays are left as they are.
        gray: Likewise.

    Raises:
        ValueError: For an unknown name.
        DatasetError: If files are missing, or not what they should be.
    """
    if name in SOURCES:
        folder = _own_folder(str(name))
        if folder is None:
            return _read(Files(*(fetch(str(name), file) for file in FILES[split])), None, name, mapped)
        name = folder
    path = Path(name).expanduser()
    kind = kind_of(path)
    if kind == "file":
        return _from_file(path, split, mapped)
    if kind is None:
        files = array_files(path.parent, path.name) if kind_of(path.parent) == "folder" else {}
        if not files:
            raise _unknown(name)
        return _from_files(files, split, path, mapped)
    if files := array_files(path):
        return _from_files(files, split, path, mapped)
    archives = [file for file in contents(path) if file.suffix.lower() == ".npz"]
    if len(archives) == 1:
        return _from_file(archives[0], split, mapped)
    if pictures := find_pictures(path):
        return _from_pictures(path, pictures, split, size, gray)
    raise _nothing_in(path)


def _own_folder(name: str) -> Path | None:
    """The folder of a public data set in $VAE_EDU_DATA, if there is one.

    Raises:
        DatasetError: If the variable names no folder, or the folder of the data set itself.
    """
    variable = os.environ.get("VAE_EDU_DATA")
    if not variable:
        return None
    root = Path(variable).expanduser()
    if kind_of(root) != "folder":
        raise DatasetError(f"VAE_EDU_DATA={root} is not a folder: set it to the folder that holds {name}/.")
    known = [path for path in contents(root) if path.name.lower().replace("-", "_") in _spellings(name)]
    if known:
        return min(known, key=lambda path: path.name != name)
    deeper = [path for path in contents(root) if path.is_dir() and (path / name).is_dir()]
    if deeper:
        raise DatasetError(
            f"VAE_EDU_DATA={root} has no {name}/, but {deeper[0]} has: set VAE_EDU_DATA={deeper[0]}."
        )
    here = [path for path in contents(root) if role_of(path.name)]
    if here or root.name.lower() in _spellings(name):
        above = root.parent if root.name.lower() in _spellings(name) else "the folder above"
        raise DatasetError(
            f"VAE_EDU_DATA={root} has no folder {name}, as it should: set VAE_EDU_DATA={above}, so that "
            f"$VAE_EDU_DATA/{name} has the files, or use load_images('{root}')."
        )
    return None


def _spellings(name: str) -> set[str]:
    """A name as folders have it: fashion_mnist, FashionMNIST."""
    return {name, name.replace("_", "")}


def _from_files(files: dict[Part, Files], split: str, name: object, mapped: bool) -> Source:
    part, divided = choose(files, split, name)
    return _read(files[part], split if divided else None, name, mapped)


def _read(files: Files, divided: str | None, name: object, mapped: bool) -> Source:
    """The images and labels of two files, divided for a split if there is no other part."""
    images, labels = files
    array = read_array(images, mapped)
    if mapped and array.dtype != np.uint8:
        raise DatasetError(
            f"{images} holds {array.dtype}, and only bytes can be mapped: save images as uint8, "
            "(255 * x).round().astype(np.uint8) for x in [0, 1]."
        )
    if "emnist" in images.name.lower():
        note(f"{images.name} has rows and columns exchanged, as in all of EMNIST: x.mT turns images upright.")
    names = _first_column(read_array(labels), labels) if labels else None
    return _source(array, names, divided, name, str(images), str(labels), images if mapped else None)


def _source(
    array: np.ndarray,
    labels: np.ndarray | None,
    divided: str | None,
    name: object,
    images_name: str,
    labels_name: str,
    path: Path | None = None,
) -> Source:
    x = read_pixels(array, images_name)
    numbers, classes = (None, None) if labels is None else read_labels(labels, len(x), labels_name)
    rows = None if divided is None else divide(len(x), divided, name)
    return Source(x, numbers, classes, rows, path)


def _first_column(labels: np.ndarray, path: Path) -> np.ndarray:
    """QMNIST has eight numbers for each image (idx2-int), and the first is the digit."""
    if labels.ndim == 2 and labels.shape[1] == 8 and labels.dtype == ">i4":
        note(f"{path} has 8 numbers for each image, as QMNIST has: the first is taken as the label.")
        return labels[:, 0]
    return labels


def _from_file(path: Path, split: str, mapped: bool) -> Source:
    suffix = path.suffix.lower()
    if suffix == ".npz":
        if mapped:
            raise DatasetError(
                f"{path} is an archive, which cannot be mapped: np.save its arrays one by one."
            )
        return _from_npz(path, split)
    role = role_of(path.name)
    if role is not None:
        files = array_files(path.parent, role.name or None)
        if path in {file for pair in files.values() for file in pair}:
            return _from_files(files, split, path, mapped)
    if suffix == ".npy" or suffix.startswith(".idx") or path.name.endswith("ubyte") or suffix == ".gz":
        return _from_files({None: Files(path, None)}, split, path, mapped)
    raise _not_read(path)


def _from_npz(path: Path, split: str) -> Source:
    names = names_in_npz(path)
    roles = {name: role_of(name) for name in names}
    images: dict[Part, str] = _one_each(
        {name: role.part for name, role in roles.items() if role and role.kind == "images"}, path, names
    )
    labels = _one_each(
        {name: role.part for name, role in roles.items() if role and role.kind == "labels"}, path, names
    )
    if not images and len(names) == 1:
        images = {None: names[0]}
    if not images:
        raise _unclear(path, names)
    part, divided = choose(images, split, path)
    array = read_npz(path, images[part])
    target = read_npz(path, labels[part]) if part in labels else None
    split_here = split if divided else None
    return _source(
        array, target, split_here, path, f"{images[part]} in {path}", f"{labels.get(part)} in {path}"
    )


def _one_each(parts: dict[str, Part], path: Path, names: list[str]) -> dict[Part, str]:
    if len(set(parts.values())) < len(parts):
        raise _unclear(path, names)
    return {part: name for name, part in parts.items()}


def _unclear(path: Path, names: list[str]) -> DatasetError:
    return DatasetError(
        f"{path} has the arrays {', '.join(names) or 'none'}, and it is not clear which are the images: name "
        "them images and labels, or x_train, y_train, x_test, y_test, or use "
        "a = np.load(path); images_from(a[…], a[…])."
    )


def _from_pictures(
    folder: Path,
    parts: dict[Part, dict[str | None, list[Path]]],
    split: str,
    size: int | None,
    gray: bool | None,
) -> Source:
    part, divided = choose(parts, split, folder)
    content, kept, path = read_pictures(folder, parts[part], size, gray)
    names = sorted({name for classes in parts.values() for name in classes if name is not None})
    labels = None
    if names:
        numbers = [names.index(name or "") for name, paths in parts[part].items() for _ in paths]
        labels = torch.tensor(numbers)[kept]
    x = read_pixels(content.numpy(), f"{folder}")
    rows = divide(len(x), split, folder) if divided else None
    return Source(x, labels, tuple(names) or None, rows, path)


def _unknown(name: str | Path) -> ValueError:
    if isinstance(name, Path) and str(name) in NAMES:
        return ValueError(
            f"there is no folder {name}: a Path is a folder, and load_images('{name}') the data set."
        )
    if "://" in str(name):
        return ValueError(f"{name} is an address: download it, unpack it, and give the path of its folder.")
    known = ", ".join(NAMES)
    return ValueError(
        f"unknown data set {str(name)!r}, and no such path: use {known}, or the path of {HELP}."
    )


def _nothing_in(folder: Path) -> DatasetError:
    seen = [path.name for path in contents(folder)]
    has = f"only {', '.join(seen[:3])}{', …' if len(seen) > 3 else ''}" if seen else "nothing"
    if any(Path(name).suffix.lower() in UNPACK for name in seen):
        return DatasetError(f"{folder} has {has}: unpack what is packed.")
    return DatasetError(f"{folder} has no {TRAIN_IMAGES} or other images, {has}: give {HELP}.")


def _not_read(path: Path) -> DatasetError:
    if path.suffix.lower() in UNPACK:
        return DatasetError(f"{path} is packed: unpack it, and give the path of its folder.")
    if is_picture(path):
        return DatasetError(f"{path} is one picture: give the path of a folder of pictures.")
    return DatasetError(
        f"{path} is not read here: give {HELP}; or read it with its library (pandas, h5py, torch.load) "
        "and give images_from(x, labels)."
    )
