"""Random numbers from a seed that leave everyone else's alone."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def random_stream(seed: int) -> Iterator[None]:
    """PyTorch's random numbers from the seed inside; outside they go on as if nothing had been drawn."""
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield
