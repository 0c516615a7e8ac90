"""A published table, run again: Burda et al. (2016), Importance weighted autoencoders, one layer of codes."""

import json
import math
import platform
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vae_edu import device, iwae, marginal
from vae_edu.active_units import active_units
from vae_edu.data import binarize
from vae_edu.engine.randomness import random_stream
from vae_edu.train import History, fit
from vae_edu.uncertainty import standard_error
from vae_edu.vae import VAE

PAPER = {1: (86.76, 19), 5: (85.54, 22), 50: (84.78, 25)}  # k: −log p(x) on MNIST in nats, active units
EPOCHS, BATCH = 3280, 20
RUNS = Path(__file__).with_name("iwae_runs.json")
TRIAL = 60  # steps that tell how long an epoch takes


def learning_rate(epoch: float) -> float:
    """The paper's schedule: 10⁻³ · 10^(−i/7) in stage i = 0 … 7, which lasts 3ⁱ epochs; 3,280 in all.

    A shorter training takes it as far as it goes. To squeeze it into the epochs that there are does worse
    where they are few, by ten nats with ten, since two thirds of it are spent at the smallest rate.
    """
    stage = next((i for i in range(7) if 2 * epoch < 3 ** (i + 1) - 1), 7)
    return 1e-3 * 10 ** (-stage / 7)


def network(x: Tensor, seed: int = 0) -> VAE:
    """784-200-200-50-200-200-784 with tanh, for images x (N, 1, 28, 28) in [0, 1].

    Weights as Glorot & Bengio (2010) begin; every pixel's logit starts at that of its mean over x.
    """
    with random_stream(seed):
        vae = VAE(x.shape[1:], 50, "bernoulli", hidden=(200, 200), activation="tanh")
        layers = [layer for layer in vae.modules() if isinstance(layer, nn.Linear)]
        for layer in layers:
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    layers[-1].bias.data.copy_(x.mean(0).clamp(1e-3, 1 - 1e-3).logit().flatten())
    return vae


def train(
    vae: VAE, x: Tensor, k: int, epochs: int, *, seed: int = 0, checkpoint: str | Path | None = None
) -> History:
    """Maximise the bound with k samples on images drawn anew from grey x; returns what `train.fit` saw.

    Adam with ε = 10⁻⁴ in batches of 20, under `learning_rate`. checkpoint: as for `train.fit`.
    The minutes of all whole epochs, also of those before an interruption, are in
    vae.about["training_minutes"].
    """
    start, before = time.perf_counter(), vae.about.get("training_minutes", 0.0)

    def watch(vae: VAE, history: History) -> None:
        vae.about["training_minutes"] = before + (time.perf_counter() - start) / 60

    loss = partial(iwae.negative_bound_of_binarized, samples=k)
    options = {"batch_size": BATCH, "lr": learning_rate, "eps": 1e-4, "seed": seed}
    return fit(vae, loss, x, epochs, **options, checkpoint=checkpoint, watch=watch)


def affordable_epochs(x: Tensor, k: int, minutes: float) -> int:
    """How many epochs over x fit into so many minutes on this machine, at least one and at most 3,280."""
    few = x[torch.arange(TRIAL * BATCH) % len(x)]
    vae, loss = network(x), partial(iwae.negative_bound_of_binarized, samples=k)
    for _ in range(2):  # the first one warms up
        start = time.perf_counter()
        if fit(vae, loss, few, 1, batch_size=BATCH, eps=1e-4, progress=False).interrupted:
            raise KeyboardInterrupt
        seconds = (time.perf_counter() - start) / TRIAL
    return min(max(1, int(60 * minutes / seconds / math.ceil(len(x) / BATCH))), EPOCHS)


def evaluate(vae: VAE, x: Tensor, samples: int = 5000, *, seed: int = 0) -> dict[str, float]:
    """−log p(x) by importance sampling on black-and-white images that are drawn once from grey x.

    "nll" in nats per image, the mean over the images with its "standard_error", and the "active_units".
    """
    x = binarize(x.cpu(), seed=0).to(x)  # the same images on every device
    log_p_x = marginal.importance_sampling(vae, x, samples, seed=seed, progress=True).log_p_x
    error = standard_error(log_p_x).item()
    return {
        "nll": -log_p_x.mean().item(),
        "standard_error": error,
        "active_units": int(active_units(vae, x).sum()),
    }


def machine() -> str:
    """What the numbers of a run were computed on."""
    cuda = device().type == "cuda"
    threads = f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
    name = torch.cuda.get_device_name(device()) if cuda else threads
    return f"{name}, PyTorch {torch.__version__.split('+')[0]}"


def runs() -> list[dict[str, Any]]:
    """The runs that came with the package, each with the command that made it."""
    return json.loads(RUNS.read_text(encoding="utf-8"))


def table(runs: list[dict[str, Any]]) -> str:
    """Runs of `python -m vae_edu reproduce iwae` below each other, with the paper's numbers beside them."""
    lines = [
        "    |    −log p(x), nats     | active units  |",
        "  k |  paper    here         | paper    here |  epochs  minutes  machine",
    ]
    for run in sorted(runs, key=lambda run: (run["k"], run["epochs"])):
        nll, active = PAPER[run["k"]] if run["data"] == "mnist" else ("–", "–")
        lines.append(
            f"{run['k']:3} | {nll:>6}  {run['nll']:7.2f} ± {run['standard_error']:.2f} | {active:>5}"
            f"{run['active_units']:8} | {run['epochs']:7} {run['training_minutes']:8.1f}  {run['machine']}"
        )
    return "\n".join(lines)
