"""How exact a mean over images is."""

import math

from torch import Tensor

from vae_edu.engine.precision import full


def standard_error(values: Tensor) -> Tensor:
    """The standard error of the mean of B independent values: s / √B, s² their variance with B − 1.

    Args:
        values: (B,).

    Returns:
        A tensor of shape (), in the unit of the values; NaN for a single value.
    """
    return full(values).std() / math.sqrt(len(values))
