"""Black-and-white likelihoods in few passes: against PyTorch in float64, with and without gradients."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Independent
from torch.nn.functional import binary_cross_entropy_with_logits

from vae_edu import device
from vae_edu.engine import bernoulli
from vae_edu.engine.bernoulli import log_bernoulli, sum_softplus
from vae_edu.engine.sync_checks import check_pixels, checked_together, unchecked


def BernoulliImage(logits):
    return bernoulli.BernoulliImage(Bernoulli(logits=logits, validate_args=False), 3, validate_args=False)


@pytest.mark.parametrize("D", [1, 9, 98, 100, 101, 196, 784, 3072])
@pytest.mark.parametrize("scale", [0.1, 3, 80])
def test_the_sums_of_logarithms_and_their_gradients(D, scale):
    torch.manual_seed(D)
    logits = scale * torch.randn(50, D).to(device())
    x = torch.bernoulli(torch.full((50, D), 0.5)).to(device())
    weight = torch.randn(50).to(device())
    cases = [
        (lambda logits: log_bernoulli(x.to(logits), logits), lambda logits: -_bce(logits, x.to(logits))),
        (sum_softplus, lambda logits: logits.logaddexp(torch.zeros_like(logits)).sum(1)),
    ]
    for ours, library in cases:
        exact = logits.double().requires_grad_()
        right = library(exact)
        (right_gradient,) = torch.autograd.grad(right @ weight.double(), exact)
        for dtype, tolerance in ((torch.float32, 2e-6), (torch.float64, 1e-12)):
            given = logits.to(dtype).requires_grad_()
            found = ours(given)
            assert found.dtype == dtype
            torch.testing.assert_close(found.double(), right, rtol=tolerance, atol=10 * tolerance)
            (gradient,) = torch.autograd.grad(found @ weight.to(dtype), given)
            torch.testing.assert_close(gradient.double(), right_gradient, rtol=1e-5, atol=tolerance)


def _bce(logits, x):
    return binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)


def test_gradients_and_their_gradients_by_differences():
    torch.manual_seed(0)
    logits = (3 * torch.randn(4, 9)).double().requires_grad_()
    x = torch.bernoulli(torch.full((2, 4, 9), 0.5)).double().requires_grad_()  # broadcast over the logits
    for check in (torch.autograd.gradcheck, torch.autograd.gradgradcheck):
        assert check(log_bernoulli, (x, logits))
        assert check(sum_softplus, (logits,))


@pytest.mark.parametrize("logit", [-1e4, -90.0, 0.0, 90.0, 1e4])
def test_extreme_logits(logit):
    logits = torch.full((1, 28, 28), logit).to(device())
    for x, right in ((1.0, min(logit, 0)), (0.0, min(-logit, 0))):
        with torch.no_grad():
            found = BernoulliImage(logits).log_prob(torch.full_like(logits, x)).item()
        right = 784 * (right if logit else -math.log(2))
        assert found == pytest.approx(right, rel=1e-6, abs=1e-5)


def test_with_and_without_gradients_as_the_library_says():
    torch.manual_seed(0)
    logits, x = (
        4 * torch.randn(5, 6, 2, 7, 7).to(device()),
        torch.bernoulli(torch.full((6, 2, 7, 7), 0.4)).to(device()),
    )
    theirs = Independent(Bernoulli(logits=logits), 3).log_prob(x.expand(5, 6, 2, 7, 7))
    with_gradient = BernoulliImage(logits.requires_grad_()).log_prob(x)
    with torch.no_grad():
        without = BernoulliImage(logits).log_prob(x)
    assert theirs.shape == with_gradient.shape == without.shape == (5, 6)
    torch.testing.assert_close(with_gradient, theirs)
    torch.testing.assert_close(without, theirs.detach(), rtol=1e-5, atol=1e-4)
    (gradient,) = torch.autograd.grad(with_gradient.sum(), logits)
    torch.testing.assert_close(gradient, x - logits.sigmoid(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("value", [0.5, -1.0, 2.0, math.nan, math.inf])
def test_gray_pixels_are_refused(value):
    x = torch.zeros(2, 1, 3, 3)
    x[1, 0, 2, 2] = value
    p = BernoulliImage(torch.zeros(2, 1, 3, 3))
    for context in (torch.no_grad(), torch.enable_grad()):
        with context, pytest.raises(ValueError, match="binarize the images, or use a Gaussian decoder"):
            p.log_prob(x)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_diverged_decoder_is_named(value):
    logits = torch.zeros(1, 3, 3)
    logits[0, 1, 1] = value
    for x in (0.0, 1.0):
        with torch.no_grad(), pytest.raises(FloatingPointError, match="logits are not finite"):
            BernoulliImage(logits).log_prob(torch.full_like(logits, x))


def test_it_is_an_independent_bernoulli_in_every_other_way():
    torch.manual_seed(0)
    logits = torch.randn(4, 1, 2, 3)
    p = BernoulliImage(logits)
    assert p.batch_shape == (4,)
    assert p.event_shape == (1, 2, 3)
    torch.testing.assert_close(p.mean, logits.sigmoid())
    share = p.sample((20_000,)).mean(0)
    assert (share - p.mean).abs().max() < 0.02
    x = p.sample()
    wide = p.expand((5, 4))
    assert wide.batch_shape == (5, 4)
    for context in (torch.no_grad(), torch.enable_grad()):
        with context:
            torch.testing.assert_close(wide.log_prob(x), p.log_prob(x).expand(5, 4))
            torch.testing.assert_close(p.log_prob(x.byte()), p.log_prob(x))
            torch.testing.assert_close(p.log_prob(x.double()), p.log_prob(x))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("gradients", [True, False])
def test_infinite_logits_have_their_limit(dtype, gradients):
    limits = {(math.inf, 1): 0.0, (math.inf, 0): -math.inf, (-math.inf, 1): -math.inf, (-math.inf, 0): 0.0}
    for (logit, pixel), right in limits.items():
        logits, x = torch.full((2, 100), -1.5, dtype=dtype), torch.zeros(2, 100, dtype=dtype)
        logits[0, 7], x[0, 7] = logit, pixel
        logits = logits.to(device()).requires_grad_(gradients)
        found = log_bernoulli(x.to(device()), logits)
        others = -math.log1p(math.exp(-1.5))
        assert found.tolist() == pytest.approx([right + 99 * others, 100 * others], rel=1e-5)
    soft = sum_softplus(torch.tensor([[math.inf, 0.0], [-math.inf, 0.0]], dtype=dtype).to(device()))
    assert soft.tolist() == pytest.approx([math.inf, math.log(2)])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("logit", [0.0, 30.0, 200.0, 1e4, 1e38])
def test_finite_logits_have_finite_gradients(dtype, logit):
    for sign, pixel in ((1, 0.0), (1, 1.0), (-1, 0.0), (-1, 1.0)):
        logits = torch.full((1, 10), sign * logit, dtype=dtype, device=device(), requires_grad=True)
        (gradient,) = torch.autograd.grad(log_bernoulli(torch.full_like(logits, pixel), logits).sum(), logits)
        right = pixel - torch.tensor(sign * logit).double().sigmoid().item()
        assert gradient.tolist()[0] == pytest.approx([right] * 10, abs=0.01)


def test_checks_that_are_read_together_raise_the_first_error():
    x, seen = torch.tensor([0.0, 1.0, 2.0]).to(device()), []

    @checked_together()
    def together(error=None):
        for top, message in ((3, "above 3"), (1, "above 1"), (0, "above 0")):
            check_pixels(lambda top=top: x <= top, message)
            seen.append(message)
        if error:
            raise error

    with pytest.raises(ValueError, match="above 1"):
        together()
    assert len(seen) == 3
    with pytest.raises(KeyError):
        together(KeyError())
    with checked_together():
        check_pixels(lambda: (x >= 0).all(), "below 0")
        with unchecked():
            check_pixels(lambda: x < 0, "is not asked")
    with pytest.raises(ValueError, match="not below 0"):  # at once again
        check_pixels(lambda: x < 0, "not below 0")
