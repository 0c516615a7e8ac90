"""The conditional VAE: every line of the lecture given y, against sums over all images and all codes."""

import copy
import functools
import itertools
import math
import re

import pytest
import torch
from torch.distributions import Bernoulli, Categorical, Independent, MixtureSameFamily

from vae_edu import active_units, bayes, conditional, device, edit, elbo, iwae, marginal
from vae_edu.conditional import (
    ConditionalVAE,
    log_p_x_given_labels,
    negative_conditional_elbo,
    posterior_of_labels,
)
from vae_edu.data import binarize, load_images
from vae_edu.engine.sync_checks import unchecked
from vae_edu.generate import generate, latent_map
from vae_edu.grid import Grid
from vae_edu.marginal import quadrature
from vae_edu.train import evaluate, fit

GRID = Grid(points=200, radius=8.0)
pytestmark = pytest.mark.filterwarnings(
    "ignore::vae_edu.marginal.GridWarning"
)  # of images under wrong labels


def tiny(classes=3, shape=(1, 2, 3), latent_dim=2):
    """An untrained model, whose weights are large enough that codes and labels matter."""
    torch.manual_seed(0)
    model = ConditionalVAE(shape, latent_dim, classes, hidden=8)
    with torch.no_grad():
        for weight in model.decoder.parameters():
            weight.mul_(2)
    return model


def every_image():
    """All 64 images of 2 × 3 black or white pixels."""
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=6)), device=device()).reshape(64, 1, 2, 3)


@functools.cache
def _trained():
    train, test = load_images("strokes", n=2000), load_images("strokes", split="test", n=60)
    torch.manual_seed(0)
    model = ConditionalVAE((1, 28, 28), 2, 10, hidden=100)
    fit(model, negative_conditional_elbo, (binarize(train.x), train.labels), 6, lr=3e-3, progress=False)
    return model, binarize(test.x), test.labels


def trained():
    model, x, y = _trained()
    return copy.deepcopy(model), x, y


def test_a_label_is_a_column_of_its_own_for_both_networks():
    """By hand, from the layers' weights: the label adds one column of the first layer to it."""
    model, x = tiny(), every_image()[:5]
    z, y = torch.randn(5, 2, device=device()), torch.tensor([0, 2, 1, 1, 0], device=device())
    for network, rows, given in (
        (
            model.encoder,
            x.flatten(1),
            lambda m: torch.cat([m.encode(x).mean, 2 * m.encode(x).stddev.log()], 1),
        ),
        (model.decoder, z, lambda m: m.decode(z).base_dist.logits.flatten(1)),
    ):
        first, _, last = network
        n = rows.shape[1]
        hidden = (rows @ first.weight[:, :n].T + first.weight[:, n:].T[y] + first.bias).relu()
        right = hidden @ last.weight.T + last.bias
        torch.testing.assert_close(given(model.conditional(y)), right, rtol=1e-5, atol=1e-5)
        assert first.weight.shape[1] == n + 3


@pytest.mark.parametrize("y", [0, 2])
def test_the_density_given_a_label_adds_up_to_1_over_all_images(y):
    with torch.no_grad():
        log_p = quadrature(tiny().conditional(y), every_image(), GRID).log_p_x
    assert abs(log_p.exp().sum().item() - 1) < 1e-4


def test_the_mixture_over_labels_is_a_density_and_bayes_rule_inverts_it():
    """p(y|x) p(x) summed over all images is p(y) again."""
    x, log_prior = every_image(), torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64, device=device()).log()
    log_p = log_p_x_given_labels(tiny(), x, GRID)
    assert log_p.shape == (3, 64)
    p_y, p_x = posterior_of_labels(log_p, log_prior), (log_p + log_prior[:, None]).exp().sum(0)
    torch.testing.assert_close(p_x.sum().item(), 1.0, rtol=0, atol=1e-4)
    torch.testing.assert_close(p_y.sum(0), torch.ones(64, dtype=torch.float64, device=device()))
    torch.testing.assert_close((p_y * p_x).sum(1), log_prior.exp(), rtol=0, atol=1e-4)
    by_hand = log_p.exp() * log_prior.exp()[:, None]
    torch.testing.assert_close(p_y, by_hand / by_hand.sum(0), rtol=1e-9, atol=0)


def test_the_posterior_of_labels_survives_likelihoods_that_underflow():
    log_p = torch.tensor([[-2000.0, -1e5], [-2001.0, -1e5]]).double()
    p = posterior_of_labels(log_p, torch.tensor([0.25, 0.75]).log())
    first = math.e / (math.e + 3)
    torch.testing.assert_close(
        p, torch.tensor([[first, 0.25], [1 - first, 0.75]]).double(), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("y", [0, 7])
def test_every_line_adds_up_to_log_p_x_given_y(y):
    model, x, _ = trained()
    given = model.conditional(y)
    exact = quadrature(given, x[:4], GRID).log_p_x
    lines = elbo.derivation(given, x[:4], GRID)
    assert list(lines) == ["D1", "D2", "D3", "D4", "D5", "D6"]
    for name, terms in lines.items():
        torch.testing.assert_close(sum(terms.values()), exact, rtol=0, atol=0.05, msg=name)


@pytest.mark.filterwarnings("ignore::vae_edu.marginal.SamplingWarning")
def test_the_grid_agrees_with_importance_sampling_and_the_bound_lies_below():
    model, x, labels = trained()
    for y in (3, 5):
        given, images = model.conditional(y), x[labels == y]
        exact = quadrature(given, images, GRID).log_p_x
        by_weights = marginal.importance_sampling(given, images, 20_000)
        off = (by_weights.log_p_x - exact) / by_weights.standard_error
        assert off.abs().median() < 2
        assert (by_weights.log_p_x - exact).abs().median() < 0.05
        terms = elbo.elbo(given, images, 1000)
        bound = terms.reconstruction - terms.kl
        assert (bound < exact + 0.1).all()
        torch.testing.assert_close(
            (exact - bound).mean(), elbo.gap(given, images, GRID).mean(), rtol=0, atol=0.2
        )
        ladder = iwae.bounds(given, images, (1, 10, 100))
        assert (ladder[1] <= ladder[10] + 1e-6).all()
        assert (ladder[100] - exact).mean() < 0.3


def test_the_functions_of_the_package_take_it_as_any_model():
    model, x, _ = trained()
    given = model.conditional(2)
    drawn = generate(given, 50, seed=1)
    assert drawn.x.shape == drawn.mean.shape == (50, 1, 28, 28)
    torch.testing.assert_close(drawn.z, generate(model.conditional(6), 50, seed=1).z)  # p(z) has no y in it
    assert (drawn.mean - generate(model.conditional(6), 50, seed=1).mean).abs().max() > 0.5
    assert latent_map(given, 3).mean.shape == (3, 3, 1, 28, 28)
    assert edit.traverse(given, x[:3], 1, [-1.0, 1.0]).shape == (2, 3, 1, 28, 28)
    assert active_units.kl_per_dimension(given, x[:20]).shape == (2,)
    density = bayes.posterior(given, x[:2], GRID)
    torch.testing.assert_close(density.sum((1, 2)) * GRID.step**2, torch.ones(2).to(density))
    assert bayes.bayes_rule(given, x[:2], torch.zeros(2, 2, device=device())) is not None


def test_one_label_for_all_or_one_for_each_is_the_same():
    model, x, labels = trained()
    each, z = model.conditional(labels), torch.randn(4, 60, 2, device=device())
    for i in (0, 17):
        one = model.conditional(labels[i].item())
        torch.testing.assert_close(each.encode(x).mean[i], one.encode(x[i]).mean, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(
            each.log_joint(x, z)[:, i], one.log_joint(x[i], z[:, i]), rtol=1e-4, atol=1e-2
        )
    assert each.prior().event_shape == (2,)
    assert model.conditional([1, 2, 3]).y.shape == (3, 10)


def test_the_loss_is_minus_the_bound_of_each_image():
    """Its mean over many draws, against the sums of D6 on a grid."""
    model, x, labels = trained()
    y = labels[0].item()
    images = x[labels == y][:3]
    terms = elbo.derivation(model.conditional(y), images, GRID)["D6"]
    names = list(terms)
    right = -(terms[names[0]] + terms[names[1]])
    batch = (images.repeat(500, 1, 1, 1), torch.full((1500,), y, device=device()))
    with torch.no_grad():
        mean = negative_conditional_elbo(model, batch).reshape(500, 3).mean(0)
    torch.testing.assert_close(mean.double(), right.double(), rtol=0.02, atol=0)


def test_training_raises_the_bound_and_uses_the_labels():
    """The images are worth more nats under their own labels than under others."""
    model, x, labels = trained()
    right = evaluate(model, negative_conditional_elbo, (x, labels))
    wrong = evaluate(model, negative_conditional_elbo, (x, (labels + 1) % 10))
    torch.manual_seed(0)
    untrained = ConditionalVAE((1, 28, 28), 2, 10, hidden=100)
    assert right < 160 < evaluate(untrained, negative_conditional_elbo, (x, labels))
    assert wrong > right + 20
    log_p = log_p_x_given_labels(model, x[:30], Grid(points=120, radius=8.0))
    assert (log_p.argmax(0) == labels[:30]).double().mean() > 0.65  # chance is 0.1


def test_a_conditional_model_of_labels_that_say_nothing_is_the_unconditional_one():
    """Labels given at random: log p(x|y) is nearly the same under all of them."""
    images = load_images("strokes", n=1000)
    x, y = binarize(images.x), torch.randint(3, (1000,), device=device())
    torch.manual_seed(0)
    model = ConditionalVAE((1, 28, 28), 2, 3, hidden=50)
    fit(model, negative_conditional_elbo, (x, y), 5, lr=3e-3, progress=False)
    log_p = log_p_x_given_labels(model, x[:40], Grid(points=120, radius=8.0))
    assert (log_p.amax(0) - log_p.amin(0)).median() < 12


@pytest.mark.parametrize("classes", [1, 4])
def test_shapes_with_any_leading_dimensions(classes):
    model = ConditionalVAE((3, 4, 5), 2, classes, hidden=6)
    x = torch.zeros(2, 7, 3, 4, 5, device=device())
    q = model.conditional(0).encode(x)
    assert (q.batch_shape, q.event_shape) == ((2, 7), (2,))
    p = model.conditional(torch.zeros(7, dtype=torch.uint8)).decode(torch.zeros(2, 7, 2, device=device()))
    assert (p.batch_shape, p.event_shape) == ((2, 7), (3, 4, 5))
    assert model.conditional(0).decode(torch.zeros(2, device=device())).batch_shape == ()


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (3, "a label is not one of 0 to 2: mend y."),
        (-1, "a label is not one of 0 to 2: mend y."),
        (torch.tensor([0, 1, 7]), "a label is not one of 0 to 2: mend y."),
        (1.0, "y is torch.float32 of shape (): give a whole number, or (B,) of them."),
        (torch.zeros(4), "y is torch.float32 of shape (4,): give a whole number, or (B,) of them."),
        (True, "y is torch.bool of shape (): give a whole number, or (B,) of them."),
        (torch.eye(3).long(), "y is torch.int64 of shape (3, 3): give a whole number, or (B,) of them."),
    ],
)
def test_bad_labels_get_a_sentence(y, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        tiny().conditional(y)


def test_labels_of_another_length_get_a_sentence():
    given = tiny().conditional(torch.tensor([0, 1, 2]))
    message = "^3 labels for rows of shape .*: give one each.$"
    with pytest.raises(ValueError, match=message):
        given.encode(every_image())
    with pytest.raises(ValueError, match=message):
        given.decode(torch.zeros(2, device=device()))
    with pytest.raises(ValueError, match=message):
        negative_conditional_elbo(tiny(), (every_image(), torch.zeros(3, dtype=torch.long)))
    with pytest.raises(ValueError, match=message):
        quadrature(given, every_image()[:3], GRID)  # a grid is one set of codes for all images


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((1, 2), 2, 3), "image_shape"),
        (((1, 2, 3), 0, 3), "latent_dim = 0"),
        (((1, 2, 3), 2, 0), "classes = 0"),
        (((1, 2, 3), 2, 2.5), "classes = 2.5"),
        (((1, 2, 3), 2, 3, 0), "hidden = 0"),
    ],
)
def test_a_model_that_cannot_be_made(arguments, message):
    with pytest.raises(ValueError, match=message):
        ConditionalVAE(*arguments)


def test_gray_images_and_labels_that_are_not_there_are_refused_in_training():
    model, x = tiny(), every_image()
    with pytest.raises(ValueError, match="binarize the images"):
        fit(model, negative_conditional_elbo, (x / 2, torch.zeros(64, dtype=torch.long)), 1, progress=False)
    with pytest.raises(ValueError, match="a label is not one of 0 to 2"):
        fit(model, negative_conditional_elbo, (x, torch.arange(64)), 1, progress=False)


def test_weights_are_kept_and_the_labels_table_is_none():
    model = tiny()
    assert not [name for name in model.state_dict() if "one_hot" in name]
    other = ConditionalVAE((1, 2, 3), 2, 3, hidden=8)
    other.load_state_dict(model.state_dict())
    z = torch.randn(5, 2, device=device())
    assert torch.equal(model.conditional(1).decode(z).mean, other.conditional(1).decode(z).mean)
    double = copy.deepcopy(model).double()
    assert double.conditional(1).prior().mean.dtype == torch.float64


def test_a_draw_follows_the_mixture():
    """Images of a conditional model with one code: pixels are those of the mixture over a fine grid."""
    model = tiny(latent_dim=1)
    given, grid = model.conditional(1), Grid(1, points=400, radius=6.0)
    with torch.no_grad():
        z = grid.nodes().to(device()).float()
        weights = given.prior().log_prob(z).softmax(0)
        pixels = given.decode(z).mean.flatten(1)
        mixture = MixtureSameFamily(Categorical(weights), Independent(Bernoulli(pixels), 1))
        drawn = generate(given, 20_000).x.flatten(1)
    torch.testing.assert_close(drawn.mean(0), mixture.mean, rtol=0, atol=0.02)
    exact = quadrature(given, every_image(), grid).log_p_x
    torch.testing.assert_close(exact, mixture.log_prob(every_image().flatten(1)).double(), rtol=0, atol=1e-3)


@pytest.mark.skipif(device().type != "cuda", reason="needs CUDA")
@pytest.mark.filterwarnings("error::vae_edu.engine.capture.CaptureWarning")
def test_a_graph_learns_what_the_loop_does():
    """Images and labels, in batches whose last is smaller."""
    images = load_images("strokes", n=500)
    batch, histories = (binarize(images.x), images.labels), []
    for capture in (True, False):
        torch.manual_seed(0)
        model = ConditionalVAE((1, 28, 28), 2, 10, hidden=50)
        options = {"batch_size": 64, "capture": capture, "progress": False}
        histories.append(fit(model, negative_conditional_elbo, batch, 3, **options).steps)
    assert histories[0] == pytest.approx(histories[1], rel=1e-4)


def test_the_module_is_short():
    """Less than 80 lines of code, besides docstrings."""
    import ast
    import inspect

    source = inspect.getsource(conditional)
    texts = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node)
        for line in range(node.body[0].lineno, node.body[0].end_lineno + 1)
    }
    lines = enumerate(source.splitlines(), start=1)
    assert sum(bool(line.strip()) and i not in texts for i, line in lines) < 80


def test_a_wrong_label_gives_nan_if_nothing_is_checked():
    """Inside a recorded step, say: the loss is then not finite, and training stops."""
    with unchecked():
        given = tiny().conditional(torch.tensor([0, 7, -1, 2]))
    assert given.y.isnan().all(1).tolist() == [False, True, True, False]
