"""Patches of a photograph: where they come from, that splits share no pixel, and what is refused."""

import matplotlib.cbook
import pytest
import torch

from vae_edu.data import DatasetError, load_images, map_images, patches
from vae_edu.data import photograph as photo


def test_patches_are_pieces_of_the_photograph():
    pixels = photo._photograph()
    windows = {window.numpy().tobytes() for window in pixels.unfold(1, 8, 1).unfold(2, 8, 1)[0].flatten(0, 1)}
    x = (255 * load_images("photograph", n=300, device="cpu").x).round().byte()
    assert x.shape == (300, 3, 8, 8)
    assert all(patch[0].numpy().tobytes() in windows for patch in x)


def test_the_splits_share_no_pixel_and_cover_all_squares():
    """Number the pixels, and see which numbers land in which split."""
    numbers = torch.arange(3 * 600 * 512).reshape(3, 600, 512)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(photo, "_photograph", lambda: numbers)
        train, test = photo.squares("train"), photo.squares("test")
    assert train.shape[1:] == test.shape[1:] == (3, 32, 32)
    assert not {*train.flatten().tolist()} & {*test.flatten().tolist()}
    whole = numbers[:, :576].flatten()
    assert torch.equal(torch.cat([train.flatten(), test.flatten()]).sort().values, whole.sort().values)
    assert len(test) == pytest.approx((len(train) + len(test)) / 5, abs=1)


def test_both_splits_have_something_of_every_part():
    means = {split: load_images("photograph", split, n=3000).x.mean().item() for split in ("train", "test")}
    assert means["train"] == pytest.approx(means["test"], abs=0.03)


def test_defaults_sizes_and_colors():
    assert load_images("photograph").x.shape == (20_000, 3, 8, 8)
    assert load_images("photograph", "test", gray=True).x.shape == (4_000, 1, 8, 8)
    assert load_images("photograph", at_most=100, size=12).x.shape == (100, 3, 12, 12)
    assert load_images("photograph", at_most=10**6, size=32).x.shape == (230, 3, 32, 32)
    few, more = (load_images("photograph", n=n, seed=3).x for n in (10, 20))
    assert torch.equal(few, more[:10])
    assert not torch.equal(few, load_images("photograph", n=10, seed=4).x)


def test_every_place_comes_once():
    x = torch.arange(2 * 5 * 4).reshape(2, 1, 5, 4)
    cut = patches(x, 3)
    assert len(cut) == 2 * 3 * 2
    corners = cut[:, 0, 0, 0].tolist()
    assert sorted(corners) == sorted({*corners})
    assert all(torch.equal(p[0] - p[0, 0, 0], torch.tensor([[0, 1, 2], [4, 5, 6], [8, 9, 10]])) for p in cut)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 33}, "size = 33, but patches are cut from 32 × 32 pixels: give 1 to 32"),
        ({"size": 32, "n": 231}, "n = 231, but there are 230 places for a patch"),
        ({"split": "valid"}, "unknown split"),
        ({"n": 3, "at_most": 4}, "two answers to one question"),
    ],
)
def test_what_cannot_be_cut_is_said(options, message):
    with pytest.raises(ValueError, match=message):
        load_images("photograph", **options)


def test_a_photograph_has_no_files_to_map():
    with pytest.raises(ValueError, match="photograph has no files of its own: use load_images"):
        map_images("photograph")


def test_a_missing_photograph_is_said_in_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(
        matplotlib.cbook,
        "get_sample_data",
        lambda name, asfileobj: tmp_path / name if not asfileobj else None,
    )
    with pytest.raises(DatasetError, match=r"sample photograph .* cannot be read: install matplotlib"):
        load_images("photograph")
    (tmp_path / photo.FILE).write_bytes(b"no picture")
    with pytest.raises(DatasetError, match="cannot be read"):
        load_images("photograph")
