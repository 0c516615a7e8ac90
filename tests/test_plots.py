"""What the figures show is what they were given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from vae_edu import plots


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_rows_hold_the_images_in_order():
    x, x_hat = torch.rand(2, 3, 1, 28, 28)
    ax = plots.image_rows({"original": x, "reconstruction": x_hat})
    assert [label.get_text() for label in ax.get_yticklabels()] == ["original", "reconstruction"]
    sheet = np.asarray(ax.images[0].get_array())
    np.testing.assert_allclose(sheet[:28, 30:58, 0], 1 - x[1, 0], atol=1e-6)  # ink is dark
    np.testing.assert_allclose(sheet[30:58, :28, 1], 1 - x_hat[0, 0], atol=1e-6)
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the original stands above


def test_colour_images_and_values_out_of_range():
    x = torch.rand(2, 3, 8, 8)
    sheet = np.asarray(plots.image_grid(x).images[0].get_array())
    np.testing.assert_allclose(sheet[:8, :8], x[0].permute(1, 2, 0), atol=1e-6)
    sheet = np.asarray(plots.image_grid(torch.full((1, 1, 4, 4), 7.0)).images[0].get_array())
    assert (sheet == 0).all()


def test_wrong_shapes_get_one_sentence():
    for x in (torch.rand(3, 28, 28), torch.rand(3, 2, 28, 28)):
        with pytest.raises(ValueError, match="cannot be shown"):
            plots.image_grid(x)
    with pytest.raises(ValueError, match="cannot be drawn on a plane"):
        plots.codes(torch.rand(5, 16), torch.zeros(5))


def test_a_grid_fills_row_after_row():
    x = torch.zeros(5, 1, 28, 28)
    x[3] = 1
    sheet = np.asarray(plots.image_grid(x, columns=3).images[0].get_array())
    assert (sheet[30:58, :28] == 0).all()
    assert sheet.shape == (58, 88, 3)


def test_curves_have_labels_units_and_values():
    ax = plots.curves(
        {"train": [3.0, 2.0, 1.0], "test": [4.0, 3.0, 2.5]}, xlabel="epoch", ylabel="nats per image"
    )
    assert ax.lines[1].get_ydata().tolist() == [4.0, 3.0, 2.5]
    assert ax.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "nats per image")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["train", "test"]


def test_lines_differ_in_more_than_colour():
    ax = plots.curves({str(i): [i, i] for i in range(7)}, xlabel="x", ylabel="y")
    assert len({(line.get_linestyle(), line.get_marker()) for line in ax.lines}) == 7


def test_repeats_become_a_mean_and_bars():
    values = torch.tensor([[1.0, 3.0], [2.0, 6.0]])
    ax = plots.curves({"runs": values}, x=[10, 100], log_x=True, xlabel="labels", ylabel="accuracy")
    assert ax.lines[0].get_ydata().tolist() == [2, 4]
    low, high = (ax.lines[i].get_ydata().tolist() for i in (1, 2))  # the caps
    assert (low, high) == ([1, 2], [3, 6])
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["10", "100"]


def test_a_single_value_is_a_level():
    ax = plots.curves({"falls": [3.0, 2.0], "level": [2.5]}, xlabel="epoch", ylabel="nats per image")
    assert list(ax.lines[-1].get_ydata()) == [2.5, 2.5]
    assert ax.lines[-1].get_marker() == "None"


def test_codes_draw_every_point_as_its_digit():
    z, labels = torch.randn(30, 2), torch.arange(30) % 3
    ax = plots.codes(z, labels, prior=True)
    points = np.concatenate([collection.get_offsets() for collection in ax.collections])
    assert sorted(map(tuple, points.tolist())) == sorted(map(tuple, z.double().tolist()))
    assert ax.patches[0].get_radius() == 2
    assert ax.get_aspect() == 1
