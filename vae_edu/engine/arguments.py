"""Arguments and environment variables: one sentence for a bad argument."""

import operator
import os
from collections.abc import Sequence
from typing import Any


def whole_number(name: str, value: Any, least: int) -> int:
    """The value as an int.

    Args:
        name: Of the argument, for the message.
        value: What the caller gave.
        least: The smallest value that is allowed.

    Raises:
        ValueError: The value is not a whole number, or below `least`.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least or isinstance(value, bool):
        raise ValueError(f"{name} = {value!r} must be a whole number, {least} or above.")
    return number


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
