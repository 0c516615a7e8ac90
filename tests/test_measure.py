"""Moments of the ink, on images whose answer is known, and on stroke digits whose factors are known."""

import pytest
import torch

from vae_edu import device
from vae_edu.data import stroke_digits
from vae_edu.measure import measure


def test_a_rectangle():
    x = torch.zeros(1, 1, 12, 10)
    x[0, 0, 2:8, 3:7] = 0.5  # rows 2 … 7, columns 3 … 6
    ink, column, row, slant, width, height = (value.item() for value in measure(x))
    assert (ink, column, row) == (12.0, 4.5, 4.5)
    assert abs(slant) < 1e-6
    assert abs(height - (35 / 12) ** 0.5) < 1e-5  # a uniform over 6 places has variance (36 − 1)/12
    assert abs(width - (15 / 12) ** 0.5) < 1e-5


def test_a_line_that_leans_to_the_right_by_half_a_pixel_a_row():
    x = torch.zeros(1, 1, 20, 20)
    for i in range(9):
        x[0, 0, 16 - 2 * i, 4 + i] = 1  # one to the right for two up
    found = measure(x)
    assert abs(found.slant.item() - 0.5) < 1e-5
    assert found.width.item() < 1e-3  # without the slant it has none
    assert abs(measure(x.flip(-1)).slant.item() + 0.5) < 1e-5


def test_each_factor_moves_its_own_measure():
    def swept(name, values):
        return measure(stroke_digits(factors={"digit": 0, name: values}).x)

    base = measure(stroke_digits(factors={"digit": 0}).x)
    assert (swept("thickness", [1.6, 2.2, 2.8, 3.4]).ink.diff() > 5).all()
    shifted = swept("shift_x", [-1.0, 0.0, 1.0])
    torch.testing.assert_close(shifted.column.diff().cpu(), torch.ones(2), atol=0.05, rtol=0)
    torch.testing.assert_close(shifted.row - base.row, torch.zeros(3).to(device()), atol=0.05, rtol=0)
    down = swept("shift_y", [-1.0, 0.0, 1.0])
    torch.testing.assert_close(down.row.diff().cpu(), torch.ones(2), atol=0.05, rtol=0)
    torch.testing.assert_close(
        swept("slant", [0.0, 0.2, 0.4]).slant.diff().cpu(), torch.full((2,), 0.2), atol=0.05, rtol=0
    )
    assert (swept("width", [0.7, 0.9, 1.1]).width.diff() > 0.3).all()


def test_any_leading_dimensions_and_channels_and_an_empty_image():
    x = torch.rand(3, 4, 2, 8, 8)
    found = measure(x)
    assert found.ink.shape == (3, 4)
    torch.testing.assert_close(found.ink, x.sum((-3, -2, -1)))
    torch.testing.assert_close(found.slant[1, 2], measure(x[1, 2].sum(0)[None, None]).slant[0])
    empty = measure(torch.zeros(1, 1, 5, 5))
    assert empty.ink.item() == 0
    assert all(value.isnan().all() for value in empty[1:])


def test_thin_slanted_lines_have_a_width():
    for slope in torch.linspace(-1, 1, 41):
        x = torch.zeros(1, 1, 28, 28)
        rows = torch.arange(4, 24)
        x[0, 0, rows, (14 - slope * (rows - 13.5)).round().long()] = 0.3
        assert measure(x).width.isfinite().all()


@pytest.mark.parametrize(
    "x", [torch.ones(1, 1, 4, 4) > 0, torch.ones(1, 1, 4, 4).byte(), torch.ones(4, 4), [1.0]]
)
def test_what_is_no_image_is_refused(x):
    with pytest.raises(ValueError, match="floating-point images"):
        measure(x)
