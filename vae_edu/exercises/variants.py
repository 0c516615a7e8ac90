"""Variants of the exercises, whose solutions are not public: other names, another order, other conventions.

A seed chooses a variant of every exercise. The catalogue of mistakes stays: a variant gives the lesson's
functions the arguments as they want them, and brings their answers into its own convention.
"""

import ast
import hashlib
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial, wraps
from inspect import Parameter, Signature
from itertools import permutations
from typing import Any, TypeVar

from vae_edu.exercises import EXERCISES, NUMBERS, Exercise
from vae_edu.exercises.conventions import Answers, Convention
from vae_edu.exercises.tasks import TASKS

T = TypeVar("T")

NAMES = {  # what arguments are called instead
    "x": ("img", "pix", "pictures"),
    "x_hat": ("img_hat", "recon", "drawn"),
    "p": ("prob", "ink"),
    "log_p": ("log_probs", "scores"),
    "W": ("A", "weights", "M"),
    "b": ("c", "bias", "offset"),
    "W1": ("A1", "weights1", "first"),
    "b1": ("c1", "bias1", "offset1"),
    "W2": ("A2", "weights2", "second"),
    "b2": ("c2", "bias2", "offset2"),
    "u": ("r", "uniform", "dice"),
    "K": ("kernels", "filters"),
    "K of importance_weighted_bound": ("n", "m"),
    "mean": ("center", "average"),
    "V": ("U", "axes", "components"),
    "mu": ("m", "loc", "means"),
    "logvar": ("log_variance", "log_var"),
    "log_likelihood": ("log_px_z", "ll", "log_lik"),
    "log_prior": ("log_pz", "lp", "log_pr"),
    "log_q": ("log_qz_x", "lq", "log_enc"),
    "log_posterior": ("log_pz_x", "lpost", "log_post"),
    "logits": ("scores", "logit"),
    "log_joint": ("log_pxz", "joint", "lj"),
    "step": ("h", "spacing"),
    "log_w": ("log_weights", "lw"),
    "eps": ("noise", "e"),
    "log_p_x": ("log_px", "log_evidence"),
    "reconstruction": ("term_1", "log_px_z_mean"),
    "kl": ("term_2", "rate"),
    "eigenvalues": ("lam", "spectrum"),
    "variance": ("sigma2", "noise_variance"),
    "dimensions": ("n_pixels", "size"),
    "covariance": ("C", "cov"),
    "train": ("gallery", "known"),
    "z": ("codes", "code"),
    "dim": ("j", "index"),
    "value": ("v", "level"),
    "a": ("start", "za"),
    "b of spherical_interpolation": ("end", "zb"),
    "t": ("s", "part"),
    "factor": ("f", "factors"),
    "known": ("labeled", "chosen", "picked"),
    "information": ("mi", "I"),
    "entropy": ("H", "ent"),
    "y": ("label", "digit"),
    "classes": ("n_labels", "total"),
    "new": ("wanted", "target"),
    "A": ("E", "enc"),
    "W of label_swap": ("G", "dec"),
    "C": ("R", "looks"),
    "log_likelihood of label_posterior": ("log_px_y", "ll", "log_lik"),
    "log_prior of label_posterior": ("log_py", "lp", "log_pr"),
    "p of overconfidence": ("prob", "belief"),
    "train of independent_pixels": ("gallery", "seen", "past"),
    "floor": ("min_std", "least_std"),
    "log_p of bits_per_dimension": ("log_density", "ll", "log_px"),
    "D": ("n_pixels", "size"),
    "levels": ("shades", "grays"),
    "losses": ("curve", "history", "held_out"),
    "patience": ("waiting", "limit"),
}
WORDS = {
    "mean",
    "value",
    "factor",
    "entropy",
    "information",
    "covariance",
    "dimensions",
    "floor",
    "levels",
    "losses",
    "patience",
}  # of any hint
FORMULA = re.compile(r"\([\w/]+,(?: [\w/]+,?)*\)|\w*[pq]\([^()]*\)|‖[^‖]*‖|x̂")  # shapes, p(x|z), ‖x‖


@dataclass(frozen=True)
class Variant:
    """A variant of an exercise.

    Attributes:
        exercise: What its checks need.
        name: The function.
        names: What the lesson's arguments are called, in the variant's order.
        convention: What differs from the lesson besides the names.
    """

    exercise: Exercise
    name: str
    names: dict[str, str]
    convention: Convention


def exercise(name: str, seed: int | None = None) -> Exercise:
    """The exercise of the lesson, or its variant for a seed.

    Raises:
        ValueError: There is no such exercise, or the seed is no whole number.
    """
    if name not in EXERCISES:
        raise ValueError(f"no exercise {name!r}: the exercises are {', '.join(EXERCISES)}.")
    return EXERCISES[name] if seed is None else variant(name, seed).exercise


def variant(name: str, seed: int) -> Variant:
    """The variant of an exercise for a seed: the same on every machine.

    Raises:
        ValueError: The seed is no whole number.
    """
    if type(seed) is not int:
        raise ValueError(f"a variant is a whole number such as 17, not {seed!r}.")
    return _variant(name, seed)


@cache
def _variant(name: str, seed: int) -> Variant:
    convention = _pick(TASKS[name].conventions, name, seed, "convention")
    return make(name, seed, convention)


def make(name: str, seed: int, convention: Convention) -> Variant:
    """The variant of an exercise with this convention; the seed chooses names and order."""
    old = EXERCISES[name]
    arguments = list(old.arguments(3, 4, 2))
    orders = list(permutations(arguments))
    order = _pick(orders[1:] or orders, name, seed, "order")
    names: dict[str, str] = {}
    for argument in order:
        changed = convention.given.get(argument)
        usual = NAMES.get(f"{argument} of {name}") or NAMES[argument]
        options = [one for one in (changed and changed.names) or usual if one not in names.values()]
        names[argument] = _pick(options, name, seed, argument)
    return Variant(_adapted(name, names, convention), name, names, convention)


def _pick(options: Sequence[T], *what: object) -> T:
    """One of the options, which depends on what it is for alone."""
    digest = hashlib.sha256(repr(what).encode()).digest()
    return options[int.from_bytes(digest[:8], "big") % len(options)]


def _adapted(name: str, names: dict[str, str], convention: Convention) -> Exercise:
    """The exercise with other names and another convention."""
    old = EXERCISES[name]
    given, answer = convention.given, convention.answer

    def there(arguments: dict[str, Any]) -> dict[str, Any]:
        """The lesson's arguments, as the variant gives them."""
        return {
            names[key]: given[key].to(arguments[key]) if key in given else arguments[key]
            for key in names
            if key in arguments
        }

    def raw(arguments: dict[str, Any]) -> dict[str, Any]:
        """The variant's arguments by the lesson's names, as they are."""
        return {key: arguments[names[key]] for key in names}

    def back(arguments: dict[str, Any]) -> dict[str, Any]:
        """The variant's arguments, as the lesson gives them."""
        return {k: given[k].back(v) if k in given else v for k, v in raw(arguments).items()}

    def in_convention(function: Callable[..., Any], answers: Answers | None = answer) -> Callable[..., Any]:
        """A function of the lesson, as a function of the variant."""

        @wraps(function)
        def adapted(**arguments: Any) -> Any:
            lessons = back(arguments)
            result = function(**lessons)
            if answers is None:
                return result
            if isinstance(result, tuple):
                return tuple(answers(part, lessons) for part in result)
            return answers(result, lessons)

        return _signed(adapted, names)

    def extreme(change: Callable[..., dict[str, Any]], **arguments: Any) -> dict[str, Any]:
        return there(change(**back(arguments)))

    def terms(**arguments: Any) -> dict[str, Any]:
        lessons = back(arguments)
        found = old.terms(**lessons) if old.terms else {}
        return {key: answer(term, lessons) if answer else term for key, term in found.items()}

    copied = _signed(lambda **arguments: old.reference(**raw(arguments)), names)
    mistakes = [(copied, convention.hint.format(**names))]
    mistakes += [(in_convention(old.reference, wrong), hint) for wrong, hint in convention.mistakes]
    mistakes += [
        (in_convention(mistake), _renamed(hint, names, WORDS))
        for mistake, hint in old.mistakes
        if not re.search(convention.outdated, hint)
    ]
    extremes = [old.extreme] if callable(old.extreme) else old.extreme or ()
    sizes = old.sizes
    shapes = convention.shapes
    return replace(
        old,
        reference=in_convention(old.reference),
        shapes=shapes.format(**names) if shapes else _renamed(old.shapes, names),
        arguments=lambda B, D, d: there(old.arguments(B, D, d)),
        mistakes=mistakes,
        extreme=[partial(extreme, change) for change in extremes],
        gradients=tuple(names[key] for key in old.gradients),
        terms=terms if old.terms and convention.linear else None,
        sizes=(lambda **arguments: sizes(**back(arguments))) if sizes else None,
    )


def _signed(function: Callable[..., Any], names: dict[str, str]) -> Callable[..., Any]:
    """The function with the variant's arguments as its signature."""
    parameters = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names.values()]
    function.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return function


def _renamed(text: str, names: dict[str, str], but: set[str] | None = None) -> str:
    """A text with the variant's names of the arguments; formulas in it stay as they are."""
    old = "|".join(re.escape(name) for name in names if name not in (but or ()) and name != "a")
    article = r"a(?! \w)|a(?= (?:and|is|are|times|has)\b)" if "a" in names else r"(?!)"
    pattern = re.compile(f"({FORMULA.pattern})|(?<![\\w.])({old or '(?!)'}|{article})(?!\\w)")
    return pattern.sub(lambda found: found[1] or names[found[2]], text)


def cell(name: str, seed: int, public: str) -> str:
    """The cell of an exercise in a lesson, for its variant: its text, its arguments, and a solution.

    Args:
        name: The exercise.
        seed: The variant.
        public: The lesson's cell, which holds the lesson's solution.
    """
    return written(variant(name, seed), public)


def written(chosen: Variant, public: str) -> str:
    """The cell of this variant, made from the lesson's."""
    name, names, convention = chosen.name, chosen.names, chosen.convention
    task = TASKS[name]
    body = re.split(r"^ *### (?:BEGIN|END) SOLUTION\n?", public, flags=re.M)[1].rstrip("\n")
    first = [f"{key} = {_put(change.code, names[key])}" for key, change in convention.given.items()]
    kept = {key: key if key in convention.given else new for key, new in names.items()}
    *lines, last = _code(body, kept).split("\n")
    result = last.strip().removeprefix("return ")
    if isinstance(ast.parse(result, mode="eval").body, ast.Tuple) and convention.answer:
        result = f"tuple({_put(convention.code, 'part', kept)} for part in ({result}))"
    else:
        result = _put(convention.code, result, kept)
    solution = [*(f"    {line}" for line in first), *lines, f"    return {result}"]
    text = [
        f"Exercise {NUMBERS[name]}, variant: {task.title}.",
        _sentence(chosen.exercise.shapes),
        f"By the lesson's names: {', '.join(same)}." if (same := _unchanged(chosen)) else "",
        convention.note,
        *(f"{order}. {step}" for order, step in enumerate(task.steps, start=1)),
    ]
    needs_math = any("math." in line for line in solution) and "import math" not in public
    return "\n".join(
        [
            *(line for entry in text if entry for line in _comment(entry.format(**names))),
            *(["import math", ""] if needs_math else []),
            f"def {name}({', '.join(names.values())}):",
            "    ### BEGIN SOLUTION",
            *solution,
            "    ### END SOLUTION",
        ]
    )


def _unchanged(chosen: Variant) -> list[str]:
    """Which argument is which of the lesson's, where nothing but its name is new."""
    return [f"{new} is {old}" for old, new in chosen.names.items() if old not in chosen.convention.given]


def _sentence(text: str) -> str:
    """The text with a full stop; braces in it stand for themselves."""
    return f"{text[0].upper() if text.startswith('all ') else text[0]}{text[1:]}.".replace("{", "{{").replace(
        "}", "}}"
    )


def _comment(text: str) -> list[str]:
    """The text as lines of a comment; a step is set in."""
    first = "#   " if text[0].isdigit() else "# "
    return textwrap.wrap(
        text, 110, initial_indent=first, subsequent_indent="#      " if text[0].isdigit() else "# "
    )


def _code(body: str, names: dict[str, str]) -> str:
    """Lines of a solution with the arguments' new names."""
    old = "|".join(names)
    return re.sub(rf"(?<![\w.])({old})(?!\w)", lambda found: names[found[1]], body)


def _put(code: str, expression: str, names: dict[str, str] | None = None) -> str:
    """The code of a convention with an expression in its place."""
    simple = isinstance(ast.parse(expression, mode="eval").body, (ast.Name, ast.Call))
    inner = expression if simple or code == "{}" else f"({expression})"
    return code.format(inner, **(names or {}))
