"""The diagrams: readable, the same every time, and what they say is so."""

import inspect
import io

import matplotlib.pyplot as plt
import numpy as np
import pytest

from tests.figures import overlaps
from vae_edu import diagrams, plots

NAMES = [name for name, thing in inspect.getmembers(diagrams, inspect.isfunction) if name[0] != "_"]
NAMES = [name for name in NAMES if getattr(diagrams, name).__module__ == diagrams.__name__]


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def texts(ax):
    return [text.get_text() for text in ax.texts if text.get_text()]


def png(name):
    file = io.BytesIO()
    plots.save(getattr(diagrams, name)(), file)
    return file.getvalue()


def test_there_are_eight():
    assert len(NAMES) == 8


@pytest.mark.parametrize("name", NAMES)
def test_no_text_leaves_the_figure_or_covers_another(name):
    assert overlaps(getattr(diagrams, name)()) == []


@pytest.mark.parametrize("name", NAMES)
def test_the_bytes_are_the_same_every_time(name):
    assert png(name) == png(name)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_leaves_the_figure(name):
    """Around the figure there is white, so that it stands on any page."""
    file = io.BytesIO(png(name))
    picture = plt.imread(file)[..., :3]
    edges = [picture[0], picture[-1], picture[:, 0], picture[:, -1]]
    assert all((edge == 1).all() for edge in edges)


@pytest.mark.parametrize("name", ["training_steps", "editing_steps"])
def test_five_steps_are_numbered_once_in_the_picture_and_once_in_the_list(name):
    written = texts(getattr(diagrams, name)())
    assert [written.count(str(number)) for number in range(1, 7)] == [2, 2, 2, 2, 2, 0]


def test_jensens_chord_lies_below_the_curve():
    curve, chord, gap, *_ = diagrams.jensen().lines
    (a, b), mean = chord.get_xdata(), gap.get_xdata()[0]
    assert mean == pytest.approx((a + b) / 2)
    low, high = gap.get_ydata()
    assert low == pytest.approx((np.log(a) + np.log(b)) / 2)
    assert high == pytest.approx(np.log((a + b) / 2))
    assert np.allclose(curve.get_ydata(), np.log(curve.get_xdata()))
