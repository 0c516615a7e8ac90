"""The mutual information gap on codes whose answer is known."""

import math

import pytest
import torch

from vae_edu.disentangle import FewCodesWarning, entropies, mutual_information, mutual_information_gap

N = 20_000


def factors(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        "digit": torch.randint(0, 10, (N,), generator=generator),
        "slant": torch.rand(N, generator=generator),
    }


def test_a_dimension_for_each_factor_has_a_gap_of_one():
    table = factors()
    z = torch.stack([table["slant"] * 3 - 1, table["digit"].float(), torch.randn(N)], dim=1)
    gap = mutual_information_gap(z, table)
    assert gap["digit"] == pytest.approx(1, abs=0.01)
    assert gap["slant"] == pytest.approx(1, abs=0.01)


def test_a_factor_that_two_dimensions_share_has_none():
    table = factors()
    z = torch.stack([table["slant"], -table["slant"], table["digit"].float()], dim=1)
    gap = mutual_information_gap(z, table)
    assert gap["slant"] == pytest.approx(0, abs=1e-6)
    assert gap["digit"] == pytest.approx(1, abs=0.01)


def test_codes_that_know_nothing_have_none_after_the_correction():
    z = torch.randn(N, 3, generator=torch.Generator().manual_seed(9))
    information = mutual_information(z, factors())
    assert information.shape == (2, 3)
    assert information.max() < 0.003
    assert max(mutual_information_gap(z, factors()).values()) < 0.002


def test_information_against_a_table_of_probabilities():
    """v ∈ {0, 1} fair, z = v with probability 0.9: I = log 2 − H(0.9)."""
    generator = torch.Generator().manual_seed(0)
    v = torch.randint(0, 2, (200_000,), generator=generator)
    z = torch.where(torch.rand(200_000, generator=generator) < 0.9, v, 1 - v).float()[:, None]
    exact = math.log(2) + 0.9 * math.log(0.9) + 0.1 * math.log(0.1)
    assert mutual_information(z, {"v": v}).item() == pytest.approx(exact, abs=0.004)
    assert entropies({"v": v}).item() == pytest.approx(math.log(2), abs=1e-4)


def test_classes_of_a_continuous_factor_have_equal_counts():
    assert entropies({"x": torch.randn(N).exp()}, bins=16).item() == pytest.approx(math.log(16), abs=1e-4)


def test_the_gap_is_one_of_the_two_best():
    """I with each of three dimensions in order 2, 0, 1: the gap is between the first two of them."""
    table = {"digit": factors()["digit"]}
    noise = torch.rand(N, 3, generator=torch.Generator().manual_seed(2))
    rate = torch.tensor([0.5, 0.1, 0.9])
    random = torch.randint(0, 10, (N, 3), generator=torch.Generator().manual_seed(3))
    z = torch.where(noise < rate, table["digit"][:, None], random).float()
    information = mutual_information(z, table)[0]
    assert information.argsort(descending=True).tolist() == [2, 0, 1]
    gap = mutual_information_gap(z, table)["digit"]
    assert gap == pytest.approx(((information[2] - information[0]) / math.log(10)).item(), abs=1e-3)


def test_bad_bins():
    with pytest.raises(ValueError, match="bins"):
        mutual_information(torch.randn(5, 2), {"v": torch.randn(5)}, bins=1)


def test_the_correction_is_right_on_average():
    """A noisy copy of ten classes: z = v with probability 0.6, else any class; 200 tables of 2,000."""
    generator = torch.Generator().manual_seed(0)
    v = torch.randint(0, 10, (200, 2000), generator=generator)
    other = torch.randint(0, 10, (200, 2000), generator=generator)
    z = torch.where(torch.rand(200, 2000, generator=generator) < 0.6, v, other)
    found = [mutual_information(b[:, None].float(), {"v": a}).item() for a, b in zip(v, z, strict=True)]
    same, different = (0.6 + 0.04) / 10, 0.04 / 10
    exact = 10 * same * math.log(100 * same) + 90 * different * math.log(100 * different)
    assert sum(found) / 200 == pytest.approx(exact, abs=0.004)  # uncorrected it would be 0.02 above


def test_information_is_never_negative():
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        z, v = torch.randn(2, 60, 1, generator=generator)
        assert mutual_information(z, {"v": v[:, 0]}).min() >= 0


def test_many_equal_values_are_one_class():
    v = torch.cat([torch.zeros(4800), torch.arange(1.0, 201.0)])
    share = torch.tensor([4800 / 5000, 200 / 5000], dtype=torch.float64)
    exact = -(share * share.log()).sum().item()  # what 20 equal shares can tell: 0 or not
    assert mutual_information(v[:, None], {"v": v}, bins=20).item() == pytest.approx(exact, abs=0.01)


def test_bins_count_for_codes_and_factors():
    v = torch.rand(N, generator=torch.Generator().manual_seed(0))
    z = torch.stack([v, torch.rand(N, generator=torch.Generator().manual_seed(1))], 1)
    for bins in (2, 5):
        assert mutual_information_gap(z, {"v": v}, bins)["v"] == pytest.approx(1, abs=0.01)


def test_whole_numbers_up_to_bins_keep_their_classes():
    v = torch.repeat_interleave(torch.arange(20), torch.arange(1, 21))
    share = torch.arange(1, 21).double() / 210
    assert entropies({"v": v}, bins=20).item() == pytest.approx(-(share * share.log()).sum().item())


def test_what_cannot_be_measured_is_refused():
    z, v = torch.randn(50, 2), torch.randn(50)
    for bad in ({"v": v[:40]}, {"v": torch.full((50,), math.nan)}, {"jitter": torch.zeros(50, 12, 2)}):
        with pytest.raises(ValueError, match="finite numbers"):
            mutual_information(z, bad)
    for codes, factor in ((z[:, :1], v), (z, torch.ones(50))):
        with pytest.raises(ValueError, match="two dimensions"):
            mutual_information_gap(codes, {"v": factor})


@pytest.mark.parametrize("function", [mutual_information, mutual_information_gap])
def test_too_few_codes_get_a_warning(function, recwarn):
    """A perfect code has a gap of 0 for 50 images, and of nine tenths for as many as the warning names."""
    for n, warns in ((20, True), (50, True), (400, True), (620, False), (2000, False)):
        recwarn.clear()
        size = torch.linspace(0, 1, n)
        z = torch.stack([size, size[torch.randperm(n)]], dim=1)
        function(z, {"size": size})
        assert [warning.category for warning in recwarn.list] == [FewCodesWarning] * warns
        if warns:
            assert recwarn.list[0].filename == __file__
            assert f"{n} codes are too few to tell what they say about size in 20 bins" in str(
                recwarn.list[0].message
            )
        elif function is mutual_information_gap:
            assert function(z, {"size": size})["size"] > 0.85
