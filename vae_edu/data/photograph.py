"""Patches of a photograph: small images that nobody drew, at hand without a network.

The photograph is the portrait of Grace Hopper by James S. Davis (United States Navy, public domain), of
600 × 512 pixels in color, which matplotlib carries among its sample data.
"""

import numpy as np
import torch
from torch import Tensor

from vae_edu.data.errors import DatasetError

FILE = "grace_hopper.jpg"
SIZE = 8  # pixels a side, if no size is given
SQUARE = 32  # pixels a side of the squares that the photograph is divided into
EVERY = 5  # one square of so many is for testing
MOST = {"train": 20_000, "test": 4_000}  # patches of each split, if no number is given


def squares(split: str) -> Tensor:
    """The squares of the photograph that are for a split: (S, 3, 32, 32), bytes.

    Every fifth square is for testing, two columns on in the next row. So no pixel is in both splits, and both
    have something of every part.

    Args:
        split: "train" or "test".

    Raises:
        DatasetError: If this matplotlib came without the photograph.
    """
    pixels = _photograph()
    rows, columns = (side // SQUARE for side in pixels.shape[1:])
    cut = pixels[:, : rows * SQUARE, : columns * SQUARE].reshape(3, rows, SQUARE, columns, SQUARE)
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    tested = (row + 2 * column) % EVERY == 0
    return cut.permute(1, 3, 0, 2, 4)[tested if split == "test" else ~tested]


def patches(
    x: Tensor, size: int, n: int | None = None, seed: int = 0, *, at_most: int | None = None
) -> Tensor:
    """Patches cut from images, at places chosen at random: no place twice, and never across a border.

    Patches overlap, so they are not independent: a standard error that takes them for that is too small.

    Args:
        x: (N, C, H, W).
        size: Pixels a side of a patch.
        n: How many; by default every place once.
        seed: Of the places.
        at_most: Instead of n: so many, or all if there are fewer.

    Returns:
        (n, C, size, size), of the dtype of x.

    Raises:
        ValueError: If the images are smaller than a patch, or have fewer places.
    """
    height, width = x.shape[-2:]
    if not 1 <= size <= min(height, width):
        raise ValueError(
            f"size = {size}, but patches are cut from {height} × {width} pixels: "
            f"give 1 to {min(height, width)}."
        )
    windows = x.unfold(2, size, 1).unfold(3, size, 1)  # (N, C, down, across, size, size), no copy
    down, across = windows.shape[2:4]
    places = len(x) * down * across
    if n is not None and n > places:
        raise ValueError(f"n = {n}, but there are {places} places for a patch: ask for at most as many.")
    place = torch.randperm(places, generator=torch.Generator().manual_seed(seed))[
        : at_most if n is None else n
    ].to(x.device)
    return windows[place // (down * across), :, place // across % down, place % across]


def _photograph() -> Tensor:
    """The photograph, (3, 600, 512) bytes."""
    from matplotlib import cbook
    from PIL import Image

    path = cbook.get_sample_data(FILE, asfileobj=False)
    try:
        with Image.open(path) as picture:
            pixels = np.array(picture.convert("RGB"))
    except OSError as error:
        raise DatasetError(
            f"matplotlib's sample photograph {path} cannot be read: install matplotlib with pip, which "
            "brings it, or give the path of a folder of pictures."
        ) from error
    return torch.from_numpy(pixels).permute(2, 0, 1)
