"""Arguments and answers as JSON, between the grader and the process that runs a student's code.

JSON holds data alone: reading it runs nothing, whatever a student's code wrote.
"""

import base64
import json
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vae_edu.answers import Answer

MOST_BYTES = 8 * 2**20  # of the answers to one exercise


def dumps(value: Any) -> str:
    """A line of JSON; tensors by dtype, shape and bytes, Answers by their fields."""
    return json.dumps(value, default=_encode)


def of_a_size(answer: Answer) -> Answer:
    """The answer, or in its place that it is too large to be one."""
    parts = [*answer.parts, *(g for g in answer.gradients.values() if g is not None)]
    small = sum(part.nbytes for part in parts) < MOST_BYTES / 16
    return answer if small else Answer(problem=("type", "tensor of a size that no answer has"))


def _encode(value: Any) -> Any:
    if isinstance(value, Tensor):
        array = np.ascontiguousarray(value.numpy())
        data = base64.b64encode(array.tobytes()).decode()
        return {"dtype": str(array.dtype), "shape": list(value.shape), "data": data}
    return vars(value)


def tensor(value: dict[str, Any]) -> Tensor:
    """The tensor that dumps wrote. Raises ValueError, TypeError or KeyError where it is none."""
    if value["dtype"] not in (
        "float16",
        "float32",
        "float64",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "bool",
    ):
        raise ValueError(f"no dtype {value['dtype']!r:.50}")
    flat = np.frombuffer(base64.b64decode(value["data"], validate=True), value["dtype"])
    return torch.from_numpy(flat.reshape(value["shape"]).copy())


def arguments(values: dict[str, Any]) -> dict[str, Any]:
    """Arguments by name, tensors where they were tensors."""
    return {name: tensor(v) if isinstance(v, dict) else v for name, v in values.items()}


def answers(text: str, count: int) -> tuple[list[Answer], list[str], bool]:
    """What a student's process wrote: `count` answers, what it used of the package, whether it was isolated.

    Raises ValueError where it is anything else.
    """
    try:
        reply = json.loads(text)
        found = [
            Answer(
                parts=[tensor(part) for part in given["parts"]],
                devices=[str(name) for name in given["devices"]],
                problem=given["problem"] and (str(given["problem"][0])[:50], str(given["problem"][1])[:1000]),
                gradients={str(k): g and tensor(g) for k, g in given["gradients"].items()},
            )
            for given in reply["answers"]
        ]
        if len(found) != count or any(len(a.parts) != len(a.devices) for a in found):
            raise ValueError("another number of answers")
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        RecursionError,
        MemoryError,
    ) as error:
        raise ValueError("its process returned something that is no answer") from error
    return found, [str(name)[:80] for name in reply["used"]][:20], reply["isolated"] is True
