"""Stroke digits: reproducible, drawn from their factors, and the factors found again in the pixels."""

import hashlib
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from vae_edu.data import load_images, stroke_digits, strokes


def moments(x):
    """Ink, centroid (x, y) and central second moments (xx, xy, yy) of images (n, 1, H, W), in pixels."""
    x = x[:, 0].double().cpu()
    row, column = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    ink = x.sum((1, 2))
    mean = torch.stack([(x * column).sum((1, 2)), (x * row).sum((1, 2))], 1) / ink[:, None]
    dx, dy = column - mean[:, 0, None, None], row - mean[:, 1, None, None]
    second = [(x * a * b).sum((1, 2)) / ink for a, b in [(dx, dx), (dx, dy), (dy, dy)]]
    return ink, mean, torch.stack(second, 1)


def slope(given, measured):
    return np.polyfit(np.asarray(given), np.asarray(measured), 1)[0]


def test_same_seed_same_bytes_in_another_process():
    code = (
        "import hashlib; from vae_edu.data import stroke_digits;"
        "print(hashlib.sha256(stroke_digits(130, seed=7).x.cpu().numpy().tobytes()).hexdigest())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here = hashlib.sha256(stroke_digits(130, seed=7).x.cpu().numpy().tobytes()).hexdigest()
    assert other.stdout.strip() == here


def test_an_image_does_not_depend_on_how_many_are_drawn():
    many, few = stroke_digits(230, seed=3), stroke_digits(57, seed=3)
    assert torch.equal(many.x[:57], few.x)
    assert torch.equal(many.labels[:57], few.labels)
    assert not torch.equal(stroke_digits(57, seed=4).x, few.x)


def test_train_and_test_never_share_an_image():
    def digests(split, seed):
        return {image.cpu().numpy().tobytes() for image in load_images("strokes", split, n=300, seed=seed).x}

    train = set.union(*(digests("train", seed) for seed in range(4)))
    test = set.union(*(digests("test", seed) for seed in range(4)))
    assert len(train) == len(test) == 1200
    assert not train & test


def test_shape_type_and_range():
    images = stroke_digits(200, seed=0)
    assert images.x.shape == (200, 1, 28, 28)
    assert images.x.dtype == torch.float32
    assert images.labels.dtype == torch.int64
    assert images.x.min() == 0
    assert images.x.max() == 1
    assert torch.equal(images.labels, images.factors["digit"])
    assert set(images.labels.tolist()) == set(range(10))
    assert all(images.factors[name].shape == (200,) for name in strokes.FACTORS)
    for name, (least, _, largest) in strokes.FACTORS.items():
        assert images.factors[name].min() >= least
        assert images.factors[name].max() <= largest


def test_the_frame_holds_the_digit():
    x = stroke_digits(3000, seed=1).x
    frame = x.sum() - x[..., 1:-1, 1:-1].sum()
    assert frame / x.sum() < 1e-3


def test_factors_draw_the_same_images_again():
    images = stroke_digits(120, seed=2)
    assert torch.equal(stroke_digits(factors=images.factors).x, images.x)


def test_a_sweep_changes_one_factor_only():
    images = stroke_digits(factors={"digit": 3, "slant": [0.0, 0.2, 0.4]})
    assert len(images) == 3
    assert images.labels.tolist() == [3, 3, 3]
    assert images.factors["slant"].tolist() == pytest.approx([0, 0.2, 0.4])
    assert images.factors["thickness"].unique().numel() == 1
    assert not torch.equal(images.x[0], images.x[2])


@pytest.mark.parametrize("digit", [0, 3, 8])
@pytest.mark.parametrize(("factor", "axis"), [("shift_x", 0), ("shift_y", 1)])
def test_shifts_are_found_in_the_centroid(digit, factor, axis):
    given = np.linspace(-1, 1, 9)
    _, centroid, _ = moments(stroke_digits(factors={"digit": digit, factor: given}).x)
    assert slope(given, centroid[:, axis]) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("digit", [1, 4, 7])
def test_slant_is_found_in_the_second_moments(digit):
    # x' = x - slant y turns cov(x, y) / var(y) into itself - slant; the round pen adds to var(y) a little
    given = np.linspace(-0.1, 0.4, 9)
    images = stroke_digits(factors={"digit": digit, "slant": given, "thickness": 1.6})
    _, _, second = moments(images.x)
    assert slope(given, -second[:, 1] / second[:, 2]) == pytest.approx(1, abs=0.05)


def test_rotation_is_found_in_the_principal_axis():
    given = np.linspace(-0.2, 0.2, 9)
    _, _, second = moments(stroke_digits(factors={"digit": 1, "rotation": given}).x)
    angle = 0.5 * torch.atan2(2 * second[:, 1], second[:, 0] - second[:, 2])
    assert slope(given, np.unwrap(angle.numpy(), period=np.pi)) == pytest.approx(1, abs=0.05)


def test_rotation_keeps_the_size():
    images = stroke_digits(factors={"digit": 2, "rotation": np.linspace(-0.2, 0.2, 9)})
    ink, _, second = moments(images.x)
    spread = second[:, 0] + second[:, 2]
    assert (spread / spread.mean() - 1).abs().max() < 0.01
    assert (ink / ink.mean() - 1).abs().max() < 0.01


def test_scale_and_width_are_found_in_the_spread():
    given = np.linspace(0.8, 1.0, 9)
    thin = {"digit": 0, "thickness": 1.6, "slant": 0.0}
    _, _, second = moments(stroke_digits(factors={**thin, "scale": given}).x)
    assert slope(np.log(given), second[:, 2].log() / 2) == pytest.approx(1, abs=0.05)
    _, _, second = moments(stroke_digits(factors={**thin, "width": given}).x)
    # ink lies evenly along the stroke, so a wider 0 has more of it on top and bottom: not quite 1
    assert slope(np.log(given), second[:, 0].log() / 2) == pytest.approx(1, abs=0.12)
    assert abs(slope(np.log(given), second[:, 2].log() / 2)) < 0.12


def test_ink_is_length_times_thickness():
    # the neutral 1 is all but straight: its area is about length x thickness, and the two round caps
    ink, _, _ = moments(stroke_digits(factors={"digit": 1, "thickness": [2.0, 3.0]}).x)
    points = strokes.POINTS[1, :6] * torch.tensor([0.9, 1.0])
    points[:, 0] -= 0.12 * points[:, 1]
    length = 0.9 * strokes.HALF_HEIGHT * points.diff(dim=0).norm(dim=1).sum()
    assert (ink[1] - ink[0]).item() == pytest.approx(length.item() + np.pi / 4 * (9 - 4), rel=0.1)


def test_factors_are_uniform_and_independent():
    factors = strokes.random_factors(20_000, seed=5)
    table = torch.stack([factors[name].double() for name in strokes.FACTORS])
    off_diagonal = table.corrcoef() - torch.eye(len(table))
    assert off_diagonal.abs().max() < 0.03
    counts = factors["digit"].bincount(minlength=10)
    assert ((counts - 2000) ** 2 / 2000).sum() < 28  # chi-squared, 9 degrees of freedom, p = 0.001
    for name, (least, _, largest) in list(strokes.FACTORS.items())[1:]:
        place = (factors[name] - least) / (largest - least)
        assert place.mean().item() == pytest.approx(0.5, abs=0.01)
        assert place.var().item() == pytest.approx(1 / 12, abs=0.003)


def test_digits_are_told_apart_by_their_pixels():
    train, test = stroke_digits(3000, seed=0), stroke_digits(1000, seed=1)
    nearest = torch.cdist(test.x.flatten(1), train.x.flatten(1)).argmin(1)
    assert (train.labels[nearest] == test.labels).double().mean() > 0.97


def test_fast_and_frugal():
    code = (
        "import resource; from vae_edu.data import stroke_digits; import matplotlib;"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024;"
        "stroke_digits(500); before = peak(); x = stroke_digits(30_000).x;"
        "print(peak() - before - x.numel() * 4 / 2**20)"
    )
    if sys.platform != "linux":
        pytest.skip("peak memory is read in the units of Linux")
    extra = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert float(extra) < 60  # MiB beyond the images; the table of factors takes 4
    seconds = []  # of processor time, which a busy machine does not stretch
    for _ in range(3):
        start = time.process_time()
        stroke_digits(2500, seed=1)
        seconds.append(time.process_time() - start)
    assert 2500 / min(seconds) > 5000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "1 or above"),
        ({"n": 2.5}, "whole number"),
        ({}, "whole number"),
        ({"n": 3, "seed": -1}, "seed"),
        ({"factors": {"color": 1}}, "unknown factors"),
        ({"factors": {"digit": 10}}, "0 to 9"),
        ({"factors": {"digit": 2.5}}, "0 to 9"),
        ({"factors": {"digit": "three"}}, "must hold numbers"),
        ({"factors": {"slant": float("nan")}}, "not finite"),
        ({"factors": {"thickness": 0.0}}, "above 0"),
        ({"factors": {"slant": [0, 1], "width": [1, 1, 1]}}, "one value an image"),
        ({"factors": {"slant": []}}, "one value an image"),
        ({"factors": {"jitter": [1.0, 2.0]}}, "jitter"),
        ({"n": 5, "factors": {"slant": [0, 1]}}, "leave n out"),
    ],
)
def test_bad_input_gets_one_sentence(arguments, message):
    with pytest.raises(ValueError, match=message):
        stroke_digits(**arguments)
