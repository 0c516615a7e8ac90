"""What a training run needs to go on: `train.fit` writes it, and reads it when it is called again."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vae_edu.engine import checkpoint, rows
from vae_edu.engine.distributed import gather, rank


def describe(model: nn.Module, data: Any, held_out: Any) -> dict[str, Any]:
    """What a resumed run shares with the first: its weights and its data, known by three rows."""
    return {
        "weights": {name: list(value.shape) for name, value in model.state_dict().items()},
        "trained": [name for name, weight in model.named_parameters() if weight.requires_grad],
        "images": rows.count(data),
        "sample of the data": rows.checksums(data),
        "held out": 0 if held_out is None else rows.count(held_out),
    }


def save(
    path: str | Path | None,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    history: Any,
    settings: dict[str, Any],
) -> None:
    """Write the state of a run, with the random numbers that come next. Without a path, do nothing.

    In a group every process must call it; process 0 writes, for all.

    Args:
        path: The file; an older one stays until the new one is whole.
        history: A dataclass.
        settings: `describe`, and what else must be the same when the run goes on.

    Raises:
        ValueError: If the file cannot be written.
    """
    if path is None:
        return
    random, *others = gather(_random_state(model))
    if rank() > 0:
        return
    losses = torch.tensor(history.steps, dtype=torch.float64)  # a long run has millions
    recorded = {**vars(history), "steps": losses}
    states = {"optimizer": optimizer.state_dict(), "random": random, "history": recorded}
    states |= {"random of other processes": others} if others else {}
    checkpoint.save(path, {**checkpoint.contents_of(model), **states, "settings": settings})


def resume(
    path: str | Path | None,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    history: Any,
    settings: dict[str, Any],
    steps: int,
) -> None:
    """Put everything back in the state that `save` wrote. If there is no file, do nothing.

    In a group of other size than the run's first part, the additional processes draw from new streams.

    Args:
        steps: How many the run will have in the end.

    Raises:
        ValueError: For the checkpoint of another run, or of one that had more steps already.
    """
    if path is None:
        return
    checkpoint.check_path(path)
    if not Path(path).exists():
        return
    saved = checkpoint.load(path)
    if "optimizer" not in saved:
        raise ValueError(f"{path} holds a model and no training to go on with: name another checkpoint.")
    before = saved.get("settings", {})
    if differ := [name for name in {**settings, **before} if settings.get(name) != before.get(name)]:
        raise ValueError(
            f"{path} belongs to another run ({', '.join(differ)} differ): use the same model, data and "
            "settings, or name another checkpoint."
        )
    recorded = {**saved["history"], "steps": torch.as_tensor(saved["history"]["steps"]).tolist()}
    if len(recorded["steps"]) > steps:
        raise ValueError(
            f"{path} has been trained for longer already: raise epochs, or name another checkpoint."
        )
    model.load_state_dict(saved["model"])
    options = [dict(group) for group in optimizer.param_groups]  # the file's may come from another device
    optimizer.load_state_dict(saved["optimizer"])
    for group, own in zip(optimizer.param_groups, options, strict=True):
        group.update(own)
    vars(history).update(recorded, interrupted=False)
    states = [saved["random"], *saved.get("random of other processes", [])]
    if rank() < len(states):
        _set_random_state(model, states[rank()])


def _random_state(model: nn.Module) -> dict[str, Tensor]:
    device = next(model.parameters()).device
    cuda = {"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {}
    return {"cpu": torch.get_rng_state(), **cuda}


def _set_random_state(model: nn.Module, state: dict[str, Tensor]) -> None:
    device = next(model.parameters()).device
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
