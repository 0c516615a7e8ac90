"""log p(x) of 200 images with 5,000 samples each, 784-200-200-50 with tanh, against matrix products alone.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.nll     (or: make bench)

In turns in one run; then the peak memory for ten times as many images, and as many samples, each in a
process of its own.
"""

import platform
import statistics
import subprocess
import sys
from itertools import pairwise

import torch

from tests.benchmarks.grid import high_water_mark, timed
from vae_edu.data import load_images
from vae_edu.marginal import importance_sampling
from vae_edu.reproduce import network

IMAGES, SAMPLES, SIZES, CHUNK = 200, 5000, [50, 200, 200, 784], 1000


def matrix_products(codes: int) -> None:
    """z → hidden → hidden → logits for so many codes, and nothing else."""
    weights = [torch.rand(after, before) for before, after in pairwise(SIZES)]
    layers = [torch.rand(CHUNK, size) for size in SIZES]
    for _ in range(0, codes, CHUNK):
        for weight, (before, after) in zip(weights, pairwise(layers), strict=True):
            torch.mm(before, weight.T, out=after)


def measure(rounds: int = 5) -> tuple[list[float], list[float]]:
    """Seconds of each round: of importance sampling, and of its matrix products."""
    x = load_images("strokes", n=IMAGES).x.cpu().round()
    vae = network(x).cpu()
    contenders = [
        lambda: importance_sampling(vae, x, SAMPLES),
        lambda: matrix_products(IMAGES * SAMPLES),
    ]
    times = [[timed(function) for function in contenders] for _ in range(rounds + 1)][1:]
    return tuple(zip(*times, strict=True))


def added(images: int, samples: int) -> float:
    """Megabytes that importance sampling adds to the peak memory of a fresh process."""
    x = torch.bernoulli(torch.full((images, 1, 28, 28), 0.1))
    vae = network(x).cpu()
    importance_sampling(vae, x[:2], 20)
    before = high_water_mark()
    importance_sampling(vae, x, samples)
    return high_water_mark() - before


if __name__ == "__main__":
    ours, products = measure()
    ratios = [one / two for one, two in zip(ours, products, strict=True)]
    print(f"{platform.machine()}, {torch.get_num_threads()} thread(s), torch {torch.__version__}")
    print(f"{IMAGES} images x {SAMPLES} samples  {statistics.median(ours):7.2f} s")
    print(f"matrix products alone       {statistics.median(products):7.2f} s")
    spread = f"({min(ratios):.2f} to {max(ratios):.2f})"
    print(f"ratio                       {statistics.median(ratios):7.2f}  {spread}")
    for images, samples in [(30, 500), (300, 500), (30, 5000)]:
        code = f"from tests.benchmarks.nll import added; print(added({images}, {samples}))"
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        print(f"peak memory, {images:4d} images, {samples:5d} samples: {float(run.stdout):5.0f} MB")
