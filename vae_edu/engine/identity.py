"""By what a run is known again: its weights, layers, loss, and data. What cannot be compared is None."""

import inspect
import math
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor, nn

from vae_edu.engine import rows
from vae_edu.engine.arguments import as_number, shortened
from vae_edu.engine.checkpoint import COMPILED, uncompiled, weights_of
from vae_edu.engine.distributed import gather, rank

NEEDED = {"batch_size", "lr", "seed", "weights", "trained", "images", "sample of the data", "held out"}
UNIMPORTANT = {"training", "inplace"}  # attributes of PyTorch's layers that change no number


def describe(model: nn.Module, loss: Any, data: Any, held_out: Any) -> dict[str, Any]:
    """What the parts of a run share, as plain values by name.

    Data are known by checksums of all their rows, which process 0 of a group computes for all. "sample of
    the data", of three rows, is what versions up to 0.2 know.
    """
    own = (
        [rows.checksums(data), None if held_out is None else rows.checksums(held_out)] if rank() == 0 else []
    )
    (data_checksums, held_out_checksums), *_ = gather(own)
    weights = {name: value for name, value in weights_of(model).items() if isinstance(value, Tensor)}
    trained = [name for name, weight in model.named_parameters() if weight.requires_grad]
    return {
        "weights": {name: list(weight.shape) for name, weight in weights.items()},
        "dtypes": sorted({str(weight.dtype) for weight in weights.values()}),
        "trained": [uncompiled(name) for name in trained],
        "layers": layers(model),
        "architecture": getattr(model, "architecture", None),
        "loss": of_function(loss),
        "images": rows.count(data),
        "sample of the data": rows.checksums_of_sample(data),
        "data": data_checksums,
        "held out": 0 if held_out is None else rows.count(held_out),
        "held-out data": held_out_checksums,
    }


def layers(model: nn.Module) -> dict[str, str]:
    """The class of each layer by its name; of PyTorch's own also their numbers, such as a slope."""
    found = {}
    for name, layer in model.named_modules():
        kind, numbers = type(layer), ""
        if hasattr(layer, COMPILED.strip(".")):
            continue  # what torch.compile puts around a layer
        if kind.__module__.startswith("torch.nn.modules."):
            plain = {
                key: value
                for key, value in sorted(vars(layer).items())
                if key[0] != "_"
                and key not in UNIMPORTANT
                and isinstance(value, bool | int | float | str | tuple)
            }
            numbers = ", ".join(f"{key}={value!r}" for key, value in plain.items())
        found[uncompiled(name) or "model"] = f"{kind.__name__}({numbers})"
    return found


def of_function(function: Any) -> str | None:
    """A function's name, and the arguments that it has besides model and batch; None if it has no name.

    A lambda, or a function inside another, may do something else under the same name.
    """
    arguments: tuple[Any, ...] = ()
    keywords: dict[str, Any] = {}
    inner = function
    while isinstance(inner, partial):
        arguments, keywords, inner = inner.args + arguments, inner.keywords | keywords, inner.func
    name = getattr(inner, "__qualname__", type(inner).__qualname__)
    if "<" in name:
        return None
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # not written in Python
        parameters = []
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    given = [_known(value) for value in arguments]
    given += [f"{key}={_known(value)}" for key, value in sorted((defaults | keywords).items())]
    return f"{name}({', '.join(given)})"


def _known(value: Any) -> str:
    """A value in words that are the same in every process: its type, if there is nothing else."""
    value = as_number(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)  # beta=1 is beta=1.0
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    if isinstance(value, Tensor | np.ndarray):
        return f"{type(value).__name__}{tuple(value.shape)} with the checksum {rows.checksum(value)}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_known, value))}]"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(_known, value)))}}}"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_known(key)}: {_known(item)}' for key, item in value.items())}}}"
    if callable(value) and not isinstance(value, nn.Module):
        return of_function(value) or "a function"
    return f"a {type(value).__qualname__}"


def differences(own: dict[str, Any], saved: dict[str, Any]) -> dict[str, str]:
    """What differs, by name, with both values in words. Only what both know is compared."""
    return {
        name: _difference(own[name], saved[name])
        for name in own
        if name in saved and not _same(own[name], saved[name])
    }


def _same(own: Any, saved: Any) -> bool:
    if isinstance(own, float) and isinstance(saved, int | float):
        return math.isclose(own, saved, rel_tol=1e-12)  # cos and pow differ in a bit between machines
    if isinstance(own, dict) and isinstance(saved, dict):
        return list(own) == list(saved) and all(_same(own[name], saved[name]) for name in own)
    return own is None or saved is None or own == saved


def _difference(own: Any, saved: Any) -> str:
    if isinstance(own, dict) and isinstance(saved, dict):
        for name in [*own, *saved]:
            here, there = (table.get(name, "missing") for table in (own, saved))
            if not _same(here, there):
                return f"{name} is {_words(here)}, in the file {_words(there)}"
    return f"{_words(own)}, in the file {_words(saved)}"


def _words(value: Any) -> str:
    return shortened(value) if not isinstance(value, str) else value[:160]
