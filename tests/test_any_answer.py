"""Whatever a learner's function returns or raises, a check says what is wrong and never raises."""

import itertools
import re
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.right_answers import RIGHT
from vae_edu.checks import problem
from vae_edu.exercises import EXERCISES
from vae_edu.exercises.answers import Answer
from vae_edu.exercises.cases import cases
from vae_edu.exercises.diagnosis import diagnose


class Odd(Exception):
    def __str__(self):
        raise RuntimeError


class Lying(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return True if "equal" in str(function) else super().__torch_function__(function, types, args, kwargs)


def raises(error):
    raise error


def first(result):
    return torch.as_tensor(result[0] if isinstance(result, tuple) else result)


def each(change):
    """A change of every tensor of an answer."""
    return lambda r: (
        tuple(map(change, map(torch.as_tensor, r))) if isinstance(r, tuple) else change(torch.as_tensor(r))
    )


WRONG = {
    "one constant a batch": each(lambda t: t + 1 + t.double().sum().sin()),
    "a factor a batch": each(lambda t: t * (2 + t.double().sum().sin()) + 1),
    "a dimension more": each(lambda t: t[..., None]),
    "a row more": each(lambda t: torch.cat([t.reshape(-1), t.reshape(-1)[:1]])),
    "nothing left": each(lambda t: t.reshape(-1)[:0]),
    "size 0": lambda r: torch.zeros(0, 3),
    "one number": lambda r: torch.tensor(7.0),
    "NaN": each(lambda t: t.double() * torch.nan),
    "inf": each(lambda t: t.double() + torch.inf),
    "-inf": each(lambda t: t.double() - torch.inf),
    "one NaN": each(
        lambda t: torch.where(torch.arange(t.numel()).reshape(t.shape) == 0, torch.nan, t.double())
    ),
    "zeros": each(torch.zeros_like),
    "ones": each(lambda t: torch.ones_like(t) * 1.5),
    "huge": each(lambda t: t.double() * 1e300),
    "tiny": each(lambda t: t.double() * 1e-300),
    "complex": each(lambda t: t + 1j),
    "sparse": each(lambda t: t.reshape(1, -1).to_sparse()),
    "quantized": lambda r: torch.quantize_per_tensor(first(r).float(), 0.1, 0, torch.quint8),
    "nested": lambda r: torch.nested.nested_tensor([first(r).float().reshape(-1)]),
    "meta": each(lambda t: t.to("meta")),
    "expanded": lambda r: torch.zeros(1, 1).expand(10**6, 10**6),
    "expanded to nothing": lambda r: torch.zeros(0, 1).expand(0, 10**18),
    "many dimensions": lambda r: torch.zeros([1] * 61),
    "objects": lambda r: np.array([object()], dtype=object),
    "text": lambda r: "12",
    "bytes": lambda r: b"12",
    "dict": lambda r: {1: r},
    "set": lambda r: {1.5},
    "empty tuple": lambda r: (),
    "empty list": lambda r: [],
    "ragged": lambda r: [[1.0], [1.0, 2.0]],
    "many parts": lambda r: tuple(torch.zeros(2) for _ in range(2000)),
    "None inside": lambda r: (first(r), None),
    "endless": lambda r: itertools.count(),
    "a function": lambda r: torch.exp,
    "a class": lambda r: dict,
    "odd error": lambda r: raises(Odd()),
    "exit": lambda r: raises(SystemExit(1)),
    "stop": lambda r: raises(StopIteration()),
    "recursion": lambda r: raises(RecursionError("deep")),
    "surrogate": lambda r: raises(ValueError("\ud800")),
    "large integer": lambda r: 10**40,
    "half": each(lambda t: (t.double() * 1.01 + 0.1).half()),
    "bfloat16": each(lambda t: (t.double() * 1.1 + 0.1).bfloat16()),
    "float8": each(lambda t: (t.float() * 1.5 + 1).to(torch.float8_e5m2)),
    "a tensor that lies": each(lambda t: (t.double() * 3 + 1).as_subclass(Lying)),
    "None": lambda r: None,
}
RIGHT_TOO = {
    "float64": each(lambda t: t.double() if t.is_floating_point() else t),
    "numpy": lambda r: (
        tuple(p.numpy(force=True) for p in r)
        if isinstance(r, tuple)
        else torch.as_tensor(r).numpy(force=True)
    ),
    "list": lambda r: [p.tolist() for p in r] if isinstance(r, tuple) else torch.as_tensor(r).tolist(),
    "rows": lambda r: list(r) if isinstance(r, tuple) or torch.as_tensor(r).dim() else r,
    "generator": lambda r: (p for p in r) if isinstance(r, tuple) else r,
    "subclass": each(lambda t: t.as_subclass(torch.nn.Parameter) if t.is_floating_point() else t),
}


@pytest.mark.parametrize("name", EXERCISES)
def test_every_odd_answer_gets_a_sentence(name):
    right = RIGHT[name][0]
    for kind, change in WRONG.items():
        start = time.process_time()
        said = problem(name, lambda *args, change=change: change(right(*args)))
        assert said, kind
        assert not re.search(r"returns (a|an) (Tensor|Always)\b|1 values|line None|^None", said), (kind, said)
        assert len(said) < 1500, kind
        assert time.process_time() - start < 5, kind


@pytest.mark.parametrize("name", EXERCISES)
def test_a_right_answer_in_another_form_is_right(name):
    right = RIGHT[name][0]
    for kind, change in RIGHT_TOO.items():
        said = problem(name, lambda *args, change=change: change(right(*args)))
        assert said is None or "gradient" in said, (kind, said)


shapes = st.lists(st.integers(0, 4), max_size=4)
dtypes = st.sampled_from([torch.float32, torch.float64, torch.float16, torch.int64, torch.bool, torch.uint8])
numbers = st.sampled_from([0.0, 1.0, -1.0, 1e30, 1e-30, torch.nan, torch.inf, -torch.inf])
tensors = st.builds(
    lambda s, d, n: (
        torch.full(s, n).nan_to_num(0, 1, 0).to(d) if not d.is_floating_point else torch.full(s, n).to(d)
    ),
    shapes,
    dtypes,
    numbers,
)
answers = st.builds(
    Answer,
    st.lists(tensors, max_size=4),
    st.lists(st.just("cpu"), max_size=4),
    st.one_of(st.none(), st.tuples(st.text(max_size=9), st.text(max_size=9))),
    st.dictionaries(st.sampled_from(["mu", "x", "y"]), st.one_of(st.none(), tensors), max_size=2),
    st.text(max_size=5),
    st.booleans(),
)
HELD = {name: cases(exercise, cuda=False) for name, exercise in list(EXERCISES.items())[::5]}


@given(st.sampled_from(list(HELD)), st.data())
@settings(max_examples=60, deadline=None)
def test_no_answers_break_a_diagnosis(name, data):
    """A student's process may send anything."""
    tried = HELD[name]
    found = data.draw(st.lists(answers, min_size=len(tried), max_size=len(tried)))
    assert diagnose(EXERCISES[name], tried, found).mistake
    assert diagnose(EXERCISES[name], tried, found[1:]).mistake
