"""Arrays that people have, as images: which axis is which, what a number means, which size and colors."""

import math
import os
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vae_edu.data.errors import RESIZE, DatasetError, note
from vae_edu.data.room import check_room
from vae_edu.engine.arguments import whole_number

DARK = 16  # bytes that reach no further are levels of something else: 0 to 1, 0 to 15, 0 to 16
PIECE = 1 << 22  # numbers to look at at a time
LUMA = 19595, 38470, 7471  # of red, green and blue, in 65536ths (ITU-R 601), as Pillow has them


def wanted_size(size: int | None) -> int | None:
    """The size that images are brought to: the argument, else $VAE_EDU_SIZE, else None."""
    if size is None:
        text = os.environ.get("VAE_EDU_SIZE")
        if not text:
            return None
        size = int(text) if text.isdecimal() else -1
        if size < 1:
            raise ValueError(
                f"VAE_EDU_SIZE={text} must be a whole number of pixels, such as VAE_EDU_SIZE=28."
            )
    return whole_number("size", size, 1)


def wanted_gray(gray: bool | None) -> bool | None:
    """Whether images have one channel: the argument, else $VAE_EDU_GRAY, else None."""
    text = os.environ.get("VAE_EDU_GRAY")
    if gray is None and text:
        if text not in ("0", "1"):
            raise ValueError(f"VAE_EDU_GRAY={text} must be 1 (one channel) or 0 (three).")
        return text == "1"
    if gray is not None and not isinstance(gray, bool):
        raise ValueError(f"gray = {gray!r} must be True (one channel), False (three) or None (as it is).")
    return gray


def read_pixels(array: np.ndarray, what: str) -> Tensor:
    """An array of images as bytes 0 to 255, or as floats in [0, 1].

    Args:
        array: (N, H, W), (N, C, H, W) or (N, H, W, C), C = 1 or 3, of bools, whole numbers 0 to 255, or
            floats in [0, 1]. Bytes are not copied.
        what: Holds it, for messages.

    Returns:
        (N, C, H, W), uint8 or float32.

    Raises:
        DatasetError: If it is something else, or could be two things.
    """
    array = _values(_layout(array, what), what)
    if min(array.strides) < 0:  # such as x[::-1], which PyTorch does not take
        array = array.copy()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)


def read_unequal(arrays: list[np.ndarray], size: int | None, what: str) -> Tensor:
    """Arrays (H, W), (C, H, W) or (H, W, C) as one batch (N, C, H, W); with a size, they may be of several.

    Raises:
        DatasetError: As `read_pixels`, and for several sizes if none is given.
    """
    shapes = Counter(array.shape for array in arrays)
    if len(shapes) == 1:
        if len(arrays[0].shape) not in (2, 3):
            raise DatasetError(
                f"{what} has items of shape {arrays[0].shape}: give images (H, W) or (C, H, W)."
            )
        return read_pixels(np.stack(arrays), what)
    if any(len(shape) not in (2, 3) or 0 in shape for shape in shapes):
        raise DatasetError(
            f"{what} has items of shapes {', '.join(map(str, shapes))[:99]}: give images (H, W)."
        )
    batches = [_layout(array[None], what) for array in arrays]
    if size is None:
        raise same_size(Counter(batch.shape[2:] for batch in batches), what)
    flat = _values(np.concatenate([batch.ravel() for batch in batches]), what)
    ends = np.cumsum([batch.size for batch in batches])[:-1]
    parts = [torch.from_numpy(part) for part in np.split(flat, ends)]
    x = [resize(part.reshape(batch.shape), size) for part, batch in zip(parts, batches, strict=True)]
    channels = max(len(image[0]) for image in x)
    return torch.cat([with_colors(image, channels == 1) for image in x])


def as_floats(content: Tensor) -> Tensor:
    """Bytes as float32 in [0, 1], byte / 255, of their shape and on their device, the same on each."""
    # On a GPU div_(255) multiplies by 1/255, which is off in the last bit.
    return content.float().div_(torch.full((), 255.0, device=content.device))


def resize(x: Tensor, size: int | None) -> Tensor:
    """Images of size × size pixels: the shorter side resized without aliasing, and the center cut out.

    Args:
        x: (N, C, H, W) uint8 or float32.
        size: In pixels; None changes nothing.
    """
    if size is None or x.shape[-2:] == (size, size):
        return x
    from PIL import Image, ImageOps

    shape = *x.shape[:2], size, size
    check_room(math.prod(shape) * 4, f"{len(x):,} images of {size} × {size} pixels")
    resized = torch.empty(shape, dtype=x.dtype)
    for plane, target in zip(x.cpu().flatten(0, 1), resized.flatten(0, 1), strict=True):
        image = ImageOps.fit(Image.fromarray(plane.numpy()), (size, size), Image.Resampling.BILINEAR)
        target.copy_(torch.from_numpy(np.array(image)))
    return resized.to(x.device)


def with_colors(x: Tensor, as_gray: bool | None) -> Tensor:
    """Images of one channel if gray is wanted (luma, ITU-R 601), of three if not, unchanged for None."""
    if as_gray is None or x.shape[1] == (1 if as_gray else 3):
        return x
    if not as_gray:
        return x.repeat(1, 3, 1, 1)
    red, green, blue = x.unbind(1) if x.is_floating_point() else x.int().unbind(1)
    luma = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    return ((luma + 0x8000 >> 16).byte() if luma.dtype == torch.int32 else luma / 65536)[:, None]


def _layout(array: np.ndarray, what: str) -> np.ndarray:
    """(N, C, H, W), or the sentence that asks how to get there."""
    shape = array.shape
    if array.size == 0 or array.ndim == 0:
        raise DatasetError(f"{what} holds no images, its shape is {shape}: give (N, H, W) or (N, C, H, W).")
    if array.ndim == 3:
        if shape[2] in (1, 3, 4) and min(shape[:2]) > 4:
            raise DatasetError(
                f"{what} has the shape {shape}, which is {shape[0]} images of {shape[1]} × {shape[2]} pixels "
                "or one image with channels last: give x[:, None], or x[None]."
            )
        return array[:, None]
    if array.ndim == 4 and shape[1] not in (1, 3) and shape[3] in (1, 3):
        note(
            f"{what} has the shape {shape}: its channels come last, and np.moveaxis(x, 3, 1) puts them "
            "first, which was done here."
        )
        return np.moveaxis(array, 3, 1)
    if array.ndim == 4 and shape[1] in (1, 3):
        return array
    raise DatasetError(f"{what} has the shape {shape}, not (N, H, W) or (N, C, H, W): {_way(shape)}.")


def _way(shape: tuple[int, ...]) -> str:
    """How to get to images from an array of another shape."""
    if len(shape) == 4:
        if shape[3] == 4:
            return "for color with opacity last, give np.moveaxis(x[..., :3], 3, 1)"
        return f"images have 1 or 3 channels, not {shape[1]}; x[:, :3] keeps three, x[:, :1] one"
    if len(shape) == 1:
        return "these may be labels, or x.reshape(-1, height, width) makes images of it"
    if len(shape) != 2:
        return "x.reshape(-1, height, width) makes one-channel images of it"
    n, numbers = shape
    if n == numbers:
        return f"x[None] is one image of {n} × {n} pixels, and x.reshape(-1, height, width) are {n} images"
    for channels in (1, 3):
        side = math.isqrt(numbers // channels)
        if channels * side**2 == numbers and side > 1:
            sizes = f"{side}, {side}" if channels == 1 else f"3, {side}, {side}"
            one = f", and x[None] one image of {n} × {numbers} pixels" if n <= 4 * numbers else ""
            return f"x.reshape(-1, {sizes}) makes {n} images of it{one}"
    if math.isqrt(numbers - 1) ** 2 == numbers - 1 and numbers > 2:
        side = math.isqrt(numbers - 1)
        return f"if the first column is the label, give x[:, 1:].reshape(-1, {side}, {side}) and x[:, 0]"
    return f"{numbers} numbers a row are x.reshape(-1, height, width), and x[None] is one image"


def _values(array: np.ndarray, what: str) -> np.ndarray:
    """uint8, or float32 in [0, 1], or the sentence that asks what the numbers mean."""
    kind = array.dtype.kind
    if kind == "b":
        array = array.view(np.uint8) * np.uint8(255)
    elif kind not in "iuf":
        raise DatasetError(f"{what} holds {array.dtype}, not numbers: give uint8, or floats in [0, 1].")
    if kind == "f":
        return _floats(array, what)
    low, high = _range(array)
    if array.dtype == np.int8:
        raise DatasetError(
            f"{what} holds int8 from {low} to {high}, and pixels are bytes from 0 to 255: if they were "
            "stored with a sign, give x.view(np.uint8)."
        )
    if low < 0 or high > 255:
        raise DatasetError(
            f"{what} holds whole numbers from {low} to {high}, and pixels are bytes from 0 to 255: "
            f"{_scale(low, high)}"
        )
    if low == high:
        _constant(what, high)
    elif high <= DARK:
        bools = "bools, x > 0, or " if high == 1 else ""
        raise DatasetError(
            f"{what} holds whole numbers from {low} to {high}, and white is 255: give {bools}floats in "
            f"[0, 1], x / {high}."
        )
    return array if array.dtype == np.uint8 else array.astype(np.uint8)


def _floats(array: np.ndarray, what: str) -> np.ndarray:
    finite = np.isfinite(array)
    if not finite.all():
        image = np.unravel_index(finite.argmin(), array.shape)[0]
        raise DatasetError(f"{what} holds NaN or infinity in image {image}: remove the image, or mend it.")
    low, high = float(array.min()), float(array.max())
    if low < 0 or high > 1:
        raise DatasetError(
            f"{what} holds floats from {low:.4g} to {high:.4g}, and pixels are in [0, 1]: {_scale(low, high)}"
        )
    if low == high:
        _constant(what, high)
    elif high <= 1 / 255 + 1e-6:
        raise DatasetError(
            f"{what} holds floats from {low:.4g} to {high:.4g}, and white is 1: if they were divided by 255 "
            "twice, give 255 * x."
        )
    return array.astype(np.float32)


def _scale(low: float, high: float) -> str:
    """How to bring numbers into [0, 1]."""
    if low >= 0 and high <= DARK:
        return f"give x / {high:.6g}."
    if low >= 0 and high <= 2**16 - 1:
        white = next(2**bits - 1 for bits in (8, 12, 16) if high < 2**bits)
        return f"give x / {white}, floats in [0, 1]."
    if low >= -1 and high <= 1:
        return "give (x + 1) / 2."
    return "give (x - x.min()) / (x.max() - x.min()), or undo what made them so."


def _constant(what: str, value: float) -> None:
    note(
        f"{what} holds {value:g} in every pixel of every image, and nothing to learn: check how it was made."
    )


def _range(array: np.ndarray) -> tuple[int, int]:
    """The smallest and the largest number, as far as they must be known: bytes beyond DARK end the search."""
    low, high = math.inf, -math.inf
    for piece in _pieces(array):
        low, high = min(low, int(piece.min())), max(high, int(piece.max()))
        if array.dtype == np.uint8 and high > DARK and low < high:
            break
    return int(low), int(high)


def _pieces(array: np.ndarray) -> Iterator[np.ndarray]:
    rows = max(1, PIECE // max(1, array[0].size))
    for start in range(0, len(array), rows):
        yield array[start : start + rows]


def same_size(sizes: Counter[Any], what: str) -> DatasetError:
    """The error for images of several sizes, with the number of images for each (height, width)."""
    seen = ", ".join(f"{h} × {w} ({count:,})" for (h, w), count in list(sizes.items())[:4])
    more = f" and {len(sizes) - 4} more" if len(sizes) > 4 else ""
    return DatasetError(f"{what} has images of several sizes, {seen}{more} pixels: {RESIZE}.")
