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

from vae_edu.data import Images, stroke_digits
from vae_edu.data import load_images as load

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("[0-9]*.ipynb"))
NO_LABELS = "These images have no labels, which this cell needs.\n"

# A lesson in seconds: one epoch, coarse grids, few samples. What a cell does with its images stays the same.
ABRIDGED = {
    r"epochs=\d+": "epochs=2",
    r"points=\d+": "points=48",
    r"repeats=3": "repeats=1",
    r"300, 1_000, 3_000, 10_000, 30_000\]": "300]",
    r"\b20_000\b": "2_000",
    r"\b(30_000|100_000)\b": "300",
    r"\[0, 1, 2, 4, 8\]": "[0, 1]",
    r"\[(1|beta)\] \* \d+": "[1]",
    r"data, 250, batch": "data, 50, batch",
    r"stroke_digits\(6_000": "stroke_digits(300",
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
PAIRS = [  # as many as a minute of one core allows: those that a kind can disturb
    *(("few", number) for number in (2, 4, 5, 8, 10)),
    *(("letters", number) for number in (1, 6, 7, 9)),
    *(("no labels", number) for number in (1, 6, 7, 9)),
    *(("color", number) for number in (0, 10)),
    *(("odd, of one class", number) for number in (3, 6, 7, 9, 10)),
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


@pytest.mark.filterwarnings("ignore::vae_edu.data.DatasetWarning")  # two epochs draw gray smudges
@pytest.mark.parametrize(("kind", "number"), PAIRS, ids=str)
def test_a_lesson_ends_on_ones_own_images(tmp_path, monkeypatch, kind, number):
    monkeypatch.setenv("VAE_EDU_DATASET", str(write(tmp_path, SETS[kind]())))
    printed = execute(code_cells(number), {})
    needed = {1: 4, 6: 4, 7: 2, 9: 1}.get(number, 0)  # cells that need labels
    assert printed.count(NO_LABELS) == (needed if kind == "no labels" else 0)


def test_the_training_of_lesson_5_can_be_run_twice(tmp_path, monkeypatch):
    monkeypatch.setenv("VAE_EDU_DATASET", str(write(tmp_path, SETS["few"]())))
    names, cells = {}, list(code_cells(5))
    training = next(cell for cell in cells if "watch=watch" in cell)
    execute([*cells[: cells.index(training)], training], names)
    once = names["history"].watched
    execute([training], names)
    assert names["history"].watched == once


def images(x, labels=None):
    return Images(torch.as_tensor(x, dtype=torch.float32), labels)


NOISE = torch.rand(200, 1, 8, 8, generator=torch.Generator().manual_seed(0))
ONES = torch.ones(200, dtype=torch.long)
REFUSED = {
    "few": (images(NOISE[:99]), None, "there are 99 train images, and the lessons need 100"),
    "few to test": (None, images(NOISE[:19]), "there are 19 test images, and the lessons need 20"),
    "another size": (None, images(NOISE[:, :, :7]), "train images have 8 × 8 pixels, test images 7 × 8"),
    "tiny": (images(NOISE[..., :4]), images(NOISE[..., :4]), "images of 8 × 4 pixels show too little"),
    "large": (images(torch.rand(100, 1, 64, 64)), images(torch.rand(20, 1, 64, 64)), "set VAE_EDU_SIZE=28"),
    "constant": (images(0.7 + 0 * NOISE), None, "the images are all alike"),
    "two images": (images(NOISE[[0, 1] * 60]), None, "the images are all alike"),
    "faint": (images(NOISE / 16), None, "pixels go from 5e-06 to 0.062: in black and white"),
    "half labeled": (images(NOISE, ONES), None, "the test images have no labels"),
    "labeled to test": (None, images(NOISE, ONES), "the train images have no labels"),
    "numbers": (
        images(NOISE, torch.arange(200)),
        images(NOISE, ONES),
        "200 images have 200 different labels",
    ),
    "negative": (images(NOISE, -ONES), images(NOISE, ONES), "labels go from -1 to -1: number the classes 0"),
    "postal codes": (images(NOISE, 10**9 * ONES), images(NOISE, ONES), "labels go from 1000000000 to"),
}


@pytest.mark.parametrize(("train", "test", "message"), REFUSED.values(), ids=REFUSED)
def test_images_that_the_lessons_cannot_take(train, test, message):
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        own_images.check(train or images(NOISE), test or images(NOISE))
    assert str(error.value).endswith(".")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("few", "120 train and 40 test images of 8 × 8 gray pixels, labels 0 to 9"),
        ("letters", "300 train and 100 test images of 8 × 8 gray pixels, labels 1 to 26"),
        ("no labels", "120 train and 40 test images of 8 × 8 gray pixels, no labels"),
        ("color", "120 train and 40 test images of 8 × 8 gray pixels, labels 0 to 9"),
        ("odd, of one class", "120 train and 40 test images of 7 × 5 gray pixels, labels 3 to 3"),
    ],
)
def test_what_the_images_are_is_said(tmp_path, monkeypatch, kind, line):
    monkeypatch.setenv("VAE_EDU_DATASET", str(write(tmp_path, SETS[kind]())))
    assert own_images.describe() == line


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"VAE_EDU_DATASET": "minst"}, "VAE_EDU_DATASET=minst: unknown data set 'minst'"),
        (
            {"VAE_EDU_SIZE": "512"},
            "VAE_EDU_DATASET=strokes: images of 512 × 512 pixels take the lessons hours",
        ),
    ],
)
def test_no_cell_runs_on_images_that_are_refused(tmp_path, monkeypatch, capsys, settings, message):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(own_images, "load_images", lambda at_most, **options: load(at_most=40, **options))
    monkeypatch.setattr(own_images, "FEWEST", {"train": 1, "test": 1})
    monkeypatch.setattr(run, "BUILD", tmp_path / "build")
    monkeypatch.setattr(sys, "argv", ["run.py"])
    with pytest.raises(SystemExit) as stop:
        run.main()
    assert stop.value.code == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith(message)
    assert error.count("\n") == 1
    assert not (tmp_path / "build").exists()
