"""PixelRNN: by enumeration of all images of a tiny model, by causality, and by counting its samples."""

import itertools
import math

import pytest
import torch

from vae_edu import device
from vae_edu.data import binarize, load_images
from vae_edu.pixelrnn import PixelRNN, negative_log_likelihood
from vae_edu.train import fit


@pytest.fixture(autouse=True)
def _full_precision(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def wild(image_shape, seed=0, **options):
    """A model far from uniform: large weights, so that every pixel depends on those before it."""
    torch.manual_seed(seed)
    model = PixelRNN(image_shape, **{"hidden": 12, **options})
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.8)
    return model


def all_images(pixels, shape):
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=pixels))).reshape(-1, *shape).to(device())


@pytest.mark.parametrize("options", [{}, {"recent": 1}, {"recent": 20}])
def test_the_probabilities_of_all_512_images_add_up_to_1(options):
    model, x = wild((1, 3, 3), **options), all_images(9, (1, 3, 3))
    with torch.no_grad():
        p = model.log_prob(x).exp()
    assert p.sum().item() == pytest.approx(1, abs=1e-5)
    assert p.max() > 100 * p.min()


def test_bytes_are_pixels_too():
    model, x = wild((1, 3, 3)), all_images(9, (1, 3, 3))[::50]
    with torch.no_grad():
        torch.testing.assert_close(model.log_prob(x.byte()), model.log_prob(x))
        torch.testing.assert_close(model.double().log_prob(x).float(), model.float().log_prob(x))


def test_the_input_reaches_back_to_the_row_above():
    assert PixelRNN((1, 4, 6)).recent == 7


def test_the_chain_rule_by_hand():
    """log p(x) from the conditionals, pixel by pixel in Python's own floats."""
    model, x = wild((1, 3, 4)), all_images(12, (1, 3, 4))[::97]
    with torch.no_grad():
        log_p, conditionals = model.log_prob(x), model.conditionals(x)
    assert conditionals.shape == x.shape
    for image, p, value in zip(x.flatten(1).tolist(), conditionals.flatten(1).tolist(), log_p.tolist()):
        by_hand = sum(math.log(p_t if x_t else 1 - p_t) for x_t, p_t in zip(image, p))
        assert value == pytest.approx(by_hand, abs=1e-4)


@pytest.mark.parametrize("recent", [None, 1, 30])
def test_no_pixel_knows_itself_or_what_comes_after(recent):
    model = wild((1, 4, 5), recent=recent)
    x = torch.bernoulli(torch.full((6, 1, 4, 5), 0.5)).to(device())
    with torch.no_grad():
        before = model.conditionals(x).flatten(1)
        for t in range(20):
            changed = x.clone().flatten(1)
            changed[:, t] = 1 - changed[:, t]
            after = model.conditionals(changed.reshape(x.shape)).flatten(1)
            assert torch.equal(before[:, : t + 1], after[:, : t + 1])
            if t < 19:
                assert (before[:, t + 1 :] != after[:, t + 1 :]).any(1).all()


def test_the_memory_reaches_further_than_the_window():
    """With one pixel as input, the first still matters to the last."""
    model = wild((1, 4, 4), recent=1)
    x = torch.zeros(1, 1, 4, 4).to(device())
    other = x.clone()
    other[0, 0, 0, 0] = 1
    with torch.no_grad():
        assert model.conditionals(x)[0, 0, -1, -1] != model.conditionals(other)[0, 0, -1, -1]


@pytest.mark.parametrize("recent", [None, 1, 30])
def test_step_by_step_as_all_at_once(recent):
    model = wild((1, 5, 4), recent=recent)
    x = torch.bernoulli(torch.full((7, 1, 5, 4), 0.5)).to(device())
    flat, log_p, state = x.flatten(1), torch.zeros(7).to(device()), None
    with torch.no_grad():
        for t in range(20):
            before = torch.zeros(7, model.recent).to(device())
            n = min(t, model.recent)
            before[:, model.recent - n :] = flat[:, t - n : t]
            logit, state = model.step(t, before, state)
            p = logit.sigmoid()
            log_p += torch.where(flat[:, t] == 1, p, 1 - p).log()
        torch.testing.assert_close(log_p, model.log_prob(x), rtol=0, atol=1e-5 * 20)
        torch.testing.assert_close(log_p / 20, model.log_prob(x) / 20, rtol=0, atol=1e-5)


def chi_squared(model, x, counts):
    """Σ (observed − expected)² / expected over the cells that expect five or more; and their number."""
    with torch.no_grad():
        expected = model.log_prob(x).exp().double() * counts.sum()
    large = expected >= 5
    cells = [(counts[large], expected[large]), (counts[~large].sum()[None], expected[~large].sum()[None])]
    return sum(((o - e) ** 2 / e).sum().item() for o, e in cells if e.sum() > 0), int(large.sum())


def test_samples_are_as_frequent_as_log_prob_says():
    model, x = wild((1, 3, 3)), all_images(9, (1, 3, 3))
    drawn = model.sample(40_000, seed=1, progress=False).flatten(1)
    index = (drawn @ 2.0 ** torch.arange(8, -1, -1).to(drawn)).long()
    value, cells = chi_squared(model, x, index.bincount(minlength=512).double())
    assert cells > 100
    assert abs(value - cells) < 4 * math.sqrt(2 * cells)  # the mean and spread of chi-squared


@pytest.mark.parametrize("recent", [None, 1])
@pytest.mark.parametrize("upto", [0, 1, 4, 8])
def test_completions_follow_the_conditional_distribution(upto, recent):
    """p(rest | begin) = p(image) / p(begin), from the enumeration; with one recent pixel memory matters."""
    model, x = wild((1, 3, 3), recent=recent), all_images(9, (1, 3, 3))
    begin = torch.tensor([1.0, 0, 1, 1, 0, 1, 0, 1, 1]).to(device())
    given = begin.reshape(1, 1, 3, 3).repeat(20_000, 1, 1, 1)
    given.flatten(1)[:, upto:] = math.nan  # not looked at
    drawn = model.complete(given, upto, progress=False).flatten(1)
    assert torch.equal(drawn[:, :upto], begin[:upto].expand(20_000, upto))
    assert given.flatten(1)[:, upto:].isnan().all()  # nor changed
    fits = (x.flatten(1)[:, :upto] == begin[:upto]).all(1)
    with torch.no_grad():
        right = model.log_prob(x[fits]).softmax(0)
    index = (drawn @ 2.0 ** torch.arange(8, -1, -1).to(drawn)).long()
    share = index.bincount(minlength=512)[fits] / 20_000
    assert share.sum().item() == pytest.approx(1)
    assert ((share - right).abs() < 5 * (right * (1 - right) / 20_000).sqrt() + 1e-3).all()


def test_all_the_pixels_given_is_the_image_itself():
    model, x = wild((1, 3, 3)), all_images(9, (1, 3, 3))[100:120]
    assert torch.equal(model.complete(x, 9, progress=False), x)


def test_training_beats_independent_pixels_by_far_and_learns_nothing_impossible():
    train, test = (
        binarize(load_images("strokes", split, n).shrink().x) for split, n in (("train", 1500), ("test", 200))
    )
    torch.manual_seed(0)
    model = PixelRNN(train.shape[1:], hidden=32)
    fit(model, negative_log_likelihood, train, 3, batch_size=32, lr=1e-2, progress=False)
    p = train.mean(0).clamp(1e-3, 1 - 1e-3)
    independent = (test * p.log() + (1 - test) * (1 - p).log()).flatten(1).sum(1)
    with torch.no_grad():
        assert model.log_prob(test).mean() > independent.mean() + 4
        noise = torch.bernoulli(torch.full_like(test, 0.5))
        assert model.log_prob(noise).mean() < -200


def test_images_of_28_by_28_and_of_three_channels():
    for shape in ((1, 28, 28), (3, 4, 4)):
        model = PixelRNN(shape, hidden=4)
        x = torch.bernoulli(torch.full((2, *shape), 0.5)).to(device())
        with torch.no_grad():
            assert model.log_prob(x).isfinite().all()
            assert model.conditionals(x).shape == x.shape
        assert torch.equal(
            model.complete(x, model.pixels - 1, progress=False).flatten(1)[:, :-1], x.flatten(1)[:, :-1]
        )


def test_gradients_reach_every_weight():
    model = PixelRNN((1, 3, 3), hidden=4)
    negative_log_likelihood(model, all_images(9, (1, 3, 3))[5:9]).sum().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in model.parameters())


def test_the_seed_decides_and_the_callers_numbers_stay():
    model = wild((1, 3, 3))
    torch.manual_seed(0)
    right = torch.rand(1)
    torch.manual_seed(0)
    one, two, other = (model.sample(50, seed=seed, progress=False) for seed in (3, 3, 4))
    assert torch.rand(1) == right
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    assert one.shape == (50, 1, 3, 3)


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (lambda m, x: PixelRNN((3, 3)), "image_shape"),
        (lambda m, x: PixelRNN((1, 3, 3), hidden=0), "hidden = 0"),
        (lambda m, x: PixelRNN((1, 3, 3), recent=0), "recent = 0"),
        (lambda m, x: m.log_prob(x / 2), "binarize the images"),
        (lambda m, x: m.log_prob(x * math.nan), "binarize the images"),
        (lambda m, x: m.conditionals(x[:, :, :2]), r"give images \(B, 1, 3, 3\)"),
        (lambda m, x: m.log_prob(x.tolist()), "x is a list"),
        (lambda m, x: m.sample(0), "n = 0"),
        (lambda m, x: m.complete(x, 10), "upto = 10, but an image has 9"),
        (lambda m, x: m.complete(x, -1), "upto = -1"),
        (lambda m, x: m.complete(x / 2, 3), "binarize the images"),
    ],
)
def test_bad_input_gets_one_sentence(work, message):
    with pytest.raises(ValueError, match=message):
        work(PixelRNN((1, 3, 3), hidden=4), torch.ones(2, 1, 3, 3).to(device()))
