"""The standard error of a mean, against many means."""

import torch

from vae_edu.uncertainty import standard_error


def test_it_is_how_far_means_lie_from_each_other():
    values = 3 * torch.randn(20_000, 25, dtype=torch.float64) + 7
    spread = values.mean(1).std().item()
    stated = torch.stack([standard_error(row) for row in values]).square().mean().sqrt().item()
    assert abs(stated / spread - 1) < 0.02


def test_it_is_exact_for_two_values():
    assert standard_error(torch.tensor([1.0, 3.0])) == 1
