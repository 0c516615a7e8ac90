"""Only the matrix products of a network, to measure training and evaluation against."""

from collections.abc import Callable, Sequence

import torch

from vae_edu import device

Shapes = Sequence[tuple[int, int]]  # of the layers: (inputs, outputs)


def training(shapes: Shapes, batch: int, steps: int, dtype: torch.dtype = torch.float32) -> Callable:
    """Forward, then the gradients of the weights and the inputs, except for the images."""
    weights, inputs, outputs = _layers(shapes, batch, dtype)
    to_weights = [torch.empty_like(weight) for weight in weights]

    def run() -> None:
        for _ in range(steps):
            for weight, before, after in zip(weights, inputs, outputs, strict=True):
                torch.mm(before, weight.T, out=after)
            for i in reversed(range(len(weights))):
                torch.mm(outputs[i].T, inputs[i], out=to_weights[i])
                if i > 0:
                    torch.mm(outputs[i], weights[i], out=inputs[i])

    return run


def forward(shapes: Shapes, rows: int, chunk: int) -> Callable:
    """Forward only, for this number of rows, in chunks that fit a CPU's cache or fill a GPU."""
    weights, inputs, outputs = _layers(shapes, min(rows, chunk), torch.float32)

    def run() -> None:
        for start in range(0, rows, chunk):
            n = min(chunk, rows - start)
            for weight, before, after in zip(weights, inputs, outputs, strict=True):
                torch.mm(before[:n], weight.T, out=after[:n])

    return run


def _layers(shapes: Shapes, rows: int, dtype: torch.dtype) -> tuple:
    like = {"device": device(), "dtype": dtype}
    weights = [torch.rand(outputs, inputs, **like) for inputs, outputs in shapes]
    inputs = [torch.rand(rows, inputs, **like) for inputs, _ in shapes]
    return weights, inputs, [torch.empty(rows, outputs, **like) for _, outputs in shapes]
