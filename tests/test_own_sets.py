"""The lessons on a learner's own images: few, small, odd, in color, of any labels or of none."""

import contextlib
import io
import re
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import own_images
import pytest
import run
import torch
from torch.nn.functional import adaptive_avg_pool2d

from vae_edu import plots, probe
from vae_edu.data import Images, stroke_digits

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("[0-9]*.ipynb"))
NO_LABELS = "These images have no labels, which this cell needs.\n"

# A lesson in seconds: one epoch, coarse grids, few samples. What a cell does with its images stays the same.
ABRIDGED = {
    r"epochs=\d+": "epochs=1",
    r", epochs, \[0, 1, 2, 4, 8\]": ", epochs, [0, 1, 2]",
    r"points=\d+": "points=48",
    r"\b(30_000|20_000|50_000|100_000)\b": "2_000",
    r"\[1\] \* 10|\[beta\] \* 10|\[1\] \* 6": "[1]",
    r"own_gaussians, data, 400": "own_gaussians, data, 50",
}


def small(size, n=120, labels=lambda digits: digits, channels=1):
    """The arrays of a folder: n train images and n // 3 test images."""
    arrays = {}
    for name, seed, count in (("train", 0, n), ("t10k", 1, n // 3)):
        drawn = stroke_digits(count, seed, device="cpu")
        x = adaptive_avg_pool2d(drawn.x, size).repeat(1, channels, 1, 1)
        arrays[f"{name}-images"] = (x * 255).round().byte().numpy()
        if labels is not None:
            arrays[f"{name}-labels"] = labels(drawn.labels).numpy()
    return arrays


SETS = {
    "few": lambda: small((8, 8)),
    "letters": lambda: small((8, 8), 300, lambda digits: torch.arange(len(digits)) % 26 + 1),
    "no labels": lambda: small((8, 8), labels=None),
    "color": lambda: small((8, 8), channels=3),
    "odd, of one class": lambda: small((7, 5), labels=lambda digits: 0 * digits + 3),
}
PAIRS = [
    *(("few", number) for number in range(9)),
    *(("letters", number) for number in (1, 6, 7)),
    *(("no labels", number) for number in (1, 6, 7)),
    *(("color", number) for number in (0, 7)),
    *(("odd, of one class", number) for number in (0, 1, 3, 6, 7, 8)),
]


def write(folder, arrays):
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return folder


def code_cells(number):
    cells = nbformat.read(NOTEBOOKS[number], as_version=4).cells
    for cell in cells:
        if cell.cell_type == "code":
            source = cell.source
            for long, short in ABRIDGED.items():
                source = re.sub(long, short, source)
            yield source


def execute(cells, names):
    """What the cells print."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        for cell in cells:
            exec(cell, names)
            for number in plt.get_fignums():
                plt.figure(number).canvas.draw()
            plt.close("all")
    return out.getvalue()


@pytest.mark.parametrize(("kind", "number"), PAIRS, ids=lambda value: str(value))
def test_a_lesson_ends_on_ones_own_images(tmp_path, monkeypatch, kind, number):
    monkeypatch.setenv("VAE_EDU_DATASET", str(write(tmp_path, SETS[kind]())))
    printed = execute(code_cells(number), {})
    needed = {1: 3, 6: 3, 7: 2}.get(number, 0)  # cells that need labels
    assert printed.count(NO_LABELS) == (needed if kind == "no labels" else 0)
