"""The schedules of the learning rate, beside PyTorch's own."""

import pytest
import torch

from vae_edu.schedules import START, cosine


def test_cosine_is_pytorchs_linear_warm_up_and_annealing():
    steps, epochs, warm_up, peak = 50, 8, 2, 3e-3
    adam = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=peak)
    rise = torch.optim.lr_scheduler.LinearLR(adam, START, total_iters=warm_up * steps)
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(adam, (epochs - warm_up) * steps)
    both = torch.optim.lr_scheduler.SequentialLR(adam, [rise, fall], [warm_up * steps])
    rate = cosine(peak, epochs, warm_up)
    for step in range(epochs * steps):
        assert rate(step / steps) == pytest.approx(adam.param_groups[0]["lr"], rel=1e-6), step
        adam.step()
        both.step()


def test_cosine_is_above_0_to_the_end_and_after_it():
    rate = cosine(1e-2, 3, 0.3)
    values = [rate(step / 100) for step in range(1000)]
    assert 0 < min(values) < 1e-6 * max(values) * 1.1
    assert max(values) == pytest.approx(1e-2)
    assert rate(0.3) == pytest.approx(1e-2)
    assert rate((0.3 + 3) / 2) == pytest.approx(0.5e-2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((0, 3), "peak = 0 must be a number above 0"),
        ((1e-3, -1), "epochs = -1 must be"),
        ((1e-3, float("nan")), "epochs = nan must be"),
        ((1e-3, 3, 0), "warm_up = 0 must be"),
        ((1e-3, 1), "warm_up = 1 must be shorter than the 1 epochs of the training."),
        ((1e-3, 2, 5), "warm_up = 5 must be shorter than the 2 epochs"),
    ],
)
def test_cosine_refuses_what_is_no_schedule(arguments, said):
    with pytest.raises(ValueError, match=said):
        cosine(*arguments)
