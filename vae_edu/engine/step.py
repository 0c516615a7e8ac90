"""One step of training: the mean loss of some images, its gradient, and Adam."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from vae_edu.engine.capture import Captured
from vae_edu.engine.distributed import in_group, mean, parallel, rank, share, world_size
from vae_edu.engine.precision import matrix_products
from vae_edu.engine.resume import count

Loss = Callable[[nn.Module, Any], Tensor]


class Step:
    """step(rows, lr) → the mean loss of these rows of the data, and the weights have moved down its gradient.

    rows: (b,) int64. The value is a tensor on the model's device; nothing waits for it. Where it is not
    finite, neither this step nor any later one moves a weight.
    model, data: on one device. eps: of Adam (Kingma & Ba 2015). precision: of `vae_edu.engine.precision`.
    capture: whether to record the step as a CUDA graph, where it can be one; not in a group of processes.

    records: whether it will try to. optimizer: Adam.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        data: Any,
        *,
        eps: float = 1e-8,
        precision: str = "float32",
        capture: bool = True,
    ):
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        self.device, self.precision = weights[0].device, precision
        cuda = self.device.type == "cuda"
        self.mean_loss = parallel(_MeanLoss(model, loss, data))
        self.lr = torch.ones((), device=self.device) if cuda else 1.0  # a graph can read a tensor anew
        self.optimizer = torch.optim.Adam(weights, lr=self.lr, eps=eps, fused=True, capturable=cuda)
        self.optimizer.found_inf = torch.zeros((), device=self.device)  # where it is 1, Adam does nothing
        self.records = cuda and capture and not in_group()
        self.captured = Captured() if self.records else None

    def __call__(self, rows: Tensor, lr: float) -> Tensor:
        if isinstance(self.lr, Tensor):
            self.lr.fill_(lr)
        else:
            self.optimizer.param_groups[0]["lr"] = lr
        return self.captured(self._take, rows) if self.captured else self._take(rows)

    def _take(self, rows: Tensor) -> Tensor:
        with matrix_products(self.precision, self.device):
            value = self.mean_loss(rows)
            if not value.requires_grad:
                raise ValueError(
                    "the loss does not depend on the model's weights: compute it without detach or no_grad."
                )
            self.optimizer.zero_grad()
            value.backward()
        value = mean(value.detach())
        self.optimizer.found_inf.logical_or_((value - value).ne(0))  # infinity or NaN, less itself, is NaN
        self.optimizer.step()
        return value


class _MeanLoss(nn.Module):
    """The mean loss of some rows of the data, to which every process adds the sum over its share of them."""

    def __init__(self, model: nn.Module, loss: Loss, data: Any):
        super().__init__()
        self.model, self.loss, self.data = model, loss, data

    def forward(self, rows: Tensor) -> Tensor:
        total = sum_of_share(self.loss, self.model, self.data, rows)
        return total / (len(rows) / world_size())  # gradients are averaged over the processes


def sum_of_share(loss: Loss, model: nn.Module, data: Any, rows: Tensor) -> Tensor:
    """The loss summed over this process's share of the rows, which without a group is all of them."""
    with share(rows) as own:
        total = per_image(loss, model, take(data, own)).sum()
    return total if rank() < len(rows) else 0 * total


def per_image(loss: Loss, model: nn.Module, batch: Any) -> Tensor:
    """loss(model, batch), checked to be one value an image: (B,). Raises ValueError where it is not.

    Raises FloatingPointError where the parameters of a distribution overflow.
    """
    try:
        value = loss(model, batch)
    except ValueError as error:
        if "Expected parameter" not in str(error):  # the words of torch.distributions
            raise
        raise FloatingPointError(
            "the loss has a distribution whose parameters are not finite, or a variance of 0: lower lr."
        ) from error
    if not isinstance(value, Tensor) or value.shape != (count(batch),):
        what = (
            f"the shape {tuple(value.shape)}"
            if isinstance(value, Tensor)
            else f"the type {type(value).__name__}"
        )
        raise ValueError(
            f"the loss of {count(batch)} images has {what}: return one value each, "
            "summed over pixels and latents; `fit` takes the mean."
        )
    return value


def take(data: Any, rows: Tensor) -> Any:
    """The rows (b,) of the data: of each tensor of a tuple, or of anything that has rows.

    From a tensor index_select takes them three times as fast as an index does.
    """
    if isinstance(data, tuple):
        return tuple(take(column, rows) for column in data)
    return data.index_select(0, rows) if isinstance(data, Tensor) else data[rows]
