"""Which numbers are exact enough: no float16, and no shortcuts of the GPU where a value is called exact."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

PRECISE = (torch.float64, torch.float32, torch.bfloat16)


def check_precision(model: Any, *data: Any) -> None:
    """Check that model and data are in float64, float32 or bfloat16; whole numbers are fine, too.

    The largest float16 is 65,504 and the smallest 6·10⁻⁸. A density or a probability of an image goes beyond
    both, and becomes −∞, 0 or NaN on the way. Everything else is too coarse, or has no order.

    Args:
        model: Its parameters and buffers are looked at, if it is a module.
        *data: Tensors, tuples of them, or what has its tensor in `x`, as Images; anything else passes.

    Raises:
        ValueError: In one sentence, what is in another precision.
    """
    if isinstance(model, nn.Module):
        for name, tensor in (*model.named_parameters(), *model.named_buffers()):
            _check(f"the model's {name}", tensor, "model.float()")
    for tensor in _tensors(data):
        _check("the data", tensor, "x.float()")


def _check(what: str, tensor: Tensor, remedy: str) -> None:
    dtype = tensor.dtype
    if (dtype.is_floating_point or dtype.is_complex) and dtype not in PRECISE:
        raise ValueError(
            f"{what} is {str(dtype).removeprefix('torch.')}, in which log p(x) cannot be computed: "
            f"use float32 ({remedy}) or bfloat16."
        )


def _tensors(data: Any) -> Iterator[Tensor]:
    """The tensors of data, however they are packed."""
    if isinstance(data, list | tuple):
        for part in data:
            yield from _tensors(part)
    elif isinstance(data, Tensor):
        yield data
    elif isinstance(getattr(data, "x", None), Tensor):
        yield data.x
