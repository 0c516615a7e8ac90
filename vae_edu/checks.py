"""Checks of the exercises: they run a learner's function and name the mistake, never the solution."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vae_edu import autoencoder, probe

SIZES = [(5, 7, 3), (3, 4, 2), (8, 10, 6)]  # images B, pixels a side or in a row D, features d


@dataclass(frozen=True)
class Exercise:
    """A tested function, random arguments for it by name, and the known mistakes.

    mistakes: pairs of one line of wrong code, in the arguments' names, and the hint that it deserves.
    """

    reference: Callable[..., Tensor | float]
    arguments: Callable[[int, int, int], dict[str, Tensor]]
    mistakes: list[tuple[str, str]]


EXERCISES = {
    "l2_loss": Exercise(
        autoencoder.l2_loss,
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
        lambda B, D, d: {"x": torch.rand(B, 1, D, D), "W": torch.randn(d, D * D) / D, "b": torch.randn(d)},
        [
            ("x.flatten(1) @ W.T + b", "the non-linearity is missing: put the sigmoid around W x + b"),
            ("torch.sigmoid(x.flatten(1) @ W.T)", "the bias b is missing"),
            ("torch.sigmoid(x.flatten(1) @ W.T) + b", "b is added after the sigmoid; it belongs inside"),
            ("torch.sigmoid(x.flatten(1) @ W.T - b)", "b is subtracted; add it"),
            ("torch.relu(x.flatten(1) @ W.T + b)", "this is a ReLU; the first generation uses the sigmoid"),
            ("torch.tanh(x.flatten(1) @ W.T + b)", "this is a tanh; the first generation uses the sigmoid"),
        ],
    ),
    "deep_encoder": Exercise(
        lambda x, W1, b1, W2, b2: torch.relu(x.flatten(1) @ W1.T + b1) @ W2.T + b2,
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
            ("torch.relu(x.flatten(1) @ W1.T) @ W2.T", "the biases b1 and b2 are missing"),
            ("torch.relu(x.flatten(1) @ W1.T) @ W2.T + b2", "the bias b1 is missing"),
            ("torch.relu(x.flatten(1) @ W1.T + b1) @ W2.T", "the bias b2 is missing"),
        ],
    ),
    "pca_reconstruction": Exercise(
        lambda x, mean, V: mean + (x - mean) @ V @ V.T,
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
            ("mean - (x - mean) @ V @ V.T", "the sign of the projection is flipped"),
        ],
    ),
    "accuracy": Exercise(
        probe.accuracy,
        lambda B, D, d: {"logits": torch.randn(8 * B, d), "labels": torch.arange(8 * B) % d},
        [
            ("(logits.argmax(1) == labels).sum()", "it counts the images; divide by their number"),
            (
                "(logits.argmax(1) != labels).double().mean()",
                "this is the error rate; accuracy counts what is right",
            ),
            ("(logits.argmin(1) == labels).double().mean()", "it takes the smallest logit; take the largest"),
            (
                "(logits.argmax(1) == labels).double().mean() * 100",
                "it is in percent; give a fraction, 0 to 1",
            ),
            (
                "(logits.argmax(0)[0] == labels).double().mean()",
                "argmax runs over the images; run it over the classes",
            ),
            ("logits.argmax(1) == labels", "it has one answer an image; take their mean"),
        ],
    ),
}


def check(name: str, function: Callable[..., Tensor | float]) -> bool:
    """Run a learner's function on random batches and print "name: correct", or what the mistake is.

    Returns whether it is correct. Raises ValueError for a name that is no exercise.
    """
    if name not in EXERCISES:
        raise ValueError(f"no exercise {name!r}: the exercises are {', '.join(EXERCISES)}.")
    problem = _problem(EXERCISES[name], function)
    print(f"{name}: {'correct' if problem is None else 'not yet: ' + problem}.")
    return problem is None


def _problem(exercise: Exercise, function: Callable) -> str | None:
    """What is wrong with the function, in words; None where it is right."""
    trials = []  # (arguments, right answer, the learner's answer)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        cases = [exercise.arguments(*sizes) for sizes in SIZES]
    for arguments in cases:
        given = {name: value.clone() for name, value in arguments.items()}
        try:
            answer = function(**given)
        except Exception as error:
            return f"it raised {type(error).__name__}: {error}"
        if changed := [name for name in given if not torch.equal(given[name], arguments[name])]:
            return f"it changes its input {changed[0]} in place; work on a new tensor"
        if answer is None:
            return "it returns None; end it with return"
        try:
            answer = torch.as_tensor(answer)
        except (TypeError, ValueError, RuntimeError):
            return f"it returns a {type(answer).__name__}; return a tensor"
        trials.append((arguments, torch.as_tensor(exercise.reference(**arguments)), answer))
    if all(_same(answer, right) for _, right, answer in trials):
        return None
    for wrong, hint in exercise.mistakes:
        if all(
            _same(answer, eval(wrong, {"torch": torch}, dict(arguments))) for arguments, _, answer in trials
        ):
            return hint
    return _describe(*trials[0][1:])


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a.double().cpu(), b.double().cpu(), rtol=1e-4, atol=1e-6)


def _describe(right: Tensor, answer: Tensor) -> str:
    """A diagnosis of an answer that no known mistake explains."""
    if answer.shape != right.shape:
        return f"it returns the shape {tuple(answer.shape)}; the right one is {tuple(right.shape)}"
    if not answer.isfinite().all():
        return "it returns values that are not finite"
    ratio = (answer.double() / right.double()).flatten()
    if torch.allclose(ratio, ratio[0].expand_as(ratio), rtol=1e-3):
        return f"it is {ratio[0]:.4g} times the right value; look for that factor"
    difference = (answer.double() - right.double()).flatten()
    if torch.allclose(difference, difference[0].expand_as(difference), rtol=1e-3):
        return f"it is {difference[0]:+.4g} off everywhere; look for that constant"
    worst = difference.abs().argmax()
    return f"one value is {answer.flatten()[worst]:.4g} where {right.flatten()[worst]:.4g} is right"
