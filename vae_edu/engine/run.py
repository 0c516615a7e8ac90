"""A training run: what `train.fit` records, shows, saves, resumes and guards around its loop."""

import dataclasses
import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

import vae_edu
from vae_edu.engine import rows
from vae_edu.engine.arguments import as_number, not_negative, positive_number, whole_number
from vae_edu.engine.distributed import add_up, own_seed, rank
from vae_edu.engine.identity import describe, of_function
from vae_edu.engine.interrupts import stop_between_steps
from vae_edu.engine.memory import reuse_freed_memory
from vae_edu.engine.precision import check_precision
from vae_edu.engine.progress import progress_bar
from vae_edu.engine.randomness import give_way, mixed_seed, random_stream
from vae_edu.engine.resume import RunFile
from vae_edu.engine.step import Loss, Step, check_model, check_rows, evaluate, evaluation_mode


@dataclass
class History:
    """What `fit` saw: mean losses per image, in `unit`.

    Attributes:
        unit: Of the losses.
        steps: The train loss of every step.
        train: Its mean over each epoch, taken while the weights moved.
        held_out: The loss on held-out data after each epoch.
        interrupted: Whether training was stopped early.
        watched: Whatever `fit`'s watch records, such as a value after each epoch.
    """

    unit: str = "nats per image"
    steps: list[float] = field(default_factory=list, repr=False)
    train: list[float] = field(default_factory=list)
    held_out: list[float] = field(default_factory=list)
    interrupted: bool = False
    watched: dict[str, list[float]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Options:
    """What else `fit` takes, by name.

    Attributes:
        eps: Of Adam, above 0.
        device: Where to train, `vae_edu.device()` by default. Model and data are moved there once.
        unit: Of the losses, for the progress bar and for figures.
        checkpoint: A file, written after every epoch and on Ctrl-C. If it exists already, training goes on
            from it, bit for bit as if it had never stopped, and says so in a line. Model, data, settings, and
            the loss's name and arguments must be the same; what a lambda or a local function does cannot be
            compared. `watch` may be another one.
        progress: Whether to show a progress bar with the losses.
        capture: Whether to record a step as a CUDA graph if that is possible (`vae_edu.engine.capture`).
            Nothing can be checked inside a graph, so the loss first goes over all data once.
    """

    eps: float = 1e-8
    device: torch.device | str | None = None
    unit: str = "nats per image"
    checkpoint: str | Path | None = None
    progress: bool = True
    capture: bool = True

    @classmethod
    def of(cls, options: dict[str, Any]) -> "Options":
        """The options by name. Raises TypeError for a name that is none, ValueError for a bad value."""
        names = [option.name for option in dataclasses.fields(cls)]
        if unknown := sorted(options.keys() - names):
            raise TypeError(
                f"fit has no option {unknown[0]!r}: besides its arguments it takes {', '.join(names)}."
            )
        eps = positive_number("eps", options.get("eps", cls.eps), "1e-8")
        return cls(**{**options, "eps": eps})


class Run:
    """One call of `fit`, as a context: inside, random numbers come from the seed and Ctrl-C waits for a step.

    Attributes:
        history: What the run has seen, with what the checkpoint holds of earlier parts of it.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        data: Any,
        epochs: int,
        *,
        held_out: Any,
        batch_size: int,
        lr: float | Callable[[float], float],
        beta: float | Callable[[float], float] | None,
        seed: int,
        watch: Callable[[Any, History], None] | None,
        **options: Any,
    ):
        """Check every argument, and move model and data to the device.

        Raises:
            ValueError: For bad arguments.
            TypeError: For an option that does not exist.
        """
        self.options = Options.of(options)
        self.epochs_in_all = whole_number("epochs", epochs, 1)
        self.batch_size = whole_number("batch_size", batch_size, 1)
        self.seed = whole_number("seed", seed, 0)
        self.lr, self.beta, self.watch = lr, beta, watch
        first_rate = self._rate(0.0)
        rows.check(data)
        if held_out is not None:
            rows.check(held_out, "the held-out data")
        check_model(model, loss, watch)
        if beta is not None:
            _check_takes_beta(loss)
        check_precision(model, data, held_out)
        reuse_freed_memory()
        self.device = vae_edu.device(self.options.device)
        self.model, self.data = model.to(self.device).train(), rows.to(self.device, data)
        self.held_out = None if held_out is None else rows.to(self.device, held_out)
        self.weight = torch.empty((), dtype=torch.float64, device=self.device)  # β; a graph reads it anew
        first_beta = self._set_beta(0.0)
        self.named_loss, self.loss = loss, loss if beta is None else partial(loss, beta=self.weight)  # type: ignore[call-arg]
        options_of_step = {"eps": self.options.eps, "capture": self.options.capture}
        self.take_step = Step(self.model, self.loss, self.data, **options_of_step)  # type: ignore[arg-type]
        self.history, self.images = History(self.options.unit), rows.count(data)
        self.steps = math.ceil(self.images / self.batch_size)  # in an epoch
        self.unread: list[Tensor] = []  # losses that may still be on their way from a GPU
        self.file: RunFile | None = None
        if self.options.checkpoint is not None:
            settings = {
                "batch_size": self.batch_size,
                "lr": first_rate,
                "seed": self.seed,
                "beta": first_beta,
            }
            settings |= {"eps": self.options.eps} | describe(self.model, loss, self.data, self.held_out)
            self.file = RunFile(self.options.checkpoint, self.model, self.take_step.optimizer, settings)

    def __enter__(self) -> "Run":
        with ExitStack() as stack:
            stack.enter_context(random_stream(own_seed(self.seed)))
            self.stop = stack.enter_context(stop_between_steps())
            last = self.epochs_in_all * self.steps
            if self.file:
                self.file.resume(self.history, last, self.steps, self._moving)
            self.done = len(self.history.steps)
            self._say_where_it_goes_on(last)
            if self.done < last:
                check_rows(self.model, self.loss, self.data, self.seed)
                if self.held_out is not None:
                    check_rows(self.model, self.loss, self.held_out, self.seed, "the held-out data")
            if self.take_step.captured and self.done < last:
                evaluate(self.model, self.loss, self.data)  # a graph cannot check the images, so do it here
            shown = self.options.progress and rank() == 0
            bar = progress_bar(total=last, initial=self.done, unit="step", shown=shown)
            self.bar = stack.enter_context(bar)
            self.stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stack.__exit__(kind, error, traceback)
        if error is None and self.history.interrupted and rank() == 0:
            print(
                f"Stopped after step {self.done} of {self.epochs_in_all * self.steps}; "
                "the model keeps what it learned."
            )

    def _say_where_it_goes_on(self, last: int) -> None:
        """One line on what the checkpoint held, if it held anything."""
        if not self.done or rank() > 0:
            return
        path, epochs = self.options.checkpoint, self.epochs_in_all
        if self.done == last:
            print(f"{path} has all {epochs} epochs already; nothing was trained.")
        else:
            loss = (
                ""
                if of_function(self.named_loss)
                else ", with a loss that cannot be compared with the file's"
            )
            print(f"Training goes on at epoch {self.done // self.steps + 1} of {epochs} from {path}{loss}.")

    def epochs(self) -> Iterator[int]:
        """The epochs that are left to do, until somebody stops the run."""
        for epoch in range(self.done // self.steps, self.epochs_in_all):
            yield epoch
            if self.history.interrupted:
                return

    def batches(self, epoch: int) -> Iterator[Tensor]:
        """The rows (b,) of each batch that is left of an epoch, every image once, in a new order."""
        generator = torch.Generator().manual_seed(mixed_seed(self.seed, epoch))
        order = torch.randperm(self.images, generator=generator).to(self.device)
        for batch in order.split(min(self.batch_size, self.images))[self.done % self.steps :]:
            yield batch
            if self._stopped():
                return

    def step(self, batch: Tensor) -> None:
        """Take one step of Adam on the mean loss of these rows (b,) of the data, and record the loss."""
        self.rate = self._rate(self.done / self.steps)
        self._set_beta(self.done / self.steps)
        self.unread.append(self.take_step(batch, self.rate))
        self.done += 1
        if self.device.type == "cpu":  # reading a loss there costs nothing
            self._read_losses()
        self.bar.update()
        give_way()

    def end_of_epoch(self) -> None:
        """Record the epoch's losses, call `watch`, write the checkpoint; raise if a number is not finite."""
        self._read_losses()
        history, whole = self.history, self.done % self.steps == 0
        if whole:
            history.train.append(self._epoch_mean())
            if self.held_out is not None:
                history.held_out.append(evaluate(self.model, self.loss, self.held_out))
        self._check_finite()
        if whole and self.watch is not None:
            with random_stream(self.seed), evaluation_mode(self.model):
                self.watch(self.model, history)
            for values in history.watched.values():
                if isinstance(values, list):
                    values[:] = map(as_number, values)
        stopped = self._stopped()  # every process must ask
        history.interrupted = stopped and self.done < self.epochs_in_all * self.steps
        if self.file:
            self.file.save(history, self._moving((self.done - 1) / self.steps))

    def _rate(self, epoch: float) -> float:
        """lr after so many epochs, which must be a number above 0."""
        lr = self.lr(epoch) if callable(self.lr) else self.lr
        return positive_number("lr", lr, "1e-3")

    def _set_beta(self, epoch: float) -> float | str:
        """β after so many epochs, which the loss now reads; words if `fit` was given none."""
        if self.beta is None:
            return "that of the loss"
        beta = not_negative("beta", self.beta(epoch) if callable(self.beta) else self.beta)
        self.weight.fill_(beta)
        return beta

    def _moving(self, epoch: float) -> dict[str, Any]:
        """What may move during a run, at this moment of it: compared on resuming."""
        return {"lr of the last step": self._rate(epoch), "beta of the last step": self._set_beta(epoch)}

    def _stopped(self) -> bool:
        """Whether Ctrl-C was pressed, in any process."""
        return add_up(self.stop.is_set()) > 0

    def _read_losses(self) -> None:
        """Move the losses of the last steps into the history, up to one that is not finite, an error."""
        if not self.unread:
            return
        steps = self.history.steps
        for loss in torch.stack(self.unread).tolist():
            if not math.isfinite(loss):
                cause = "lower lr, or look" if steps else "no weight has moved yet: look"
                raise FloatingPointError(
                    f"the loss is {loss} at step {len(steps)} (epoch {len(steps) // self.steps}): {cause} "
                    "for NaN or a wrong range in the data, and for a log of 0 or a division by 0 in the loss."
                )
            steps.append(loss)
        self.unread.clear()
        held_out = self.history.held_out
        text = f"held-out {held_out[-1]:.2f}" if held_out else f"train {steps[-1]:.2f}"
        self.bar.set_postfix_str(text, refresh=False)

    def _epoch_mean(self) -> float:
        """The mean over the images of the last epoch, whose last batch may be smaller."""
        *losses, last = self.history.steps[-self.steps :]
        images = self.images - self.batch_size * len(losses)
        return (self.batch_size * sum(losses) + images * last) / self.images

    def _check_finite(self) -> None:
        """Raise if a weight or the held-out loss is not finite; sqrt at 0 has an infinite gradient."""
        held_out = self.history.held_out[-1] if self.history.held_out else 0.0
        if not math.isfinite(held_out) or not all(w.isfinite().all() for w in self.model.parameters()):
            raise FloatingPointError(
                f"a weight or the held-out loss is not finite after step {self.done} "
                f"(epoch {(self.done - 1) // self.steps}): "
                "lower lr, or look for a square root, a log or a division at 0 in the loss."
            )


def _check_takes_beta(loss: Loss) -> None:
    """Raise ValueError if the loss has no argument for β."""
    try:
        parameters = inspect.signature(loss).parameters
    except (TypeError, ValueError):  # not written in Python
        return
    if "beta" not in parameters and not any(p.kind == p.VAR_KEYWORD for p in parameters.values()):
        raise ValueError("the loss has no argument beta: give one that takes it, such as negative_elbo.")
