"""The curves of a training, against the oracle whose log p(x) is known in closed form."""

import math
import sys
from unittest.mock import MagicMock

import matplotlib.pyplot as plt
import pytest
import torch
from torch.distributions import kl_divergence

from tests.models import draws, linear, trained_vae
from vae_edu import plots
from vae_edu.elbo import negative_elbo
from vae_edu.gaussian import diagonal_gaussian
from vae_edu.grid import Grid
from vae_edu.marginal import GridWarning
from vae_edu.monitor import bits_per_dimension, monitor
from vae_edu.train import History, fit


@pytest.fixture
def watched():
    """A linear model whose encoder is off by a known amount, watched twice."""
    model = linear(pixels=5, latent_dim=2, sigma=0.7)
    x = draws(model, 30)
    exact = model.encode
    model.encode = lambda x: diagonal_gaussian(
        exact(x).mean + 0.3, exact(x).covariance_matrix.diagonal(dim1=-2, dim2=-1).log()
    )
    history = History()
    watch = monitor(x, Grid(points=300, radius=9.0))
    for _ in range(2):
        watch(model, history)
    return model, exact, x, history.watched


def test_the_curves_are_those_of_closed_forms(watched):
    model, exact, x, curves = watched
    log_p_x, gap = model.log_prob(x).mean().item(), kl_divergence(model.encode(x), exact(x)).mean().item()
    kl = kl_divergence(model.encode(x), model.prior()).mean().item()
    assert set(curves) == {"reconstruction", "kl", "elbo", "log p(x)", "gap"}
    for values in curves.values():
        assert len(values) == 2
        assert values[0] == values[1]
    assert curves["log p(x)"][0] == pytest.approx(log_p_x, abs=1e-4)
    assert curves["gap"][0] == pytest.approx(gap, abs=1e-4)
    assert curves["kl"][0] == pytest.approx(kl, abs=1e-4)
    assert curves["elbo"][0] == pytest.approx(log_p_x - gap, abs=1e-4)
    assert curves["reconstruction"][0] == pytest.approx(log_p_x - gap + kl, abs=1e-4)


def test_without_a_grid_the_terms_are_estimated(watched):
    model, _, x, curves = watched
    history = History()
    torch.manual_seed(0)
    monitor(x, samples=4000)(model, history)
    assert set(history.watched) == {"reconstruction", "kl", "elbo"}
    for name, values in history.watched.items():
        assert values[0] == pytest.approx(curves[name][0], abs=0.05)


def test_fit_keeps_the_curves_of_every_epoch_and_draws_each_time():
    vae, x = trained_vae(n=200, epochs=1, hidden=(20,))
    seen = []
    watch = monitor(x, draw=lambda curves: seen.append(len(curves["elbo"])))
    history = fit(vae, negative_elbo, x, 3, watch=watch, progress=False)
    assert seen == [1, 2, 3]
    assert [len(values) for values in history.watched.values()] == [3, 3, 3]


def test_the_figure_shows_the_curves(watched):
    *_, curves = watched
    figure = plots.training(curves).figure
    lines = {
        line.get_label(): line.get_ydata().tolist()
        for ax in figure.axes
        for line in ax.get_lines()
        if len(line.get_ydata()) == 2
    }
    shown = [list(map(float, values)) for values in lines.values()]
    bars = [container[0].get_ydata().tolist() for ax in figure.axes for container in ax.containers]
    for values in curves.values():
        assert any(row == pytest.approx(values) for row in shown + bars)
    plt.close(figure)
    without = {name: curves[name] for name in ("reconstruction", "kl", "elbo")}
    assert len(plots.training(without).figure.axes) == 3
    plt.close("all")


def test_a_live_figure_is_drawn_in_its_place(monkeypatch):
    shown = []

    class Handle:
        def update(self, figure):
            shown.append(("again", figure))

    def display(figure, display_id):
        shown.append(("new", figure))
        return Handle()

    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr("IPython.get_ipython", MagicMock())
    show = plots.live(lambda values: plots.curves({"a": values}, xlabel="x", ylabel="y"))
    for values in ([1.0], [1.0, 2.0], [1.0, 2.0, 3.0]):
        show(values)
    assert [how for how, _ in shown] == ["new", "again", "again"]
    assert plt.get_fignums() == []
    monkeypatch.setattr("IPython.get_ipython", lambda: None)
    show([1.0])
    monkeypatch.setitem(sys.modules, "IPython.display", None)
    show([1.0])  # outside a notebook nothing is drawn, and nothing fails
    assert len(shown) == 3


def test_bits_per_dimension_of_fair_coins():
    assert bits_per_dimension(784 * math.log(0.5), 784) == pytest.approx(1)
    torch.testing.assert_close(
        bits_per_dimension(torch.tensor([-8.0, -4.0]) * math.log(2), 4), torch.tensor([2.0, 1.0])
    )


def test_the_kl_has_its_closed_form_on_a_coarse_grid_too(watched):
    model, _, x, curves = watched
    history = History()
    with pytest.warns(GridWarning):
        monitor(x, Grid(points=20, radius=9.0))(model, history)
    assert history.watched["kl"][0] == pytest.approx(curves["kl"][0], abs=1e-5)


def test_eight_draws_without_a_word(watched):
    model, _, x, _ = watched
    rows = []
    for samples in ({}, {"samples": 8}, {"samples": 7}):
        history = History()
        torch.manual_seed(0)
        monitor(x, **samples)(model, history)
        rows.append(history.watched["reconstruction"][0])
    assert rows[0] == rows[1] != rows[2]
    with pytest.raises(ValueError, match="samples"):
        monitor(x, samples=0)
