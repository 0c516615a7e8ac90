"""What a training run needs in order to go on: written by `train.fit`, and read when it is called again."""

import zlib
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vae_edu.engine import checkpoint


def count(data: Any) -> int:
    """How many images the data hold: a tuple of tensors has one row each for every image."""
    return len(data[0] if isinstance(data, tuple) else data)


def describe(model: nn.Module, data: Any, held_out: Any) -> dict[str, Any]:
    """What a resumed run shares with the first: its weights and its data, known by three rows."""
    rows = [0, count(data) // 2, count(data) - 1]
    columns = data if isinstance(data, tuple) else (getattr(data, "x", data),)
    sample = [zlib.crc32(column[rows].detach().cpu().contiguous().numpy().tobytes()) for column in columns]
    return {
        "weights": {name: list(value.shape) for name, value in model.state_dict().items()},
        "trained": [name for name, weight in model.named_parameters() if weight.requires_grad],
        "images": count(data),
        "sample of the data": sample,
        "held out": 0 if held_out is None else count(held_out),
    }


def save(
    path: str | Path | None,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    history: Any,
    settings: dict[str, Any],
) -> None:
    """Write the state of a run, with the random numbers that come next. Without a path, nothing.

    history: a dataclass. settings: `describe` and what else must be the same when the run goes on.
    Raises ValueError where the file cannot be written.
    """
    if path is None:
        return
    random = {"cpu": torch.get_rng_state()}
    if (device := next(model.parameters()).device).type == "cuda":
        random["cuda"] = torch.cuda.get_rng_state(device)
    losses = torch.tensor(history.steps, dtype=torch.float64)  # a million numbers, where runs are long
    recorded = {**vars(history), "steps": losses}
    states = {"optimizer": optimizer.state_dict(), "random": random, "history": recorded}
    checkpoint.save(path, {**checkpoint.contents_of(model), **states, "settings": settings})


def resume(
    path: str | Path | None,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    history: Any,
    settings: dict[str, Any],
    steps: int,
) -> None:
    """Put everything back in the state that `save` wrote; where no file is at the path, nothing.

    steps: how many the run will have in the end.
    Raises ValueError for the checkpoint of another run, or of one that had more steps already.
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
    torch.set_rng_state(saved["random"]["cpu"])
    if (device := next(model.parameters()).device).type == "cuda" and "cuda" in saved["random"]:
        torch.cuda.set_rng_state(saved["random"]["cuda"], device)
