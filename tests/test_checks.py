"""The exercises' checks: every known mistake is named, every right answer accepted, in whatever style."""

import pytest
import torch

from vae_edu.checks import EXERCISES, check, diagnose

RIGHT = {
    "l2_loss": [
        lambda x_hat, x: ((x_hat - x) ** 2).sum((1, 2, 3)),
        lambda x_hat, x: torch.stack(
            [torch.linalg.vector_norm(a - b) ** 2 for a, b in zip(x_hat, x, strict=True)]
        ),
        lambda x_hat, x: torch.einsum("bchw,bchw->b", x - x_hat, x - x_hat),
        lambda x_hat, x: torch.nn.functional.mse_loss(x_hat, x, reduction="none").double().sum((1, 2, 3)),
    ],
    "linear_sigmoid_encoder": [
        lambda x, W, b: torch.nn.functional.linear(x.flatten(1), W, b).sigmoid(),
        lambda x, W, b: 1 / (1 + (-(torch.einsum("dp,bp->bd", W, x.reshape(len(x), -1)) + b)).exp()),
    ],
    "deep_encoder": [
        lambda x, W1, b1, W2, b2: (x.flatten(1) @ W1.T + b1).clamp(min=0) @ W2.T + b2,
        lambda x, W1, b1, W2, b2: torch.stack([W2 @ torch.relu(W1 @ a.flatten() + b1) + b2 for a in x]),
    ],
    "pca_reconstruction": [
        lambda x, mean, V: (V @ (V.T @ (x - mean).T)).T + mean,
        lambda x, mean, V: mean + torch.einsum("bi,id,jd->bj", x - mean, V, V),
    ],
    "stretch": [
        lambda W, b, V, c, k: (W * k, b * k, V / k, c),
        lambda W, b, V, c, k: tuple(
            t.double() * f for t, f in zip((W, b, V, c), (k, k, 1 / k, 1), strict=True)
        ),
    ],
}


def test_every_exercise_is_tested():
    assert RIGHT.keys() == EXERCISES.keys()


@pytest.mark.parametrize(("name", "function"), [(n, f) for n, fs in RIGHT.items() for f in fs])
def test_right_answers_are_accepted(name, function, capsys):
    check(name, function)
    assert capsys.readouterr().out == f"{name}: correct.\n"


@pytest.mark.parametrize(
    ("name", "code", "hint"), [(n, *m) for n, e in EXERCISES.items() for m in e.mistakes]
)
def test_every_known_mistake_is_named(name, code, hint, capsys):
    arguments = ", ".join(EXERCISES[name].arguments(2, 3, 2))
    check(name, eval(f"lambda {arguments}: {code}", {"torch": torch}))
    assert capsys.readouterr().out == f"{name}: not yet: {hint}.\n"


@pytest.mark.parametrize("name", EXERCISES)
def test_the_answers_to_other_exercises_are_rejected(name):
    for other, functions in RIGHT.items():
        assert (diagnose(name, functions[0]) is None) == (name == other)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x_hat, x: None, "returns None"),
        (lambda x_hat, x: "12", "returns a str"),
        (lambda x_hat, x: (x_hat, x), "returns 2 values"),
        (lambda x_hat, x: x_hat @ torch.ones(99), "(B, C, H, W)"),
        (lambda x_hat, x: 1 / 0, "it raised ZeroDivisionError"),
        (lambda x_hat: x_hat, "it raised TypeError"),
        (lambda x_hat, x: x_hat.sub_(x).square().sum((1, 2, 3)), "changes its input x_hat in place"),
        (lambda x_hat, x: (x_hat - x).square().sum((1, 2)), "the shape"),
        (lambda x_hat, x: (x_hat - x).square().sum((1, 2, 3)) / 0, "not finite"),
        (lambda x_hat, x: -3 * (x_hat - x).square().sum((1, 2, 3)), "-3 times the right value"),
        (lambda x_hat, x: (x_hat - x).square().sum((1, 2, 3)) + 2, r"+2 off everywhere"),
        (lambda x_hat, x: (x_hat - x).pow(4).sum((1, 2, 3)), "is right"),
    ],
)
def test_unknown_mistakes_get_a_diagnosis(function, message):
    assert message in diagnose("l2_loss", function)


def test_an_exercise_that_is_not_written_yet():
    def stub(x_hat, x):
        raise NotImplementedError("exercise 1.1")

    assert diagnose("l2_loss", stub) == "it is not written yet"


def test_a_transposed_answer_is_called_so():
    def transposed(x, W, b):
        return torch.sigmoid(x.flatten(1) @ W.T + b).T

    assert "it is transposed" in diagnose("linear_sigmoid_encoder", transposed)


def test_checks_draw_nothing_from_the_learners_random_numbers(capsys):
    torch.manual_seed(0)
    right = torch.rand(1)
    torch.manual_seed(0)
    check("l2_loss", RIGHT["l2_loss"][0])
    assert torch.rand(1) == right


def test_unknown_exercise():
    with pytest.raises(ValueError, match="the exercises are l2_loss"):
        check("l3_loss", RIGHT["l2_loss"][0])
