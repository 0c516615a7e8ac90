"""What is said about data: errors and warnings, each one sentence that names the way out."""

import sys
import warnings

RESIZE = "size=28, --size 28 or VAE_EDU_SIZE=28 makes them 28 × 28"


class DatasetError(ValueError):
    """Data that cannot be had or cannot be read; the message says what is wrong and what to do."""


class DatasetWarning(UserWarning):
    """Something about the data that was decided here, or that looks wrong."""


def note(text: str) -> None:
    """Warn of something about the data, at the line outside of this package that asked for it."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("vae_edu."):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, DatasetWarning, stacklevel=level)


def one_line(error: BaseException) -> str:
    """An error's message without line breaks, or its kind if it has none."""
    return " ".join(str(error).split()) or type(error).__name__
