"""What can be measured on an image itself: ink, place, slant, size."""

from typing import NamedTuple

import torch
from torch import Tensor

from vae_edu.engine.precision import check_precision, full


class Measures(NamedTuple):
    """Measures of every image, each (…,): what an edit changed, and what it should have left alone.

    Attributes:
        ink: The sum of the pixels.
        column: The center of the ink, in pixels from the left.
        row: The center of the ink, in pixels from the top.
        slant: Pixels to the right for every pixel up.
        width: Standard deviation of the ink across, in pixels, without what the slant adds to it.
        height: Standard deviation of the ink down, in pixels.
    """

    ink: Tensor
    column: Tensor
    row: Tensor
    slant: Tensor
    width: Tensor
    height: Tensor


def measure(x: Tensor) -> Measures:
    """Moments of the ink w(row, column), the sum of the channels; Hu (1962) introduced them for shapes.

    ink = Σ w; center = Σ w·place / ink; slant = −Cov(column, row) / Var(row), since rows count downwards;
    width² = Var(column) − slant² Var(row), what is left when the shear is undone; height² = Var(row).

    Args:
        x: Images (…, C, H, W), floating-point.

    Returns:
        The measures of each image, (…,). What has no value is NaN: all but the ink of an empty image, and
        slant and width of ink in a single row.

    Raises:
        ValueError: If x is no tensor of floating-point images, or in float16.
    """
    check_precision(None, x)
    if not isinstance(x, Tensor) or not x.is_floating_point() or x.dim() < 3:
        raise ValueError("measure needs a tensor of floating-point images, (…, C, H, W), such as images.x.")
    w = full(x).sum(-3).double()  # (…, H, W)
    rows = torch.arange(w.shape[-2], device=x.device, dtype=w.dtype)[:, None]
    columns = torch.arange(w.shape[-1], device=x.device, dtype=w.dtype)
    ink = w.sum((-2, -1))

    def mean(values: Tensor) -> Tensor:
        return (w * values).sum((-2, -1)) / ink

    row, column = mean(rows), mean(columns)
    down, right = rows - row[..., None, None], columns - column[..., None, None]
    height2 = mean(down**2)
    slant = -mean(down * right) / height2
    width = (mean(right**2) - slant**2 * height2).clamp(min=0).sqrt()
    return Measures(*(value.to(x) for value in (ink, column, row, slant, width, height2.sqrt())))
