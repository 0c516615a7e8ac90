"""What the functions of the maths need from a model, and the checks that they share.

A `VAE`, the linear oracle and a learner's own class all qualify: nothing is inherited.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeGuard, TypeVar

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Distribution, Independent, Normal

from vae_edu.engine.bernoulli import log_bernoulli, sum_softplus
from vae_edu.engine.precision import check_precision, full
from vae_edu.engine.randomness import random_stream
from vae_edu.engine.sync_checks import unchecked
from vae_edu.grid import Grid

LARGE_SUM = 1e5  # nats that two float32 sums may have before their difference is off by a hundredth
Kind = TypeVar("Kind", bound=Distribution)
Encode = Callable[[Tensor], Distribution]  # images (B, …) → q(z|x), one row each


class LatentVariableModel(Protocol):
    """p(x, z) = p(x|z) p(z), with an approximation q(z|x) to the posterior.

    z has any leading dimensions and then (latent_dim,); x has the same ones and then an image's shape.
    """

    def prior(self) -> Distribution:
        """p(z), of event shape (latent_dim,)."""
        ...

    def encode(self, x: Tensor) -> Distribution:
        """q(z|x), of event shape (latent_dim,)."""
        ...

    def decode(self, z: Tensor) -> Distribution:
        """p(x|z), with every dimension of an image in the event shape."""
        ...

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x, z) = log p(x|z) + log p(z), in nats per image."""
        ...


@torch.no_grad()
def check_model(model: LatentVariableModel) -> tuple[Tensor, Distribution]:
    """Check the shapes and the precision of the prior and of p(x|z), by decoding one code.

    Networks may be in bfloat16; the distributions must not, as a density is a sum of many terms.

    Args:
        model: Has the interface above.

    Returns:
        A code from the prior, (1, latent_dim), and its p(x|z), of batch shape (1,).

    Raises:
        ValueError: In one sentence, what does not fit.
    """
    missing = [name for name in ("prior", "encode", "decode") if not callable(getattr(model, name, None))]
    if missing:
        raise ValueError(f"the model is a {type(model).__name__} without {missing[0]}: give one as a VAE is.")
    check_precision(model)
    prior = model.prior()
    _check_distribution("the prior", prior)
    if prior.batch_shape != () or len(prior.event_shape) != 1:
        raise ValueError(
            f"the prior has batch shape {tuple(prior.batch_shape)} and event shape "
            f"{tuple(prior.event_shape)}, not () and (latent_dim,): wrap it in Independent(…, 1)."
        )
    with random_stream(0), unchecked():
        z = prior.sample((1,))
        p = model.decode(z)
    _check_distribution("p(x|z)", p)
    if p.batch_shape != (1,):
        raise ValueError(
            f"decode gives batch shape {tuple(p.batch_shape)} and event shape {tuple(p.event_shape)} for one "
            "code: make every dimension of an image an event dimension, with Independent(…, number of "
            "dimensions)."
        )
    return z, p


def _check_distribution(what: str, p: Any) -> None:
    """Raise ValueError unless p is a distribution with parameters of 32 bits or more."""
    if not isinstance(p, Distribution):
        raise ValueError(f"{what} is a {type(p).__name__}: return an object of torch.distributions.")
    for parameter in _parameters(p):
        if parameter.is_floating_point() and full(parameter) is not parameter:
            raise ValueError(
                f"{what} has {str(parameter.dtype).removeprefix('torch.')} parameters, too coarse for a "
                "density: make them float32, with .float() on what the network gives."
            )


def _parameters(p: Distribution) -> Iterator[Tensor]:
    """The tensors that a distribution was made of; nothing is computed."""
    for value in vars(p).values():
        if isinstance(value, Distribution):
            yield from _parameters(value)
        elif isinstance(value, Tensor):
            yield value


@torch.no_grad()
def check_images(model: LatentVariableModel, x: Tensor) -> torch.Size:
    """Check that x is a batch of images that the model can explain. It decodes one code to learn their shape.

    Args:
        model: Has the interface above.
        x: Images (B, …).

    Returns:
        (latent_dim,), the event shape of the prior.

    Raises:
        ValueError: In one sentence, what does not fit.
    """
    z, p = check_model(model)
    code, shape = z.shape[1:], tuple(p.event_shape)
    if not isinstance(x, Tensor) or not x.is_floating_point() or x.layout != torch.strided:
        sparse = "sparse " * (isinstance(x, Tensor) and x.layout != torch.strided)
        kind = f"{sparse}{x.dtype} numbers" if isinstance(x, Tensor) else f"a {type(x).__name__}"
        raise ValueError(
            f"x is {kind}: give a dense tensor of floating-point pixels, such as the x of Images."
        )
    if x.device != z.device:
        raise ValueError(f"x is on {x.device} but the model on {z.device}: move one of them, with .to(…).")
    check_precision(model, x)
    if tuple(x.shape[1:]) != shape:
        sizes = ", ".join(["B", *map(str, shape)])
        raise ValueError(f"x is {tuple(x.shape)}: give images of the model's shape, ({sizes}).")
    if not len(x):
        raise ValueError("x holds no images: give at least one.")
    if not x.isfinite().all():
        raise ValueError("x holds NaN or infinite pixels: remove them first.")
    try:
        support = p.support
    except NotImplementedError:  # a distribution that does not say
        return code
    inside = support.check(x) if support is not None else x.isfinite()
    if not inside.all():
        p.log_prob(x[~inside])  # if the distribution has an error message, raise that
        raise ValueError(f"x holds pixels outside the support of p(x|z), {p.support}.")
    return code


def check_codes(model: LatentVariableModel, x: Tensor, z: Tensor) -> None:
    """Check that z is one code, or one row of codes, for each image.

    Args:
        model: Has the interface above.
        x: Images (B, …).
        z: Codes (…, B, latent_dim).

    Raises:
        ValueError: In one sentence, what does not fit.
    """
    right = (len(x), *model.prior().event_shape)
    if not isinstance(z, Tensor) or not z.is_floating_point():
        kind = f"{z.dtype} numbers" if isinstance(z, Tensor) else f"a {type(z).__name__}"
        raise ValueError(f"z is {kind}: give a tensor of floating-point codes, (…, {right[0]}, {right[1]}).")
    check_precision(model, z)
    if z.device != x.device or not z.isfinite().all():
        raise ValueError(
            f"z holds NaN or infinity, or is on {z.device} while x is on {x.device}: mend it first."
        )
    if tuple(z.shape[-2:]) != right:
        raise ValueError(f"z is {tuple(z.shape)}: give one code an image, (…, {right[0]}, {right[1]}).")


def encoding(model: LatentVariableModel, code: torch.Size, q: Encode | None = None) -> Encode:
    """Images → q(z|x), by the caller's q or the model's own, each time with the check of `check_q`.

    Args:
        model: Has the interface above.
        code: (latent_dim,), from `check_images`.
        q: Images → a distribution over z, one row each; default: model.encode.

    Raises:
        ValueError: q is no function.
    """
    given = model.encode if q is None else q
    if not callable(given):
        raise ValueError(
            f"q is a {type(q).__name__}: give a function from images to q(z|x), as model.encode."
        )

    def encode(images: Tensor) -> Distribution:
        found = given(images)
        check_q(found, len(images), code)
        return found

    return encode


def check_q(q: Distribution, images: int, code: torch.Size) -> None:
    """Check that q(z|x) is one distribution over z for each image.

    Args:
        q: What a model's encode, or an argument q, gave.
        images: B.
        code: (latent_dim,), the event shape of the prior.

    Raises:
        ValueError: It does not have batch shape (B,) and the prior's event shape, or too coarse parameters.
    """
    _check_distribution("q(z|x)", q)
    if q.batch_shape != (images,) or q.event_shape != code:
        remedy = "return one row for each image that it is given"
        if len(q.event_shape) != 1:
            remedy = "make the dimensions of z one event, with Independent(…, 1)"
        raise ValueError(
            f"q(z|x) has batch shape {tuple(q.batch_shape)} and event shape {tuple(q.event_shape)} for "
            f"{images} image{'s'[: images != 1]}, not ({images},) and {tuple(code)}: {remedy}."
        )


def decode(model: LatentVariableModel, z: Tensor) -> Distribution:
    """p(x|z) for draws z of q(z|x).

    Raises:
        ValueError: The model takes only codes of the prior's dtype and device, and these are others.
    """
    with _name_other_codes(model, z):
        return model.decode(z)


@contextmanager
def _name_other_codes(model: LatentVariableModel, z: Tensor) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        right = model.prior().sample()
        if (z.dtype, z.device) == (right.dtype, right.device):
            raise
        raise ValueError(
            f"q(z|x) draws {z.dtype} on {z.device}, the prior {right.dtype} on {right.device}, and decode "
            "does not take it: give q the dtype and the device of the prior."
        ) from error


def log_density(p: Distribution, z: Tensor) -> Tensor:
    """log p(z), which is −∞ outside the support: PyTorch gives an error there.

    Args:
        p: Of any event shape.
        z: Broadcast against it.
    """
    try:
        return p.log_prob(z)
    except ValueError:
        inside = p.support.check(z)  # type: ignore[union-attr]
        if inside.all():
            raise
    event = inside.reshape(*inside.shape, *[1] * len(p.event_shape))
    return torch.where(inside, p.log_prob(torch.where(event, z, p.mean)), -math.inf)


def log_joint(model: LatentVariableModel, x: Tensor, z: Tensor) -> Tensor:
    """The model's log p(x, z), in nats, −∞ for z outside the prior's support: (…, B)."""
    try:
        with _name_other_codes(model, z):
            return model.log_joint(x, z)
    except ValueError:
        log_prior = log_density(model.prior(), z)
        if not log_prior.isneginf().any():  # the prior is not the reason
            raise
    return model.decode(z).log_prob(x) + log_prior


def check_grid(model: LatentVariableModel, grid: Grid) -> None:
    """Check that the grid has the model's latent dimension.

    Args:
        model: Has the interface above.
        grid: A grid.

    Raises:
        ValueError: In one sentence, what does not fit.
    """
    (latent_dim,) = model.prior().event_shape
    if not isinstance(grid, Grid):
        raise ValueError(f"grid is a {type(grid).__name__}: give one such as Grid({latent_dim}, points=240).")
    if latent_dim != grid.latent_dim:
        raise ValueError(
            f"the grid has {grid.latent_dim} dimensions but the model's z has {latent_dim}: "
            f"use Grid(latent_dim={latent_dim}), or importance sampling if that is too large."
        )


def log_likelihoods(p: Distribution, x: Tensor) -> Tensor:
    """log p(x_b|z_k) of every pair of a code and an image.

    A Bernoulli's is x·l − Σ log(1 + eˡ) with logits l, a Gaussian's a quadratic in x. Both are matrix
    products, where `p.log_prob` would make a number for each of K × B × pixels. The terms of the quadratic
    are much larger than their sum, so they are taken in float64. Other distributions are broadcast.

    Args:
        p: p(x|z) for codes z (K, latent_dim).
        x: Images (B, …).

    Returns:
        (K, B), in nats.
    """
    pixels = p.base_dist if isinstance(p, Independent) else None
    if _is_exactly(pixels, Bernoulli):
        return _log_bernoullis(pixels.logits.flatten(1), x.flatten(1))
    if _is_exactly(pixels, Normal):
        return _log_normals(pixels.loc.flatten(1), pixels.scale.flatten(1), x.flatten(1))
    return full(log_density(p, x[:, None])).T


def _is_exactly(p: Distribution | None, kind: type[Kind]) -> TypeGuard[Kind]:
    """Whether p is of this very kind: a subclass may have its own log_prob."""
    return type(p) is kind


def _log_bernoullis(logits: Tensor, x: Tensor) -> Tensor:
    logits = full(logits)
    x, sums = x.to(logits), sum_softplus(logits)
    log_p = torch.addmm(-sums[:, None], logits, x.T)
    if log_p.requires_grad:  # a step of `fit` reads no values
        return log_p
    # one number each, so that measured memory stays the same, and read once, as a GPU waits for it
    if not (sums.max() < LARGE_SUM) & log_p.sum().isnan().logical_not():
        cancel = ~(sums < LARGE_SUM) | log_p.isnan().any(1)
        for k in cancel.nonzero()[:, 0].tolist():  # code by code, as this takes K × B × pixels
            log_p[k] = log_bernoulli(x, logits[k])
    return log_p


def _log_normals(mu: Tensor, sigma: Tensor, x: Tensor) -> Tensor:
    mu, sigma, x = mu.double(), sigma.double(), x.double()
    precision = sigma.pow(-2)
    constants = mu.square() * precision + 2 * sigma.log() + math.log(2 * math.pi)
    constant = -0.5 * constants.sum(1, keepdim=True)
    return torch.addmm(constant, mu * precision, x.T).addmm_(precision, x.square().T, alpha=-0.5)
