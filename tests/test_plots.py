"""What the figures show is what they were given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from tests.figures import overlaps
from vae_edu import plots
from vae_edu.gaussian import diagonal_gaussian
from vae_edu.grid import Grid


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


def test_color_images_and_values_out_of_range():
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


@pytest.mark.parametrize("columns", [1, 8, 70, 5000, 10**9])
def test_many_images_make_a_figure_of_bounded_size(columns):
    """Matplotlib draws less than 2¹⁶ dots a side, and takes minutes for thousands of ticks."""
    ax = plots.image_grid(torch.rand(5000, 1, 4, 4), columns)
    width, height = plots.figure_of(ax).get_size_inches()
    assert max(width, height) * 110 < 2**16
    assert width * height <= 601
    assert len(ax.get_yticks()) == 0
    assert np.asarray(ax.images[0].get_array()).shape[0] == 5 * -(-5000 // columns) - 1


def test_columns_are_a_number_above_0():
    with pytest.raises(ValueError, match="columns = 0 must be a whole number"):
        plots.image_grid(torch.rand(3, 1, 4, 4), 0)


def test_a_picture_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    def full(figure, file, **options):
        with open(file, "wb") as part:
            part.write(b"half of it")
        raise OSError(28, "No space left on device")

    path = tmp_path / "a.png"
    plots.save(plots.image_grid(torch.rand(3, 1, 4, 4)), path)
    before = path.read_bytes()
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
    for name in ("a.png", "b.png"):
        with pytest.raises(OSError, match="No space left"):
            plots.save(plots.image_grid(torch.rand(3, 1, 4, 4)), tmp_path / name)
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
    assert path.read_bytes() == before
    assert not plt.get_fignums()


def test_curves_have_labels_units_and_values():
    ax = plots.curves(
        {"train": [3.0, 2.0, 1.0], "test": [4.0, 3.0, 2.5]}, xlabel="epoch", ylabel="nats per image"
    )
    assert ax.lines[1].get_ydata().tolist() == [4.0, 3.0, 2.5]
    assert ax.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "nats per image")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["train", "test"]


def test_lines_differ_in_more_than_color():
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


def test_ten_digits_have_ten_colors():
    drawn = plots.codes(torch.randn(20, 2), torch.arange(20) % 10).collections
    assert len({tuple(part.get_facecolor()[0]) for part in drawn}) == 10


def test_codes_of_many_labels_or_of_none():
    z, labels = torch.randn(30, 2), torch.arange(30) + 1
    sizes = {
        label: part.get_sizes()[0] for label, part in zip(labels.tolist(), plots.codes(z, labels).collections)
    }
    assert len(sizes) == 30
    assert sizes[26] == 2 * sizes[9]  # two digits, each as large as one
    (dots,) = plots.codes(z, None).collections
    assert torch.equal(torch.from_numpy(dots.get_offsets().data).float(), z)
    plt.close("all")


def test_ten_labels_have_ten_colors():
    colors = {
        tuple(part.get_facecolor()[0])
        for part in plots.codes(torch.randn(10, 2), torch.arange(10)).collections
    }
    assert len(colors) == 10


def peaked_density(grid, at):
    square = grid.nodes().reshape(*grid.shape, 2)
    return torch.exp(-0.5 * ((square - torch.tensor(at)) / 0.2).square().sum(-1))


def test_a_density_lies_where_its_axes_say():
    """Its peak at z = (1, −2) is drawn at x = 1, y = −2, and inside the part that is shown."""
    grid = Grid(2, 101, radius=5.0)
    ax = plots.density(peaked_density(grid, (1.0, -2.0)), grid)
    picture, (left, right, bottom, top) = np.asarray(ax.images[0].get_array()), ax.images[0].get_extent()
    row, column = np.unravel_index(picture.argmax(), picture.shape)  # row 0 is at the bottom
    assert left + (column + 0.5) / 101 * (right - left) == pytest.approx(1, abs=0.01)
    assert bottom + (row + 0.5) / 101 * (top - bottom) == pytest.approx(-2, abs=0.01)
    assert ax.get_xlim()[0] < 1 < ax.get_xlim()[1] < 2
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$z_1$", "$z_2$")


def test_a_density_with_its_approximation_and_samples():
    grid, q = Grid(2, 101), diagonal_gaussian(torch.tensor([0.5, 1.0]), torch.tensor([1.0, 2.0]).log())
    z = torch.randn(20, 2)
    ax = plots.density(peaked_density(grid, (0.0, 0.0)), grid, q=q, z=z, zoom=False)
    one, two, ring = ax.patches
    assert tuple(one.get_center()) == tuple(two.get_center()) == (0.5, 1.0)
    assert (one.width, one.height) == pytest.approx((2, 2 * 2**0.5))  # ± one standard deviation
    assert (two.width, two.height) == pytest.approx((4, 4 * 2**0.5))
    assert ring.get_radius() > 0
    assert len(ax.collections[0].get_offsets()) == 20
    assert ax.get_xlim() == pytest.approx((-5.05, 5.05))


def test_a_density_must_fit_its_grid():
    with pytest.raises(ValueError, match="2-D grid"):
        plots.density(torch.ones(5, 5), Grid(2, 6))
    with pytest.raises(ValueError, match="2-D grid"):
        plots.density(torch.ones(5), Grid(1, 5))


def test_the_bars_of_the_bound_end_where_the_terms_add_up():
    reconstruction, kl, gap = (
        torch.tensor([-90.0, -120.0]),
        torch.tensor([5.0, 6.0]),
        torch.tensor([1.0, 4.0]),
    )
    ax = plots.bound(reconstruction, kl, gap, reconstruction - kl + gap)
    bars = [[(bar.get_y(), bar.get_height()) for bar in container] for container in ax.containers]
    assert bars == [[(0, 90), (0, 120)], [(90, 5), (120, 6)], [(95, -1), (126, -4)]]
    marks = [segment[0][1] for segment in ax.collections[0].get_segments()]
    assert marks == [94, 122]
    assert len(ax.get_legend().get_texts()) == 4
    assert ax.get_ylabel() == "nats"


def derivation(log_likelihood, log_prior, log_q, log_posterior, better=1.3):
    """D1 to D6 at a z of these log densities, with means under q that are consistent with them."""
    total = log_likelihood + log_prior - log_posterior
    reconstruction, kl = log_likelihood + better, log_q - log_prior + 0.4
    last = (reconstruction, -kl, total - reconstruction + kl)
    one = {"log p(x|z)": log_likelihood, "log p(z)": log_prior, "-log p(z|x)": -log_posterior}
    lines = {
        "D1": one,
        "D2": {**one, "log q(z|x)": log_q, "-log q(z|x)": -log_q},
        "D3": {
            "log p(x|z)": log_likelihood,
            "-log q(z|x)/p(z)": log_prior - log_q,
            "log q(z|x)/p(z|x)": log_q - log_posterior,
        },
        "D4": {"E[log p(x)]": total},
        "D5": dict(zip(("E[log p(x|z)]", "-E[log q(z|x)/p(z)]", "E[log q(z|x)/p(z|x)]"), last, strict=True)),
        "D6": dict(zip(("E[log p(x|z)]", "-KL(q(z|x), p(z))", "KL(q(z|x), p(z|x))"), last, strict=True)),
    }
    tensors = {
        label: {name: torch.tensor([0.0, value]) for name, value in terms.items()}
        for label, terms in lines.items()
    }
    return tensors, total


DENSITIES = {
    "negative": (-198.45, -3.21, 1.86, -11.42),
    "positive": (832.1, -14.2, 9.3, 12.2),
    "small": (-2.1, -1.4, 0.9, 1.0),
    "tiny": (-0.004, -0.001, 0.002, -0.003, 0.001),
    "around 0": (3.1, -2.0, 1.1, 1.5),
    "large": (-12132.1, -114.2, 139.3, 62.2),
    "one sided": (-50.0, 0.0, 0.0, 0.0, 0.0),
}


@pytest.mark.parametrize("name", DENSITIES)
def test_every_row_of_the_waterfall_ends_at_log_p_x(name):
    lines, total = derivation(*DENSITIES[name])
    ax = plots.waterfall(lines, image=1, title="one image")
    bars = {}
    for patch in ax.patches:
        bars.setdefault(patch.get_gid(), []).append((patch.get_x(), patch.get_x() + patch.get_width()))
    assert list(bars) == [f"{label}: {term}" for label, terms in lines.items() for term in terms]
    zero = bars["D4: E[log p(x)]"][0][0]
    assert zero == 0 or zero in ax.get_xlim()  # else the axis is broken, and 0 at its edge
    for label, terms in lines.items():
        end = 0.0
        for term, value in terms.items():
            ((start, stop),) = set(bars[f"{label}: {term}"])  # two halves if it has two densities
            assert start == pytest.approx(end if end else zero, abs=1e-3)
            end += value[1].item()
            assert stop == pytest.approx(end, abs=1e-3)
        assert end == pytest.approx(total, abs=1e-3)
    assert next(line for line in ax.lines if len(set(line.get_xdata())) == 1 and line.get_linewidth() > 1.5)
    written = [text.get_text() for text in ax.texts]
    assert written.count(r"$-D_{KL}(q(z|x), p(z))$") == 1
    assert f"$\\log\\,p(x)$ = {total:.2f} nats".replace("-", "−") in written
    assert {"D1", "D2", "D3", "D4", "D5", "D6"} <= set(written)
    assert overlaps(ax) == []


def test_the_waterfall_of_a_model():
    """From the derivation itself: the line stands where the integral says."""
    from vae_edu.elbo import derivation as lines_of
    from vae_edu.vae import VAE

    x, model = torch.rand(3, 1, 4, 4).round(), VAE((1, 4, 4), 2, "bernoulli", device="cpu")
    lines = lines_of(model, x)
    ax = plots.waterfall(lines, image=2)
    line = next(line for line in ax.lines if line.get_linewidth() > 1.5)
    assert line.get_xdata()[0] == pytest.approx(lines["D4"]["E[log p(x)]"][2].item(), abs=1e-4)
    assert overlaps(ax) == []


def test_rate_and_distortion_add_up_to_the_lines_of_equal_bound():
    kl, distortion = [29.8, 19.6, 9.9, 4.1, 0.3], [90.0, 96.5, 113.0, 141.0, 188.0]
    labels = [f"β = {beta}" for beta in ("0.1", 1, 4, 10, 20)]
    ax = plots.rate_distortion(kl, distortion, labels, title="β", log_p_x=[-114, -110, -121, -144, -188.2])
    (points,) = (line for line in ax.lines if line.get_marker() == "o")
    assert (list(points.get_xdata()), list(points.get_ydata())) == (kl, distortion)
    named = {text.get_text() for text in ax.texts}
    assert named >= set(labels)
    for line in ax.lines:
        if line.get_linestyle() == "--":
            (level,) = {
                round(sum(place), 6) for place in zip(line.get_xdata(), line.get_ydata(), strict=True)
            }
            assert f"−{level:g}" in named
    plane, below = plots.figure_of(ax).axes
    assert plane is ax
    exact, loss = (next(line for line in below.lines if line.get_marker() == m) for m in "|o")
    assert list(exact.get_xdata()) == [114, 110, 121, 144, 188.2]
    assert list(loss.get_xdata()) == pytest.approx([a + b for a, b in zip(kl, distortion, strict=True)])
    assert overlaps(ax) == []


def test_rate_and_distortion_of_one_model():
    ax = plots.rate_distortion([3.0], [-800.0], ["β = 1"])
    assert len(plots.figure_of(ax).axes) == 1
    assert overlaps(ax) == []


def test_a_figure_is_shown_with_its_alternative_text(monkeypatch):
    shown = []
    ax, empty = plt.subplots()[1], plt.figure()
    monkeypatch.setattr("IPython.get_ipython", lambda: object())
    monkeypatch.setattr("IPython.display.display", lambda figure, **options: shown.append((figure, options)))
    plots.show(ax, "Two axes without a line.")
    plots.show(empty, "An empty figure.")
    texts = [options["metadata"]["image/png"]["alt"] for _, options in shown]
    assert texts == ["Two axes without a line.", "An empty figure."]
    assert shown[0][0] is ax.figure
    assert plt.get_fignums() == []


def test_a_figure_needs_its_alternative_text():
    with pytest.raises(ValueError, match="say in a sentence what the figure shows"):
        plots.show(plt.figure(), " ")
    plt.close("all")


def test_the_law_of_collapse_is_drawn_with_its_points():
    values = torch.tensor([4.0, 1.0, 0.25])
    variances = [2.0, 0.5]
    measured = [0.5 * (values / variance).log().clamp(min=0) for variance in variances]
    ax = plots.collapse(values, variances, measured, title="t")
    lines = [line for line in ax.lines if len(line.get_xdata()) > 3]
    assert len(lines) == 3
    for value, line in zip(values.tolist(), lines, strict=True):
        x, y = line.get_xdata(), line.get_ydata()
        assert (y[x > value] == 0).all()
        assert (y[x < 0.99 * value] > 0).all()
    points = [line for line in ax.lines if len(line.get_xdata()) == 3]
    for variance, kl, point in zip(variances, measured, points, strict=True):
        assert point.get_xdata().tolist() == [variance] * 3
        assert point.get_ydata().tolist() == pytest.approx(kl.tolist())
    assert ax.get_title() == "t"
    assert "nats" in ax.get_ylabel()
