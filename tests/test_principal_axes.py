"""PCA's axes as a change of variables: inverse, determinant, and a density that moves along."""

import pytest
import torch
from torch.distributions import MultivariateNormal

from vae_edu.principal_axes import LEAST, SPREAD, PrincipalAxes


def images(n=400, shape=(2, 3, 2), seed=0):
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.Size(shape).numel()
    mixed = torch.randn(n, pixels, generator=generator) @ torch.randn(pixels, pixels, generator=generator)
    return (0.5 + 0.05 * mixed).unflatten(1, shape)


def test_back_undoes_into():
    x = images()
    axes = PrincipalAxes.fit(x)
    y = axes.into(x)
    assert y.shape == x.shape
    assert y.dtype == x.dtype
    torch.testing.assert_close(axes.back(y), x)
    torch.testing.assert_close(axes.back(y.unflatten(0, (20, 20))), x.unflatten(0, (20, 20)))


def test_images_are_uncorrelated_along_the_axes_and_equally_spread():
    x = images()
    y = PrincipalAxes.fit(x).into(x).flatten(1).double()
    torch.testing.assert_close(y.mean(0), torch.full((12,), 0.5, dtype=torch.float64), atol=1e-5, rtol=0)
    covariance = torch.cov(y.T, correction=0)
    torch.testing.assert_close(covariance, torch.eye(12).double() / SPREAD**2, atol=1e-5, rtol=0)


def test_the_determinant_is_that_of_the_jacobian():
    x = images()
    axes = PrincipalAxes.fit(x)
    jacobian = torch.autograd.functional.jacobian(axes.into, x[0].double()).reshape(12, 12)
    torch.testing.assert_close(torch.linalg.slogdet(jacobian).logabsdet, axes.log_det)


def test_a_density_of_y_is_a_density_of_x():
    """A standard normal in scaled axes is the Gaussian with the images' covariance, in closed form."""
    x = images().double()
    axes = PrincipalAxes.fit(x)
    y = SPREAD * (axes.into(x) - 0.5).flatten(1)
    of_y = torch.distributions.Normal(0, 1).log_prob(y.double()).sum(1) + 12 * torch.tensor(SPREAD).log()
    flat = x.flatten(1)
    of_x = MultivariateNormal(flat.mean(0), torch.cov(flat.T, correction=0)).log_prob(flat)
    torch.testing.assert_close(of_y + axes.log_det, of_x)


def test_axes_along_which_nothing_differs_can_be_inverted():
    x = images(5)  # five images span four directions of twelve
    axes = PrincipalAxes.fit(x)
    assert (axes.scale[4:] == SPREAD * LEAST).all()
    torch.testing.assert_close(axes.back(axes.into(images(seed=1))), images(seed=1), atol=1e-4, rtol=0)
    assert axes.log_det.isfinite()


@pytest.mark.parametrize("bad", [images(1), images(5).log() * float("nan")])
def test_too_few_or_broken_images_are_refused(bad):
    with pytest.raises(ValueError, match="two images or more, with no NaN"):
        PrincipalAxes.fit(bad)
