"""One progress bar for the whole package: a widget in a notebook, a line of text in a terminal or a log."""

import sys
import warnings
from contextlib import suppress
from typing import Any, TextIO

from tqdm import TqdmWarning

with warnings.catch_warnings():  # a notebook without ipywidgets gets the line of text, which needs no advice
    warnings.simplefilter("ignore", TqdmWarning)
    from tqdm.auto import tqdm

from vae_edu.engine.arguments import switched_on

LOG_SECONDS = 10  # between two lines in a log


def progress_bar(*, shown: bool = True, **options: Any) -> tqdm:
    """A tqdm bar with tqdm's own options, as wide as its terminal or its notebook.

    A log or a pipe gets a line every ten seconds, and none if the work takes less time.

    Args:
        shown: Whether there is a bar at all. TQDM_DISABLE=1 hides every bar, and so does a closed stderr.
            tqdm itself ignores that variable inside a notebook, and its widgets would make every execution
            of a lesson differ from the last.
        **options: Those of tqdm.

    Returns:
        The bar.
    """
    if sys.stderr is None or not shown or switched_on("TQDM_DISABLE"):
        return tqdm(disable=True, **options)
    how: dict[str, Any] = {"dynamic_ncols": True}
    if not _redraws(sys.stderr):
        how = {"file": _Log(sys.stderr), "ncols": 80, "delay": LOG_SECONDS}
        how |= {"mininterval": LOG_SECONDS, "maxinterval": LOG_SECONDS}
    return tqdm(disable=False, **how, **options)


def _redraws(stream: TextIO) -> bool:
    """Whether the stream shows a line that is written again in its place: a terminal or a notebook."""
    with suppress(AttributeError, ValueError):  # a stream of another kind, or a closed one
        return stream.isatty() or type(stream).__module__.startswith("ipykernel.")
    return False


class _Log:
    """A stream that gets each state of a bar as a line, and nothing more once it cannot be written."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> None:
        if text := text.strip():
            with suppress(OSError, ValueError):
                self.stream.write(f"{text}\n")

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self.stream.flush()
