"""Random numbers from a seed that leave everyone else's alone."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

from vae_edu.engine.arguments import whole_number

TURN = 0.05  # seconds that a thread draws before another one may


class _Turn:
    """Whose turn it is to draw: PyTorch has one generator for all threads.

    A stream has the generator to itself. Other threads wait, until it ends or gives way between two steps.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.waiting: list[int] = []  # one entry for each thread that waits
        self.before: list[
            list[Tensor]
        ] = []  # the numbers that come next outside of each stream, innermost last
        self.since = 0.0

    def wait(self) -> None:
        if not self.lock.acquire(blocking=False):
            self.waiting.append(threading.get_ident())
            try:
                self.lock.acquire()
            finally:
                self.waiting.pop()

    def take(self) -> None:
        self.wait()
        self.before.append(_state())
        self.since = time.monotonic()

    def give_up(self) -> None:
        _go_on_from(self.before.pop())
        self.lock.release()


_turn = _Turn()


@contextmanager
def random_stream(seed: int) -> Iterator[None]:
    """PyTorch's random numbers from the seed inside; outside they go on as if nothing had been drawn.

    Streams of several threads do not disturb each other: one waits until the other ends, or gives way.

    Raises:
        ValueError: The seed is not a whole number from 0 to 2⁶⁴ − 1.
    """
    seed = whole_number("seed", seed, 0)
    _turn.take()
    try:
        torch.manual_seed(seed)
        yield
    finally:
        _turn.give_up()


@contextmanager
def own_turn() -> Iterator[None]:
    """Inside, this thread alone draws, from the caller's random numbers; not from another thread's stream."""
    _turn.wait()
    try:
        yield
    finally:
        _turn.lock.release()


def give_way() -> None:
    """Between two steps of a stream: let a thread that waits draw, and then go on with the same numbers.

    A thread keeps its turn for `TURN` seconds, and within a stream inside another.
    """
    if not _turn.waiting or len(_turn.before) != 1 or time.monotonic() - _turn.since < TURN:
        return
    own = _state()
    _turn.give_up()
    time.sleep(0.001)  # or this thread would be the first to take it
    _turn.take()
    _go_on_from(own)


def _state() -> list[Tensor]:
    """The state of the CPU's generator and of each GPU's.

    The child of a fork cannot use the GPUs that its parent has used, and `torch.manual_seed` leaves them out.
    """
    gpus = 0 if torch.cuda._is_in_bad_fork() else torch.cuda.device_count()
    return [torch.get_rng_state(), *map(torch.cuda.get_rng_state, range(gpus))]


def _go_on_from(state: list[Tensor]) -> None:
    torch.set_rng_state(state[0])
    for device, own in enumerate(state[1:]):
        torch.cuda.set_rng_state(own, device)


def mixed_seed(seed: int, *numbers: int) -> int:
    """One 32-bit seed from several numbers; a generator ignores what a seed holds beyond 32 bits."""
    return int(np.random.SeedSequence([seed, *numbers]).generate_state(1)[0])


def sample(q: Distribution, samples: int) -> Tensor:
    """z ∼ q, with gradients if q has them: (samples, B, …) for q of batch shape (B,)."""
    return q.rsample(torch.Size([samples])) if q.has_rsample else q.sample(torch.Size([samples]))
