"""What is wrong with answers to an exercise: a sentence that helps and does not give the solution."""

import math
from typing import Any

import torch
from torch import Tensor

from vae_edu.exercises import Exercise
from vae_edu.exercises.answers import Answer, Case, answer

Triple = tuple[Case, Answer, Answer]  # a case, the answer given, the right answer
KINDS = {
    "small": "it is right for larger batches, but not for a single image",
    "float64": "it is right for float32, but not for float64",
    "extreme": "it is right for moderate numbers, but not for extreme ones",
    "cuda": "it is right on the CPU, but not on the GPU",
}


def diagnose(exercise: Exercise, cases: list[Case], answers: list[Answer]) -> str | None:
    """Name the mistake that the answers show, with the smallest example.

    A known mistake gets its hint from the exercise's catalogue. Of any other it says what can be said: a
    factor, a constant, a sign, another order, or an argument that makes no difference.

    Args:
        exercise: The exercise.
        cases: The cases that were tried.
        answers: The answer given in each case.

    Returns:
        The mistake in words, or None if the answers are right.
    """
    right = [answer(exercise.reference, case.arguments, exercise.gradients) for case in cases]
    every = list(zip(cases, answers, right))
    counted = [triple for triple in every if not triple[0].zeroed]
    random = [triple for triple in counted if triple[0].kind == "random"]
    for case, given, _ in random:
        if given.problem:
            return _problem(*given.problem, case.kind, exercise.shapes)
    wrong = [triple for triple in counted if not _same(*triple[1:])]
    if not wrong:
        return _type(counted) or _gradient(random)
    if all(_same(given, expected) for _, given, expected in random):
        case, given, _ = wrong[0]
        if given.problem:
            return _problem(*given.problem, case.kind, exercise.shapes)
        return KINDS[case.kind] + _example(wrong)
    for mistake, hint in exercise.mistakes:
        if all(_same(given, answer(mistake, case.arguments)) for case, given, _ in random):
            return hint + _example(wrong)
    found = _shape(random, exercise.shapes) or _relation(random) or _rows(random) or _zeros(every)
    return (found or f"its values are not the right ones; {exercise.shapes}") + _example(wrong)


def _problem(what: str, detail: str, kind: str, shapes: str) -> str:
    where = {"random": "", "small": "for a single image "}.get(kind, f"for {kind} inputs ")
    return where + {
        "unwritten": "it is not written yet",
        "raised": f"it raised {detail[:300]}; {shapes}",
        "changed": f"it changes its input {detail} in place; work on a new tensor",
        "nothing": "it returns None; end it with return",
        "type": f"it returns a {detail[:50]}; {shapes}",
    }.get(what, "it gives no answer")


def _same(given: Answer, expected: Answer) -> bool:
    """Whether all parts have the same shape and agree to float32 precision of the largest value."""
    return len(given.parts) == len(expected.parts) and all(
        a.shape == b.shape and _close(a.double(), b.double()) for a, b in zip(given.parts, expected.parts)
    )


def _close(a: Tensor, b: Tensor) -> bool:
    scale = b[b.isfinite()].abs().max().item() if b.isfinite().any() else 1.0
    return torch.allclose(a, b, rtol=2e-4, atol=1e-6 * max(1.0, scale), equal_nan=True)


def _type(compared: list[Triple]) -> str | None:
    """Right values of the wrong dtype or on the wrong device."""
    for case, given, expected in compared:
        for a, device, b, wanted in zip(given.parts, given.devices, expected.parts, expected.devices):
            if a.is_floating_point() < b.is_floating_point() or a.dtype.itemsize < b.dtype.itemsize:
                ours, theirs = (str(t.dtype).removeprefix("torch.") for t in (a, b))
                where = "" if case.kind == "random" else f"for {case.kind} inputs "
                return f"its values are right, but {where}it returns {ours}, not {theirs}"
            if case.kind == "cuda" and device not in ("any", wanted):
                return f"its values are right, but for inputs on the GPU its answer is on the {device}"
    return None


def _gradient(random: list[Triple]) -> str | None:
    for _, given, expected in random:
        for key, right in expected.gradients.items():
            found = given.gradients.get(key)
            if right is None:
                continue
            if found is None:
                return (
                    f"its values are right, but no gradient passes through it to its input {key}; "
                    "leave out detach, item, numpy and no_grad"
                )
            if found.shape != right.shape or not _close(found.double(), right.double()):
                return (
                    f"its values are right, but the gradient to its input {key} is not: "
                    "a part of the computation is cut off from it"
                )
    return None


def _shape(random: list[Triple], shapes: str) -> str | None:
    for case, given, expected in random:
        if len(given.parts) != len(expected.parts):
            return f"it returns {len(given.parts)} values, not {len(expected.parts)}; {shapes}"
        for a, b in zip(given.parts, expected.parts):
            if a.shape != b.shape:
                hint = "it is transposed" if a.dim() == 2 and a.T.shape == b.shape else shapes
                sizes = "B = {}, D = {}, d = {}".format(*case.sizes)
                return f"it returns the shape {(*a.shape,)}, not {(*b.shape,)} ({sizes}); {hint}"
    if not all(a.isfinite().all() for _, given, _ in random for a in given.parts):
        return "it returns values that are not finite"
    return None


def _flat(whole: Answer) -> Tensor:
    """All values of an answer in one row."""
    return torch.cat([part.double().flatten() for part in whole.parts])


def _relation(random: list[Triple]) -> str | None:
    """A factor or a constant between the answers and the right ones; it may grow with a size."""
    flat = [(_flat(given), _flat(expected)) for _, given, expected in random]
    if all(_close(a.sort().values, b.sort().values) for a, b in flat):
        return "its values are right, but in another order; look at which dimension is which"
    factors = [c for a, b in flat if (c := _constant(a / b)) is not None]
    offsets = [c for a, b in flat if (c := _constant(a - b)) is not None]
    sizes = [_sizes(case) for case, _, _ in random]
    if len(factors) == len(flat):
        if (factor := _constant(torch.tensor(factors))) is not None:
            if math.isclose(factor, -1, rel_tol=1e-4):
                return "its sign is flipped"
            return f"it is {_fraction(factor)} times the right value; look for that factor"
        for name in sizes[0]:
            for power, verb in ((-1, "divided"), (1, "multiplied")):
                k = _constant(torch.tensor([f / s[name] ** power for f, s in zip(factors, sizes)]))
                if k is not None:
                    times = "" if math.isclose(k, 1, rel_tol=1e-3) else f"{_fraction(k)} times "
                    mean = "a mean that should be a sum, or a sum that should be a mean"
                    return f"it is {times}the right value {verb} by {name}; look for {mean}"
    if len(offsets) == len(flat):
        if (offset := _constant(torch.tensor(offsets))) is not None:
            return f"it is {offset:+.4g} off everywhere; look for that constant"
        for name in sizes[0]:
            if (k := _constant(torch.tensor([o / s[name] for o, s in zip(offsets, sizes)]))) is not None:
                return f"it is off by {k:+.4g} times {name}; look for a constant inside the sum"
            logs = [o / math.log(s[name]) for o, s in zip(offsets, sizes)]
            if (k := _constant(torch.tensor(logs))) is not None:
                return f"it is off by {k:+.4g} times the logarithm of {name}; look for that constant"
    return None


def _fraction(factor: float) -> str:
    inverse = 1 / factor
    whole = abs(inverse) > 1.5 and math.isclose(inverse, round(inverse), rel_tol=1e-3)
    return f"1/{round(inverse)}" if whole else f"{factor:.4g}"


def _sizes(case: Case) -> dict[str, int]:
    """The sizes that a factor may depend on, by what they count."""
    B, D, d = case.sizes
    found = {"B, the number of images": B, "d, the number of features": d, "the number of pixels": D * D}
    for name, value in case.arguments.items():
        if isinstance(value, Tensor):
            found |= {f"the length of {name}'s dimension {i}": n for i, n in enumerate(value.shape)}
    return found


def _constant(values: Tensor) -> float | None:
    """The number that all values are equal to; None if they differ or are almost 0."""
    first = values.double().flatten()[0]
    same = first.isfinite() and torch.allclose(values.double(), first.expand_as(values), rtol=1e-4)
    return first.item() if same and first.abs() > 1e-6 else None


def _zeros(every: list[Triple]) -> str | None:
    """What setting one argument to 0 shows: it makes no difference, or everything else is right."""
    _, base, right_base = every[0]
    helped = []
    for case, given, expected in every:
        if not case.zeroed or given.problem or not all(part.isfinite().all() for part in expected.parts):
            continue
        if _same(given, base) and not _same(expected, right_base):
            return f"{case.zeroed} makes no difference to it"
        if _same(given, expected):
            helped.append(case.zeroed)
    if helped:
        return f"it is right only if {helped[0]} is 0; look at what it does with {helped[0]}"
    return None


def _rows(random: list[Triple]) -> str | None:
    """Which values are wrong, if some are right: one part of several, or all rows but the first."""
    named = ["first", "second", "third", "fourth"]
    if len(random[0][1].parts) > 1:
        good = [
            all(_close(given.parts[i].double(), right.parts[i].double()) for _, given, right in random)
            for i in range(len(random[0][1].parts))
        ]
        wrong = [name for name, ok in zip(named, good) if not ok]
        verb = "is" if len(wrong) == 1 else "are"
        return f"of its answers the {' and the '.join(wrong)} {verb} wrong" if any(good) else None
    flat = [(given.parts[0].double(), right.parts[0].double()) for _, given, right in random]
    if all(a.dim() and _close(a[:1], b[:1]) for a, b in flat):
        return "only the first row of its answer is right; look for an index or a value that all rows share"
    return None


def _example(wrong: list[Triple]) -> str:
    """The smallest case with a wrong answer, and its numbers."""
    answered = [triple for triple in wrong if not triple[1].problem]
    case, given, expected = min(answered, key=lambda triple: _count(triple[0].arguments))
    shown = {key: _show(value) for key, value in case.arguments.items()}
    kept = ", ".join(f"{key} = {value}" for key, value in shown.items())
    head = f"for {kept}" if _count(case.arguments) <= 12 else "in one of the batches"
    for a, b in zip(given.parts, expected.parts):
        if a.shape != b.shape:
            return f". Example: {head} it gives the shape {(*a.shape,)}, right is {(*b.shape,)}"
        if not _close(a.double(), b.double()):
            if b.numel() <= 6:
                return f". Example: {head} it gives {_show(a)}, right is {_show(b)}"
            worst = (a.double() - b.double()).abs().nan_to_num(torch.inf).argmax()
            a, b = a.flatten()[worst], b.flatten()[worst]
            return f". Example: {head} one value is {_show(a)}, right is {_show(b)}"
    return ""


def _count(arguments: dict[str, Any]) -> int:
    return sum(value.numel() if isinstance(value, Tensor) else 1 for value in arguments.values())


def _show(value: Any) -> str:
    if not isinstance(value, Tensor):
        return f"{value:.4g}" if isinstance(value, float) else str(value)
    if value.dim() == 0:
        return f"{value.item():.4g}"
    return "[" + ", ".join(_show(part) for part in value) + "]"
