"""How numbers are off from the right ones: a constant, a factor, a term, a function of the right value."""

import itertools
import math
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from vae_edu.exercises.compare import doubled, fits, near
from vae_edu.exercises.exercise import Exercise
from vae_edu.exercises.wording import Tried, number, sizes

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "the exponential of the right value; leave out exp, or take a logarithm": torch.exp,
    "the exponential of minus the right value": lambda b: (-b).exp(),
    "the logarithm of the right value; leave out log, or take exp": torch.log,
    "minus the logarithm of the right value": lambda b: -b.log(),
    "the logarithm of 1 + the right value": torch.log1p,
    "the square of the right value; a square root is missing": torch.square,
    "the square root of the right value; leave out the root, or a square is missing": torch.sqrt,
    "1 / the right value; it is upside down": lambda b: 1 / b,
    "1 − the right value": lambda b: 1 - b,
    "the right value without its sign": torch.abs,
    "minus the right value without its sign": lambda b: -b.abs(),
    "the right value cut off at 0; leave out that max, clamp or ReLU": lambda b: b.clamp(min=0),
    "the right value cut off above 0": lambda b: b.clamp(max=0),
    "the right value cut off at 1": lambda b: b.clamp(max=1),
    "the right value, forced between 0 and 1": lambda b: b.clamp(0, 1),
    "the sigmoid of the right value; leave it out": torch.sigmoid,
    "the tanh of the right value; leave it out": torch.tanh,
    "the right value, rounded": torch.round,
    "the right value, rounded to 1 digit after the point": lambda b: b.round(decimals=1),
    "the right value, rounded to 2 digits after the point": lambda b: b.round(decimals=2),
    "the right value, rounded to 3 digits after the point": lambda b: b.round(decimals=3),
    "the whole number below the right value": torch.floor,
}
ALONG: dict[str, Callable[[int, Tensor], Tensor]] = {
    "added up one after the other over": lambda i, b: b.cumsum(i),
    "normalized to the sum 1 over": lambda i, b: b / b.sum(i, keepdim=True),
    "scaled to length 1 over": lambda i, b: b / b.norm(dim=i, keepdim=True),
    "through a softmax over": lambda i, b: b.softmax(i),
    "less their mean over": lambda i, b: b - b.mean(i, keepdim=True),
    "averaged, and repeated, over": lambda i, b: b.mean(i, keepdim=True).expand_as(b),
    "added up, and repeated, over": lambda i, b: b.sum(i, keepdim=True).expand_as(b),
}


def relation(random: list[Tried], exercise: Exercise) -> str | None:
    """What one part of the answers has to do with the right one, in all cases; None if nothing is seen.

    Args:
        random: The random cases with answers of one part, of the right shape.
        exercise: The exercise.
    """
    flat = [_Pair(tried, exercise) for tried in random]
    return (
        _order(flat)
        or _constant(flat)
        or _fixed(flat)
        or _terms(random, exercise)
        or _function(random)
        or _by_size(flat)
    )


class _Pair:
    """The values given (a) and the right ones (b) of a case, in a row, and the case's sizes."""

    def __init__(self, tried: Tried, exercise: Exercise) -> None:
        self.a, self.b = tried.given.parts[0].double().flatten(), tried.case.right.parts[0].flatten()
        self.tolerance = tried.case.right.tolerances[0]
        self.sizes = sizes(exercise, tried.case)

    def is_near(self, factor: float, offset: float) -> bool:
        tolerance = self.tolerance * max(1.0, abs(factor))
        return fits(self.a, factor * self.b + offset, tolerance)

    @property
    def factor(self) -> float | None:
        """The factor of all values, if there is one."""
        square = (self.b @ self.b).item()
        factor = (self.a @ self.b).item() / square if square else 0.0
        return factor if factor and math.isfinite(factor) and self.is_near(factor, 0) else None

    @property
    def offset(self) -> float | None:
        """The constant that all values are off by, if there is one."""
        offset = (self.a - self.b).mean().item()
        return offset if math.isfinite(offset) and self.is_near(1, offset) else None


def _order(flat: list[_Pair]) -> str | None:
    if all(fits(p.a.sort().values, p.b.sort().values, p.tolerance) for p in flat):
        if all(fits(p.a, p.b.flip(0), p.tolerance) for p in flat):
            return "its values are right, but in reverse order"
        return "its values are right, but in another order; look at which dimension is which"
    return None


def _constant(flat: list[_Pair]) -> str | None:
    """The same constant or the same factor in all cases."""
    a, b = torch.cat([p.a for p in flat]), torch.cat([p.b for p in flat])
    offset, square = (a - b).mean().item(), (b @ b).item()
    if all(p.is_near(1, offset) for p in flat):
        sign = "+" if offset > 0 else ""
        return f"it is {sign}{number(offset)} off everywhere; look for that constant"
    factor = (a @ b).item() / square if square else 0.0
    if factor and all(p.is_near(factor, 0) for p in flat):
        if math.isclose(factor, -1, rel_tol=1e-4):
            return "its sign is flipped"
        return f"it is {number(factor)} times the right value; {_hint(factor)}"
    if len(a) > 5:
        fit = torch.linalg.lstsq(torch.stack([b, torch.ones_like(b)], 1), a[:, None]).solution.flatten()
        factor, offset = fit.tolist()
        if abs(factor) > 1e-3 and all(p.is_near(factor, offset) for p in flat):
            return f"it is {number(factor)} times the right value, and then {offset:+.4g} off; look for both numbers"
    return None


def _hint(factor: float) -> str:
    if math.isclose(abs(factor), 1 / math.log(2), rel_tol=1e-4):
        return "it is in bits: take natural logarithms"
    if math.isclose(abs(factor), 1 / math.log(10), rel_tol=1e-4):
        return "its logarithms are to base 10: take natural ones"
    if math.isclose(abs(factor), math.log(2), rel_tol=1e-4):
        return "look for a change between bits and nats"
    if 0.98 < factor < 1.02:
        return "look for a constant with too few digits"
    return "look for that factor"


def cut_off(random: list[Tried], exercise: Exercise) -> str | None:
    """A smallest or largest value that replaces the right ones beyond it.

    Args:
        random: The random cases with answers of the right shapes.
        exercise: The exercise.
    """
    flat = [_Pair(tried, exercise) for tried in random]
    if random[0].case.right.index:
        return None
    if len(random[0].case.right.parts) > 1 or not any(near(p.a, p.b, p.tolerance).any() for p in flat):
        return None
    for side, end in (
        ("below", min(p.a.min().item() for p in flat)),
        ("above", max(p.a.max().item() for p in flat)),
    ):
        low, high = (end, math.inf) if side == "below" else (-math.inf, end)
        if all(fits(p.a, p.b.clamp(low, high), p.tolerance) for p in flat):
            return f"it is the right value, cut off {side} {number(end)}; leave out that clamp, max or min"
    return None


def _fixed(flat: list[_Pair]) -> str | None:
    """A number written down where a size of the exercise belongs."""
    factors, offsets = [p.factor or 0.0 for p in flat], [p.offset or 0.0 for p in flat]
    for name in flat[0].sizes:
        n = [float(p.sizes[name]) for p in flat]
        if len(set(n)) < len(n):
            continue
        found: list[list[float]] = []
        if all(factor > 0 for factor in factors):
            found += [[s / f ** (1 / k) for s, f in zip(n, factors)] for k in (1, 0.5, -1, -0.5)]
        elif all(offsets):
            found += [
                [s / math.exp(o / k) for s, o in zip(n, offsets)]
                for k in (1, -1, 2, -2)
                if max(map(abs, offsets)) < 50
            ]
            slope = (offsets[1] - offsets[0]) / (n[1] - n[0])
            found += [[s - o / slope for s, o in zip(n, offsets)]] if slope else []
        for fixed in found:
            whole = round(fixed[0])
            if whole > 4 and all(math.isclose(number, whole, rel_tol=1e-3) for number in fixed):
                return f"it has the number {whole} in the place of {name}; take that from the shape of an argument"
    return None


def _by_size(flat: list[_Pair]) -> str | None:
    """A factor or a constant in each case that grows with a size of the exercise."""
    names = [name for name in flat[0].sizes if len({p.sizes[name] for p in flat}) > 1]
    columns = {name: [p.sizes[name] for p in flat] for name in names}
    for one, other in itertools.combinations(names, 2):
        columns[f"{one}, times {other}"] = [m * n for m, n in zip(columns[one], columns[other])]
    factors = [p.factor or 0.0 for p in flat]
    if all(factors):
        found = [(k, text) for grown, text in _factors(columns) if (k := _steady(factors, grown))]
        for k, text in sorted(found, key=lambda pair: abs(abs(pair[0]) - 1) > 1e-3):
            times = "" if math.isclose(k, 1, rel_tol=1e-3) else f"{number(k)} times "
            return f"it is {times}the right value {text}"
        if less := _less_one(factors, columns):
            return less
    offsets = [p.offset or 0.0 for p in flat]
    if all(offsets):
        for grown, text, any_factor in _offsets(columns):
            k = _steady(offsets, grown) or 0.0
            if k and (any_factor or math.isclose(abs(k), 1, rel_tol=1e-2)):
                sign = "+" if k > 0 else ""
                return f"it is off by {sign}{number(k)} times {text}"
    return None


def _less_one(factors: list[float], columns: dict[str, list[int]]) -> str | None:
    """A size that is counted as one less, or one more."""
    powers = {"n / (n − 1)": 1, "(n − 1) / n": -1, "√(n / (n − 1))": 0.5, "√((n − 1) / n)": -0.5}
    for name, n in columns.items():
        for text, power in powers.items() if min(n) > 1 else ():
            if all(math.isclose(f - 1, (s / (s - 1)) ** power - 1, rel_tol=0.03) for f, s in zip(factors, n)):
                return f"it is the right value times {text}, where n is {name}; it takes n − 1 for n, or n for n − 1"
    return None


def _factors(columns: dict[str, list[int]]) -> Iterator[tuple[list[float], str]]:
    for name, n in columns.items():
        yield [1 / s for s in n], f"divided by {name}; look for a mean that should be a sum"
        yield [float(s) for s in n], f"multiplied by {name}; look for a sum that should be a mean"
        yield [s**-0.5 for s in n], f"divided by the square root of {name}"
        yield [s**0.5 for s in n], f"multiplied by the square root of {name}"
        yield [1 / s**2 for s in n], f"divided by the square of {name}; one division is enough"
        yield [float(s**2) for s in n], f"multiplied by the square of {name}"
    for one, other in itertools.permutations(columns, 2):
        yield (
            [s / t for s, t in zip(columns[one], columns[other])],
            f"times {one}, over {other}; it divides by the wrong one of the two",
        )


def _offsets(columns: dict[str, list[int]]) -> Iterator[tuple[list[float], str, bool]]:
    """What a constant may grow with, in words, and whether a factor before it may be any number."""
    for name, n in columns.items():
        yield [float(s) for s in n], f"{name}; look for a constant inside the sum", True
        yield [math.log(s) for s in n], f"the logarithm of {name}; look for that constant", True
        if min(n) > 1:
            yield [math.log(s / (s - 1)) for s in n], f"log n − log(n − 1), where n is {name}", False
        yield [math.log(s / (s - 0.5)) for s in n], f"log n − log(n − ½), where n is {name}", False
        yield [math.log((s + 1) / s) for s in n], f"log(n + 1) − log n, where n is {name}", False
    for one, other in itertools.permutations(columns, 2):
        pair = list(zip(columns[one], columns[other]))
        yield (
            [math.log(s / t) for s, t in pair],
            f"the logarithm of {one}, over {other}: it takes the wrong one",
            False,
        )


def _steady(values: list[float], grown: list[float]) -> float | None:
    """The number k with values = k · grown; None if there is none."""
    if not all(grown):
        return None
    ratios = [value / size for value, size in zip(values, grown)]
    first = ratios[0]
    steady = math.isfinite(first) and all(math.isclose(first, k, rel_tol=5e-4) for k in ratios)
    return first if steady and abs(first) > 1e-6 else None


def _terms(random: list[Tried], exercise: Exercise) -> str | None:
    """A factor of one term of the sum, or a mean in it."""
    if not exercise.terms:
        return None
    every = [exercise.terms(**doubled(tried.case.arguments)) for tried in random]
    counts = [sizes(exercise, tried.case) for tried in random]
    given = torch.cat([tried.given.parts[0].double().flatten() for tried in random])
    tolerances = [tried.case.right.tolerances[0] for tried in random]

    def weights(changed: list[dict[str, Tensor]]) -> list[float] | None:
        columns = [
            torch.cat([t[name].expand_as(r.case.right.parts[0]).flatten() for t, r in zip(changed, random)])
            for name in every[0]
        ]
        matrix = torch.stack(columns, 1)
        if len(given) <= matrix.shape[1]:
            return None
        found = torch.linalg.lstsq(matrix, given[:, None]).solution[:, 0]
        right = near(given, matrix @ found, 3 * max(tolerances)).all() and found.isfinite().all()
        return found.tolist() if right else None

    if (found := weights(every)) is not None:
        said = [_counts(name, k) for name, k in zip(every[0], found) if not math.isclose(k, 1, rel_tol=1e-3)]
        return "; ".join(said) or None
    for name in every[0]:
        for change, text in _changes(counts):
            changed = [t | {name: change(t[name], i)} for i, t in enumerate(every)]
            found = weights(changed)
            if found is not None and all(math.isclose(k, 1, rel_tol=1e-3) for k in found):
                return f"{name} {text}"
    return None


def _changes(counts: list[dict[str, int]]) -> Iterator[tuple[Callable[[Tensor, int], Tensor], str]]:
    """What may happen to one term, in words."""
    yield lambda term, i: term.mean(), "is averaged over the whole batch; keep one value each"
    yield lambda term, i: term.sum(), "is summed over the whole batch; keep one value each"
    yield lambda term, i: term.abs(), "has lost its sign"
    yield lambda term, i: term.clamp(min=0), "is cut off at 0"
    for name in counts[0]:
        n = [count[name] for count in counts]
        yield partial(_grown, n, -1), f"is divided by {name}; look for a mean that should be a sum"
        yield partial(_grown, n, 1), f"is multiplied by {name}; look for a sum that should be a mean"


def _grown(n: list[int], power: int, term: Tensor, i: int) -> Tensor:
    return term * float(n[i]) ** power


def _counts(term: str, k: float) -> str:
    if abs(k) < 1e-3:
        return f"{term} is missing"
    if math.isclose(k, -1, rel_tol=1e-3):
        return f"{term} has the wrong sign"
    return f"{term} counts {number(k)} times; the right sum counts it once"


def _function(random: list[Tried]) -> str | None:
    """A function of the right value, or a sum of all of them."""
    for text, function in (FUNCTIONS | _totals(random)).items():
        good = True
        for case, given in random:
            made = function(case.right.parts[0])
            if made.shape != given.parts[0].shape:
                made = made.expand_as(given.parts[0]) if made.dim() == 0 else made
            good = good and fits(given.parts[0], made, case.right.tolerances[0])
        if good:
            return f"it is {text}"
    return None


def _totals(random: list[Tried]) -> dict[str, Callable[[Tensor], Tensor]]:
    """Functions of all right values together, or of those along one dimension."""
    dimensions = random[0].case.right.parts[0].dim()
    found: dict[str, Callable[[Tensor], Tensor]] = {}
    if dimensions:
        found["the sum of all right values, everywhere; keep one value each"] = torch.sum
        found["the mean of all right values, everywhere; keep one value each"] = torch.mean
    for i in range(dimensions):
        for text, function in ALONG.items():
            if dimensions > 1 or "repeated" not in text:
                found[f"the right values, {text} dimension {i}"] = partial(function, i)
    return found
