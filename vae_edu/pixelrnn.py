"""PixelRNN: the explicit density that opens the lecture, p(x) = ∏ₜ p(x_t | x_1, …, x_{t−1}) (L0)."""

import math
from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, softplus

from vae_edu import device
from vae_edu.engine.arguments import channels_height_width, whole_number
from vae_edu.engine.precision import check_precision, exact, full
from vae_edu.engine.progress import progress_bar
from vae_edu.engine.randomness import random_stream
from vae_edu.engine.sync_checks import check_pixels

State = tuple[Tensor, Tensor]  # an LSTM's memory of the pixels so far


class PixelRNN(nn.Module):
    """An LSTM reads black-and-white images pixel by pixel and says how likely the next pixel is a 1.

    The order is that of `flatten`: row after row, from the left. Before pixel t the LSTM gets the last
    `recent` pixels, and its own memory of all the earlier ones. Each place in the image has its own offset:
    without it the LSTM would have to count in order to know where it is. (After van den Oord et al. 2016,
    who run more elaborate LSTMs along rows and diagonals.)

    Images x are (B, C, H, W), every pixel 0 or 1; log p(x) is a sum over T = C · H · W pixels, in nats. It is
    exact up to rounding in float32, without gradients whatever precision was allowed for training.

    Args:
        image_shape: (C, H, W).
        hidden: The width of the LSTM.
        recent: The pixels that it sees directly; default: back to the neighbors above pixel t.

    Raises:
        ValueError: An argument that makes no network.
    """

    def __init__(self, image_shape: Sequence[int], hidden: int = 64, recent: int | None = None):
        super().__init__()
        self.image_shape = channels_height_width(image_shape)
        self.pixels = math.prod(self.image_shape)
        self.recent = whole_number("recent", self.image_shape[2] + 1 if recent is None else recent, 1)
        self.lstm = nn.LSTM(self.recent, whole_number("hidden", hidden, 1), batch_first=True)
        self.logit = nn.Linear(hidden, 1)
        self.offset = nn.Parameter(torch.zeros(self.pixels))
        self.to(device())

    def logits(self, x: Tensor) -> Tensor:
        """The logit of p(x_t = 1 | x_<t) for every pixel at once, as x is known: (B, T)."""
        flat = self._flat(x)
        before = pad(flat, (self.recent, 0))[:, :-1].unfold(1, self.recent, 1)  # (B, T, recent)
        with nullcontext() if torch.is_grad_enabled() else exact():
            return full(self.logit(self.lstm(before)[0])[..., 0] + self.offset)

    def conditionals(self, x: Tensor) -> Tensor:
        """p(x_t = 1 | x_1, …, x_{t−1}) at every pixel, as an image: (B, C, H, W)."""
        return self.logits(x).sigmoid().reshape(x.shape)

    def log_prob(self, x: Tensor) -> Tensor:
        """L0: log p(x) = Σₜ log p(x_t | x_1, …, x_{t−1}), exactly, in nats per image: (B,)."""
        logits = self.logits(x)
        return -softplus((1 - 2 * x.flatten(1).to(logits)) * logits).sum(1)

    def step(self, t: int, before: Tensor, state: State | None) -> tuple[Tensor, State]:
        """The logit of pixel t, (B,), from the pixels before it, (B, recent), and the new memory."""
        out, after = self.lstm(before[:, None], state)
        return self.logit(out)[:, 0, 0] + self.offset[t], after

    def sample(self, n: int, *, seed: int = 0, progress: bool = True) -> Tensor:
        """n images from p(x), one pixel after the other: (n, C, H, W).

        Args:
            n: How many.
            seed: Fixes the draws.
            progress: Whether to show a bar.

        Raises:
            ValueError: N below 1.
        """
        nothing = self.offset.new_zeros(whole_number("n", n, 1), *self.image_shape)
        return self.complete(nothing, 0, seed=seed, progress=progress)

    @torch.no_grad()
    @exact()
    def complete(self, x: Tensor, upto: int, *, seed: int = 0, progress: bool = True) -> Tensor:
        """Images that begin with the first `upto` pixels of x, the others drawn from p(x_t | x_<t).

        Args:
            x: Images (B, C, H, W). What they hold from pixel `upto` on does not matter.
            upto: How many pixels are kept.
            seed: Fixes the draws.
            progress: Whether to show a bar.

        Raises:
            ValueError: Upto is not between 0 and T, or x does not fit.
        """
        if whole_number("upto", upto, 0) > self.pixels:
            raise ValueError(f"upto = {upto}, but an image has {self.pixels} pixels: give at most as many.")
        line, state = pad(self._flat(x, upto), (self.recent, 0)), None  # pixel t is line[:, recent + t]
        if upto:  # these are known, so the memory of them takes one call
            _, state = self.lstm(line[:, : self.recent + upto - 1].unfold(1, self.recent, 1))
        with random_stream(whole_number("seed", seed, 0)):
            uniform = torch.rand(len(x), self.pixels, device=line.device)
        for t in progress_bar(iterable=range(upto, self.pixels), unit="pixel", shown=progress):
            logit, state = self.step(t, line[:, t : t + self.recent], state)
            line[:, self.recent + t] = (uniform[:, t] < logit.sigmoid()).to(line)
        return line[:, self.recent :].reshape(x.shape)

    def _flat(self, x: Tensor, upto: int | None = None) -> Tensor:
        """x as (B, T), checked: its first `upto` pixels, or all, must be 0 or 1."""
        if not isinstance(x, Tensor) or x.shape[1:] != self.image_shape:
            shape = tuple(x.shape) if isinstance(x, Tensor) else f"a {type(x).__name__}"
            channels, height, width = self.image_shape
            raise ValueError(f"x is {shape}: give images (B, {channels}, {height}, {width}).")
        check_precision(self, x)
        flat = x.flatten(1).to(self.offset)
        known = flat[:, :upto]
        check_pixels(
            lambda: (known == 0) | (known == 1),
            "PixelRNN gives probabilities to pixels that are 0 or 1: binarize the images.",
        )
        return flat


def negative_log_likelihood(model: PixelRNN, x: Tensor) -> Tensor:
    """−log p(x), the loss of maximum likelihood for `vae_edu.train.fit`: (B,)."""
    return -model.log_prob(x)
