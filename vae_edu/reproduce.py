"""A published table, computed again: Burda et al. (2016), Importance weighted autoencoders."""

import json
import math
import platform
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import vae_edu
from vae_edu import iwae, marginal
from vae_edu.active_units import active_units
from vae_edu.data import binarize
from vae_edu.engine.randomness import random_stream
from vae_edu.networks import start_at_mean
from vae_edu.schedules import cosine
from vae_edu.train import History, fit
from vae_edu.uncertainty import standard_error
from vae_edu.vae import VAE

PAPER = {1: (86.76, 19), 5: (85.54, 22), 50: (84.78, 25)}  # k: −log p(x) on MNIST in nats, active units
EPOCHS = 3280  # of the paper's schedule
SCHEDULES = ("cosine", "paper")
ENOUGH = 100  # epochs, with which a training need not be told to hurry
MINUTES = {"cpu": 3.0, "cuda": 10.0}  # of training, under the cosine
RUNS = Path(__file__).with_name("iwae_runs.json")
TRIAL_STEPS = 30  # to find out how long an epoch takes


def learning_rate(epoch: float) -> float:
    """The paper's schedule: 10⁻³ · 10^(−i/7) in stage i = 0 … 7, which lasts 3ⁱ epochs; 3,280 in all.

    A shorter training goes through as much of it as it has epochs for. Squeezing the whole schedule into few
    epochs does worse, by ten nats with ten, since two thirds of it are spent at the smallest rate.

    Args:
        epoch: Epochs done, 2.5 say.

    Returns:
        Adam's learning rate.
    """
    stage = 0
    while stage < 7 and 2 * epoch >= 3 ** (stage + 1) - 1:  # stages 0 … i last (3ⁱ⁺¹ − 1)/2 epochs
        stage += 1
    return 1e-3 * 10 ** (-stage / 7)


def network(x: Tensor, seed: int = 0) -> VAE:
    """784-200-200-50-200-200-784 with tanh, on the device of the images.

    Weights start as in Glorot & Bengio (2010); every pixel's logit starts at that of its mean over x.

    Args:
        x: Gray images (N, 1, 28, 28) in [0, 1].
        seed: Of the weights.

    Returns:
        A Bernoulli VAE with 50 latent dimensions.
    """
    with random_stream(seed):
        vae = VAE(x.shape[1:], 50, "bernoulli", hidden=(200, 200), activation="tanh", device=x.device)
        layers = [layer for layer in vae.modules() if isinstance(layer, nn.Linear)]
        for layer in layers:
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    start_at_mean(vae.decoder, x)
    return vae


def settings(schedule: str, k: int, epochs: int) -> dict[str, Any]:
    """The learning rate, the batch size and Adam's ε of a training.

    The paper's own schedule is for 3,280 epochs in batches of 20. The cosine reaches as far in a fraction of
    the steps, also because its gradients are doubly reparameterized (`iwae.negative_bound`). What is best
    depends on how many epochs there are: the fewer, the higher the rate, and the larger the batch, as long as
    the codes of a batch fit into a CPU's cache. This was found on the last 10,000 training images.

    Args:
        schedule: One of `SCHEDULES`.
        k: Samples of the bound.
        epochs: Of the training.

    Returns:
        Arguments of `vae_edu.train.fit`.

    Raises:
        ValueError: There is no such schedule.
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"there is no schedule {schedule}: choose {' or '.join(SCHEDULES)}.")
    if schedule == "paper":
        return {"lr": learning_rate, "batch_size": 20, "eps": 1e-4}
    peak, batch_size = _peak_and_batch(k, epochs)
    return {"lr": cosine(peak, epochs, min(1.0, epochs / 10)), "batch_size": batch_size, "eps": 1e-8}


def _peak_and_batch(k: int, epochs: int) -> tuple[float, int]:
    if epochs >= ENOUGH:
        return (2e-3 if epochs < 1000 else 1e-3), 128
    return (4e-3, 128) if k == 50 else (1.2e-2, 512)


def train(
    vae: VAE,
    x: Tensor,
    k: int,
    epochs: int,
    *,
    vae_epochs: int = 0,
    schedule: str = "cosine",
    seed: int = 0,
    checkpoint: str | Path | None = None,
) -> History:
    """Maximize the bound with k samples on images drawn anew from gray x.

    Where time is short, a model learns more from many epochs with one sample than from a few with k. So it
    can begin as a plain VAE. The rate then falls over both parts as over one training, by half in each.
    `vae.about["training_minutes"]` holds the minutes of all whole epochs, also of those before an
    interruption.

    Args:
        vae: Changed in place.
        x: Gray images (N, 1, 28, 28) in [0, 1].
        k: Samples of the bound; 1 is the ELBO.
        epochs: How many times every image is seen with k samples.
        vae_epochs: How many times with one sample, before that.
        schedule: One of `SCHEDULES`; see `settings`.
        seed: Of the order of the images and of all draws.
        checkpoint: As for `vae_edu.train.fit`. Until the first part is done, it is `first_part` of this file.

    Returns:
        What `vae_edu.train.fit` saw of the last part.
    """
    start, before = time.perf_counter(), vae.about.get("training_minutes", 0.0)

    def watch(model: nn.Module, history: History) -> None:
        vae.about["training_minutes"] = before + (time.perf_counter() - start) / 60

    parts = [(k, epochs, settings(schedule, k, epochs), checkpoint)]
    if vae_epochs:
        parts[0][2]["lr"] = _half_of_cosine(k, epochs, 1)
        if not checkpoint or not Path(checkpoint).exists():
            how = settings(schedule, 1, vae_epochs) | {"lr": _half_of_cosine(1, vae_epochs, 0)}
            parts.insert(0, (1, vae_epochs, how, checkpoint and first_part(checkpoint)))
    history = History()
    for samples, times, how, file in parts:
        history = _fit(vae, x, samples, times, schedule, **how, seed=seed, checkpoint=file, watch=watch)
        if history.interrupted:
            return history
    if checkpoint:
        first_part(checkpoint).unlink(missing_ok=True)
    return history


def _half_of_cosine(k: int, epochs: int, which: int) -> Callable[[float], float]:
    """The rate in the first or second part, 0 or 1, of a training whose parts take half of the time each."""
    rate = cosine(_peak_and_batch(k, epochs)[0], 2, 0.1)
    return lambda epoch: rate(which + epoch / epochs)


def first_part(checkpoint: str | Path) -> Path:
    """The file that a training with `vae_epochs` writes as long as it is a plain VAE's."""
    return Path(f"{checkpoint}.vae")


def affordable_epochs(x: Tensor, k: int, minutes: float, schedule: str = "cosine") -> tuple[int, int]:
    """How many epochs fit into so many minutes on this machine, measured by a short training.

    Args:
        x: Gray images (N, 1, 28, 28) in [0, 1].
        k: Samples of the bound.
        minutes: Of training.
        schedule: One of `SCHEDULES`.

    Returns:
        The epochs with k samples, from 1 to 3,280; and those before it with one sample, which are to take
        half of the time if it is too short for a hundred epochs with k samples.

    Raises:
        KeyboardInterrupt: After Ctrl-C.
    """
    epochs = _fitting(x, k, minutes, schedule, 1)
    if schedule == "paper":
        return epochs, 0
    if epochs >= ENOUGH:  # perhaps with other settings, too
        many = _fitting(x, k, minutes, schedule, ENOUGH)
        if many >= ENOUGH:
            return many, 0
        epochs = ENOUGH - 1
    if k == 1:
        return epochs, 0
    one = min(_fitting(x, 1, minutes, schedule, 1), ENOUGH - 1)
    return max(1, round(epochs / 2)), max(1, round(one / 2))


def _fitting(x: Tensor, k: int, minutes: float, schedule: str, epochs: int) -> int:
    """How many epochs fit into so many minutes, with the settings of so many; from 1 to 3,280."""
    how = settings(schedule, k, epochs)
    few, vae = x[torch.arange(TRIAL_STEPS * how["batch_size"]) % len(x)], network(x)
    seconds = 0.0
    for _ in range(2):  # the first one warms up
        start = time.perf_counter()
        if _fit(vae, few, k, 1, schedule, **how, progress=False).interrupted:
            raise KeyboardInterrupt
        seconds = (time.perf_counter() - start) / TRIAL_STEPS
    epochs = int(60 * minutes / seconds / math.ceil(len(x) / how["batch_size"]))
    return min(max(1, epochs), EPOCHS)


def _fit(vae: VAE, x: Tensor, k: int, epochs: int, schedule: str, **options: Any) -> History:
    """Train with the paper's loss; under the cosine, with gradients of less noise."""
    loss = partial(iwae.negative_bound_of_binarized, samples=k)
    if schedule != "paper":
        loss = partial(loss, doubly_reparameterized=True)
    return fit(vae, loss, x, epochs, device=next(vae.parameters()).device, **options)


def evaluate(vae: VAE, x: Tensor, samples: int = 5000, *, seed: int = 0) -> dict[str, float]:
    """−log p(x) by importance sampling, on black-and-white images drawn once from gray x.

    Args:
        vae: A Bernoulli VAE.
        x: Gray images (N, 1, 28, 28) in [0, 1].
        samples: For each image.
        seed: Of the samples.

    Returns:
        "nll", the mean over the images in nats per image, its "standard_error", and the number of
        "active_units".
    """
    x = binarize(x.cpu(), seed=0).to(x)  # the same images on every device
    log_p_x = marginal.importance_sampling(vae, x, samples, seed=seed, progress=True).log_p_x
    return {
        "nll": -log_p_x.mean().item(),
        "standard_error": standard_error(log_p_x).item(),
        "active_units": int(active_units(vae, x).sum()),
    }


def machine(device: torch.device | str | None = None) -> str:
    """The hardware and the PyTorch that compute on a device, in words (default: `vae_edu.device()`)."""
    device = vae_edu.device(device)
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        name = f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
    return f"{name}, PyTorch {torch.__version__.split('+')[0]}"


def runs() -> list[dict[str, Any]]:
    """The runs that come with the package, each with the command that made it."""
    return json.loads(RUNS.read_text(encoding="utf-8"))


def table(runs: list[dict[str, Any]]) -> str:
    """A table of runs of `python -m vae_edu reproduce iwae`, one a line, with the paper's numbers.

    Args:
        runs: What that command prints with --json.

    Returns:
        Lines of text, in the order of k, schedule and epochs; "30 + 2" are 30 with one sample, and 2 with k.
    """
    lines = [
        "    |    −log p(x), nats     | active units  |",
        "  k |  paper    here         | paper    here |  epochs  minutes  schedule  machine",
    ]
    for run in sorted(runs, key=lambda run: (run["k"], run["schedule"], run["epochs"])):
        nll, active = PAPER[run["k"]] if run["data"] == "mnist" else ("–", "–")
        first = run.get("vae_epochs", 0)
        epochs = f"{first} + {run['epochs']}" if first else run["epochs"]
        lines.append(
            f"{run['k']:3} | {nll:>6}  {run['nll']:7.2f} ± {run['standard_error']:.2f} | {active:>5}"
            f"{run['active_units']:8} | {epochs:>7} {run['training_minutes']:8.1f}  "
            f"{run['schedule']:8}  {run['machine']}"
        )
    return "\n".join(lines)
