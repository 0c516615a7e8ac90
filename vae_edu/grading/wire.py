"""Arguments and answers as JSON, between the grader and the process that runs a student's code.

JSON holds only data: reading it runs nothing, whatever a student's code wrote.
"""

import base64
import json
import unicodedata
from typing import Any

import torch
from torch import Tensor

from vae_edu.exercises.answers import Answer

MAX_REPLY_BYTES = 8 * 2**20  # the answers to one exercise
MAX_TEXT = 1000  # letters of what a student's process says
DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128,
        torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.bool,
    )
}  # fmt: skip
PROBLEMS = {"unwritten", "raised", "changed", "nothing", "type"}


def dumps(value: Any) -> str:
    """A line of JSON; a tensor becomes its dtype, shape and bytes, an Answer its fields."""
    return json.dumps(value, default=_encode)


def portable(answer: Answer) -> Answer:
    """The answer, or a problem that says why it is none that can be sent."""
    parts = [*answer.parts, *(g for g in answer.gradients.values() if g is not None)]
    strange: list[Any] = [part.layout for part in parts if part.layout != torch.strided]
    strange += [part.dtype for part in parts if part.dtype not in DTYPES.values()]
    strange += [f"the device {part.device}" for part in parts if part.device.type != "cpu"]
    if not strange and sum(part.numel() * part.element_size() for part in parts) > MAX_REPLY_BYTES / 16:
        strange = ["a size that no answer has"]
    return Answer(problem=("type", f"tensor of {strange[0]}")) if strange else answer


def _encode(value: Any) -> Any:
    if isinstance(value, Tensor):
        plain = value.resolve_conj().resolve_neg().reshape(-1).clone(memory_format=torch.contiguous_format)
        data = base64.b64encode(plain.view(torch.uint8).numpy().tobytes()).decode()
        return {"dtype": str(value.dtype).removeprefix("torch."), "shape": list(value.shape), "data": data}
    return vars(value)


def tensor(value: dict[str, Any]) -> Tensor:
    """The tensor that ``dumps`` wrote.

    Raises:
        ValueError: The dtype, the shape or the bytes do not fit.
    """
    data, dtype, shape = (
        base64.b64decode(value["data"], validate=True),
        DTYPES[value["dtype"]],
        value["shape"],
    )
    _demand(type(shape) is list and all(type(length) is int and length >= 0 for length in shape))
    flat = torch.frombuffer(bytearray(data), dtype=dtype) if data else torch.empty(0, dtype=dtype)
    return flat.reshape(shape)


def arguments(values: dict[str, Any]) -> dict[str, Any]:
    """The arguments by name that ``dumps`` wrote."""
    return {name: tensor(v) if isinstance(v, dict) else v for name, v in values.items()}


def answers(text: str, count: int) -> list[Answer]:
    """Read the reply of a student's process. A student's code may have forged it.

    Args:
        text: The reply.
        count: How many answers it should hold.

    Raises:
        ValueError: The reply is anything else. Nothing else is ever raised.
    """
    try:
        reply = json.loads(text)
        found = [_answer(given) for given in reply.pop("answers")]
        _demand(not reply and len(found) == count)
    except Exception as error:
        raise ValueError("its process returned something that is no answer") from error
    return found


def clean(text: str, length: int = MAX_TEXT) -> str:
    """The text in one line, without what a terminal, a table or a file cannot show."""
    line = " ".join(text[: 2 * length].split())
    shown = (c if unicodedata.category(c)[0] != "C" else ascii(c)[1:-1] for c in line)
    return "".join(shown)[:length]


def _answer(given: dict[str, Any]) -> Answer:
    parts, devices, problem, gradients, form, renamed = (
        given.pop(name) for name in ("parts", "devices", "problem", "gradients", "form", "renamed")
    )
    _demand(not given and type(parts) is type(devices) is list and len(parts) == len(devices))
    _demand(all(type(name) is str for name in devices))
    if problem is not None:
        _demand(type(problem) is list and len(problem) == 2 and type(problem[1]) is str)
        _demand(problem[0] in PROBLEMS)
        problem = str(problem[0]), clean(str(problem[1]))
    _demand(type(form) is str and type(renamed) is bool)
    return Answer(
        [tensor(part) for part in parts],
        [clean(name, 20) for name in devices],
        problem,
        {clean(name, 50): None if g is None else tensor(g) for name, g in gradients.items()},
        clean(form, 20),
        renamed,
    )


def _demand(true: bool) -> None:
    if not true:
        raise ValueError("no answer")
