"""Images in memory with what is known of them, and images in black and white."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d

from vae_edu.data.errors import note
from vae_edu.data.mapped import MappedImages
from vae_edu.engine.arguments import image_index, whole_number

SMALLEST = 4  # pixels a side: less shows nothing
BETWEEN = 0.1, 0.9  # values well between black and white


@dataclass(frozen=True, eq=False)
class Images:
    """N images with their labels; indexing picks rows of everything at once.

    Attributes:
        x: (N, C, H, W) float32 in [0, 1].
        labels: (N,) int64, or None if there are none: the lecture's raw data.
        factors: What the images were made from, a column (N, …) for each name, or None if unknown.
        classes: The name of each label, such as that of a folder of pictures, or None if they have none.
    """

    x: Tensor
    labels: Tensor | None = None
    factors: dict[str, Tensor] | None = None
    classes: tuple[str, ...] | None = None

    @property
    def known_labels(self) -> Tensor:
        """The labels (N,), for what cannot do without.

        Raises:
            ValueError: If there are none.
        """
        if self.labels is None:
            raise ValueError("these images have no labels, and this needs them: give Images(x, labels).")
        return self.labels

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int | slice | list[int] | Tensor) -> "Images":
        rows = image_index(index, len(self))
        return self._map(lambda column: column[rows])

    def shrink(self, factor: int = 2) -> "Images":
        """Smaller images, each pixel the mean of factor × factor; labels and factors stay what they were.

        Raises:
            ValueError: If the factor does not divide height and width, or leaves less than 4 pixels of one.
        """
        height, width = self.x.shape[-2:]
        if height % whole_number("factor", factor, 1) or width % factor:
            raise ValueError(f"{factor} does not divide the {height} × {width} pixels of these images.")
        if factor > 1 and min(height, width) // factor < SMALLEST:
            raise ValueError(
                f"shrink({factor}) leaves {height // factor} × {width // factor} of {height} × {width} "
                f"pixels, fewer than {SMALLEST} a side: {factor} divides the sides, and the default is 2."
            )
        return replace(self, x=avg_pool2d(self.x, factor))

    def shrink_to(self, side: int) -> "Images":
        """Images of at most so many pixels a side, each the mean of what it covers; smaller ones stay so.

        Of 28 × 28 pixels `shrink_to(14)` makes the same as `shrink(2)`. It takes images of any size, and
        keeps their proportions, rounded.

        Raises:
            ValueError: If the side is not 1 or more.
        """
        shape = self.x.shape[-2:]
        ratio = min(1, whole_number("side", side, 1) / max(shape))
        height, width = (max(1, round(ratio * pixels)) for pixels in shape)
        return replace(self, x=adaptive_avg_pool2d(self.x, (height, width)))

    def to(self, device: torch.device | str) -> "Images":
        """The same images on a device."""
        return self._map(lambda column: column.to(device))

    def _map(self, change: Callable[[Tensor], Tensor]) -> "Images":
        labels = None if self.labels is None else change(self.labels)
        factors = self.factors and {name: change(column) for name, column in self.factors.items()}
        return replace(self, x=change(self.x), labels=labels, factors=factors)


def binarize(x: Tensor, seed: int | None = None) -> Tensor:
    """Make pixels 0 or 1: 1 if x ≥ 0.5, or, with a seed, 1 with probability x.

    It warns if nothing is left to see, or if most pixels are gray, as in photographs.

    Args:
        x: Any shape, in [0, 1].
        seed: Of the draw, the same on every device; by default nothing is drawn.

    Returns:
        Pixels of the shape, dtype and device of x.

    Raises:
        ValueError: For values outside [0, 1] or not finite, and for mapped images.
    """
    if isinstance(x, MappedImages):
        raise ValueError("mapped images stay gray: binarize x[rows], or use elbo.negative_elbo_of_binarized.")
    if not isinstance(x, Tensor):
        raise ValueError(f"binarize takes a tensor, not {type(x).__name__}: give images.x.")
    if x.is_complex() or not ((x >= 0) & (x <= 1)).all():
        raise ValueError("binarize needs pixels in [0, 1]: divide bytes by 255, and remove NaN.")
    if seed is None:
        pixels = (x >= 0.5).to(x.dtype)
    else:
        generator = torch.Generator().manual_seed(whole_number("seed", seed, 0))
        pixels = torch.bernoulli(x.cpu().float(), generator=generator).to(x)  # the same on every device
    if x.numel():
        _look_at(x, pixels)
    return pixels


def _look_at(x: Tensor, pixels: Tensor) -> None:
    between = ((x > BETWEEN[0]) & (x < BETWEEN[1])).float().mean().item()
    if between > 0.5:
        note(
            f"{between:.0%} of the pixels were gray, from {BETWEEN[0]} to {BETWEEN[1]}, as in photographs, "
            'and now they are 0 or 1: likelihood="gaussian" (--likelihood gaussian) takes them as they are.'
        )
    if not pixels.any():
        note(f"every pixel is 0 now, since the largest was {x.max().item():.3g}: give brighter images.")
    elif pixels.all():
        note(f"every pixel is 1 now, since the smallest was {x.min().item():.3g}: give darker images.")
