"""Time and memory as the work grows a thousandfold: images, samples, nodes of a grid, steps.

    python -m tests.benchmarks.growth                 print all of it, and draw the picture
    python -m tests.benchmarks.growth images 1000     run one of them: its seconds, and the megabytes it adds

Every size runs in a separate process. Memory is what the process adds to its libraries and the model. It does
not include the pages of a mapped file, which the system can take back.
"""

import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from tests.benchmarks.measure import megabytes
from vae_edu import elbo, marginal
from vae_edu.data import map_images
from vae_edu.grid import Grid
from vae_edu.train import fit
from vae_edu.vae import VAE

DECADES = (1, 10, 100, 1000)
PICTURE = Path(__file__).parents[2] / "notebooks" / "pictures" / "growth.png"


def digits(n: int) -> torch.Tensor:
    return torch.bernoulli(torch.full((n, 1, 28, 28), 0.13))


def images(size: int, folder: Path) -> Callable[[], object]:
    """One epoch over 100 × size images of a mapped file, batch 128."""
    n = 100 * size
    file = np.lib.format.open_memmap(folder / "train-images.npy", "w+", np.uint8, (n, 28, 28))
    for start in range(0, n, 10_000):
        file[start : start + 10_000] = 255 * digits(min(10_000, n - start))[:, 0].numpy().astype(np.uint8)
    np.save(folder / "t10k-images.npy", file[:1])  # or else a seventh of the images would be for testing
    x, model = map_images(folder), VAE((1, 28, 28), 20, "bernoulli")
    return lambda: fit(model, elbo.negative_elbo, x, 1, progress=False)


def samples(size: int, folder: Path) -> Callable[[], object]:
    """log p(x) of 20 images with 50 × size samples each."""
    x, model = digits(20), VAE((1, 28, 28), 20, "bernoulli")
    return lambda: marginal.importance_sampling(model, x, 50 * size)


def nodes(size: int, folder: Path) -> Callable[[], object]:
    """log p(x) of 20 images on a grid of about 1,000 × size nodes."""
    x, model, grid = digits(20), VAE((1, 28, 28), 2, "bernoulli"), Grid(points=round((1000 * size) ** 0.5))
    return lambda: marginal.quadrature(model, x, grid)


def steps(size: int, folder: Path) -> Callable[[], object]:
    """10 × size steps of training, batch 16."""
    x, model = digits(160), VAE((1, 28, 28), 20, "bernoulli", hidden=(100,))
    return lambda: fit(model, elbo.negative_elbo, x, size, batch_size=16, progress=False)


WORK = {
    "images": (images, 100, "images, one epoch"),
    "samples": (samples, 50, "samples K, 20 images"),
    "nodes": (nodes, 1000, "nodes of a grid, 20 images"),
    "steps": (steps, 10, "steps of 16 images"),
}


@contextmanager
def peak_memory() -> Iterator[Callable[[], float]]:
    """The peak of anonymous memory, in megabytes above the start, read every few milliseconds."""
    before, most, done = megabytes("RssAnon"), [0.0], threading.Event()

    def look() -> None:
        while not done.wait(0.003):
            most[0] = max(most[0], megabytes("RssAnon") - before)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield lambda: most[0]
    finally:
        done.set()
        thread.join()


def one(name: str, size: int) -> None:
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        WORK[name][0](1, Path(folder))()  # warms up
        work = WORK[name][0](size, Path(folder))
        with peak_memory() as peak:
            start = time.perf_counter()
            work()
            print(time.perf_counter() - start, peak())


def measure() -> dict[str, list[tuple[int, float, float]]]:
    """For each kind of work: pairs of count, seconds, and megabytes."""
    found = {}
    for name, (_, unit, _) in WORK.items():
        found[name] = []
        for size in DECADES:
            command = [sys.executable, "-m", "tests.benchmarks.growth", name, str(size)]
            run = subprocess.run(command, capture_output=True, text=True, check=True)
            seconds, megabytes = map(float, run.stdout.split())
            found[name].append((unit * size, seconds, megabytes))
            print(f"{name:8} {unit * size:9,}  {seconds:8.3f} s  {megabytes:6.0f} MB", flush=True)
    return found


def draw(found: dict[str, list[tuple[int, float, float]]]) -> None:
    import matplotlib.pyplot as plt

    options = {"figsize": (11, 4.6), "dpi": 110, "layout": "constrained", "sharex": "col", "sharey": "row"}
    axes = plt.subplots(2, len(found), **options)[1]
    for (above, below), (name, rows) in zip(axes.T, found.items()):
        count, seconds, megabytes = map(np.array, zip(*rows))
        above.loglog(count, seconds, "o-", color="#0072B2", label="measured")
        above.loglog(count, seconds[-1] * count / count[-1], "--", color="#555555", label="in proportion")
        below.loglog(count, np.maximum(megabytes, 1), "o-", color="#D55E00")
        below.set(xlabel=WORK[name][2], ylim=(1, 1000))
        for ax in (above, below):
            ax.grid(alpha=0.3)
    axes[0, 0].set_ylabel("seconds")
    axes[1, 0].set_ylabel("megabytes added")
    axes[0, 0].legend()
    plt.savefig(PICTURE)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        one(sys.argv[1], int(sys.argv[2]))
    else:
        draw(measure())
