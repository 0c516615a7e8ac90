"""A grid over latent space, on which an integral over z is a sum."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vae_edu.engine.arguments import whole_number

Device = torch.device | None
MOST_NODES = 10**8  # more than that is hours of work


@dataclass(frozen=True)
class Grid:
    """points^latent_dim equally spaced nodes z over the cube [−radius, radius]^latent_dim.

    ∫ f(z) dz ≈ Σ f(z) · cell with cell = step^latent_dim. For smooth f that vanish at the border the error
    falls faster than any power of the step (Trefethen & Weideman 2014).

    Attributes:
        latent_dim: The dimensions of z.
        points: Nodes along each dimension, at least 4.
        radius: The cube reaches from −radius to radius in each dimension.

    Raises:
        ValueError: Numbers that make no grid, or more nodes than can be summed.
    """

    latent_dim: int = 2
    points: int = 240
    radius: float = 5.0

    def __post_init__(self) -> None:
        whole_number("latent_dim", self.latent_dim, 1)
        whole_number("points", self.points, 4)
        if not 0 < self.radius < math.inf:
            raise ValueError(f"radius = {self.radius!r} must be a number above 0; 5 holds all of N(0, I).")
        if self.latent_dim * math.log(self.points) > math.log(MOST_NODES):
            raise ValueError(
                f"{self.points} points in each of {self.latent_dim} dimensions are "
                f"10^{self.latent_dim * math.log10(self.points):.0f} nodes, too many to sum over: "
                "use importance sampling, or fewer points."
            )

    def __len__(self) -> int:
        return self.points**self.latent_dim

    @property
    def shape(self) -> tuple[int, ...]:
        """Nodes along each dimension."""
        return (self.points,) * self.latent_dim

    @property
    def step(self) -> float:
        """Distance between neighbors."""
        return 2 * self.radius / (self.points - 1)

    @property
    def log_cell(self) -> float:
        """Logarithm of a cell's volume."""
        return self.latent_dim * math.log(self.step)

    def places(self, start: int = 0, stop: int | None = None, device: Device = None) -> Tensor:
        """Row, column … of the nodes start … stop, counted in the order of reshape: (n, latent_dim)."""
        nodes = torch.arange(start, len(self) if stop is None else min(stop, len(self)), device=device)
        # as torch.unravel_index, which would copy the shape to a GPU and wait for it
        strides = [self.points**i for i in reversed(range(self.latent_dim))]
        return torch.stack([nodes // stride % self.points for stride in strides], dim=-1)

    def nodes(self, start: int = 0, stop: int | None = None, device: Device = None) -> Tensor:
        """z of the nodes start … stop: (n, latent_dim), float64."""
        return self.places(start, stop, device).double() * self.step - self.radius
