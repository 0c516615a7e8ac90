"""Arguments and environment variables: one sentence for a bad argument."""

import math
import numbers
import operator
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

MOST = 2**64 - 1  # the largest seed of a generator; nothing that is counted comes near


def whole_number(name: str, value: Any, least: int) -> int:
    """The value as an int.

    Args:
        name: Of the argument, for the message.
        value: What the caller gave.
        least: The smallest value that is allowed.

    Raises:
        ValueError: The value is not a whole number, below `least`, or of more than 64 bits.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least or isinstance(value, bool):
        raise ValueError(f"{name} = {value!r} must be a whole number, {least} or above.")
    if number > MOST:
        raise ValueError(f"{name} = {shortened(number)} must be a whole number below 2⁶⁴, {MOST + 1}.")
    return number


def positive_number(name: str, value: Any, start: str) -> float:
    """The value as a float. A number of NumPy counts, and so does a tensor or array without dimensions.

    Args:
        name: Of the argument, for the message.
        value: What the caller gave.
        start: A value to start with, for the message.

    Raises:
        ValueError: The value is not a number, not above 0, or not finite.
    """
    try:
        positive = _real(value)
    except OverflowError as error:
        text = shortened(as_number(value))
        raise ValueError(f"{name} = {text} is too large; {start} is a good start.") from error
    if not 0 < positive < math.inf:
        raise ValueError(f"{name} = {value!r} must be a number above 0; {start} is a good start.")
    return positive


def not_negative(name: str, value: Any) -> float:
    """The value as a float, a number as in `positive_number`, or 0.

    Raises:
        ValueError: The value is not a number, below 0, or not finite.
    """
    try:
        number = _real(value)
    except OverflowError as error:
        raise ValueError(f"{name} = {shortened(as_number(value))} is too large.") from error
    if not 0 <= number < math.inf:
        raise ValueError(f"{name} = {value!r} must be a number, 0 or above.")
    return number


def _real(value: Any) -> float:
    """A real number as a float, NaN for anything else.

    Raises:
        OverflowError: It is too large for one.
    """
    number = as_number(value)
    return float(number) if isinstance(number, numbers.Real) and not isinstance(number, bool) else math.nan


def as_number(value: Any) -> Any:
    """The number in a tensor or array without dimensions, or in a NumPy number; anything else as it is."""
    return value.item() if isinstance(value, Tensor | np.generic | np.ndarray) and value.ndim == 0 else value


def shortened(value: Any) -> str:
    """The value as Python writes it, but not more than some words of it."""
    try:
        text = repr(value)
    except ValueError:  # a whole number of more than 4,300 digits
        return f"a number of {value.bit_length()} bits"
    return text if len(text) <= 80 else f"{text[:60]}… ({len(text)} characters)"


def switched_on(variable: str, default: bool = False) -> bool:
    """Whether an environment variable is set to anything but 0; the default if it is unset or empty."""
    value = os.environ.get(variable)
    return value != "0" if value else default


def channels_height_width(image_shape: Any) -> tuple[int, int, int]:
    """image_shape as three ints.

    Raises:
        ValueError: It is not (channels, height, width).
    """
    if not isinstance(image_shape, Sequence) or len(image_shape) != 3:
        raise ValueError(f"image_shape = {image_shape!r} must be (channels, height, width).")
    channels, height, width = (whole_number("image_shape", size, 1) for size in image_shape)
    return channels, height, width


def image_index(index: Any, images: int) -> Any:
    """The index of rows, with a single number as a list of one, so that an image stays a batch.

    Raises:
        IndexError: If there is no such image. On CUDA it would end the process's use of the GPU.
    """
    if hasattr(index, "__index__") and getattr(index, "ndim", 0) == 0:  # an int, of NumPy or PyTorch, too
        if not -images <= index < images:
            raise IndexError(f"there is no image {int(index)} of {images}.")
        return [int(index)]
    return index
