"""What the sections of a training's checkpoint must be. All are checked before any of them is used.

A damaged or crafted file must not reach PyTorch: fused Adam, say, writes beyond a moment that is smaller than
its weight. Each function returns what it checked, and raises `Damaged` with the reason.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from vae_edu.engine.checkpoint import check_tensor, need, uncompiled, weights_in, weights_of


def weights(saved: dict[str, Any], model: nn.Module) -> dict[str, Any]:
    """The weights, which must be those of this model in names, shapes and types, and finite if trained."""
    found, own = weights_in(saved), weights_of(model)
    need(found.keys() == own.keys(), "its weights are not those of its settings")
    learned = {uncompiled(name) for name, _ in model.named_parameters(remove_duplicate=False)}
    for name, like in own.items():
        if isinstance(like, Tensor):
            check_tensor(f"the weight {name}", found[name], like, finite=name in learned)
    return found


def optimizer(saved: dict[str, Any], own: torch.optim.Optimizer, steps: int) -> dict[int, dict[str, Tensor]]:
    """Adam's state, laid out in memory like the weights, after so many steps."""
    state = _table(_table(saved.get("optimizer"), "optimizer").get("state"), "optimizer's state")
    trained = [weight for group in own.param_groups for weight in group["params"]]
    need(state.keys() <= set(range(len(trained))), "its optimizer has other weights")
    need(bool(state), "its optimizer has no state")
    return {number: _moments(state[number], trained[number], number, steps) for number in state}


def _moments(saved: Any, weight: Tensor, number: int, steps: int) -> dict[str, Tensor]:
    moments = _table(saved, f"optimizer's state of weight {number}")
    need(
        moments.keys() == {"step", "exp_avg", "exp_avg_sq"},
        f"Adam's state of weight {number} has other parts",
    )
    step = moments["step"]
    if isinstance(step, Tensor):
        need(step.dim() == 0 and not step.is_complex(), "Adam's number of steps is no number")
        step = step.item()
    need(_is_number(step) and step == int(step), "Adam's number of steps is no whole number")
    need(1 <= step <= steps, f"Adam took {step:g} steps of {steps}")
    laid_out = {"step": torch.tensor(float(step), dtype=torch.float32)}
    for name in ("exp_avg", "exp_avg_sq"):
        check_tensor(f"Adam's {name} of weight {number}", moments[name], weight)
        laid_out[name] = torch.empty_like(weight, requires_grad=False).copy_(moments[name])
    need(not (laid_out["exp_avg_sq"] < 0).any(), f"Adam's exp_avg_sq of weight {number} is below 0")
    return laid_out


def random_states(saved: dict[str, Any], device: torch.device) -> list[dict[str, Tensor]]:
    """The states of the generators, one table for each process of the run's first part."""
    others = saved.get("random of other processes", [])
    need(isinstance(others, list), "the random numbers of other processes are no list")
    states = [_table(state, "random numbers") for state in (saved.get("random"), *others)]
    for state in states:
        need("cpu" in state, "its random numbers have no state of the CPU")
        for name in ("cpu", "cuda") if device.type == "cuda" else ("cpu",):
            if name in state:
                _check_generator(state[name], torch.device("cpu") if name == "cpu" else device)
    return states


def _check_generator(state: Any, device: torch.device) -> None:
    try:
        torch.Generator(device).set_state(state)
    except (RuntimeError, TypeError) as error:
        need(False, f"the state of its random numbers is none ({str(error).splitlines()[0]})")


def history(saved: dict[str, Any], steps_of_an_epoch: int, held_out: bool) -> dict[str, Any]:
    """What a run has recorded. As many epochs must be in it as there are steps for."""
    recorded = dict(_table(saved.get("history"), "history"))
    steps = recorded.get("steps")
    if isinstance(steps, Tensor):
        need(steps.dim() == 1 and not steps.is_complex(), "its losses are no list of numbers")
        steps = steps.tolist()
    recorded["steps"] = steps
    for name in ("steps", "train", "held_out"):
        losses = recorded.get(name)
        right = isinstance(losses, list) and all(map(_is_number, losses))
        need(right, f"its losses, {name}, are no list of finite numbers")
    need(bool(steps), "it has no step")
    epochs = len(recorded["steps"] or []) // steps_of_an_epoch
    need(len(recorded["train"]) == epochs, f"it has {len(recorded['train'])} train losses of {epochs} epochs")
    expected = epochs if held_out else 0
    found = len(recorded["held_out"])
    need(found == expected, f"it has {found} held-out losses of {expected}")
    watched = _table(recorded.get("watched"), "table of what was watched")
    need(isinstance(recorded.get("unit"), str), "its losses have no unit")
    return {name: recorded[name] for name in ("unit", "steps", "train", "held_out")} | {"watched": watched}


def settings(saved: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """The settings of a run, of which those with these names must be there."""
    found = _table(saved.get("settings"), "settings")
    need(names <= found.keys(), f"its settings lack {', '.join(sorted(names - found.keys()))}")
    return found


def _table(value: Any, what: str) -> dict[Any, Any]:
    need(isinstance(value, dict), f"its {what} is missing or no table")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
