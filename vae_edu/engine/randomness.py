"""Random numbers from a seed that leave everyone else's alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

_part: ContextVar[tuple[int, int] | None] = ContextVar("part", default=None)  # first row, rows of the batch


@contextmanager
def random_stream(seed: int) -> Iterator[None]:
    """PyTorch's random numbers from the seed inside; outside they go on as if nothing had been drawn."""
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


@contextmanager
def part_of_batch(start: int, total: int) -> Iterator[None]:
    """Inside, images are the rows from `start` on of a batch of `total`, of which others have the rest."""
    token = _part.set((start, total))
    try:
        yield
    finally:
        _part.reset(token)


def for_whole_batch(draw: Callable[[int], Tensor], rows: int, dim: int = 0) -> Tensor:
    """draw(rows), or, for a part of a batch, its rows of draw(total): what one process alone would draw."""
    if _part.get() is None:
        return draw(rows)
    start, total = _part.get()
    return draw(total).narrow(dim, start, rows)


def sample(q: Distribution, samples: int) -> Tensor:
    """z ∼ q, with gradients where q has them: (samples, B, …) for q of batch shape (B,).

    A part of a batch takes its rows of the whole one's numbers where q is a diagonal Gaussian.
    """
    if _part.get() is None or not (isinstance(q, Independent) and type(q.base_dist) is Normal):
        return q.rsample((samples,)) if q.has_rsample else q.sample((samples,))
    mu = q.base_dist.loc
    epsilon = for_whole_batch(
        lambda rows: torch.randn(samples, rows, *mu.shape[1:], dtype=mu.dtype, device=mu.device),
        len(mu),
        dim=1,
    )
    return mu + q.base_dist.scale * epsilon
