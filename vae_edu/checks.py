"""Checks of the exercises: they run a learner's function and name the mistake, never the solution."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vae_edu import autoencoder
from vae_edu.randomness import random_stream

SIZES = [(5, 7, 3), (3, 4, 2), (8, 10, 6)]  # images B, pixels a side or in a row D, features d


@dataclass(frozen=True)
class Exercise:
    """A tested function, the shapes it works on, random arguments by name, and the known mistakes.

    mistakes: pairs of one line of wrong code, in the arguments' names, and the hint that it deserves.
    """

    reference: Callable[..., Any]
    shapes: str
    arguments: Callable[[int, int, int], dict[str, Any]]
    mistakes: list[tuple[str, str]]


EXERCISES = {
    "l2_loss": Exercise(
        autoencoder.l2_loss,
        "x_hat and x are (B, C, H, W); the answer is (B,)",
        lambda B, D, d: {"x_hat": torch.rand(B, 1, D, D), "x": torch.rand(B, 1, D, D)},
        [
            ("((x_hat - x)**2).flatten(1).mean(1)", "it averages over the pixels; L1 sums over them"),
            ("((x_hat - x)**2).sum()", "it sums over the images too; keep one value an image, (B,)"),
            (
                "((x_hat - x)**2).mean()",
                "it averages over images and pixels; sum over the pixels of each image",
            ),
            (
                "((x_hat - x)**2).flatten(1).sum(1).mean()",
                "it averages over the images; keep one value each, (B,)",
            ),
            ("((x_hat - x)**2).flatten(1).sum(0)", "it sums over the images; sum over the pixels instead"),
            ("((x_hat - x)**2).flatten(1).sum(1).sqrt()", "it is the norm ‖x̂ − x‖; L1 wants its square"),
            ("((x_hat - x)**2).flatten(1).sum(1) / 2", "it has a factor ½ that L1 has not"),
            ("(x_hat - x).abs().flatten(1).sum(1)", "it adds up absolute values; L1 squares each difference"),
            ("(x_hat - x).flatten(1).sum(1)", "it adds up the differences without squaring them"),
            ("(x_hat - x).flatten(1).sum(1)**2", "it squares the sum; square every difference, then sum"),
        ],
    ),
    "linear_sigmoid_encoder": Exercise(
        lambda x, W, b: torch.sigmoid(x.flatten(1) @ W.T + b),
        "x is (B, C, H, W) and becomes (B, D), W is (d, D), b is (d,); the answer is (B, d)",
        lambda B, D, d: {"x": torch.rand(B, 1, D, D), "W": torch.randn(d, D * D) / D, "b": torch.randn(d)},
        [
            ("x.flatten(1) @ W.T + b", "the non-linearity is missing: put the sigmoid around W x + b"),
            ("torch.sigmoid(x.flatten(1) @ W.T)", "the bias b is missing"),
            ("torch.sigmoid(x.flatten(1) @ W.T) + b", "b is added after the sigmoid; it belongs inside"),
            ("torch.sigmoid(x.flatten(1) @ W.T - b)", "b is subtracted; add it"),
            ("torch.relu(x.flatten(1) @ W.T + b)", "this is a ReLU; the first generation uses the sigmoid"),
            ("torch.tanh(x.flatten(1) @ W.T + b)", "this is a tanh; the first generation uses the sigmoid"),
            (
                "torch.softmax(x.flatten(1) @ W.T + b, 1)",
                "this is a softmax; the sigmoid takes each feature alone",
            ),
            ("torch.sigmoid(-(x.flatten(1) @ W.T + b))", "the sign inside the sigmoid is flipped"),
            (
                "torch.sigmoid(x.flatten(1)) @ W.T + b",
                "the sigmoid is on the image; it belongs around W x + b",
            ),
        ],
    ),
    "deep_encoder": Exercise(
        lambda x, W1, b1, W2, b2: torch.relu(x.flatten(1) @ W1.T + b1) @ W2.T + b2,
        "x becomes (B, D), W1 is (hidden, D), W2 is (d, hidden); the answer is (B, d)",
        lambda B, D, d: {
            "x": torch.rand(B, 1, D, D),
            "W1": torch.randn(4 * d, D * D) / D,
            "b1": torch.randn(4 * d),
            "W2": torch.randn(d, 4 * d),
            "b2": torch.randn(d),
        },
        [
            (
                "(x.flatten(1) @ W1.T + b1) @ W2.T + b2",
                "the ReLU between the layers is missing; two linear layers are one linear layer",
            ),
            (
                "torch.relu(torch.relu(x.flatten(1) @ W1.T + b1) @ W2.T + b2)",
                "there is a ReLU after the last layer too; features may be negative",
            ),
            (
                "torch.relu((x.flatten(1) @ W1.T + b1) @ W2.T + b2)",
                "the ReLU stands after the last layer; put it between the two",
            ),
            (
                "torch.sigmoid(x.flatten(1) @ W1.T + b1) @ W2.T + b2",
                "this is a sigmoid; use the ReLU, max(0, h)",
            ),
            ("torch.tanh(x.flatten(1) @ W1.T + b1) @ W2.T + b2", "this is a tanh; use the ReLU, max(0, h)"),
            (
                "(torch.relu(x.flatten(1) @ W1.T) + b1) @ W2.T + b2",
                "b1 is added after the ReLU; it belongs inside",
            ),
            ("torch.relu(x.flatten(1) @ W1.T) @ W2.T", "the biases b1 and b2 are missing"),
            ("torch.relu(x.flatten(1) @ W1.T) @ W2.T + b2", "the bias b1 is missing"),
            ("torch.relu(x.flatten(1) @ W1.T + b1) @ W2.T", "the bias b2 is missing"),
        ],
    ),
    "pca_reconstruction": Exercise(
        lambda x, mean, V: mean + (x - mean) @ V @ V.T,
        "x is (B, D), mean is (D,), V is (D, d); the answer is (B, D)",
        lambda B, D, d: {
            "x": torch.rand(B, D),
            "mean": torch.rand(D),
            "V": torch.linalg.qr(torch.randn(D, d)).Q,
        },
        [
            ("x @ V @ V.T", "the mean is missing: subtract it before V, and add it again at the end"),
            ("(x - mean) @ V @ V.T", "the mean is not added again at the end"),
            ("mean + x @ V @ V.T", "the mean is not subtracted before the projection"),
            ("(x - mean) @ V", "these are the features z; the decoder V z + m is missing"),
            (
                "x.mean(0) + (x - x.mean(0)) @ V @ V.T",
                "it takes the mean of the few images in x; use the mean that is given, that of all training images",
            ),
            ("(x - mean) @ V @ V.T - mean", "the mean is subtracted again at the end; add it"),
            ("mean + (x + mean) @ V @ V.T", "the mean is added before the projection; subtract it"),
            ("x - (x - mean) @ V @ V.T", "this is what PCA leaves out of the image; give what it keeps"),
            ("x * 1", "it gives back the image itself; nothing went through the features"),
            ("mean - (x - mean) @ V @ V.T", "the sign of the projection is flipped"),
        ],
    ),
    "stretch": Exercise(
        lambda W, b, V, c, k: (k * W, k * b, V / k, c),
        "W is (d, D), b is (d,), V is (D, d), c is (D,), k is a number; the answer is a new W, b, V, c",
        lambda B, D, d: {
            "W": torch.randn(d, D),
            "b": torch.randn(d),
            "V": torch.randn(D, d),
            "c": torch.randn(D),
            "k": float(B),
        },
        [
            ("(k * W, b, V / k, c)", "b stays as it was; the whole code W x + b has to grow"),
            ("(k * W, k * b, V, c)", "V stays as it was, so the drawings grow with the codes"),
            ("(W, b, V / k, c)", "the codes do not grow; W and b make them"),
            ("(k * W, k * b, k * V, c)", "V grows too; it has to make up for the larger codes"),
            ("(k * W, k * b, V / k, c / k)", "c shrinks too; it never meets the codes"),
            ("(k * W, b, V / k, c / k)", "b has to grow, and c must stay"),
            ("(W / k, b / k, V * k, c)", "the codes shrink; make them k times as large"),
            ("(W, b, V, c)", "nothing has changed; make the codes k times as large"),
        ],
    ),
}


def check(name: str, function: Callable[..., Any]) -> None:
    """Run a learner's function on random batches and print "name: correct", or what the mistake is.

    Raises ValueError for a name that is no exercise.
    """
    problem = diagnose(name, function)
    print(f"{name}: {'correct' if problem is None else 'not yet: ' + problem}.")


def diagnose(name: str, function: Callable[..., Any]) -> str | None:
    """What is wrong with a learner's function, in words; None where it is right.

    Raises ValueError for a name that is no exercise.
    """
    if name not in EXERCISES:
        raise ValueError(f"no exercise {name!r}: the exercises are {', '.join(EXERCISES)}.")
    exercise = EXERCISES[name]
    with random_stream(0):
        cases = [exercise.arguments(*sizes) for sizes in SIZES]
    answers = []
    for arguments in cases:
        given = copy.deepcopy(arguments)
        try:
            answer = function(**given)
        except NotImplementedError:
            return "it is not written yet"
        except Exception as error:
            return f"it raised {type(error).__name__}: {error}; {exercise.shapes}"
        for key, value in arguments.items():
            if not torch.equal(torch.as_tensor(given[key]), torch.as_tensor(value)):
                return f"it changes its input {key} in place; work on a new tensor"
        if answer is None:
            return "it returns None; end it with return"
        try:
            answers.append(_tensors(answer))
        except (TypeError, ValueError, RuntimeError):
            return f"it returns a {type(answer).__name__}; {exercise.shapes}"
    right = [_tensors(exercise.reference(**arguments)) for arguments in cases]
    if _same(answers, right):
        return None
    for wrong, hint in exercise.mistakes:
        if _same(answers, [_tensors(eval(wrong, {"torch": torch}, arguments)) for arguments in cases]):
            return hint
    return _describe(answers, right, exercise.shapes)


def _tensors(answer: Any) -> list[Tensor]:
    parts = answer if isinstance(answer, tuple) else [answer]
    return [torch.as_tensor(part).detach().double().cpu() for part in parts]


def _same(answers: list[list[Tensor]], others: list[list[Tensor]]) -> bool:
    """Whether all the parts of all the answers agree, in shape and to float32 precision."""
    return all(
        len(parts) == len(other_parts)
        and all(a.shape == b.shape and torch.allclose(a, b, 1e-4, 1e-6) for a, b in zip(parts, other_parts))
        for parts, other_parts in zip(answers, others)
    )


def _describe(answers: list[list[Tensor]], right: list[list[Tensor]], shapes: str) -> str:
    """A diagnosis of answers that no known mistake explains."""
    for parts, right_parts in zip(answers, right):
        if len(parts) != len(right_parts):
            return f"it returns {len(parts)} values, not {len(right_parts)}; {shapes}"
        for a, b in zip(parts, right_parts):
            if a.shape != b.shape:
                hint = "it is transposed" if a.dim() == 2 and a.T.shape == b.shape else shapes
                return f"it returns the shape {tuple(a.shape)} where {tuple(b.shape)} is right; {hint}"
    a, b = (
        torch.cat([part.flatten() for parts in all_parts for part in parts]) for all_parts in (answers, right)
    )
    if not a.isfinite().all():
        return "it returns values that are not finite"
    for value, sentence in [
        (a / b, "it is {:.4g} times the right value; look for that factor"),
        (a - b, "it is {:+.4g} off everywhere; look for that constant"),
    ]:
        if torch.allclose(value, value[0].expand_as(value), rtol=1e-3):
            return sentence.format(value[0].item())
    worst = (a - b).abs().argmax()
    return f"one value is {a[worst]:.4g} where {b[worst]:.4g} is right; {shapes}"
