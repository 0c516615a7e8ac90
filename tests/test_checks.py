"""The exercises' checks name every known mistake, and accept every right answer in whatever style."""

import functools
import re
from dataclasses import replace
from types import MethodType

import pytest
import torch

from tests.right_answers import RIGHT
from vae_edu import checks
from vae_edu.checks import check, problem, report
from vae_edu.exercises import EXERCISES
from vae_edu.exercises.compare import right_answer


def test_every_exercise_is_tested():
    assert RIGHT.keys() == EXERCISES.keys()


@pytest.mark.parametrize(("name", "function"), [(n, f) for n, fs in RIGHT.items() for f in fs])
def test_right_answers_are_accepted(name, function, capsys):
    check(name, function)
    assert capsys.readouterr().out.startswith(f"{name}: correct.")


@pytest.mark.parametrize(
    ("name", "mistake", "hint"), [(n, *m) for n, e in EXERCISES.items() for m in e.mistakes]
)
def test_every_known_mistake_is_named(name, mistake, hint):
    assert problem(name, mistake).startswith(hint)


@pytest.mark.parametrize("name", EXERCISES)
def test_the_answers_to_other_exercises_are_rejected(name):
    for other, functions in RIGHT.items():
        assert (problem(name, functions[0]) is None) == (name == other)


@pytest.mark.parametrize("name", EXERCISES)
def test_hints_differ_and_none_holds_the_solution(name):
    """A hint may name a function to use, but it must not hold a line of code."""
    hints = [hint for _, hint in EXERCISES[name].mistakes]
    assert len(set(hints)) == len(hints)
    for hint in hints:
        assert not re.search(r"\.\w+\(|\w\[\d|\*\*", hint), hint


def test_a_check_says_what_is_wrong_or_raises_it(capsys, monkeypatch):
    wrong = wrong_l2_loss
    check("l2_loss", wrong)
    said = capsys.readouterr().out
    assert said.startswith(
        "l2_loss: not yet: it averages over the pixels; L1 sums over them. Example: for x_hat"
    )
    with pytest.raises(AssertionError, match="l2_loss: it averages over the pixels"):
        check("l2_loss", wrong, graded=True)
    monkeypatch.setenv("VAE_EDU_GRADED", "1")
    with pytest.raises(AssertionError, match="l2_loss: it averages over the pixels"):
        check("l2_loss", wrong)
    check("l2_loss", wrong, graded=False)
    check("l2_loss", RIGHT["l2_loss"][0])
    assert capsys.readouterr().out.endswith("l2_loss: correct.\n")


def wrong_l2_loss(x_hat, x):
    return (x_hat - x).square().mean((1, 2, 3))


def test_the_report_shows_what_is_done_and_remembers_it(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("VAE_EDU_PROGRESS", "1")
    monkeypatch.setattr(checks, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(checks, "_results", {})
    check("l2_loss", RIGHT["l2_loss"][0])
    check("bayes_rule", lambda log_likelihood, log_prior, log_q: log_likelihood)
    monkeypatch.setattr(checks, "_results", {})  # another lesson, another Python
    check("pca_reconstruction", RIGHT["pca_reconstruction"][0])
    capsys.readouterr()
    report()
    said = capsys.readouterr().out
    assert re.search(r"01_autoencoder +2 of 5   1.1 ✓  1.2 ·  1.3 ·  1.4 ·  1.5 ✓", said)
    assert re.search(r"03_bayes_rule +0 of 4   3.1 ·  3.2 ✗", said)
    assert said.endswith(
        f"2 of {len(EXERCISES)} exercises are done (✓), not yet ✗, not tried ·.\nGo on with 3.2 bayes_rule.\n"
    )
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["exercises.json"]


@pytest.mark.parametrize("content", ["{", "[1]", '"l2_loss"', '{"l2_loss": {}}', "7"])
def test_a_broken_memory_breaks_nothing(capsys, monkeypatch, tmp_path, content):
    monkeypatch.setenv("VAE_EDU_PROGRESS", "1")
    monkeypatch.setattr(checks, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(checks, "_results", {})
    (tmp_path / "exercises.json").write_text(content)
    report()
    assert f"0 of {len(EXERCISES)} exercises" in capsys.readouterr().out
    monkeypatch.setattr(checks, "cache_folder", lambda: tmp_path / "exercises.json" / "no folder")
    check("l2_loss", RIGHT["l2_loss"][0])
    assert capsys.readouterr().out == "l2_loss: correct.\n"


def test_nothing_is_remembered_if_it_must_not(monkeypatch, tmp_path):
    monkeypatch.setattr(checks, "cache_folder", lambda: tmp_path)
    check("l2_loss", RIGHT["l2_loss"][0])
    assert not list(tmp_path.iterdir())


def test_checks_draw_nothing_from_the_learners_random_numbers():
    torch.manual_seed(0)
    right = torch.rand(1)
    torch.manual_seed(0)
    check("l2_loss", RIGHT["l2_loss"][0])
    assert torch.rand(1) == right


class Odd(Exception):
    """Raises whatever it is asked for."""

    def __getattr__(self, name):
        raise ValueError(name)

    def __call__(self, x_hat, x):
        return 1 / 0

    def __str__(self):
        raise SystemExit

    __traceback__ = property(lambda self: 1 / 0)


def test_an_object_that_answers_no_question_is_called_all_the_same():
    def fails(x_hat, x):
        raise Odd

    assert "it raised ZeroDivisionError" in problem("l2_loss", Odd())
    assert "Odd, which cannot be printed; " in problem("l2_loss", fails)
    assert "an object of the class Odd" in problem("l2_loss", lambda x_hat, x: Odd())


def wrapped(function):
    @functools.wraps(function)
    def other(*given):
        return function(*given)

    return other


@pytest.mark.parametrize("wrap", [lambda f: f, torch.no_grad(), wrapped, lambda f: MethodType(f, 0)])
def test_the_line_of_an_error_is_found_however_the_function_is_wrapped(wrap):
    def fails(*given):
        return 1 / 0

    assert "in its line “return 1 / 0”" in problem("l2_loss", wrap(fails))


def test_unknown_exercise():
    with pytest.raises(ValueError, match=r"the exercises are chain_rule, .*l2_loss"):
        check("l3_loss", RIGHT["l2_loss"][0])


@pytest.mark.parametrize("right", [True, False])
def test_only_right_answers_are_tried_on_the_gpu(monkeypatch, right):
    """A wrong index there ends the process's use of the GPU."""
    exercise, tried = EXERCISES["l2_loss"], checks._cases("l2_loss", None)
    ones = {key: torch.ones_like(value) for key, value in tried[0].arguments.items()}
    on_gpu = replace(tried[0], kind="cuda", arguments=ones, right=right_answer(exercise, ones))
    monkeypatch.setattr(checks, "_cases", lambda name, variant: [on_gpu, *tried])
    seen = []

    def l2_loss(x_hat, x):
        seen.append(bool((x == 1).all()))
        return (x_hat - x).square().flatten(1).sum(1) + (0 if right else 1)

    said = problem("l2_loss", l2_loss)
    assert ("for inputs on the GPU its answer is on the CPU" in said) == right  # as it is here
    assert any(seen) == right
