"""Arguments and answers as JSON, between the grader and the process that runs a student's code.

JSON holds only data: reading it runs nothing, whatever a student's code wrote.
"""

import base64
import json
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vae_edu.exercises.answers import Answer

MAX_REPLY_BYTES = 8 * 2**20  # the answers to one exercise
DTYPES = ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"]


def dumps(value: Any) -> str:
    """A line of JSON; a tensor becomes its dtype, shape and bytes, an Answer its fields."""
    return json.dumps(value, default=_encode)


def limit_size(answer: Answer) -> Answer:
    """The answer, or a problem that says it is too large."""
    parts = [*answer.parts, *(g for g in answer.gradients.values() if g is not None)]
    small = sum(part.nbytes for part in parts) < MAX_REPLY_BYTES / 16
    return answer if small else Answer(problem=("type", "tensor of a size that no answer has"))


def _encode(value: Any) -> Any:
    if isinstance(value, Tensor):
        array = np.ascontiguousarray(value.numpy())
        data = base64.b64encode(array.tobytes()).decode()
        return {"dtype": str(array.dtype), "shape": list(value.shape), "data": data}
    return vars(value)


def tensor(value: dict[str, Any]) -> Tensor:
    """The tensor that ``dumps`` wrote.

    Raises:
        ValueError: The dtype, the shape or the bytes do not fit.
    """
    if value["dtype"] not in DTYPES:
        raise ValueError(f"no dtype {value['dtype']!r:.50}")
    flat = np.frombuffer(base64.b64decode(value["data"], validate=True), value["dtype"])
    return torch.from_numpy(flat.reshape(value["shape"]).copy())


def arguments(values: dict[str, Any]) -> dict[str, Any]:
    """The arguments by name that ``dumps`` wrote."""
    return {name: tensor(v) if isinstance(v, dict) else v for name, v in values.items()}


def answers(text: str, count: int) -> tuple[list[Answer], list[str], bool]:
    """Read the reply of a student's process. A student's code may have forged it.

    Args:
        text: The reply.
        count: How many answers it should hold.

    Returns:
        The answers, what the student's code used of the package, and whether it was isolated.

    Raises:
        ValueError: The reply is anything else. Nothing else is ever raised.
    """
    try:
        reply = json.loads(text)
        found = [_answer(given) for given in reply["answers"]]
        used = [str(name)[:80] for name in reply["used"]][:20]
        isolated = reply["isolated"] is True
        if len(found) != count:
            raise ValueError("another number of answers")
    except Exception as error:
        raise ValueError("its process returned something that is no answer") from error
    return found, used, isolated


def _answer(given: dict[str, Any]) -> Answer:
    parts, devices, problem = given["parts"], given["devices"], given["problem"]
    if len(parts) != len(devices):
        raise ValueError("another number of devices")
    return Answer(
        [tensor(part) for part in parts],
        [str(name)[:20] for name in devices],
        problem and (str(problem[0])[:50], str(problem[1])[:1000]),
        {
            str(name): None if gradient is None else tensor(gradient)
            for name, gradient in given["gradients"].items()
        },
        str(given.get("form", ""))[:20],
        given.get("renamed") is True,
    )
