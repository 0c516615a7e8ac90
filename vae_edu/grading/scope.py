"""What a notebook has and a plain program has not: ``display``, ``get_ipython``, and pictures."""

import io
import os
import sys
from collections.abc import Callable
from typing import Any


class Shell:
    """Stands for IPython: whatever it is told, it does nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return nothing


def nothing(*values: Any, **options: Any) -> None:
    """Do nothing."""


def unchanged(function: Callable[..., Any] | None = None, *values: Any, **options: Any) -> Any:
    """Return the function, or what decorates it: ``torch.compile`` changes its speed only."""
    return unchanged if function is None else function


class Silent(io.TextIOBase):
    """Takes whatever is printed, at once: an exercise may print gigabytes."""

    def write(self, said: str) -> int:
        """Take it."""
        return len(said)


def provide() -> dict[str, Any]:
    """The names that a program begins with. What needs a compiler leaves a function as it is.

    Nobody sees a picture, and painting ten of them takes seconds, so it is left out.
    """
    import torch

    sys.stdout = sys.stderr = Silent()
    for module, name in ((torch, "compile"), (torch.jit, "script")):
        setattr(module, name, unchanged)
    if agg := sys.modules.get("matplotlib.backends.backend_agg"):
        for name in ("draw", "print_figure"):
            setattr(agg.FigureCanvasAgg, name, nothing)
    return {"__name__": "__main__", "display": nothing, "get_ipython": Shell}


def preload(program: str) -> None:
    """Load Matplotlib if the program may use it, while this process may still read and write its cache."""
    if "matplotlib" in program or "pylab" in program:
        os.environ["MPLBACKEND"] = "agg"
        import matplotlib.pyplot as plt

        plt.close(plt.figure())
