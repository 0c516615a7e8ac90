"""The data {x⁽ⁱ⁾}: stroke digits, patches of a photograph, MNIST, or anyone's pictures, files and arrays."""

import os
from dataclasses import replace
from pathlib import Path

import torch

import vae_edu
from vae_edu.data import photograph, strokes
from vae_edu.data.arrays import images_from
from vae_edu.data.errors import DatasetError, DatasetWarning
from vae_edu.data.idx import read_idx
from vae_edu.data.images import Images, binarize
from vae_edu.data.mapped import MappedImages
from vae_edu.data.photograph import patches
from vae_edu.data.pixels import as_floats, resize, wanted_gray, wanted_size, with_colors
from vae_edu.data.room import check_room
from vae_edu.data.sources import FILES, OWN, Source, open_source
from vae_edu.engine.arguments import whole_number

__all__ = [
    "DatasetError",
    "DatasetWarning",
    "Images",
    "MappedImages",
    "binarize",
    "images_from",
    "load_images",
    "map_images",
    "patches",
    "read_idx",
    "stroke_digits",
]

STROKES = {"train": 60_000, "test": 10_000}  # images of each split, as many as MNIST has


def stroke_digits(
    n: int | None = None,
    seed: int = 0,
    factors: dict | None = None,
    device: torch.device | str | None = None,
) -> Images:
    """Stroke digits drawn by the package, each with the factors that made it.

    `stroke_digits(n, seed)` draws n images from random factors: digit, thickness, slant, width,
    rotation, scale, shift_x, shift_y (`vae_edu.data.strokes.FACTORS` has their ranges and units) and the
    jitter of the hand. Image i depends on the seed and on i alone.
    `stroke_digits(factors={"digit": 3, "slant": [0, 0.2, 0.4]})` draws exactly what is asked: one
    value counts for every image, and a factor that is not named keeps its neutral value. The images are on
    `device`, `vae_edu.device()` by default.

    Returns:
        Images with x (n, 1, 28, 28).

    Raises:
        ValueError: For an n below 1, or bad factors.
    """
    if factors is None:
        n = whole_number("n", n, 1)
        check_room(n * strokes.BYTES, f"n = {n:,} stroke digits")
        table = strokes.random_factors(n, whole_number("seed", seed, 0))
    else:
        table = strokes.complete_factors(factors)
        if n not in (None, len(table["digit"])):
            raise ValueError(
                f"n = {n} contradicts the {len(table['digit'])} images of the factors: leave n out."
            )
    return Images(strokes.draw(table), table["digit"], table).to(vae_edu.device(device))


def load_images(
    name: str | Path | None = None,
    split: str = "train",
    n: int | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    *,
    at_most: int | None = None,
    size: int | None = None,
    gray: bool | None = None,
) -> Images:
    """Load a data set by name, or your own: a folder of pictures, IDX or .npy files, or a .npz file.

    A folder of pictures may have the folders train and test (or val), and in them, or right in it, one folder
    for each label. Otherwise there are no labels. Pictures that cannot be read are left out with a warning.
    Array files have names such as train-images-idx3-ubyte, x_train.npy, labels.npy, and a .npz file has
    arrays so named: images as `images_from` takes them, and labels, if there are any. If there is only one
    set, a seventh of it is for testing, always the same.

    Args:
        name: "strokes" (drawn here, offline), "photograph" (patches of one, offline), "mnist",
            "fashion_mnist", "kmnist", or the path of a folder or file; by default the environment variable
            VAE_EDU_DATASET, else strokes. Named files come from $VAE_EDU_DATA/<name>/, else from the user's
            cache, else from the public mirrors.
        split: "train" or "test". The two never share an image: stroke digits of even and of odd seeds,
            patches of different squares of the photograph (`vae_edu.data.photograph`).
        n: How many images, chosen at random by the seed; by default all, and 20,000 patches to train, 4,000
            to test.
        seed: See n.
        device: Where the images are, `vae_edu.device()` by default.
        at_most: Instead of n: so many, or all if there are fewer.
        size: Of the images: the shorter side is resized to so many pixels, and the center cut out; by default
            the environment variable VAE_EDU_SIZE, else nothing is resized. Patches are cut in this size, 8 by
            default.
        gray: True for one channel, False for three; by default VAE_EDU_GRAY, 1 or 0, else pictures have one
            channel if all are gray, and arrays what they have.

    Raises:
        ValueError: For bad arguments.
        DatasetError: If the files are missing, or not what they should be. No file is left half-written.
    """
    name, n, at_most, seed = _checked(name, split, n, at_most, seed)
    size, gray = wanted_size(size), wanted_gray(gray)
    if name == "strokes":
        n = n or min(at_most or STROKES[split], STROKES[split])
        images = stroke_digits(n, seed=2 * seed + (split == "test"), device=device)
        return replace(images, x=with_colors(resize(images.x, size), gray))
    if name == "photograph":
        most = min(at_most or photograph.MOST[split], photograph.MOST[split])
        cut = patches(photograph.squares(split), size or photograph.SIZE, n, seed, at_most=most)
        return Images(as_floats(with_colors(cut, gray))).to(vae_edu.device(device))
    source = open_source(name, split, mapped=False, size=size, gray=gray)
    x, labels, classes, rows, _ = _choose(source, name, split, n, at_most, seed)
    check_room(4 * x[0].numel() * len(x if rows is None else rows), str(name))
    x = with_colors(resize(x if rows is None else x[rows], size), gray)
    images = Images(x, labels, classes=classes).to(vae_edu.device(device))
    return replace(images, x=as_floats(images.x) if x.dtype == torch.uint8 else images.x)


def map_images(
    folder: str | Path | None = None,
    split: str = "train",
    n: int | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    *,
    at_most: int | None = None,
    size: int | None = None,
    gray: bool | None = None,
) -> MappedImages:
    """The images of `load_images` left in their file, for data larger than memory.

    `fit` takes them like a tensor (N, C, H, W), whose rows are read as they are taken. Pictures are decoded
    into a file of the user's cache. Gzipped files must be unpacked before, and the file must not change
    meanwhile; stroke digits have none. On CUDA the bytes
    go to the GPU if they take at most half of its free memory.

    Args:
        folder: As the name of `load_images`.
        split: "train" or "test".
        n: How many images, chosen at random by the seed; by default all.
        seed: See n.
        device: Where images come out, `vae_edu.device()` by default.
        at_most: Instead of n: so many, or all if there are fewer.
        size: Of the images: the shorter side is resized to so many pixels, and the center cut out; by default
            the environment variable VAE_EDU_SIZE, else nothing is resized.
        gray: True for one channel, False for three; by default VAE_EDU_GRAY, 1 or 0, else pictures have one
            channel if all are gray, and arrays what they have.

    Raises:
        ValueError: For bad arguments.
        DatasetError: If the files are missing, gzipped, or not what they should be.
    """
    name, n, at_most, seed = _checked(folder, split, n, at_most, seed)
    if name in OWN:
        raise ValueError(f"{name} has no files of its own: use load_images, or name a folder of files.")
    size, gray = wanted_size(size), wanted_gray(gray)
    source = open_source(name, split, mapped=True, size=size, gray=gray)
    channels, *sides = source.x.shape[1:]
    if (size and sides != [size, size]) or (gray is not None and channels != (1 if gray else 3)):
        raise DatasetError(
            f"{name} has images of {channels} × {sides[0]} × {sides[1]}, and mapped arrays stay as they are: "
            "leave out size and gray, or use load_images."
        )
    x, labels, classes, rows, path = _choose(source, name, split, n, at_most, seed)
    return MappedImages(x, labels, rows, classes=classes, path=path).to(vae_edu.device(device))


def default_name() -> str:
    """The data set that `load_images` loads by default: $VAE_EDU_DATASET, or else strokes."""
    return os.environ.get("VAE_EDU_DATASET") or "strokes"


def _checked(
    name: str | Path | None, split: str, n: int | None, at_most: int | None, seed: int
) -> tuple[str | Path, int | None, int | None, int]:
    """The arguments of a data set, checked, and its name if none is given."""
    if name is not None and not isinstance(name, str | os.PathLike):
        raise ValueError(
            f"a data set is a name or the path of a folder, not {type(name).__name__}: "
            "arrays, tensors and Datasets go into images_from(x, labels)."
        )
    if split not in FILES:
        raise ValueError(f"unknown split {split!r}: use 'train' or 'test'.")
    if n is not None and at_most is not None:
        raise ValueError(
            f"n = {n} and at_most = {at_most} are two answers to one question: give one of them."
        )
    n = None if n is None else whole_number("n", n, 1)
    at_most = None if at_most is None else whole_number("at_most", at_most, 1)
    return name or default_name(), n, at_most, whole_number("seed", seed, 0)


def _choose(
    source: Source, name: object, split: str, n: int | None, at_most: int | None, seed: int
) -> Source:
    """n images of a source, chosen at random by the seed; their labels are those that are wanted."""
    x, labels, classes, rows, path = source
    available = len(x) if rows is None else len(rows)
    n = min(at_most, available) if at_most else n
    if n is not None:
        if n > available:
            raise ValueError(f"n = {n}, but {name} has {available} {split} images: ask for at most as many.")
        chosen = torch.randperm(available, generator=torch.Generator().manual_seed(seed))[:n]
        rows = chosen if rows is None else rows[chosen]
    if labels is not None and rows is not None:
        labels = labels[rows]
    return Source(x, labels, classes, rows, path)
