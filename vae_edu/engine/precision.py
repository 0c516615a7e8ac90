"""Which numbers are exact enough: no float16, and no shortcuts of the GPU where a value is called exact."""

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn

# cuDNN multiplies float32 in TF32, with ten bits, and may add in any order, unless it is told otherwise. What
# is exact on a CPU must be exact on a GPU, and a seed must give the same numbers twice. PyTorch's own matrix
# products are both by default. Whoever wants convolutions and LSTMs faster says so after the import.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PyTorch 2.9 has new names for the old ones, which 2.6 does not know
    torch.backends.cudnn.allow_tf32 = False
torch.backends.cudnn.deterministic = True

PRECISE = (torch.float64, torch.float32, torch.bfloat16)


@contextmanager
def exact() -> Iterator[None]:
    """Multiply float32 as float32 inside, whatever anyone has allowed for training.

    `torch.set_float32_matmul_precision("high")` makes matrix products fast on newer GPUs: only ten bits of
    each factor count (TF32). That does training no harm, but moves log p(x) by a tenth of a nat and more. So
    evaluation does without; afterwards all switches are as they were. They belong to the whole process.
    """
    with ExitStack() as stack:
        with suppress(RuntimeError):  # PyTorch 2.9 and later refuse to read it if both generations are in use
            if torch.backends.cudnn.allow_tf32:
                stack.callback(setattr, torch.backends.cudnn, "allow_tf32", True)
                torch.backends.cudnn.allow_tf32 = False
        for where, name, value in _switches():
            stack.callback(setattr, where, name, getattr(where, name))
            setattr(where, name, value)
        precision = torch.get_float32_matmul_precision()  # readable now, whichever switches were used before
        if precision != "highest":
            stack.callback(torch.set_float32_matmul_precision, precision)
            torch.set_float32_matmul_precision("highest")
        yield


def _switches() -> list[tuple[Any, str, Any]]:
    """Each switch that lets PyTorch multiply float32 in fewer bits, its attribute, and the exact value."""
    backends: Any = torch.backends
    if not hasattr(backends, "fp32_precision"):  # before PyTorch 2.9
        return [(backends.cuda.matmul, "allow_tf32", False)]
    parts: list[Any] = [backends.cuda.matmul, backends.mkldnn.matmul]
    for library in (backends.cudnn, backends.mkldnn):
        parts += [library.conv, library.rnn]
    return [(part, "fp32_precision", "ieee") for part in parts]


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


def full(tensor: Tensor) -> Tensor:
    """The tensor in float32 if it has fewer bits, for sums over pixels or latents: bfloat16 has eight."""
    return tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor


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
