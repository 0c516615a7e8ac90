"""Which argument, row or entry an answer gets wrong: the reference on changed arguments, and what changes the error."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from vae_edu.exercises.answers import Answer
from vae_edu.exercises.compare import doubled, fits, near
from vae_edu.exercises.exercise import Exercise
from vae_edu.exercises.wording import Tried, listed

Arguments = dict[str, Any]
NUMBERS: dict[str, Callable[[Any], Any]] = {
    "−{}": lambda v: -v,
    "2 · {}": lambda v: 2 * v,
    "½ · {}": lambda v: v / 2,
    "{}²": lambda v: v**2,
    "√{}": lambda v: v**0.5,
    "|{}|": abs,
    "1 − {}": lambda v: 1 - v,
    "1 / {}": lambda v: 1 / v,
    "{} / 255": lambda v: v / 255,
}
STEPS: dict[str, Callable[[Any], Any]] = {"{} + 1": lambda v: v + 1, "{} − 1": lambda v: v - 1}
TENSORS: dict[str, Callable[[Tensor], Tensor]] = {
    "exp({})": torch.exp,
    "exp(½ · {})": lambda v: (v / 2).exp(),
    "log({})": torch.log,
    "2 · log({})": lambda v: 2 * v.log(),
    "sigmoid({})": torch.sigmoid,
    "tanh({})": torch.tanh,
    "softmax({})": lambda v: v.softmax(-1),
    "log(sigmoid({}))": lambda v: v.sigmoid().log(),
    "max(0, {})": torch.relu,
    "{}, rounded": torch.round,
    "the sign of {}": torch.sign,
    "{}, forced between 0 and 1": lambda v: v.clamp(0, 1),
    "{}, cut off above 0": lambda v: v.clamp(max=0),
    **{f"{{}}, cut off at ±{n}": partial(torch.clamp, min=-n, max=n) for n in (1, 2, 3, 4, 5, 6, 8, 10, 20)},
    "{} + 1e-6": lambda v: v + 1e-6,
    "{} + 1e-3": lambda v: v + 1e-3,
    "softplus({})": torch.nn.functional.softplus,
    "{} minus its mean over all": lambda v: v - v.mean(),
    "{}, divided by its standard deviation": lambda v: v / v.std(),
    "{}, rows and columns swapped": lambda v: v.transpose(-1, -2),
    "{}, scaled to length 1": torch.nn.functional.normalize,
    "only the first row of {}": lambda v: v[:1].expand_as(v),
    "only the last row of {}": lambda v: v[-1:].expand_as(v),
    "the mean of {} over its first dimension": lambda v: v.mean(0, keepdim=True).expand_as(v),
    "{} in the reverse order of its rows": lambda v: v.flip(0),
    "{} in the reverse order of its columns": lambda v: v.flip(-1),
    "{} minus its mean": lambda v: v - v.mean(0),
    "{} shifted by one row": lambda v: v.roll(1, 0),
}


def probe(random: list[Tried], exercise: Exercise) -> str | None:
    """The right answer to other arguments than those given, if that is what the answers are."""
    first = random[0].case.arguments
    exact = [doubled(tried.case.arguments) for tried in random]
    for text, change in itertools.chain(_cuts(first), _turned(first), _swaps(first), _replaced(first)):
        if all(_is_right_for(tried, change, a, exercise) for tried, a in zip(random, exact)):
            return text
    return None


def _is_right_for(
    tried: Tried, change: Callable[[Arguments], Arguments], arguments: Arguments, exercise: Exercise
) -> bool:
    try:
        made = exercise.reference(**change(arguments))
    except Exception:  # the change does not go with the shapes
        return False
    made = made if isinstance(made, tuple) else (made,)
    right = tried.case.right
    return len(made) == len(tried.given.parts) and all(
        isinstance(b, Tensor) and fits(a, b, t) and bool(b.isfinite().any())
        for a, b, t in zip(tried.given.parts, made, right.tolerances)
    )


def _cuts(first: Arguments) -> Iterator[tuple[str, Callable[[Arguments], Arguments]]]:
    """The arguments without some of the entries of one dimension, wherever that dimension comes up."""
    seen = set()
    for name, value in first.items():
        for i, length in enumerate(value.shape if isinstance(value, Tensor) else ()):
            if length in seen or length < 2:
                continue
            seen.add(length)
            where = f"dimension {i} of {name}"
            for text, part in (
                (f"it uses only the first entry of {where}", slice(0, 1)),
                (f"it leaves out the last entry of {where}", slice(0, -1)),
                (f"it leaves out the first entry of {where}", slice(1, None)),
                (f"it uses only the last entry of {where}", slice(-1, None)),
                (f"it uses only every second entry of {where}", slice(0, None, 2)),
                (f"it leaves out the first and the last entry of {where}", slice(1, -1)),
            ):
                yield f"{text}; all of them count", partial(_cut, name, (i,), part)
        if isinstance(value, Tensor) and value.dim() == 4:
            yield (
                f"it leaves out the rim of {name}; every pixel counts",
                partial(_cut, name, (2, 3), slice(1, -1)),
            )


def _cut(name: str, dimensions: tuple[int, ...], part: slice, arguments: Arguments) -> Arguments:
    lengths = [arguments[name].shape[i] for i in dimensions]

    def cut(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        return value[tuple(part if n in lengths else slice(None) for n in value.shape)]

    return {key: cut(value) for key, value in arguments.items()}


def _turned(first: Arguments) -> Iterator[tuple[str, Callable[[Arguments], Arguments]]]:
    flat = [key for key, value in first.items() if isinstance(value, Tensor) and value.dim() == 2]
    text = "it works along the wrong dimension of {}: rows and columns are swapped"
    if flat:
        yield text.format(listed(flat)), partial(_transposed, flat)
    for key in flat if len(flat) > 1 else []:
        yield text.format(key), partial(_transposed, [key])


def _transposed(names: list[str], arguments: Arguments) -> Arguments:
    return arguments | {name: arguments[name].T for name in names}


def _swaps(first: Arguments) -> Iterator[tuple[str, Callable[[Arguments], Arguments]]]:
    for a, b in itertools.combinations(first, 2):
        if getattr(first[a], "shape", None) == getattr(first[b], "shape", None):
            yield f"{a} and {b} are swapped", partial(_swapped, a, b)


def _swapped(a: str, b: str, arguments: Arguments) -> Arguments:
    return arguments | {a: arguments[b], b: arguments[a]}


def _replaced(first: Arguments) -> Iterator[tuple[str, Callable[[Arguments], Arguments]]]:
    for name, value in first.items():
        known = NUMBERS | (TENSORS if isinstance(value, Tensor) else STEPS)
        for form, function in known.items():
            text = f"it takes {form.format(name)} where {name} belongs"
            yield text, partial(_changed, name, function)


def _changed(name: str, function: Callable[[Any], Any], arguments: Arguments) -> Arguments:
    return arguments | {name: function(arguments[name])}


def ignored(every: list[Tried]) -> str | None:
    """The arguments that make no difference to the answers, though they should."""
    base = every[0]
    names: list[str] = []
    used: set[str] = set()
    kinds = ("other", "extreme") if base.case.right.index else ("other",)
    for case, given in every:
        if case.kind not in kinds or given.problem or len(given.parts) != len(base.given.parts):
            continue
        unmoved = all(map(fits, given.parts, base.given.parts, [1e-6] * len(given.parts)))
        moved = not all(map(fits, case.right.parts, base.case.right.parts, case.right.tolerances))
        names += case.changed if unmoved and moved else ()
        used |= set() if unmoved else set(case.changed)
    names = [name for name in dict.fromkeys(names) if name not in used]
    if not names or (base.case.right.index and len(names) == len(base.case.arguments)):
        return None
    if len(names) > 1 and len(names) == len(base.case.arguments):
        return (
            "it answers the same, whatever its arguments are: look for an exp that underflows to 0, a clamp, "
            "or a later line that overwrites the result"
        )
    noise = [name for name in names if name in ("eps", "u")]
    text = f"{listed(names)} {'makes' if len(names) == 1 else 'make'} no difference to it"
    return text + (f"; the randomness must come from {listed(noise)} alone" if noise else "")


def entangled(every: list[Tried]) -> str | None:
    """Whether the first image's answer changes with the other images."""
    base = every[0]
    for case, given in every:
        if case.kind != "rest" or given.problem or len(given.parts) != len(base.given.parts):
            continue
        for a, b, right, tolerance in zip(
            given.parts, base.given.parts, case.right.parts, case.right.tolerances
        ):
            where = [i for i, length in enumerate(right.shape) if length == case.kept]
            if a.shape == b.shape == right.shape and where:
                one, other = a.select(where[0], 0), b.select(where[0], 0)
                if one.isfinite().all() and not fits(one, other, 3 * tolerance):
                    return (
                        "what it gives for one image changes with the others in the batch; look for a sum, a mean, "
                        "a maximum or a normalization over all of them"
                    )
    return None


def guilty(every: list[Tried]) -> str | None:
    """Which arguments the error depends on: it stays the same if another one changes."""
    base = every[0]
    if base.case.right.index:
        return None
    innocent: list[str] = []
    suspects: list[str] = []
    for case, given in every:
        if case.kind == "other" and case.changed:
            one_error = _same_error(Tried(case, given), base)
            (innocent if one_error else suspects).extend(case.changed)
    if not innocent or not suspects or len(suspects) > 3:
        return None
    return f"what it does with {listed(innocent)} is right; look at what it does with {listed(suspects)}"


def _same_error(tried: Tried, base: Tried) -> bool:
    if tried.given.problem:
        return False
    differences: list[bool] = []
    ratios: list[bool] = []
    for a, b, c, d, tolerance in zip(
        tried.given.parts,
        tried.case.right.parts,
        base.given.parts,
        base.case.right.parts,
        tried.case.right.tolerances,
    ):
        if a.shape != c.shape or b.shape != d.shape or a.shape != b.shape or not a.isfinite().all():
            return False
        slack = 3 * tolerance + 1e-5 * max(b.abs().max().item(), d.abs().max().item())
        differences.append(bool(((a - b) - (c - d)).abs().max() <= slack))
        ratios.append(bool(((a * d) - (c * b)).abs().max() <= slack * max(1e-3, b.abs().max().item())))
    return all(differences) or all(ratios)


def rows(random: list[Tried]) -> str | None:
    """Which values of an answer of one part are right, if some are: rows, columns, or those of some sign."""
    masks = [near(given.parts[0], case.right.parts[0], case.right.tolerances[0]) for case, given in random]
    right = [case.right.parts[0] for case, _ in random]
    if not any(mask.any() for mask in masks) or not right[0].dim():
        return None
    share = sum(int(mask.sum()) for mask in masks) / sum(mask.numel() for mask in masks)
    for i in range(right[0].dim()):
        kind = {0: "row", 1: "column"}.get(i, f"entry of dimension {i}") if right[0].dim() > 1 else "value"
        for place, index in (("first", 0), ("last", -1)):
            at = [mask.select(i, index) for mask in masks]
            rest = [mask.movedim(i, 0)[1:] if index == 0 else mask.movedim(i, 0)[:-1] for mask in masks]
            if (
                all(m.all() for m in at)
                and share < 0.8
                and not any(
                    m.all(dim=tuple(range(1, m.dim()))).any() if m.dim() > 1 else m.any() for m in rest
                )
            ):
                return f"only the {place} {kind} of its answer is right; look at what the others need and it does not, or at an index"
            if all(m.all() for m in rest) and not any(m.all() for m in at):
                return f"only the {place} {kind} of its answer is wrong"
    if right[0].dim() == 2 and all(b.shape[0] == b.shape[1] for b in right):
        diagonal = [torch.eye(len(b), dtype=torch.bool) for b in right]
        if all((mask == eye).all() for mask, eye in zip(masks, diagonal)):
            return "only its diagonal is right"
        if all((mask != eye).all() for mask, eye in zip(masks, diagonal)):
            return "only its diagonal is wrong"
    flat, values = torch.cat([m.flatten() for m in masks]), torch.cat([b.flatten() for b in right])
    for text, here in (("above 0", values > 0), ("below 0", values < 0), ("0", values == 0)):
        if here.any() and (flat == here).all():
            return f"its values are right only if the right value is {text}; look at the others"
    return _thresholds(random, masks)


def _thresholds(random: list[Tried], masks: list[Tensor]) -> str | None:
    """An argument whose large or small values make an answer wrong."""
    for name, value in random[0].case.arguments.items():
        if not isinstance(value, Tensor) or not value.is_floating_point():
            continue
        values = [tried.case.arguments[name] for tried in random]
        for text, worst in (("large", torch.amax), ("very negative", lambda v, dim: (-v).amax(dim))):
            seen = []
            for v, mask in zip(values, masks):
                extra = tuple(range(mask.dim(), v.dim()))
                if v.shape[: mask.dim()] != mask.shape:
                    break
                seen.append(worst(v, extra) if extra else (v if text == "large" else -v))
            if len(seen) < len(masks):
                continue
            good = torch.cat([s[m] for s, m in zip(seen, masks)])
            bad = torch.cat([s[~m] for s, m in zip(seen, masks)])
            if len(good) > 1 and len(bad) > 1 and good.max() < bad.min():
                return f"it is right for moderate {name}, but not if {name} is {text}; do not clamp, and add no small constant"
    return None


def some_batches(random: list[Tried], wrong: list[Tried]) -> str | None:
    """What sets the batches with wrong answers apart, if others are right."""
    good = [tried for tried in random if all(tried is not other for other in wrong)]
    bad = [tried for tried in random if any(tried is other for other in wrong)]
    if not good or not bad:
        return None
    for name, value in random[0].case.arguments.items():
        if isinstance(value, Tensor) and value.is_floating_point():
            largest = [
                [tried.case.arguments[name].abs().max().item() for tried in group] for group in (good, bad)
            ]
            if max(largest[0]) * 3 < min(largest[1]):
                finite = all(part.isfinite().all() for tried in bad for part in tried.given.parts)
                large = "very negative" if all((t.case.arguments[name] <= 0).all() for t in bad) else "large"
                return f"it is right for moderate {name}, but not for {large} ones; {remedy(finite)}"
    if any(_right_values(tried).any() for tried in bad):
        return "it is right for many values, but not for all; look for a clamp, a small constant, or an index"
    if bad[0].case.right.index:
        name = next(key for key, v in bad[0].case.arguments.items() if isinstance(v, Tensor))
        return f"it is right for some {name}, but not for others; go through the example by hand"
    return "it is right for some batches, but not for others; look for a size or an index that is written as a number, a clamp, or a part that is left out"


def _right_values(tried: Tried) -> Tensor:
    right = tried.case.right
    return torch.cat(
        [near(*pair).flatten() for pair in zip(tried.given.parts, right.parts, right.tolerances)]
    )


def remedy(finite: bool) -> str:
    """What to do about extreme numbers."""
    if finite:
        return "do not clamp, and add no small constant (a function that you call may do so, too)"
    return "exp overflows there, or a logarithm is of 0: stay with logarithms to the end"


def nearly(random: list[Tried]) -> str | None:
    """Values that are almost right, as measured by how much the right ones vary."""
    for case, given in random:
        for a, b in zip(given.parts, case.right.parts):
            spread = b.std().item() if b.numel() > 1 else 0.1 * b.abs().max().item()
            if (a.double() - b).abs().max() > 0.02 * spread:
                return None
    if any(part.dtype == torch.float16 for _, given in random for part in given.parts):
        return "it computes in float16, which is too coarse; stay with float32"
    return (
        "its values are close to the right ones, but not the same; look for a small constant such as 1e-6, a clamp, "
        "a number with too few digits, or a count that is off by one"
    )


def by_part(random: list[Tried]) -> tuple[list[bool], list[list[Tried]]]:
    """For answers of several parts: which parts are right, and the cases of each part alone."""
    count = len(random[0].case.right.parts)
    alone = [one_part(random, i) for i in range(count)]
    good = [
        all(fits(t.given.parts[0], t.case.right.parts[0], t.case.right.tolerances[0]) for t in part)
        for part in alone
    ]
    return good, alone


def one_part(every: list[Tried], i: int) -> list[Tried]:
    """The cases that have an answer, with one part of it alone."""
    found = []
    for case, given in every:
        if i < len(given.parts):
            right = case.right
            right = replace(right, parts=right.parts[i : i + 1], tolerances=right.tolerances[i : i + 1])
            found.append(Tried(replace(case, right=right), Answer(given.parts[i : i + 1])))
    return found
