"""What a training run needs to go on: `train.fit` writes it, and reads it when it is called again."""

from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vae_edu.engine import checkpoint, sections
from vae_edu.engine.distributed import gather, rank
from vae_edu.engine.identity import NEEDED, differences
from vae_edu.engine.plain import plain


class RunFile:
    """The checkpoint of a run: read once, written after every epoch. In a group, process 0 writes it.

    Args:
        path: The file; an older one stays until the new one is whole.
        model: What is trained.
        optimizer: Adam.
        settings: `identity.describe`, and what else must be the same when the run goes on.

    Raises:
        ValueError: If no file can be written there, or the model's `about` cannot be kept.
    """

    def __init__(
        self, path: str | Path, model: nn.Module, optimizer: torch.optim.Optimizer, settings: dict[str, Any]
    ):
        checkpoint.check_path(path)
        self.path, self.model, self.optimizer, self.settings = Path(path), model, optimizer, settings
        checkpoint.only_plain(checkpoint.contents_of(model)["about"], "about")
        self.seen = checkpoint.checksums(path)  # of the file that this run may replace

    def resume(
        self, history: Any, steps: int, steps_of_an_epoch: int, moving: Callable[[float], dict[str, Any]]
    ) -> None:
        """Put everything back in the state that `save` wrote. If there is no file, do nothing.

        In a group of other size than the run's first part, the additional processes draw from new streams.

        Args:
            history: A dataclass, to be filled.
            steps: How many the run will have in the end.
            steps_of_an_epoch: How many an epoch has.
            moving: From the epochs done to what moves during a run, the learning rate and β.

        Raises:
            ValueError: For the checkpoint of another run, or of one that had more steps already, and for a
                damaged one.
        """
        if self.seen is None:
            return
        saved = checkpoint.load(self.path)
        if not {"optimizer", "random", "history", "settings"} & saved.keys():
            raise ValueError(
                f"{self.path} holds a model and no training to go on with: name another checkpoint."
            )
        try:
            before = sections.settings(saved, NEEDED)
            self._check_same(self.settings, before | {"architecture": self._architecture_in(saved)})
            recorded = sections.history(saved, steps_of_an_epoch, before["held out"] != 0)
            done = len(recorded["steps"])
            self._check_same(moving((done - 1) / steps_of_an_epoch), before)
            if done > steps:
                raise ValueError(
                    f"{self.path} has been trained for longer already: raise epochs, or name another "
                    "checkpoint."
                )
            weights = sections.weights(saved, self.model)
            moments = sections.optimizer(saved, self.optimizer, done)
            states = sections.random_states(saved, next(self.model.parameters()).device)
        except checkpoint.Damaged as error:
            raise ValueError(
                f"{self.path} is damaged: {error}; delete it to begin anew, or name another file."
            ) from error
        checkpoint.load_weights(self.model, weights)
        # the file's groups may come from another device, and from nobody knows where
        groups = self.optimizer.state_dict()["param_groups"]
        options = [dict(group) for group in self.optimizer.param_groups]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        for group, own in zip(self.optimizer.param_groups, options, strict=True):
            group.update(own)  # load_state_dict copies a rate that is a tensor
        vars(history).update(recorded, interrupted=False)
        if rank() < len(states):
            _set_random_state(self.model, states[rank()])

    def save(self, history: Any, moving: dict[str, Any]) -> None:
        """Write the state of a run, with the random numbers that come next. Every process must call it.

        If another training has written the file meanwhile, it stays, and this run's state goes to a second.

        Args:
            history: A dataclass.
            moving: What moves during a run, the learning rate and β, at the last step.

        Raises:
            ValueError: If the file cannot be written, if it is another training's now, or if something in it
                cannot be kept; then the rest is.
        """
        random, *others = gather(_random_state(self.model))
        if rank() > 0:
            return
        losses = torch.tensor(history.steps, dtype=torch.float64)  # a long run has millions
        contents = checkpoint.contents_of(self.model)
        problems: list[str] = []
        contents["about"] = plain(contents["about"], "about", problems)
        recorded = {**vars(history), "steps": losses}
        recorded["watched"] = plain(history.watched, "history.watched", problems)
        states = {"optimizer": self.optimizer.state_dict(), "random": random, "history": recorded}
        states |= {"random of other processes": others} if others else {}
        settings = self.settings | moving
        del settings["architecture"]
        self._write({**contents, **states, "settings": settings})
        if problems:
            raise ValueError(f"{problems[0]} {self.path} keeps the rest.")

    def _write(self, contents: dict[str, Any]) -> None:
        try:
            self.seen = checkpoint.save(self.path, contents, instead_of=self.seen)
        except checkpoint.Taken as error:
            own = _new_file(self.path)
            checkpoint.save(own, contents)
            raise ValueError(
                f"{self.path} was written by another training meanwhile: what this one learned is in {own}; "
                "give each its own checkpoint."
            ) from error

    def _architecture_in(self, saved: dict[str, Any]) -> Any:
        """The architecture in the file, with this model's values for arguments that it does not know yet."""
        own, found = self.settings["architecture"], saved.get("architecture")
        return {**own, **found} if isinstance(own, dict) and isinstance(found, dict) else found

    def _check_same(self, own: dict[str, Any], before: dict[str, Any]) -> None:
        if differ := differences(own, before):
            first = next(iter(differ))
            raise ValueError(
                f"{self.path} belongs to another run ({', '.join(differ)} differ): {first}: "
                f"{differ[first]}; use the same model, loss, data and settings, or name another checkpoint."
            )


def _new_file(path: Path) -> Path:
    """A file next to path that was not there: run-2.pt for run.pt, or run-3.pt."""
    numbers = count(2)
    while True:
        new = path.with_name(f"{path.stem}-{next(numbers)}{path.suffix}")
        with suppress(FileExistsError):
            new.touch(exist_ok=False)
            return new


def _random_state(model: nn.Module) -> dict[str, Tensor]:
    device = next(model.parameters()).device
    cuda = {"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {}
    return {"cpu": torch.get_rng_state(), **cuda}


def _set_random_state(model: nn.Module, state: dict[str, Tensor]) -> None:
    device = next(model.parameters()).device
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
