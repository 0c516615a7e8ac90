"""One progress bar for the whole package: a widget in a notebook, a line of text elsewhere."""

from typing import Any

from tqdm.auto import tqdm

from vae_edu.engine.arguments import switched_on


def progress_bar(*, shown: bool = True, **options: Any) -> tqdm:
    """A tqdm bar with tqdm's own options, hidden if not `shown`, or if TQDM_DISABLE=1 is set.

    tqdm itself ignores that variable inside a notebook, and its widgets would make every execution of a
    lesson differ from the last.
    """
    return tqdm(disable=not shown or switched_on("TQDM_DISABLE"), **options)
