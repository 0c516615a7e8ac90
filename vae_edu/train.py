"""The one training loop of the course, short enough for a slide."""

import math
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import vae_edu
from vae_edu import checkpoint as checkpoints
from vae_edu.progress import progress_bar

Loss = Callable[[nn.Module, Any], Tensor]


@dataclass
class History:
    """What `fit` saw: mean losses per image, in `unit`.

    steps: the train loss of every step. train: its mean over each epoch, taken while the weights moved.
    held_out: the loss on held-out data after each epoch. interrupted: whether it was stopped early.
    """

    unit: str = "nats per image"
    steps: list[float] = field(default_factory=list)
    train: list[float] = field(default_factory=list)
    held_out: list[float] = field(default_factory=list)
    interrupted: bool = False


def fit(
    model: nn.Module,
    loss: Loss,
    data: Any,
    epochs: int,
    *,
    held_out: Any = None,
    batch_size: int = 128,
    lr: float = 1e-3,
    seed: int = 0,
    device: torch.device | str | None = None,
    unit: str = "nats per image",
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> History:
    """Minimise the mean of loss(model, batch) over the data with Adam (Kingma & Ba 2015).

    model: changed in place. loss: returns one value an image, (B,); the only mean is taken here.
    data, held_out: a tensor (N, …), a tuple of tensors, or `Images`; a batch is rows of the same kind.
    device: `vae_edu.device()` unless given; model and data are moved there once.
    seed: fixes the order of the images and the random draws of the loss; the caller's stay untouched.
    checkpoint: a file, written after every epoch and on Ctrl-C. Where it exists already, training
        goes on from it, bit for bit as if it had never stopped.
    progress: whether to show a progress bar with the losses.
    Ctrl-C, or a notebook's stop button, ends training between two steps and keeps what was learned.

    Raises ValueError for bad arguments or the checkpoint of another run, and FloatingPointError,
    with the step and before it changes the weights, where the loss is not finite.
    """
    _check(model, data, held_out, epochs, batch_size, lr, seed)
    device = torch.device(device or vae_edu.device())
    model, data = model.to(device).train(), _to(device, data)
    optimizer = torch.optim.Adam(_trainable(model), lr=lr, fused=True)
    n, history = _count(data), History(unit)
    steps = math.ceil(n / batch_size)  # in an epoch
    run = {"model": model, "optimizer": optimizer, "history": history}
    run["settings"] = {"images": n, "batch_size": batch_size, "lr": lr, "seed": seed}
    with _random_stream(seed, device), _stop_between_steps() as stop:
        _resume(checkpoint, **run)
        bar = progress_bar(total=epochs * steps, initial=len(history.steps), unit="step", shown=progress)
        for epoch in range(len(history.steps) // steps, epochs):
            order = torch.randperm(n, generator=_generator(seed, epoch)).to(device)
            for batch in _batches(data, batch_size, order, skip=len(history.steps) % steps):
                value = per_image(loss, model, batch).mean()
                _record(history, value, epoch)
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
                bar.update()
                if stop.is_set():
                    break
            if len(history.steps) == (epoch + 1) * steps:
                history.train.append(_epoch_mean(history.steps[-steps:], batch_size, n))
                if held_out is not None:
                    history.held_out.append(evaluate(model, loss, held_out))
            bar.set_postfix_str(_losses(history), refresh=False)
            history.interrupted = len(history.steps) < epochs * steps and stop.is_set()
            _save(checkpoint, **run)
            if stop.is_set():
                break
        bar.close()
    if history.interrupted:
        print(
            f"Stopped after step {len(history.steps)} of {epochs * steps}; the model keeps what it learned."
        )
    return history


@torch.no_grad()
def evaluate(model: nn.Module, loss: Loss, data: Any, batch_size: int = 1000, seed: int = 0) -> float:
    """Mean of loss(model, batch) per image over the data, with the model in evaluation mode.

    The same seed gives the same random draws, so that two models or epochs can be compared.
    Raises ValueError for empty data.
    """
    _check_data(data)
    device = next(model.parameters()).device
    data, training = _to(device, data), model.training
    model.eval()
    with _random_stream(seed, device):
        batches = _batches(data, batch_size, torch.arange(_count(data), device=device))
        total = sum(per_image(loss, model, batch).sum().item() for batch in batches)
    model.train(training)
    return total / _count(data)


def per_image(loss: Loss, model: nn.Module, batch: Any) -> Tensor:
    """loss(model, batch), checked to be one value an image: (B,). Raises ValueError where it is not."""
    value = loss(model, batch)
    if value.shape != (_count(batch),):
        raise ValueError(
            f"the loss of {_count(batch)} images has the shape {tuple(value.shape)}: return one value each, "
            "summed over pixels and latents; `fit` takes the mean."
        )
    return value


def _record(history: History, value: Tensor, epoch: int) -> None:
    history.steps.append(value.item())
    if not math.isfinite(history.steps[-1]):
        raise FloatingPointError(
            f"the loss is {history.steps.pop()} at step {len(history.steps)} (epoch {epoch}): lower lr, or "
            "look for a log of 0 or a division by 0; the model is as it was before this step."
        )


def _epoch_mean(losses: list[float], batch_size: int, n: int) -> float:
    """Mean over n images of the batches' means; the last batch may be smaller."""
    last = n - batch_size * (len(losses) - 1)
    return (batch_size * sum(losses[:-1]) + last * losses[-1]) / n


def _losses(history: History) -> str:
    text = f"train {(history.train or history.steps)[-1]:.2f}"
    if history.held_out:
        text += f", held-out {history.held_out[-1]:.2f}"
    return f"{text} {history.unit}"


# Data: a tensor, a tuple of tensors, or anything with rows, `len` and `.to`, as `Images` has.


def _to(device: torch.device, data: Any) -> Any:
    return tuple(column.to(device) for column in data) if isinstance(data, tuple) else data.to(device)


def _count(data: Any) -> int:
    return len(data[0] if isinstance(data, tuple) else data)


def _batches(data: Any, batch_size: int, order: Tensor, skip: int = 0) -> Iterator[Any]:
    for rows in order.split(batch_size)[skip:]:
        yield tuple(column[rows] for column in data) if isinstance(data, tuple) else data[rows]


def _check_data(data: Any) -> None:
    if isinstance(data, tuple) and len({len(column) for column in data}) > 1:
        raise ValueError(
            f"the data hold {[len(column) for column in data]} rows: give tensors of one length."
        )
    if not _count(data):
        raise ValueError("the data hold no images: give at least one.")


def _check(model, data, held_out, epochs: int, batch_size: int, lr: float, seed: int) -> None:
    _check_data(data)
    if held_out is not None:
        _check_data(held_out)
    for name, value, least in [("epochs", epochs, 1), ("batch_size", batch_size, 1), ("seed", seed, 0)]:
        if not isinstance(value, int) or value < least:
            raise ValueError(f"{name} = {value!r} must be a whole number, {least} or above.")
    if not (0 < lr < math.inf):
        raise ValueError(f"lr = {lr!r} must be a number above 0; 1e-3 is a good start.")
    if not _trainable(model):
        raise ValueError("the model has no weights to train: every parameter is frozen.")


def _trainable(model: nn.Module) -> list[nn.Parameter]:
    return [weight for weight in model.parameters() if weight.requires_grad]


# Randomness, interruption, checkpoints.


def _generator(seed: int, epoch: int) -> torch.Generator:
    # one 32-bit number out of both: the generator ignores what a seed holds beyond
    return torch.Generator().manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))


@contextmanager
def _random_stream(seed: int, device: torch.device) -> Iterator[None]:
    """PyTorch's random numbers from the seed inside; outside they go on as if nothing had been drawn."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


@contextmanager
def _stop_between_steps() -> Iterator[threading.Event]:
    """Turn Ctrl-C into an event, so that no step is cut in half; a second Ctrl-C interrupts at once."""
    stop = threading.Event()

    def ask_to_stop(*_: Any) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop  # only the main thread may set a handler, and only it gets Ctrl-C
        return
    before = signal.signal(signal.SIGINT, ask_to_stop)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def _save(path: str | Path | None, model, optimizer, history: History, settings: dict) -> None:
    if path is None:
        return
    random = {"cpu": torch.get_rng_state()}
    if (device := next(model.parameters()).device).type == "cuda":
        random["cuda"] = torch.cuda.get_rng_state(device)
    states = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "random": random}
    checkpoints.save(path, {**states, "history": asdict(history), "settings": settings})


def _resume(path: str | Path | None, model, optimizer, history: History, settings: dict) -> None:
    if path is None or not Path(path).exists():
        return
    saved = checkpoints.load(path)
    if saved.get("settings") != settings:
        raise ValueError(
            f"{path} belongs to a run with {saved.get('settings')}, but this one has {settings}: "
            "use the same settings, or name another checkpoint."
        )
    if _shapes(saved["model"]) != _shapes(model.state_dict()):
        raise ValueError(f"{path} holds the weights of another model: name another checkpoint.")
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    vars(history).update(saved["history"])
    torch.set_rng_state(saved["random"]["cpu"])
    if (device := next(model.parameters()).device).type == "cuda" and "cuda" in saved["random"]:
        torch.cuda.set_rng_state(saved["random"]["cuda"], device)


def _shapes(state: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in state.items()}
