"""What a check says of mistakes that no catalogue knows, and of right values that do not pass."""

import math

import pytest
import torch

from vae_edu.checks import problem
from vae_edu.exercises import EXERCISES
from vae_edu.exercises.answers import Answer, answer, cases

TWO_PI = math.log(2 * math.pi)


def kl(mu, logvar):
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x_hat, x: None, "returns None"),
        (lambda x_hat, x: "12", "returns a str"),
        (lambda x_hat, x: {1: 2}, "returns a dict"),
        (lambda x_hat, x: x_hat.to_sparse(), "returns a Tensor"),
        (lambda x_hat, x: (x_hat, x), "returns 2 values"),
        (lambda x_hat, x: x_hat @ torch.ones(99), "(B, C, H, W)"),
        (lambda x_hat, x: 1 / 0, "it raised ZeroDivisionError"),
        (lambda x_hat, x: exit(), "it raised SystemExit"),
        (lambda x_hat: x_hat, "it raised TypeError"),
        (lambda x_hat, x: x_hat.sub_(x).square().sum((1, 2, 3)), "changes its input x_hat in place"),
        (lambda x_hat, x: (x_hat - x).square().sum((1, 2)), "shape (5, 8), not (5,) (B = 5, D = 7"),
        (lambda x_hat, x: (x_hat - x).square().sum((1, 2, 3)) / 0, "not finite"),
        (lambda x_hat, x: -(x_hat - x).square().sum((1, 2, 3)), "its sign is flipped"),
        (lambda x_hat, x: -3 * (x_hat - x).square().sum((1, 2, 3)), "-3 times the right value"),
        (lambda x_hat, x: (x_hat - x).square().sum((1, 2, 3)) / 784, "1/784 times the right value"),
        (lambda x_hat, x: (x_hat - x).square().sum((1, 2, 3)) / len(x), "divided by B, the number of images"),
        (lambda x_hat, x: (x_hat - x).square().sum((1, 2, 3)) + 2, "+2 off everywhere"),
        (
            lambda x_hat, x: (x_hat - x).square().sum((1, 2, 3)) + x[0].numel(),
            "off by +1 times the number of pix",
        ),
        (lambda x_hat, x: (x_hat - x).square().sum((1, 2, 3)).flip(0), "in another order"),
        (lambda x_hat, x: x_hat.square().sum((1, 2, 3)), "x makes no difference to it"),
        (
            lambda x_hat, x: (x_hat - x[:1]).square().sum((1, 2, 3)),
            "only the first row of its answer is right",
        ),
        (lambda x_hat, x: (x_hat - x).pow(6).sum((1, 2, 3)), "the right ones; x_hat and x are (B, C, H, W)"),
    ],
)
def test_unknown_mistakes_get_a_diagnosis(function, message):
    assert message in problem("l2_loss", function)


@pytest.mark.parametrize(
    ("name", "function", "message"),
    [
        (
            "kl_to_standard_normal",
            lambda mu, logvar: kl(mu, logvar).sum(1) / mu.shape[1] / 784,
            "it is 1/784 times the right value divided by d, the number of features; look for a mean",
        ),
        (
            "kl_to_standard_normal",
            lambda mu, logvar: (kl(mu, logvar) + 0.2).sum(1),
            "it is off by +0.2 times d, the number of features; look for a constant inside the sum",
        ),
        (
            "kl_to_standard_normal",
            lambda mu, logvar: kl(mu.pow(3), logvar).sum(1),
            "it is right only if mu is 0; look at what it does with mu",
        ),
        (
            "kl_to_standard_normal",
            lambda mu, logvar: kl(mu, torch.zeros_like(logvar)).sum(1) + 3,
            "logvar makes no difference to it",
        ),
        (
            "monte_carlo",
            lambda log_likelihood: log_likelihood.logsumexp(0) - 2 * math.log(len(log_likelihood)),
            "off by -1 times the logarithm of the length of log_likelihood's dimension 0",
        ),
        (
            "three_terms",
            lambda log_likelihood, log_prior, log_q, log_posterior: (
                log_likelihood.mean(0),
                (log_q - log_prior).mean(0),
                (log_q - 2 * log_posterior).mean(0),
            ),
            "of its answers the third is wrong",
        ),
        ("linear_sigmoid_encoder", lambda x, W, b: (x.flatten(1) @ W.T + b).sigmoid().T, "it is transposed"),
        (
            "bayes_rule",
            lambda log_likelihood, log_prior, log_q: (log_likelihood + log_prior - log_q).exp().log(),
            "it is right for moderate numbers, but not for extreme ones",
        ),
        (
            "kl_to_standard_normal",
            lambda mu, logvar: kl(mu, logvar).float().sum(1),
            "its values are right, but for float64 inputs it returns float32, not float64",
        ),
        (
            "kl_to_standard_normal",
            lambda mu, logvar: kl(mu, logvar) @ torch.ones(mu.shape[1]),
            "for float64 inputs it raised RuntimeError",
        ),
        (
            "generate_images",
            lambda eps, W, b, u: u < (eps @ W.T + b).sigmoid(),
            "its values are right, but it returns bool, not float32",
        ),
        (
            "generate_images",
            lambda eps, W, b, u: (u < (eps @ W.T + b).sigmoid()).long(),
            "its values are right, but it returns int64, not float32",
        ),
        ("total_correlation", lambda covariance: covariance.logdet() * 0 + 1, "its values are not the right"),
        (
            "l2_loss",
            lambda x_hat, x: (x_hat - x).square().squeeze().sum((-1, -2, -3)),
            "for a single image it raised IndexError",
        ),
        (
            "l2_loss",
            lambda x_hat, x: (x_hat - x).square().sum((1, 2, 3)) * min(len(x), 2) / 2,
            "it is right for larger batches, but not for a single image",
        ),
        (
            "reparameterize",
            lambda mu, logvar, eps: (mu + (logvar / 2).exp() * eps).detach(),
            "no gradient passes through it to its input mu",
        ),
        (
            "reparameterize",
            lambda mu, logvar, eps: mu.detach() + (logvar / 2).exp() * eps,
            "no gradient passes through it to its input mu",
        ),
        (
            "reparameterize",
            lambda mu, logvar, eps: torch.tensor((mu + (logvar / 2).exp() * eps).tolist(), dtype=mu.dtype),
            "no gradient passes through it to its input mu",
        ),
        (
            "negative_elbo",
            lambda log_likelihood, mu, logvar: (
                kl(mu, logvar).sum(1) - log_likelihood.mean(0) + (mu - mu.detach()).sum(1)
            ),
            "the gradient to its input mu is not",
        ),
    ],
)
def test_diagnoses_of_other_exercises(name, function, message):
    assert message in problem(name, function)


def test_the_example_is_the_smallest_one_that_is_wrong():
    said = problem("kl_to_standard_normal", lambda mu, logvar: kl(mu, logvar).mean(1))
    small = next(case for case in cases(EXERCISES["kl_to_standard_normal"]) if case.kind == "small")
    (right,) = kl(**small.arguments).sum(1)
    assert said.endswith(f"it gives [{right / 2:.4g}], right is [{right:.4g}]")
    assert f"for mu = [[{small.arguments['mu'][0, 0]:.4g}, " in said


def test_an_exercise_that_is_not_written_yet():
    def stub(x_hat, x):
        raise NotImplementedError("exercise 1.1")

    assert problem("l2_loss", stub) == "it is not written yet"


@pytest.mark.parametrize("name", EXERCISES)
def test_the_references_themselves_pass_and_their_cases_are_fair(name):
    exercise = EXERCISES[name]
    assert problem(name, exercise.reference) is None
    for case in cases(exercise, seed=1):
        if not case.zeroed:
            expected = answer(exercise.reference, case.arguments)
            assert all(part.isfinite().all() for part in expected.parts), case.kind


def test_the_cases_depend_on_the_seed_alone():
    exercise = EXERCISES["l2_loss"]
    first, again, other = (cases(exercise, seed)[0].arguments["x"] for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_an_answer_of_objects_that_lie_is_no_answer():
    class Always:
        def __eq__(self, other):
            return True

        def __array__(self, *_, **__):
            raise KeyError

    assert answer(lambda x: Always(), {"x": torch.ones(2)}).problem == ("type", "Always")
    assert answer(lambda x: 2.5, {"x": torch.ones(2)}) == Answer([torch.tensor(2.5).double()], ["any"])
