"""One sentence for a bad argument."""

import operator
from typing import Any


def whole_number(name: str, value: Any, least: int) -> int:
    """value as an int. Raises ValueError where it is not a whole number, `least` or above."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least or isinstance(value, bool):
        raise ValueError(f"{name} = {value!r} must be a whole number, {least} or above.")
    return number
