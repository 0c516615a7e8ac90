"""One step of training: the mean loss of some images, its gradient, and Adam."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from inspect import unwrap
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from vae_edu import device
from vae_edu.engine import rows as data_rows
from vae_edu.engine.arguments import shortened
from vae_edu.engine.capture import Captured
from vae_edu.engine.distributed import (
    add_up,
    in_group,
    mean_over_processes,
    own_seed,
    parallel,
    share,
    world_size,
)
from vae_edu.engine.randomness import random_stream
from vae_edu.engine.sync_checks import checked_together, checking

Loss = Callable[[Any, Any], Tensor]


class Adam(torch.optim.Adam):
    """PyTorch's, without what its methods do first: they import a compiler, which takes a second or two."""

    add_param_group = unwrap(torch.optim.Adam.add_param_group)
    load_state_dict = unwrap(torch.optim.Adam.load_state_dict)
    state_dict = unwrap(torch.optim.Adam.state_dict)
    step = torch.no_grad()(unwrap(torch.optim.Adam.step))
    zero_grad = unwrap(torch.optim.Adam.zero_grad)


class Step:
    """Take one Adam step on some rows of the data and return their mean loss: step(rows, lr).

    rows is (b,) int64; the value is a tensor on the model's device, and nothing waits for it. If it is not
    finite, neither this step nor any later one moves a weight. Model and data must be on one device.

    Attributes:
        optimizer: Adam (Kingma & Ba 2015).
        captured: Records the step as a CUDA graph; None on a CPU, in a group of processes, or if
            `capture` is False.
    """

    def __init__(self, model: nn.Module, loss: Loss, data: Any, *, eps: float = 1e-8, capture: bool = True):
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        self.device = weights[0].device
        cuda = self.device.type == "cuda"
        self.mean_loss = parallel(_MeanLoss(model, loss, data))
        self.lr = torch.ones((), device=self.device) if cuda else 1.0  # a graph can read a tensor anew
        self.optimizer = Adam(weights, lr=self.lr, eps=eps, fused=True, capturable=cuda)
        self.found_inf = torch.zeros((), device=self.device)
        if cuda:  # fused Adam skips its update while found_inf is 1, GradScaler's protocol
            self.optimizer.found_inf = self.found_inf  # type: ignore[attr-defined]
        self.captured = Captured() if cuda and capture and not in_group() else None

    def __call__(self, rows: Tensor, lr: float) -> Tensor:
        if isinstance(self.lr, Tensor):
            self.lr.fill_(min(lr, torch.finfo(self.lr.dtype).max))
        else:
            self.optimizer.param_groups[0]["lr"] = lr
        return self.captured(self._descend, rows) if self.captured else self._descend(rows)

    def _descend(self, rows: Tensor) -> Tensor:
        value = self.mean_loss(rows)  # (b,) becomes one number
        if not value.requires_grad:
            raise ValueError(
                "the loss does not depend on the model's weights: compute it without detach or no_grad."
            )
        self.optimizer.zero_grad()
        value.backward()
        value = mean_over_processes(value.detach())
        self.found_inf.logical_or_(value.isfinite().logical_not())
        if not self.found_inf.is_cuda and self.found_inf:  # on a GPU Adam reads it, and nothing waits
            return value
        self.optimizer.step()
        return value


class _MeanLoss(nn.Module):
    """The mean loss of some rows of the data. In a group it is the mean of the processes' values."""

    def __init__(self, model: nn.Module, loss: Loss, data: Any):
        super().__init__()
        self.model, self.loss, self.data = model, loss, data

    def forward(self, rows: Tensor) -> Tensor:
        return _sum_of_share(self.loss, self.model, self.data, rows) / (len(rows) / world_size())


def evaluate(model: nn.Module, loss: Loss, data: Any, batch_size: int | None = None, seed: int = 0) -> float:
    """Mean of loss(model, batch) per image over the data, with the model in evaluation mode.

    The same seed gives the same random draws, so that two models or epochs can be compared. In a group of
    processes all of them call it, and each takes its share.

    Args:
        model: Its weights say on which device to work.
        loss: Returns one value an image, (B,).
        data: As for `fit`.
        batch_size: How many images at a time; default: 1,000, or more on a GPU (`rows.at_a_time`).
        seed: Of the loss's random numbers.

    Returns:
        The mean, in the unit of the loss.

    Raises:
        ValueError: If the data are empty, or no data.
    """
    data_rows.check(data)
    _check_module(model)
    weight = next(model.parameters(), None)
    where = device() if weight is None else weight.device
    data, images = data_rows.to(where, data), data_rows.count(data)
    total = torch.zeros((), dtype=torch.float64, device=where)
    together = nullcontext() if where.type == "cpu" else checked_together()
    with random_stream(own_seed(seed)), evaluation_mode(model), together:
        for rows in torch.arange(images, device=where).split(batch_size or data_rows.at_a_time(data, where)):
            total += _sum_of_share(loss, model, data, rows)
    return add_up(total.item()) / images


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode, and no gradients; afterwards its mode is what it was."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def check_model(model: Any, loss: Any, watch: Any) -> None:
    """Check what `fit` is to train, minimize and call. Raises ValueError, in one sentence."""
    _check_module(model)
    for name, function in {"loss": loss, "watch": watch}.items():
        if not callable(function) and (name == "loss" or function is not None):
            raise ValueError(f"{name} = {shortened(function)} is no function: see the arguments of `fit`.")
    weights = list(model.parameters())
    if any(isinstance(weight, UninitializedParameter) for weight in weights):
        raise ValueError(
            "the model has lazy layers without weights yet: call it once on a batch, then fit it."
        )
    if any(weight.is_meta for weight in weights):
        raise ValueError('the model is on the device "meta", without values: build it on a real device.')
    if not any(weight.requires_grad for weight in weights):
        raise ValueError("the model has no weights to train: every parameter is frozen.")


def _check_module(model: Any) -> None:
    if not isinstance(model, nn.Module):
        kind = f"the class {model.__name__}" if isinstance(model, type) else f"a {type(model).__name__}"
        raise ValueError(f"the model is {kind}: give a torch.nn.Module, such as a VAE.")


def check_rows(model: nn.Module, loss: Loss, data: Any, seed: int, what: str = "the data") -> None:
    """Check that data are finite, or that the loss is for the first image that is not.

    Some losses leave out what is missing, so they are asked.

    Raises:
        ValueError: With the image, if the loss cannot take it.
    """
    if (image := data_rows.first_not_finite(data)) is None:
        return
    try:
        one = torch.tensor([image], device=next(model.parameters()).device)
        if math.isfinite(evaluate(model, loss, data_rows.take(data, one), seed=seed)):
            return
    except (ValueError, FloatingPointError):
        pass
    raise ValueError(f"image {image} of {what} holds NaN or infinity: remove it, or repair its pixels.")


def per_image(loss: Loss, model: nn.Module, batch: Any) -> Tensor:
    """loss(model, batch), checked to be one value an image: (B,).

    Raises:
        ValueError: If it is anything else, or if the loss cannot take data of this kind.
        FloatingPointError: If the parameters of a distribution overflow.
    """
    try:
        value = loss(model, batch)
    except ValueError as error:
        if "Expected parameter" not in str(error):  # the words of torch.distributions
            raise
        raise FloatingPointError(
            "the loss has a distribution whose parameters are not finite, or a variance of 0: lower lr."
        ) from error
    except (AttributeError, TypeError, RuntimeError, IndexError) as error:
        if not checking() or (advice := _advice(batch, str(error))) is None:  # a recording has its own errors
            raise
        raise ValueError(f"the loss cannot take {advice}. It says: {str(error).splitlines()[0]}") from error
    images = data_rows.count(batch)
    if not isinstance(value, Tensor) or value.shape != (images,):
        shape = f"the shape {tuple(value.shape)}" if isinstance(value, Tensor) else None
        raise ValueError(
            f"the loss of {images} images has {shape or f'the type {type(value).__name__}'}: "
            "return one value each, summed over pixels and latents; `fit` takes the mean."
        )
    return value


def _advice(batch: Any, error: str) -> str | None:
    """What to do if a loss fails because of the kind of the data; None if it fails for another reason."""
    if not isinstance(batch, Tensor):
        kind = type(batch).__name__
        hint = "give .x, the images alone" if hasattr(batch, "x") else "give the images alone"
        return f"data of the kind {kind}: {hint}, or a loss that takes it apart" if kind in error else None
    if not batch.is_floating_point():
        return f"images of {batch.dtype}: give floats, x.float(), or x.float() / 255 for bytes"
    if "dtype" in error or "same type" in error:
        return f"images of {batch.dtype}: give the type of the model's weights, such as x.float()"
    if any(word in error for word in ("shape", "size", "imension")) and "memory" not in error:
        return f"images {tuple(batch.shape)}: give those that the model was made for"
    return None


def _sum_of_share(loss: Loss, model: nn.Module, data: Any, rows: Tensor) -> Tensor:
    """The loss summed over this process's share of the rows."""
    own, counts = share(rows)
    total = per_image(loss, model, data_rows.take(data, own)).sum()
    return total if counts else 0 * total
