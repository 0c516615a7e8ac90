"""A classifier's opinion and nearest images, against direct computation."""

import math

import pytest
import torch

from vae_edu import device
from vae_edu.data import load_images
from vae_edu.quality import classifier, nearest, opinion
from vae_edu.train import History


@pytest.fixture(scope="module")
def trained():
    return classifier(load_images("strokes", n=3000), progress=False)


def test_the_classifier_knows_held_out_digits(trained):
    test = load_images("strokes", "test", n=500)
    labels, confidence, balance = opinion(trained, test.x)
    assert (labels == test.labels).float().mean() > 0.95
    assert confidence.min() > 0.1
    assert confidence.max() <= 1
    torch.testing.assert_close(balance, labels.bincount(minlength=10) / 500)
    assert balance.sum().item() == pytest.approx(1)


def test_the_same_seed_gives_the_same_classifier():
    train = load_images("strokes", n=300)
    first, again, other = (classifier(train, 1, seed=s, progress=False) for s in (0, 0, 1))
    x = train.x[:5]
    assert torch.equal(first(x), again(x))
    assert not torch.equal(first(x), other(x))


def test_an_opinion_is_of_any_number_of_images(trained):
    x = load_images("strokes", "test", n=1100).x
    torch.testing.assert_close(
        opinion(trained, x).confidence[1050], opinion(trained, x[1050:1051]).confidence[0]
    )


def test_the_nearest_image_by_all_differences():
    generator = torch.Generator().manual_seed(0)
    x, train = torch.rand(7, 1, 5, 5, generator=generator), torch.rand(60, 1, 5, 5, generator=generator)
    x[3] = train[11]
    found = nearest(x.to(device()), train.to(device()))
    index, distance = found.index, found.distance
    all_pairs = (x[:, None] - train).square().flatten(2).sum(2).sqrt()
    assert index.tolist() == all_pairs.argmin(1).tolist()
    torch.testing.assert_close(distance.cpu(), all_pairs.amin(1))
    assert index[3] == 11
    assert distance[3] == 0


def test_classes_that_do_not_come_up_have_no_share():
    labels, confidence, balance = opinion(
        lambda x: torch.eye(10)[3].expand(len(x), 10), torch.rand(7, 1, 4, 4)
    )
    assert labels.tolist() == [3] * 7
    assert balance.tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    torch.testing.assert_close(confidence, torch.full((7,), math.e / (math.e + 9)))


def test_an_interrupted_classifier_is_none(monkeypatch, trained):
    assert not trained.training
    monkeypatch.setattr("vae_edu.probe.fit", lambda *_, **__: History(interrupted=True))
    with pytest.raises(KeyboardInterrupt):
        classifier(load_images("strokes", n=20), 1, progress=False)


def test_images_of_other_shapes_have_no_neighbors():
    train = torch.rand(5, 1, 4, 4)
    for x, others in ((train[:, 0], train), (train, train[:0])):
        with pytest.raises(ValueError, match="one shape"):
            nearest(x, others)
