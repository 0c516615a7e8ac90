"""What to know of images before training, and the yardsticks, by other routes."""

import math
from statistics import NormalDist

import numpy as np
import pytest
import torch

from vae_edu.data import load_images
from vae_edu.exercises import EXERCISES
from vae_edu.first_look import bernoulli_limit, dequantized, independent_pixels, look, shared_images
from vae_edu.monitor import best_epoch, bits_per_dimension


def grays(n, seed=0, shape=(1, 4, 3)):
    return torch.randint(0, 256, (n, *shape), generator=torch.Generator().manual_seed(seed)) / 255


def test_a_look_says_what_was_put_in():
    x = grays(50)
    x[:, :, 0, 0] = 0.2  # a constant pixel
    x[7] = x[3]
    x[9] = x[3]
    seen = look(x)
    flat = x.double().numpy()
    assert seen[:4] == (50, (1, 4, 3), flat.min(), flat.max())
    assert seen.mean == pytest.approx(flat.mean())
    assert seen.deviation == pytest.approx(flat.std())
    assert seen.levels == len(np.unique(x.numpy()))
    assert seen.gray == pytest.approx(((flat > 0) & (flat < 1)).mean())
    assert (seen.constant, seen.repeated, seen.ink) == (1, 2, False)


def test_digits_are_ink_on_paper_and_photographs_are_not():
    assert look(load_images("strokes", n=50).x).ink
    assert look(dequantized(load_images("strokes", n=50).x)).ink
    assert not look(load_images("photograph", n=500).x).ink


def test_shared_images_are_counted_one_by_one():
    x = grays(20)
    others = torch.cat([x[4:7], grays(30, seed=1), x[5:6]])
    assert shared_images(x, others) == 3
    assert shared_images(others, x) == 4
    assert shared_images(x, grays(30, seed=2)) == 0


@pytest.mark.parametrize("bad", [torch.zeros(0, 1, 2, 2), torch.zeros(3), torch.ones(2, 2).long()])
def test_what_holds_no_images_is_refused(bad):
    with pytest.raises(ValueError, match="finite floating-point numbers"):
        look(bad)
    with pytest.raises(ValueError, match="finite floating-point numbers"):
        independent_pixels(bad, bad)


def test_a_value_that_is_not_finite_is_refused():
    x = grays(3)
    x[1, 0, 2, 2] = math.nan
    for function in (look, dequantized, lambda x: independent_pixels(x, x)):
        with pytest.raises(ValueError, match="finite"):
            function(x)


def test_dequantized_pixels_stay_in_their_level():
    levels = torch.arange(256).repeat(40, 1)[:, None, None]
    x = dequantized(levels / 255)
    assert torch.equal((256 * x.double()).floor().long(), levels)
    shares = np.histogram(256 * x.double() - levels, bins=8, range=(0, 1))[0] / levels.numel()
    np.testing.assert_allclose(shares, 1 / 8, atol=0.015)  # four standard errors
    assert torch.equal(x, dequantized(levels / 255))
    assert not torch.equal(x, dequantized(levels / 255, seed=1))
    assert torch.equal((2 * dequantized((levels > 99).float(), levels=2)).floor(), (levels > 99).float())
    with pytest.raises(ValueError, match=r"x goes from -0.5 to 1"):
        dequantized(torch.tensor([[-0.5, 1.0]]))
    with pytest.raises(ValueError, match="levels"):
        dequantized(levels / 255, levels=1)


def test_a_density_of_dequantized_levels_claims_no_fewer_bits_than_they_need():
    """Jensen: of levels with known probabilities no density beats their entropy; the right one meets it."""
    p = torch.tensor([0.5, 0.25, 0.125, 0.125], dtype=torch.float64)
    b = torch.tensor([0] * 4 + [1] * 2 + [2, 3]).double()[:, None]
    entropy = -(p * p.log2()).sum()
    x = torch.stack([dequantized(b / 3, levels=4, seed=seed) for seed in range(500)])
    pieces = (4 * p)[(4 * x).long()].log()  # the density that is constant in each level
    assert bits_per_dimension(pieces.mean().item(), 1, levels=4) == pytest.approx(entropy.item(), abs=1e-5)
    for slope in (-1.0, 0.5, 1.5):  # densities 1 + slope (x − ½)
        claimed = bits_per_dimension((1 + slope * (x - 0.5)).log().mean(), 1, levels=4)
        assert claimed > entropy


def test_independent_gaussian_pixels_are_those_of_python():
    train, x = grays(200), grays(30, seed=1)
    train[:, :, 1, 1] = 0.4  # a σ at its floor
    x[:, :, 1, 1] = 0.41
    columns = train.flatten(1).double().numpy().T
    pixels = [NormalDist(column.mean(), max(column.std(), 0.02)) for column in columns]
    rows = x.flatten(1).double().tolist()
    expected = [sum(math.log(p.pdf(value)) for p, value in zip(pixels, row, strict=True)) for row in rows]
    np.testing.assert_allclose(independent_pixels(train, x, min_sigma=0.02).numpy(), expected, rtol=1e-6)


def test_independent_bernoulli_pixels_are_counted():
    train, x = grays(200).round(), grays(30, seed=1).round()
    train[:, :, 0, 0] = 0
    ones = [int(column.sum()) for column in train.flatten(1).T]
    expected = [
        sum(
            math.log((k if value else 200 - k) + 0.5) - math.log(201)
            for k, value in zip(ones, row, strict=True)
        )
        for row in x.flatten(1).tolist()
    ]
    np.testing.assert_allclose(independent_pixels(train, x, "bernoulli").numpy(), expected, rtol=1e-5)
    one = torch.zeros(1, 1, 4, 3)
    one[..., 0, 0] = 1  # was 0 in all of them
    assert independent_pixels(train, one, "bernoulli").isfinite().all()
    with pytest.raises(ValueError, match=r"training images are \(1, 4, 3\), the others \(1, 3, 4\)"):
        independent_pixels(train, grays(2, shape=(1, 3, 4)))


def test_no_probability_passes_the_limit_of_a_bernoulli():
    x = grays(10)
    x[0] = x[0].round()
    limit = bernoulli_limit(x)
    assert limit[0] == 0
    assert (limit[1:] < 0).all()
    logits = torch.zeros_like(x, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=200, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        value = torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        value.backward()
        return value

    optimizer.step(loss)
    assert -loss().item() <= limit.sum().item() + 1e-3
    assert -loss().item() == pytest.approx(limit.sum().item(), abs=0.1)
    with pytest.raises(ValueError, match=r"pixels must be in \[0, 1\]"):
        bernoulli_limit(2 * x)


def test_a_uniform_density_costs_what_a_file_does():
    assert bits_per_dimension(0.0, 64, levels=256) == 8
    assert bits_per_dimension(torch.tensor([64 * math.log(2.0)]), 64, levels=256).item() == pytest.approx(7)


@pytest.mark.parametrize(
    ("losses", "patience", "epoch"),
    [
        ([3, 2, 1], 1, 2),
        ([3, 2, 2.5, 1], 1, 1),  # stops before it sees the 1
        ([3, 2, 2.5, 1], 2, 3),
        ([3, 2, 2, 2, 1], 2, 1),  # equal ones are no progress, and the first counts
        ([3, 2, 2, 2, 1], 3, 4),
        ([5, 6, 4, 6, 6, 3], 2, 2),
        ([1], 5, 0),
        ([math.inf, 4, 5], 1, 1),
    ],
)
def test_the_best_epoch_is_the_last_before_patience_ends(losses, patience, epoch):
    assert best_epoch(losses, patience) == epoch
    assert best_epoch(torch.tensor(losses), patience) == epoch


@pytest.mark.parametrize(("losses", "patience"), [([], 1), ([1.0, math.nan], 1), ([1.0], 0)])
def test_what_is_no_history_has_no_best_epoch(losses, patience):
    with pytest.raises(ValueError, match=r"losses must be numbers|patience"):
        best_epoch(losses, patience)


PACKAGE = {
    "independent_pixels": lambda train, x, floor: independent_pixels(train, x, min_sigma=floor),
    "bits_per_dimension": lambda log_p, D, levels: bits_per_dimension(log_p, D, levels),
    "bernoulli_limit": bernoulli_limit,
    "best_epoch": best_epoch,
}


@pytest.mark.parametrize("name", PACKAGE)
def test_an_exercise_asks_for_what_the_package_does(name):
    exercise = EXERCISES[name]
    for _ in range(20):
        given = exercise.arguments(4, 5, 3)
        asked, package = (torch.as_tensor(f(**given)) for f in (exercise.reference, PACKAGE[name]))
        torch.testing.assert_close(asked.double(), package.double(), rtol=1e-4, atol=1e-3)
