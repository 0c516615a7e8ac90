"""Call a learner's function, whatever its parameters are named, and read its result as plain tensors."""

import contextlib
import inspect
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

MOST_PARTS = 200  # of a tuple, a list or a generator
MOST_VALUES = 10**7  # of a tensor: no answer has more


class NotATensor(Exception):
    """A result that is no tensor; it says what it is instead."""


def call(function: Callable[..., Any], arguments: dict[str, Any]) -> tuple[Any, bool]:
    """Call a function by the exercise's names, or by position if its parameters have other names.

    Args:
        function: A function, or anything else that can be called.
        arguments: The arguments by the exercise's names, in the exercise's order.

    Returns:
        The result, and whether the parameters have other names.
    """
    try:
        signature = inspect.signature(function)
    except Exception:  # a built-in function, which may know the names or not, or an odd object
        return function(**arguments), False
    if _fits(signature, (), arguments):
        return function(**arguments), False
    positions, names = _renamed(signature, arguments)
    if _fits(signature, positions, names):
        return function(*positions, **names), True
    return function(**arguments), False  # Python says which argument is missing


def _fits(signature: inspect.Signature, positions: tuple[Any, ...], names: dict[str, Any]) -> bool:
    try:
        signature.bind(*positions, **names)
    except TypeError:
        return False
    return True


def _renamed(
    signature: inspect.Signature, arguments: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments for other parameters: those that have the exercise's names, and the others in order."""
    kinds = inspect.Parameter
    several = {p.kind for p in signature.parameters.values()} & {kinds.VAR_POSITIONAL}
    single = [
        p
        for p in signature.parameters.values()
        if p.kind not in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD)
        and (p.name in arguments or p.default is kinds.empty or not several)  # *args come before a default
    ]
    by_name = [p.name for p in single if p.kind is not kinds.POSITIONAL_ONLY and p.name in arguments]
    left = {key: value for key, value in arguments.items() if key not in by_name}
    others = [p for p in single if p.name not in by_name]
    needed = [p for p in others if p.default is kinds.empty]
    taken = needed if len(needed) >= len(left) else others
    if len(taken) < len(left):
        return tuple(arguments.values()), {}
    given = {key: arguments[key] for key in by_name} | dict(zip((p.name for p in taken), left.values()))
    first = [p.name for p in single if p.kind is kinds.POSITIONAL_ONLY and p.name in given]
    return tuple(given.pop(name) for name in first), given


def tensors(result: Any) -> tuple[list[Tensor], list[str], str]:
    """The parts of a result as ordinary tensors, the device of each, and its container if it is unusual.

    A float is right on any device, and what is no tensor, such as a NumPy array, is on none.

    Raises:
        NotATensor: A part is something else.
    """
    form = _form(result)
    if isinstance(result, Iterator):
        result = list(islice(result, MOST_PARTS + 1))
    if isinstance(result, (list, tuple)) and len(result) > MOST_PARTS:
        raise NotATensor(f"more than {MOST_PARTS} values")
    if isinstance(result, list) and result and all(isinstance(part, Tensor) for part in result):
        alike = len({part.shape for part in result}) == 1
        parts = [torch.stack([_plain(part) for part in result])] if alike else result
    else:
        parts = list(result) if isinstance(result, tuple) else [result]
    found = [_plain(part) for part in parts]
    return found, [_device(part) for part in parts], form


def _device(part: Any) -> str:
    if isinstance(part, Tensor):
        return part.device.type
    return "any" if isinstance(part, float) else "none"


def _form(result: Any) -> str:
    if isinstance(result, list):
        return "list"
    if isinstance(result, Iterator):
        return "generator"
    if isinstance(result, tuple):
        return next((form for part in result if (form := _form(part))), "")
    return "NumPy array" if isinstance(result, np.ndarray) else ""


def _plain(part: Any) -> Tensor:
    """A part as an ordinary tensor, which still lets gradients through."""
    if isinstance(part, float):
        return torch.tensor(part, dtype=torch.float64)  # it keeps its precision
    if isinstance(part, Tensor):
        tensor = part if type(part) is Tensor else part.as_subclass(Tensor)
    elif isinstance(part, (bool, int, list, np.ndarray, np.generic)):
        try:
            tensor = torch.as_tensor(part)
        except Exception as error:
            raise NotATensor(
                f"a {_form(part) or type(part).__name__} of other things than numbers"
            ) from error
    else:
        raise NotATensor(_what(part))
    for odd, name in (
        (tensor.is_nested, "nested"),
        (tensor.layout != torch.strided, "sparse"),
        (tensor.is_complex(), "complex"),
        (tensor.is_quantized, "quantized"),
        (tensor.is_meta, "meta"),
    ):
        if odd:
            raise NotATensor(f"a {name} tensor, not an ordinary one")
    if tensor.numel() > MOST_VALUES:
        raise NotATensor(f"the shape {(*tensor.shape,)}, far more values than any answer has")
    return tensor.float() if tensor.dtype == torch.bfloat16 else tensor


def _what(value: Any) -> str:
    """What a value is, in words."""
    if value is None:
        return "None for one of its values"
    with contextlib.suppress(Exception):  # an object may answer no question
        if callable(value):
            return f"the function {value.__name__}; call it"
    name = type(value).__name__[:50]
    builtin = type(value).__module__ == "builtins"
    return f"{'an' if name[:1] in 'aeiou' else 'a'} {name}" if builtin else f"an object of the class {name}"
