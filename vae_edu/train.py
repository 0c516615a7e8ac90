"""The one training loop of the course, short enough for a slide."""

import math
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import vae_edu
from vae_edu.engine import resume
from vae_edu.engine.arguments import whole_number
from vae_edu.engine.distributed import add_up, rank
from vae_edu.engine.memory import reuse_freed_memory
from vae_edu.engine.precision import check_precision
from vae_edu.engine.progress import progress_bar
from vae_edu.engine.randomness import random_stream
from vae_edu.engine.step import Loss, Step, sum_of_share


@dataclass
class History:
    """What `fit` saw: mean losses per image, in `unit`.

    steps: the train loss of every step. train: its mean over each epoch, taken while the weights moved.
    held_out: the loss on held-out data after each epoch. interrupted: whether it was stopped early.
    watched: whatever `fit`'s watch records, such as a value after each epoch.
    """

    unit: str = "nats per image"
    steps: list[float] = field(default_factory=list, repr=False)
    train: list[float] = field(default_factory=list)
    held_out: list[float] = field(default_factory=list)
    interrupted: bool = False
    watched: dict[str, list[float]] = field(default_factory=dict, repr=False)


def fit(
    model: nn.Module,
    loss: Loss,
    data: Any,
    epochs: int,
    *,
    held_out: Any = None,
    batch_size: int = 128,
    lr: float | Callable[[float], float] = 1e-3,
    eps: float = 1e-8,
    seed: int = 0,
    device: torch.device | str | None = None,
    unit: str = "nats per image",
    checkpoint: str | Path | None = None,
    watch: Callable[[nn.Module, History], None] | None = None,
    progress: bool = True,
    precision: str = "float32",
    capture: bool = True,
) -> History:
    """Minimise the mean of loss(model, batch) over the data with Adam (Kingma & Ba 2015).

    model: changed in place. loss: returns one value an image, (B,); the only mean is taken here.
    data, held_out: a tensor (N, …), a tuple of tensors, or `Images`; a batch is rows of the same kind.
    lr, eps: of Adam. lr may be a function of the epochs done, 2.5 say, that gives it; a run that goes on
        from a checkpoint is asked to begin with the same one.
    device: `vae_edu.device()` unless given; model and data are moved there once.
    seed: fixes the order of the images and the random draws of the loss; the caller's stay untouched.
    checkpoint: a file, written after every epoch and on Ctrl-C. Where it exists already, training
        goes on from it, bit for bit as if it had never stopped.
    watch: called as watch(model, history) after every whole epoch, in evaluation mode, without gradients
        and with random numbers of its own, so that it changes nothing of the training.
    progress: whether to show a progress bar with the losses.
    precision: of the loss's matrix products, as `vae_edu.engine.precision` has them; weights, Adam and
        held-out losses stay float32.
    capture: whether a step becomes a CUDA graph where it can (`vae_edu.engine.capture`). On a GPU nothing
        waits for it inside an epoch: losses are read at the end of each.
    Ctrl-C, or a notebook's stop button, ends training between two steps and keeps what was learned.
    In a group of processes (`vae_edu.engine.distributed`) all of them call it with the same arguments; each
        takes its share of every batch, and process 0 shows, prints and writes.

    Raises ValueError for bad arguments or the checkpoint of another run, and FloatingPointError, with
    the step, where a loss or a weight is not finite; the checkpoint keeps the last good epoch.
    """
    epochs, batch_size = whole_number("epochs", epochs, 1), whole_number("batch_size", batch_size, 1)
    seed, eps = whole_number("seed", seed, 0), _above_0("eps", eps, "1e-8")
    _check(model, data, held_out)
    reuse_freed_memory()
    device, n = vae_edu.device(device), resume.count(data)
    model, data, held_out = model.to(device).train(), _to(device, data), _to(device, held_out)
    step = Step(model, loss, data, eps=eps, precision=check_precision(precision), capture=capture)
    history, steps = History(unit), math.ceil(n / batch_size)  # steps in an epoch
    settings = {"batch_size": batch_size, "lr": _rate(lr, 0.0), "seed": seed}
    settings |= {"eps": eps} if eps != 1e-8 else {}  # a checkpoint of an older version has none
    settings |= {"precision": precision} if precision != "float32" else {}
    settings |= resume.describe(model, data, held_out)
    with random_stream(seed), _stop_between_steps() as stop:
        resume.resume(checkpoint, model, step.optimizer, history, settings, epochs * steps)
        done, losses = len(history.steps), []
        if step.records and done < epochs * steps:
            evaluate(model, loss, data)  # what the loss checks in the images, it cannot check inside a graph
        with progress_bar(
            total=epochs * steps, initial=done, unit="step", shown=progress and rank() == 0
        ) as bar:
            for epoch in range(done // steps, epochs):
                order = torch.randperm(n, generator=_generator(seed, epoch)).to(device)
                for rows in order.split(batch_size)[done % steps :]:
                    losses.append(step(rows, _rate(lr, done / steps)))
                    done += 1
                    if device.type == "cpu":  # where nobody waits for a loss
                        _read(losses, history, epoch, bar)
                    bar.update()
                    if add_up(stop.is_set()):  # anyone's
                        break
                _read(losses, history, epoch, bar)
                whole = done == (epoch + 1) * steps
                if whole:
                    history.train.append(_epoch_mean(history.steps[-steps:], batch_size, n))
                    if held_out is not None:
                        history.held_out.append(evaluate(model, loss, held_out))
                _check_finite(model, history, epoch)
                if whole and watch is not None:
                    with random_stream(seed), _evaluation(model):
                        watch(model, history)
                history.interrupted = add_up(stop.is_set()) > 0
                if rank() == 0:
                    resume.save(checkpoint, model, step.optimizer, history, settings)
                if history.interrupted:
                    break
    if history.interrupted and rank() == 0:
        print(
            f"Stopped after step {len(history.steps)} of {epochs * steps}; the model keeps what it learned."
        )
    return history


def evaluate(model: nn.Module, loss: Loss, data: Any, batch_size: int = 1000, seed: int = 0) -> float:
    """Mean of loss(model, batch) per image over the data, with the model in evaluation mode.

    The same seed gives the same random draws, so that two models or epochs can be compared.
    In a group of processes all of them call it. Raises ValueError for empty data.
    """
    _check_data(data)
    device = next((weight.device for weight in model.parameters()), vae_edu.device())
    data = _to(device, data)
    total = 0.0
    with random_stream(seed), _evaluation(model):
        for rows in torch.arange(resume.count(data), device=device).split(batch_size):
            total += sum_of_share(loss, model, data, rows).item()
    return add_up(total) / resume.count(data)


def _read(losses: list[Tensor], history: History, epoch: int, bar: Any) -> None:
    """Move the losses of the last steps into the history, up to one that is not finite, which is an error."""
    if not losses:
        return
    for loss in torch.stack(losses).tolist():
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"the loss is {loss} at step {len(history.steps)} (epoch {epoch}): lower lr, or look for NaN "
                "in the data, and for a log of 0 or a division by 0 in the loss."
            )
        history.steps.append(loss)
    losses.clear()
    bar.set_postfix_str(_losses(history), refresh=False)


def _check_finite(model: nn.Module, history: History, epoch: int) -> None:
    """A finite loss can still have a gradient that is not: the square root has one at 0."""
    held_out = history.held_out[-1] if history.held_out else 0.0
    if not math.isfinite(held_out) or not all(weight.isfinite().all() for weight in model.parameters()):
        raise FloatingPointError(
            f"a weight or the held-out loss is not finite after step {len(history.steps)} (epoch {epoch}): "
            "lower lr, or look for a square root, a log or a division at 0 in the loss."
        )


def _epoch_mean(losses: list[float], batch_size: int, n: int) -> float:
    """Mean over n images of the batches' means; the last batch may be smaller."""
    last = n - batch_size * (len(losses) - 1)
    return (batch_size * sum(losses[:-1]) + last * losses[-1]) / n


def _losses(history: History) -> str:
    text = f"train {history.steps[-1]:.2f}"
    if history.held_out:
        text += f", held-out {history.held_out[-1]:.2f}"
    return f"{text} {history.unit}"


# Data: a tensor, a tuple of tensors, or anything with rows, `len` and `.to`, as `Images` has.


def _to(device: torch.device, data: Any) -> Any:
    if data is None:
        return None
    return tuple(column.to(device) for column in data) if isinstance(data, tuple) else data.to(device)


def _check_data(data: Any) -> None:
    columns = data if isinstance(data, tuple) else (data,)
    if not columns or not all(hasattr(column, "to") and hasattr(column, "__len__") for column in columns):
        raise ValueError(
            f"the data are a {type(data).__name__}: give a tensor, a tuple of tensors, or Images."
        )
    if len({len(column) for column in columns}) > 1:
        raise ValueError(
            f"the data hold {[len(column) for column in columns]} rows: give tensors of one length."
        )
    if not len(columns[0]):
        raise ValueError("the data hold no images: give at least one.")


def _rate(lr: float | Callable[[float], float], epoch: float) -> float:
    """lr after so many epochs, which must be a number above 0."""
    return _above_0("lr", lr(epoch) if callable(lr) else lr, "1e-3")


def _above_0(name: str, value: Any, start: str) -> float:
    if not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError(f"{name} = {value!r} must be a number above 0; {start} is a good start.")
    return float(value)


def _check(model: nn.Module, data: Any, held_out: Any) -> None:
    _check_data(data)
    if held_out is not None:
        _check_data(held_out)
    if not any(weight.requires_grad for weight in model.parameters()):
        raise ValueError("the model has no weights to train: every parameter is frozen.")


# Randomness and interruption.


def _generator(seed: int, epoch: int) -> torch.Generator:
    # one 32-bit number out of both: the generator ignores what a seed holds beyond
    return torch.Generator().manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))


@contextmanager
def _evaluation(model: nn.Module) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


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
