"""A step of `fit` on the 784-400-20 autoencoder, batch 128, against its matrix products alone.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.train_step     (or: make bench)

Both are timed in turns in one run, since machines are noisy; the ratio of the medians counts.
"""

import platform
import statistics
import time
from itertools import pairwise

import torch

from vae_edu import autoencoder
from vae_edu.data import load_images
from vae_edu.train import fit

BATCH, SIZES = 128, [784, 400, 20, 400, 784]


def matrix_products(steps: int) -> None:
    """The products of a step and nothing else: forward, for the weights, and for the inputs."""
    weights = [torch.rand(after, before) for before, after in pairwise(SIZES)]
    activations = [torch.rand(BATCH, size) for size in SIZES]
    outs = [torch.empty(BATCH, size) for size in SIZES]
    gradients = [torch.empty_like(weight) for weight in weights]
    for _ in range(steps):
        for i, weight in enumerate(weights):
            torch.mm(activations[i], weight.T, out=outs[i + 1])
        for i in reversed(range(len(weights))):
            torch.mm(activations[i + 1].T, activations[i], out=gradients[i])
            if i > 0:  # the images want no gradient
                torch.mm(activations[i + 1], weights[i], out=outs[i])


def timed(function) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def measure(rounds: int = 9, steps: int = 94) -> tuple[float, float]:
    """Median milliseconds a step: of fit, and of its matrix products."""
    x = load_images("strokes", n=steps * BATCH).x.cpu()
    model = autoencoder.deep(x.shape[1:], latent_dim=20, hidden=(400,)).cpu()
    contenders = [
        lambda: fit(model, autoencoder.reconstruction_loss, x, epochs=1, device="cpu", progress=False),
        lambda: matrix_products(steps),
    ]
    times = [[timed(function) for function in contenders] for _ in range(rounds + 1)][
        1:
    ]  # the first one warms up
    return tuple(1000 * statistics.median(column) / steps for column in zip(*times, strict=True))


if __name__ == "__main__":
    ours, products = measure()
    print(f"{platform.machine()}, {torch.get_num_threads()} thread(s), torch {torch.__version__}")
    print(f"a step of fit          {ours:6.2f} ms")
    print(f"matrix products alone  {products:6.2f} ms")
    print(f"ratio                  {ours / products:6.2f}")
