"""log p(x) of 100 images on a 240 × 240 grid, 400-unit Bernoulli decoder, against its matrix products alone.

    python -m tests.benchmarks.grid     (or: make bench)

Three ways in turns in one run: `marginal.quadrature`, the products alone, and `log_prob` broadcast over
nodes and images, which is timed on a hundredth of the nodes. Then the peak memory of the first, for ten
times as many images and as many nodes, each in a process of its own.
"""

import platform
import re
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

import torch

from vae_edu.data import binarize, load_images
from vae_edu.grid import Grid
from vae_edu.marginal import GridWarning, quadrature
from vae_edu.vae import VAE

CHUNK, SHARE = 2000, 100


def model_and_images(images: int) -> tuple[VAE, torch.Tensor]:
    torch.manual_seed(0)
    x = binarize(load_images("strokes", n=images).x).cpu()
    return VAE(x.shape[1:], latent_dim=2, likelihood="bernoulli", hidden=(400,)).cpu(), x


def matrix_products(nodes: int, x: torch.Tensor) -> None:
    """z → hidden, hidden → logits, logits · x of every node, and nothing else."""
    z, hidden, logits = torch.rand(CHUNK, 2), torch.rand(CHUNK, 400), torch.rand(CHUNK, 784)
    first, second, flat = torch.rand(400, 2), torch.rand(784, 400), x.flatten(1)
    pairs = torch.empty(CHUNK, len(x))
    for start in range(0, nodes, CHUNK):
        n = min(CHUNK, nodes - start)
        torch.mm(z[:n], first.T, out=hidden[:n])
        torch.mm(hidden[:n], second.T, out=logits[:n])
        torch.mm(logits[:n], flat.T, out=pairs[:n])


@torch.no_grad()
def broadcast(model: VAE, x: torch.Tensor, grid: Grid, nodes: int) -> torch.Tensor:
    """What a first version does: p(x|z).log_prob over (nodes, images), in pieces that fit into memory."""
    pieces = []
    for start in range(0, nodes, 50):
        z = grid.nodes(start, min(start + 50, nodes)).float()
        pieces.append(
            (model.decode(z[:, None]).log_prob(x) + model.prior().log_prob(z)[:, None]).logsumexp(0)
        )
    return torch.stack(pieces).logsumexp(0) + grid.log_cell


def timed(function) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def measure(rounds: int = 5) -> tuple[float, float, float]:
    """Median seconds: of quadrature, of its matrix products, and of broadcasting."""
    (model, x), grid = model_and_images(100), Grid(points=240)
    contenders = [
        lambda: quadrature(model, x, grid),
        lambda: matrix_products(len(grid), x),
        lambda: broadcast(model, x, grid, len(grid) // SHARE),
    ]
    times = [[timed(function) for function in contenders] for _ in range(rounds + 1)][1:]
    ours, products, broadcasting = (statistics.median(column) for column in zip(*times, strict=True))
    return ours, products, broadcasting * SHARE


def peak(images: int, points: int) -> float:
    """Megabytes that quadrature adds to the peak memory of a fresh process."""
    code = f"from tests.benchmarks.grid import added; print(added({images}, {points}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(run.stdout)


def added(images: int, points: int) -> float:
    model, grid = VAE((1, 28, 28), latent_dim=2, likelihood="bernoulli").cpu(), Grid(points=points)
    x = torch.bernoulli(torch.full((images, 1, 28, 28), 0.1))  # to draw digits would take more memory
    quadrature(model, x[:1], Grid(points=8))
    before = high_water_mark()
    quadrature(model, x, grid)
    return high_water_mark() - before


def high_water_mark() -> float:
    """Megabytes of this process at its largest (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


if __name__ == "__main__":
    warnings.simplefilter("ignore", GridWarning)
    ours, products, broadcasting = measure()
    print(f"{platform.machine()}, {torch.get_num_threads()} thread(s), torch {torch.__version__}")
    print(f"log p(x) of 100 images, 240 x 240 grid  {ours:7.2f} s")
    print(f"matrix products alone                   {products:7.2f} s   ratio {ours / products:.2f}")
    print(f"log_prob broadcast over nodes, images   {broadcasting:7.2f} s   ratio {broadcasting / ours:.0f}")
    for images, points in [(100, 240), (1000, 240), (100, 760)]:
        print(f"peak memory, {images:5d} images, {points}^2 nodes: {peak(images, points):5.0f} MB")
