"""What is wrong with answers to an exercise: a sentence that helps and does not give the solution."""

import itertools
import re
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from vae_edu.exercises.answers import Answer, answer
from vae_edu.exercises.cases import Case
from vae_edu.exercises.compare import alike, fits, fitted, nearer, same
from vae_edu.exercises.exercise import Exercise
from vae_edu.exercises.probes import (
    by_part,
    entangled,
    guilty,
    ignored,
    nearly,
    one_part,
    probe,
    remedy,
    rows,
    some_batches,
)
from vae_edu.exercises.relations import cut_off, relation
from vae_edu.exercises.wording import Tried, example, listed, shapes

KINDS = {
    "small": "it is right for larger batches, but not for a single image",
    "few": "it is right for larger batches, but not for small ones",
    "float64": "it is right for float32, but not for float64",
    "extreme": "it is right for moderate numbers, but not for extreme ones",
    "cuda": "it is right on the CPU, but not on the GPU",
}
WHERE = {"random": "", "small": "for a single image ", "few": "for two images "}
SIGNATURE = re.compile("(missing|takes|unexpected) .*argument")  # Python's words for other parameters
NAMED = ["first", "second", "third", "fourth"]


class Verdict(NamedTuple):
    """What a diagnosis says.

    Attributes:
        mistake: What is wrong, in words; None if the answers are right.
        remark: What to know of right answers, such as another dtype than the usual one.
    """

    mistake: str | None
    remark: str | None = None


def diagnose(exercise: Exercise, cases: list[Case], answers: list[Answer]) -> Verdict:
    """Name the mistake that the answers show, with the smallest example. Whatever they hold, this never raises.

    A known mistake gets its hint from the exercise's catalogue. Of any other it says what can be said: a
    factor, a constant, a term, an order, an argument that makes no difference, or the one to look at.

    Args:
        exercise: The exercise.
        cases: The cases that were tried.
        answers: The answer given in each case.
    """
    vague = f"its values are not the right ones; {exercise.shapes}"
    try:
        every = [Tried(case, fitted(given, case.right)) for case, given in zip(cases, answers, strict=True)]
        counted = [tried for tried in every if tried.case.counted]
        wrong = [tried for tried in counted if not same(tried.given, tried.case.right)]
        if not wrong and (cut_off := _gradient(counted)):
            return Verdict(cut_off)
    except Exception:  # answers that cannot be compared are not right
        return Verdict(vague)
    try:
        return (
            Verdict(_mistake(exercise, every, wrong)) if wrong else Verdict(None, _remark(exercise, counted))
        )
    except Exception:  # the mark stands, whatever goes wrong in the search for words
        return Verdict(vague if wrong else None)


def _mistake(exercise: Exercise, every: list[Tried], wrong: list[Tried]) -> str:
    random = [tried for tried in every if tried.case.kind == "random"]
    for case, given in random + wrong:
        if given.problem and (case.kind == "random" or (case, given) == wrong[0]):
            return _problem(*given.problem, case, exercise)
    if varies := _varies(every):
        return varies
    if known := _known(exercise, every, wrong):
        return known + example(wrong)
    if not any(tried.case.kind == "random" for tried in wrong):
        return _special(*wrong[0]) + example(wrong)
    found = _found(exercise, every, random, wrong)
    return (found or f"its values are not the right ones{_side(random)}; {exercise.shapes}") + example(wrong)


def _side(random: list[Tried]) -> str:
    """Whether all values are too large, or all too small."""
    above = [a.double() > b for case, given in random for a, b in zip(given.parts, case.right.parts)]
    if all(part.all() for part in above):
        return ": they are too large everywhere"
    return "" if any(part.any() for part in above) else ": they are too small"


def _found(exercise: Exercise, every: list[Tried], random: list[Tried], wrong: list[Tried]) -> str | None:
    """What can be said of a mistake that no catalogue knows."""
    if any([p.shape for p in given.parts] != [p.shape for p in case.right.parts] for case, given in random):
        return probe(random, exercise) or _shape(random, exercise)
    if random[0].case.right.index and (unused := ignored(every)):
        return unused
    if some := cut_off(random, exercise) or some_batches(random, wrong):
        return some
    parts = [part for tried in random for part in tried.given.parts]
    if any(part.isnan().any() for part in parts) and not any(part.isinf().any() for part in parts):
        return "it returns values that are not finite (nan): look for the logarithm or the root of a negative number, or for 0/0"
    if not all(part.isfinite().all() for part in parts):
        return "it returns values that are not finite: look for exp of a large number, log of 0, or a division by 0"
    if len(random[0].case.right.parts) > 1:
        good, alone = by_part(random)
        if not any(good):
            return probe(random, exercise) or ignored(every) or entangled(every) or guilty(every)
        names = [name for name, right in zip(NAMED, good) if not right]
        if len(names) > 1:
            return f"of its answers the {' and the '.join(names)} are wrong"
        i = good.index(False)
        what = relation(alone[i], replace(exercise, terms=None)) or guilty(one_part(every, i))
        return f"of its answers the {names[0]} is wrong" + (f": {what}" if what else "")
    related = relation(random, exercise)
    if related and related.startswith(_terms(exercise, random)):
        return related
    return (
        ignored(every)
        or related
        or probe(random, exercise)
        or entangled(every)
        or rows(random)
        or nearly(random)
        or guilty(every)
    )


def _terms(exercise: Exercise, random: list[Tried]) -> tuple[str, ...]:
    """The names of the terms: a sentence about one says more than that an argument makes no difference."""
    return tuple(exercise.terms(**random[0].case.arguments)) if exercise.terms else ()


def _problem(what: str, detail: str, case: Case, exercise: Exercise) -> str:
    where = WHERE.get(case.kind, f"for {case.kind} inputs ")
    names = listed(list(case.arguments))
    sizes = f" ({shapes(exercise, case)})" if detail.startswith("RuntimeError") else ""
    return (
        where
        + {
            "unwritten": "it is not written yet",
            "raised": f"it raised {detail[:400]}; {exercise.shapes}{sizes}",
            "changed": f"it changes its input {detail} in place; work on a new tensor",
            "nothing": "it returns None; end it with return",
            "type": f"it returns {detail[:200]}; {exercise.shapes}",
        }.get(what, "it gives no answer")
        + (
            f"; keep the arguments {names}"
            if SIGNATURE.search(detail) and "in its line" not in detail
            else ""
        )
    )


def _varies(every: list[Tried]) -> str | None:
    """Answers that change from call to call."""
    base = every[0].given
    again = [tried.given for tried in every if tried.case.kind == "again" and not tried.given.problem]
    for given in again:
        if not alike(given, base, every[0].case.right):
            noise = [name for name in every[0].case.arguments if name in ("eps", "u")]
            if noise:
                return f"it draws its own random numbers; use the ones that it is given, {listed(noise)}"
            return (
                "its answer changes from call to call: something in it is random (randn, dropout, a new layer); "
                "it must depend on its arguments alone"
            )
    return None


def _known(exercise: Exercise, every: list[Tried], wrong: list[Tried], roughly: bool = False) -> str | None:
    """The hint of a known mistake that gives the same answers, or almost the same; and is wrong where they are."""
    random = [tried for tried in every if tried.case.kind == "random"]
    plain = any(tried.case.kind == "random" for tried in wrong)
    compared = random if plain else [tried for tried in every if tried.case.counted]
    for mistake, hint in exercise.mistakes:
        for case, given in compared:
            made = fitted(answer(mistake, case.arguments), case.right)
            if not alike(given, made, case.right) and not (roughly and nearer(given, made, case.right)):
                break
        else:
            return hint
    return None if roughly else _known(exercise, every, wrong, roughly=True)


def _special(case: Case, given: Answer) -> str:
    """Random cases are right, and this one is not."""
    if case.kind != "extreme":
        return KINDS[case.kind]
    if case.right.index:
        return f"it is right for most {listed(list(case.changed))}, but not for all"
    finite = all(part.isfinite().all() for part in given.parts)
    return f"{KINDS['extreme']} ({listed(list(case.changed))}): {remedy(finite)}"


def _gradient(counted: list[Tried]) -> str | None:
    for case, given in counted:
        if case.kind != "random":
            continue
        for key, right in case.right.gradients.items():
            found = given.gradients.get(key)
            if right is None or not right.any():
                continue
            if found is None:
                return (
                    f"its values are right, but no gradient passes through it to its input {key}; "
                    "leave out detach, item, numpy and no_grad"
                )
            if not fits(found, right, case.right.margins[key]):
                return (
                    f"its values are right, but the gradient to its input {key} is not: "
                    "a part of the computation is cut off from it"
                )
    for case, given in counted:
        if case.kind == "cuda" and "cpu" in given.devices:
            return "its values are right, but for inputs on the GPU its answer is on the CPU"
    return None


def _remark(exercise: Exercise, counted: list[Tried]) -> str | None:
    """What to know of right answers: other names, another container, another dtype."""
    found = []
    first = counted[0].given
    if first.renamed:
        found.append(f"keep the names {', '.join(counted[0].case.arguments)}")
    if first.form:
        usual = "a tensor" if len(first.parts) == 1 else f"a tuple of {len(first.parts)}"
        found.append(f"it returns a {first.form}; {usual} is usual")
    found += [text for tried in counted if (text := _dtype(*tried))][:1]
    return "; ".join(found) or None


def _dtype(case: Case, given: Answer) -> str | None:
    name = next(
        (k for k, v in case.arguments.items() if isinstance(v, Tensor) and v.is_floating_point()), "x"
    )
    for a, device, wanted in zip(given.parts, given.devices, case.right.dtypes):
        if a.dtype == wanted or device == "any":
            continue
        ours, theirs = (str(dtype).removeprefix("torch.") for dtype in (a.dtype, wanted))
        if wanted.is_floating_point and a.is_floating_point():
            inputs = (
                str(case.arguments[name].dtype).removeprefix("torch.") if name in case.arguments else theirs
            )
            return f"it returns {ours} for {inputs} inputs; zeros_like({name}), dtype={name}.dtype or .to({name}) keeps the dtype"
        if wanted.is_floating_point:
            return f"it returns {ours}, and {theirs} is usual; end it with .float()"
        if a.is_floating_point():
            return f"it returns {ours}, and {theirs} is usual; end it with .long()"
    return None


def _shape(random: list[Tried], exercise: Exercise) -> str | None:
    for case, given in random:
        right = case.right.parts
        if len(given.parts) != len(right):
            ours = [(*part.shape,) for part in given.parts]
            many = f"{len(ours)} values" if len(ours) > 1 else f"one tensor of the shape {ours[0]}"
            wanted = f"a tuple of {len(right)}" if len(right) > 1 else "one tensor"
            return f"it returns {many}, not {wanted}; {exercise.shapes}"
        for i, (a, b) in enumerate(zip(given.parts, right)):
            if a.shape != b.shape:
                hint = _spread(random, i) or _reshaped(random, i) or exercise.shapes
                return f"it returns the shape {(*a.shape,)}, not {(*b.shape,)} ({shapes(exercise, case)}); {hint}"
    return None


def _spread(random: list[Tried], i: int) -> str | None:
    """(n, n) for (n,): what (n, 1) and (n,) make together."""
    if all(case.right.parts[i].dim() == 1 for case, _ in random) and all(
        given.parts[i].shape == 2 * case.right.parts[i].shape for case, given in random
    ):
        return "something of the shape (n, 1) meets something of the shape (n,), and PyTorch makes (n, n) of them: look for keepdim or None"
    return None


def _reshaped(random: list[Tried], i: int) -> str | None:
    """How the values come from the right ones, or the right ones from them, in spite of another shape."""
    pairs = [
        (given.parts[i].double(), case.right.parts[i], case.right.tolerances[i]) for case, given in random
    ]
    a, b, _ = pairs[0]
    if a.dim() == 2 and all(a.T.shape == b.shape for a, b, _ in pairs):
        right = all(fits(a.T, b, t) for a, b, t in pairs)
        return "it is transposed" + ("" if right else ", and its values are not the right ones")
    if [n for n in a.shape if n != 1] == [n for n in b.shape if n != 1]:
        return "it has a dimension of length 1 too many: leave out keepdim, or index it away"
    for count in range(1, a.dim() + 1 if a.dim() <= 5 else 1):
        for axes in itertools.combinations(range(a.dim()), count):
            for name, total in (("sum", torch.sum), ("mean", torch.mean)):
                if all(a.dim() > max(axes) and fits(total(a, axes), b, t) for a, b, t in pairs):
                    where = listed([str(axis) for axis in axes])
                    return f"the {name} over its dimension{'s' * (count > 1)} {where} is still missing"
                if all(b.dim() > max(axes) and fits(a, total(b, axes), t) for a, b, t in pairs):
                    return f"it takes a {name} over too much: keep one value each"
    if not a.dim():
        return "it gives one number for the whole batch; keep one value each"
    return None
