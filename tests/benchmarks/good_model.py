"""How long until the model is good: seconds from the start of a process to a held-out ELBO of −105 nats.

    python -m tests.benchmarks.good_model             print the table
    python -m tests.benchmarks.good_model --write     and write it into notebooks/SPEED.md

Everyone trains 784-400-20 on the 60,000 images of MNIST, binarized anew at random in every step, in a process
that also starts Python, imports PyTorch and reads the files. All but ours end after the first epoch at which
the ELBO is reached. It is measured with one sample for each of the 10,000 test images, binarized once, and
the clock stands still meanwhile, unless a package evaluates by itself.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from tests.benchmarks.measure import Row, heading
from vae_edu import streams

if TYPE_CHECKING:
    from tests.benchmarks.others import Loop, Parts
    from vae_edu.vae import VAE

TARGET = -105.0  # nats an image
HIDDEN, LATENT, BATCH = 400, 20, 128
MOST = 40  # epochs, after which the others give up
EPOCHS, OUR_BATCH, PEAK, WARM_UP = 2, 128, 8e-3, 0.2  # of our learning rate: `schedules.cosine`


class Result(NamedTuple):
    """What a process has reached.

    Attributes:
        seconds: From its start, without `left_out`.
        elbo: In nats an image, after the last epoch.
        epochs: How many it took.
        left_out: Seconds of measuring the ELBO.
    """

    seconds: float
    elbo: float
    epochs: int
    left_out: float


class Referee:
    """Asked after an epoch whether training may end; measures the held-out ELBO.

    Attributes:
        elbo: The last one.
        epochs: So far.
        seconds: Spent here.
    """

    def __init__(self, data: str, target: float):
        self.data, self.target = data, target
        self.elbo, self.epochs, self.seconds = -float("inf"), 0, 0.0

    def __call__(self, parts: "Parts", epochs: int = 1) -> bool:
        start = time.perf_counter()
        self.elbo = held_out_elbo(parts, self.data)
        self.epochs += epochs
        self.seconds += time.perf_counter() - start
        return self.elbo >= self.target or self.epochs >= MOST


@torch.no_grad()
def held_out_elbo(parts: "Parts", data: str) -> float:
    """log p(x|z) − D_KL(q(z|x), p(z)) with one z ∼ q(z|x) each, the mean of the test images, in nats."""
    from vae_edu.data import binarize, load_images

    x, total = binarize(load_images(data, "test").x, seed=0).flatten(1), 0.0
    with torch.random.fork_rng(devices=[]):  # training goes on with its own draws
        torch.manual_seed(0)
        for images in x.split(1000):
            logits, mu, logvar = parts(images)
            kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum()
            total -= (binary_cross_entropy_with_logits(logits, images, reduction="sum") + kl).item()
    return total / len(x)


def ours(data: str, seed: int, done: Referee) -> None:
    from vae_edu import elbo, schedules
    from vae_edu.data import load_images
    from vae_edu.networks import start_at_mean
    from vae_edu.train import fit
    from vae_edu.vae import VAE

    x = load_images(data).x
    model = VAE(x.shape[1:], LATENT, "bernoulli", hidden=HIDDEN)
    start_at_mean(model.decoder, x)
    rate = schedules.cosine(PEAK, EPOCHS, WARM_UP)
    loss = elbo.negative_elbo_of_binarized
    fit(model, loss, x, EPOCHS, batch_size=OUR_BATCH, lr=rate, seed=seed, progress=False)

    done(parts_of(model), EPOCHS)


def parts_of(model: "VAE") -> "Parts":
    """Our model's networks, as those of the others are measured."""

    def parts(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mu, logvar = model.encoder(images.reshape(-1, *model.image_shape)).chunk(2, -1)
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)
        return model.decoder(z).flatten(1), mu, logvar

    return parts


def data_loader(data: str, seed: int, done: Referee) -> None:
    from tests.benchmarks import others
    from vae_edu.data import load_images

    _until(done, others.data_loader(load_images(data).x, HIDDEN, LATENT, BATCH, drawn=True))


def example(data: str, seed: int, done: Referee) -> None:
    from tests.benchmarks import others
    from vae_edu.data import load_images

    train, test = (load_images(data, split).x for split in ("train", "test"))
    _until(done, others.example(train, test, HIDDEN, LATENT, BATCH))


def _until(done: Referee, epoch: "Loop") -> None:
    epoch()
    while not done(epoch.model):
        epoch()


def pythae(data: str, seed: int, done: Referee) -> None:
    from tests.benchmarks import others
    from vae_edu.data import load_images

    others.pythae_until(load_images(data).x, HIDDEN, LATENT, BATCH, MOST, seed, done)


CONTENDERS: dict[str, Callable[[str, int, Referee], None]] = {
    "ours": ours,
    "DataLoader": data_loader,
    "example": example,
    "pythae": pythae,
}
WORDS = {
    "ours": f"ours: `start_at_mean`, `fit` with lr = `cosine({PEAK:g}, {EPOCHS}, {WARM_UP:g})`",
    "DataLoader": "a `DataLoader` over a `TensorDataset`",
    "example": "PyTorch's example (images through Pillow, a test after every epoch)",
    "pythae": "pythae's trainer",
}


def one(name: str, data: str, target: float, seed: int) -> str:
    """What a process does and says: trains until the ELBO is reached."""
    torch.manual_seed(seed)
    done = Referee(data, target)
    CONTENDERS[name](data, seed, done)
    return json.dumps({"elbo": done.elbo, "epochs": done.epochs, "left_out": done.seconds})


def run(name: str, threads: int, seed: int, data: str = "mnist", target: float = TARGET) -> Result:
    """Train in a process of its own on the CPU.

    Raises:
        RuntimeError: If it fails, with what it wrote.
    """
    command = [sys.executable, "-m", "tests.benchmarks.good_model", "one", name, data, str(target), str(seed)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"OMP_NUM_THREADS": str(threads), "VAE_EDU_DEVICE": "cpu"}
    with tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        with child:
            said = child.stdout.readline() if child.stdout else ""
            seconds = time.perf_counter() - start
        if child.returncode or not said:
            errors.seek(0)
            raise RuntimeError(f"{name} failed:\n{errors.read()[-2000:]}")
    found = json.loads(said)
    return Result(seconds - found["left_out"], found["elbo"], found["epochs"], found["left_out"])


def lines(threads: int, results: dict[str, list[Result]], target: float = TARGET) -> list[str]:
    """Lines of the table: medians, with the smallest and the largest; ratios are taken round by round."""
    row = Row("", {name: [result.seconds for result in runs] for name, runs in results.items()})
    table = []
    for name, runs in results.items():
        elbo, epochs = (
            _spread([result[i] for result in runs], form) for i, form in ((1, "{:.1f}"), (2, "{:.0f}"))
        )
        seconds, ratio = _spread(row.seconds[name], "{:.1f}"), "–"
        if min(result.elbo for result in runs) < target:
            seconds = f"not reached in {seconds}"
        elif name != "ours":
            ratio = "{:.2f} ({:.2f} to {:.2f})".format(*row.ratios("ours", name))
        table.append(f"| {WORDS[name]} | {threads} | {seconds} | {ratio} | {epochs} | {elbo} |")
    return table


def _spread(values: list[float], form: str) -> str:
    """The median, and if they differ the smallest and the largest."""
    middle, low, high = (
        form.format(value).replace("-", "−")
        for value in (statistics.median(values), min(values), max(values))
    )
    return middle if low == high else f"{middle} ({low} to {high})"


def installed() -> list[str]:
    """The contenders that can run here; for the others a line says why not."""
    if importlib.util.find_spec("pythae") is None:
        print("pythae is not installed, and left out.", file=sys.stderr)
        return [name for name in CONTENDERS if name != "pythae"]
    return list(CONTENDERS)


def main() -> int:
    from tests.benchmarks.__main__ import write
    from vae_edu.data import DatasetError, load_images

    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.good_model")
    parser.add_argument("--runs", type=int, default=3, help="how often each is trained (3)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="(1 2)")
    parser.add_argument("--write", action="store_true", help="write the table into notebooks/SPEED.md")
    options = parser.parse_args()
    os.environ["VAE_EDU_DEVICE"] = "cpu"
    try:
        load_images("mnist", "test", n=1)
    except DatasetError as error:
        print(f"MNIST is not here, so nothing was measured: {error}", file=sys.stderr)
        return 0
    table = heading(
        f"medians of {options.runs} runs, with the smallest and the largest.",
        f"| an ELBO of −{-TARGET:g} nats, by | threads | seconds | others / ours | epochs | ELBO |",
    )
    print("\n".join(table), flush=True)
    for threads in options.threads:
        results: dict[str, list[Result]] = {name: [] for name in installed()}
        for seed in range(options.runs):
            for name, runs in results.items():
                runs.append(run(name, threads, seed))
                print(f"{name}, {threads} threads, seed {seed}: {runs[-1]}", file=sys.stderr, flush=True)
        table += lines(threads, results)
        print("\n".join(table[-len(results) :]), flush=True)
    if options.write:
        write("good", "\n".join(table) + "\n")
    return 0


if __name__ == "__main__":
    with streams.any_encoding():
        if sys.argv[1:2] == ["one"]:
            print(one(sys.argv[2], sys.argv[3], float(sys.argv[4]), int(sys.argv[5])), flush=True)
        else:
            sys.exit(main())
