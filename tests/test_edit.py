"""Edits against the decoder itself, and directions against a table they were made from."""

import math

import pytest
import torch

from tests.models import linear
from vae_edu.edit import changed, directions, edit, interpolate, move, traverse


@pytest.fixture
def model():
    return linear(pixels=6, latent_dim=3)


@pytest.fixture
def x(model):
    return torch.randn(5, 6, generator=torch.Generator().manual_seed(1)).to(model.W)


def test_an_edit_sets_what_it_says_and_nothing_else(model, x):
    before = x.clone()
    z, mean, sample = edit(model, x, {1: 2.5, 2: torch.arange(5.0)})
    code = model.encode(x).mean
    assert torch.equal(x, before)
    assert torch.equal(z[:, 0], code[:, 0])
    assert (z[:, 1] == 2.5).all()
    assert z[:, 2].tolist() == [0, 1, 2, 3, 4]
    torch.testing.assert_close(mean, z @ model.W.T + model.b)
    assert sample.shape == x.shape
    assert not torch.allclose(sample, mean, atol=0.05)


def test_no_change_is_a_reconstruction(model, x):
    torch.testing.assert_close(edit(model, x, {}).mean, model.decode(model.encode(x).mean).mean)


def test_a_sampled_code_follows_q(model, x):
    codes = torch.stack([edit(model, x, {0: 1.0}, sample_code=True, seed=s).z for s in range(2000)])
    q = model.encode(x)
    assert (codes[..., 0] == 1).all()
    torch.testing.assert_close(codes[..., 1:].mean(0), q.mean[:, 1:], atol=0.1, rtol=0)
    torch.testing.assert_close(codes[..., 1:].var(0), q.variance[:, 1:], atol=0.1, rtol=0.1)


def test_a_copy_is_changed():
    z = torch.zeros(2, 3)
    assert changed(z, {0: 1.0})[:, 0].tolist() == [1, 1]
    assert not z.any()


@pytest.mark.parametrize("dim", [3, -1, 1.0, "0", True])
def test_unknown_dimensions(model, x, dim):
    with pytest.raises(ValueError, match="they are 0 to 2"):
        edit(model, x, {dim: 1.0})


def test_values_of_a_wrong_shape(model, x):
    with pytest.raises(ValueError, match="one number, or one an image"):
        edit(model, x, {0: torch.zeros(4)})


def test_traversals_are_edits_one_by_one(model, x):
    values = [-2.0, 0.0, 3.0]
    rows = traverse(model, x, 2, values)
    for row, value in zip(rows, values, strict=True):
        torch.testing.assert_close(row, edit(model, x, {2: value}).mean)


def test_linear_interpolation():
    a, b = torch.zeros(2, 3), torch.ones(2, 3)
    torch.testing.assert_close(interpolate(a, b, 5)[:, 0, 0], torch.linspace(0, 1, 5))


def test_spherical_interpolation_turns_at_a_constant_rate():
    a, b = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    path = interpolate(a, b, 7, spherical=True)[:, 0]
    torch.testing.assert_close(path.norm(dim=-1), torch.full((7,), 2.0))
    angles = torch.atan2(path[:, 1], path[:, 0])
    torch.testing.assert_close(angles, torch.linspace(0, math.pi / 2, 7))


def test_an_arc_between_lengths_grows_from_one_to_the_other_and_ends_are_exact():
    a, b = torch.randn(2, 4, 10, generator=torch.Generator().manual_seed(0))
    path = interpolate(a, b, 6, spherical=True)
    torch.testing.assert_close(path[0], a)
    torch.testing.assert_close(path[-1], b)
    near = interpolate(a, a * (1 + 1e-5), 5, spherical=True)
    torch.testing.assert_close(near, a.expand(5, 4, 10), rtol=1e-4, atol=1e-4)


def test_interpolation_refuses_what_has_no_answer():
    a = torch.ones(1, 3)
    for b in (-a, 0 * a):
        for one, other in ((a, b), (b, a)):
            with pytest.raises(ValueError, match="no single arc"):
                interpolate(one, other, spherical=True)
    with pytest.raises(ValueError, match="one shape"):
        interpolate(a, torch.ones(1, 4))
    with pytest.raises(ValueError, match="steps = 1"):
        interpolate(a, a, 1)


def test_directions_find_the_table_that_made_the_codes():
    generator = torch.Generator().manual_seed(0)
    n, factors = 3000, {}
    labels = torch.randint(0, 4, (n,), generator=generator)
    factors["thickness"] = torch.rand(n, generator=generator) + labels  # thicker for larger labels
    factors["slant"] = torch.randn(n, generator=generator)
    true = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]])
    centers = 5 * torch.randn(4, 3, generator=generator)
    z = torch.stack(list(factors.values()), 1) @ true + centers[labels]
    z = z + 0.1 * torch.randn(n, 3, generator=generator)
    found = directions(z, factors, labels)
    torch.testing.assert_close(torch.stack(list(found.values())), true, atol=0.05, rtol=0)
    mixed = directions(z, factors)["thickness"]  # without labels it takes "which digit" for "thicker"
    assert (mixed - true[0]).norm() > 0.5


def test_factors_that_cannot_be_told_apart():
    z, v = torch.randn(50, 2), torch.randn(50)
    for factors in ({"a": v, "b": 2 * v}, {"a": torch.ones(50)}):
        with pytest.raises(ValueError, match="cannot be told apart"):
            directions(z, factors)
    with pytest.raises(ValueError, match="finite numbers"):
        directions(z, {"a": torch.full((50,), math.nan)})


def test_a_move_goes_along_the_direction(model, x):
    direction = torch.tensor([0.0, 2.0, 0.0]).to(x)
    pictures = move(model, x, direction, [-1, 0, 0.5])
    z = model.encode(x).mean
    for picture, value in zip(pictures, (z[:, 1] - 2, z[:, 1], z[:, 1] + 1), strict=True):
        torch.testing.assert_close(picture, edit(model, x, {1: value}).mean)


def test_a_short_arc_is_exact_and_keeps_the_dtype():
    a = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    for angle in (0.05, 1e-4):
        b = torch.tensor([[math.cos(angle), math.sin(angle)]], dtype=torch.float64)
        path = interpolate(a, b, 5, spherical=True)[:, 0]
        places = torch.linspace(0, angle, 5, dtype=torch.float64)
        torch.testing.assert_close(path, torch.stack([places.cos(), places.sin()], 1), atol=1e-8, rtol=0)


def test_factors_of_any_unit():
    generator = torch.Generator().manual_seed(0)
    v = torch.randn(500, 2, generator=generator).double()
    z = v @ torch.tensor([[1.0, 2.0], [3.0, -1.0]]).double()
    found = directions(z, {"large": v[:, 0] * 1e9, "small": v[:, 1] * 1e-9})
    torch.testing.assert_close(found["large"] * 1e9, torch.tensor([1.0, 2.0]).double())
    torch.testing.assert_close(found["small"] * 1e-9, torch.tensor([3.0, -1.0]).double())


def test_dimensions_and_directions_of_other_kinds(model, x):
    j = torch.tensor(2)
    torch.testing.assert_close(traverse(model, x, j, [1.0]), traverse(model, x, 2, [1.0]))
    whole, real = torch.tensor([0, 1, 0]), torch.tensor([0.0, 1.0, 0.0])
    torch.testing.assert_close(
        move(model, x, whole, [0.5]), move(model, x, real, torch.tensor([0.5]).double())
    )


def test_edits_refuse_what_does_not_fit(model, x):
    for bad in (
        lambda: traverse(model, x[:, :3], 0, [1.0]),
        lambda: move(model, x[:, :3], torch.ones(3), [1.0]),
    ):
        with pytest.raises(ValueError, match="images of the model's shape"):
            bad()
    for direction, strengths in ((torch.ones(1), [1.0]), (torch.ones(3), 1.0)):
        with pytest.raises(ValueError, match="a list of numbers"):
            move(model, x, direction, strengths)
    with pytest.raises(ValueError, match="not finite"):
        edit(model, x, {0: math.nan})
    with pytest.raises(ValueError, match="seed"):
        edit(model, x, {}, seed=1.5)
    with pytest.raises(ValueError, match="of floats"):
        interpolate(torch.tensor([0]), torch.tensor([4]), 5)
    with pytest.raises(ValueError, match="name one"):
        directions(torch.randn(9, 2), {})
    with pytest.raises(ValueError, match="jitter: give"):
        directions(torch.randn(9, 2), {"jitter": torch.zeros(9, 12, 2)})
