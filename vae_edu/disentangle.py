"""How disentangled the dimensions of z are: whether each factor sits in one dimension."""

import math
import warnings
from collections.abc import Mapping

import torch
from torch import Tensor

from vae_edu.engine.arguments import whole_number

TOO_MUCH = 0.1  # of a factor's entropy that may be subtracted, before there are too few codes to tell


class FewCodesWarning(UserWarning):
    """Too few codes for so many classes: what is subtracted against chance eats what is there."""


def mutual_information(z: Tensor, factors: Mapping[str, Tensor], bins: int = 20) -> Tensor:
    """The mutual information ``I(zⱼ; v_f)`` of each dimension of z and each factor, in nats.

    Both sides are cut into classes of equal counts; a factor with few values has one class for each value.
    The counts of N images overstate the information of independent pairs by about (bins − 1)²/2N
    (Miller 1955), which is subtracted from every pair; take some thousands of images.

    Args:
        z: Codes (N, latent_dim).
        factors: Name → (N,).
        bins: How many classes.

    Returns:
        (factors, latent_dim).

    Raises:
        ValueError: For other shapes, and for numbers that are not finite.

    Warns:
        FewCodesWarning: More than a tenth of a factor's entropy is subtracted.
    """
    return _informations(z, factors, bins)


def _informations(z: Tensor, factors: Mapping[str, Tensor], bins: int) -> Tensor:
    whole_number("bins", bins, 2)
    check_factors(z, factors)
    codes = [_classes(column, bins) for column in z.T]
    most, rows = max(int(code.max()) for code in codes), []  # classes of a code, less one
    for name, factor in factors.items():
        v = _classes(factor.to(z.device), bins)
        rows.append(torch.stack([_information(v, code) for code in codes]))
        needed = int(v.max()) * most / (2 * TOO_MUCH * _entropy(v.bincount()).clamp(min=1e-9).item())
        if len(v) < needed and v.max() > 0:
            warnings.warn(
                f"{len(v)} codes are too few to tell what they say about {name} in {bins} bins: give "
                f"{math.ceil(needed)} or more, or lower bins.",
                FewCodesWarning,
                stacklevel=3,  # from here: the function of the lecture, its caller
            )
    return torch.stack(rows)


def check_factors(z: Tensor, factors: Mapping[str, Tensor]) -> None:
    """Raise ValueError, in one sentence, unless z is (N, latent_dim), every factor (N,), and all finite."""
    dims = {"z": 2} | dict.fromkeys(factors, 1)
    for name, values in {"z": z, **factors}.items():
        if len(values) != len(z) or values.dim() != dims[name] or not values.isfinite().all():
            raise ValueError(f"{name}: give z (N, latent_dim) and each factor (N,), of finite numbers.")


def entropies(factors: Mapping[str, Tensor], bins: int = 20) -> Tensor:
    """The entropies ``H(v_f)`` of the factors' classes, in nats.

    Args:
        factors: Name → (N,).
        bins: How many classes, as in `mutual_information`.

    Returns:
        (factors,).
    """
    return torch.stack([_entropy(_classes(factor, bins).bincount()) for factor in factors.values()])


def mutual_information_gap(z: Tensor, factors: Mapping[str, Tensor], bins: int = 20) -> dict[str, float]:
    """MIG, for each factor: (largest − second largest of ``I(zⱼ; v_f)`` over j) / ``H(v_f)``, from 0 to 1.

    1: one dimension alone says all about the factor. 0: two dimensions share it, or none knows it
    (Chen et al. 2018, section 4.1).

    Args:
        z: Codes (N, latent_dim), of two dimensions or more.
        factors: Name → (N,).
        bins: How many classes, as in `mutual_information`.

    Returns:
        Name → the gap.

    Raises:
        ValueError: As `mutual_information` does, for a single latent dimension, and for a factor that is the
            same for all images.

    Warns:
        FewCodesWarning: As `mutual_information`.
    """
    constant = [name for name, values in factors.items() if (values == values[0]).all()]
    if z.shape[-1] < 2 or constant:
        raise ValueError(f"a gap is between two dimensions, of a factor that varies; constant: {constant}.")
    best = _informations(z, factors, bins).topk(2, dim=1).values
    gaps = (best[:, 0] - best[:, 1]) / entropies(factors, bins).to(best)
    return dict(zip(factors, gaps.tolist(), strict=True))


def _classes(values: Tensor, bins: int) -> Tensor:
    """The class of every value, (N,), counted from 0; none is empty."""
    distinct, place = values.unique(return_inverse=True)
    if len(distinct) <= bins:
        return place
    edges = torch.quantile(
        values.double(), torch.linspace(0, 1, bins + 1, dtype=torch.float64)[1:-1].to(values.device)
    )
    return torch.bucketize(values.double().contiguous(), edges).unique(return_inverse=True)[1]


def _information(v: Tensor, z: Tensor) -> Tensor:
    """I(v; z) of two columns of classes, (N,) each, in nats."""
    n_v, n_z = int(v.max()) + 1, int(z.max()) + 1
    table = (v * n_z + z).bincount(minlength=n_v * n_z).reshape(n_v, n_z)
    raw = _entropy(table.sum(1)) + _entropy(table.sum(0)) - _entropy(table)
    return (raw - (n_v - 1) * (n_z - 1) / (2 * len(v))).clamp(min=0)


def _entropy(counts: Tensor) -> Tensor:
    """−Σ p log p of the shares p of some counts, in nats."""
    p = counts.double() / counts.sum()
    return -torch.special.xlogy(p, p).sum()
