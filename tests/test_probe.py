"""The downstream task: balanced labels, a classifier that learns, an encoder that stays frozen."""

import signal

import pytest
import torch
from torch import nn

from vae_edu import device, probe
from vae_edu.data import Images, load_images


def test_labeled_images_are_balanced_and_drawn_by_the_seed():
    images = load_images("strokes", n=500)
    chosen = probe.labeled(images, 30, seed=1)
    assert chosen.labels.bincount().tolist() == [3] * 10
    assert torch.equal(chosen.x, probe.labeled(images, 30, seed=1).x)
    assert not torch.equal(chosen.x, probe.labeled(images, 30, seed=2).x)
    assert sorted(probe.labeled(images, 13).labels.bincount().tolist()) == [1] * 7 + [2] * 3
    assert len({row.cpu().numpy().tobytes() for row in chosen.x}) == 30
    for n in (0, 5000):
        with pytest.raises(ValueError, match="rarest class"):
            probe.labeled(images, n)


def test_accuracy_counts_what_is_right():
    logits = torch.tensor([[1.0, 3.0], [2.0, 1.0], [0.0, 5.0], [9.0, 8.0]])
    assert probe.accuracy(logits, torch.tensor([1, 0, 0, 1])) == 0.5


def blobs(n, seed):
    """Three classes that a linear classifier can tell apart, as 2-pixel images."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 3
    centers = torch.tensor([[0.0, 4.0], [4.0, -4.0], [-4.0, -4.0]])
    x = centers[labels] + torch.randn(n, 2, generator=generator)
    return Images(x.reshape(n, 1, 1, 2), labels).to(device())


def test_a_classifier_learns_what_can_be_learned():
    train, test = blobs(60, 0), blobs(300, 1)
    assert probe.classify(nn.Flatten(), train, test, frozen=True) > 0.97
    flipped = Images(test.x, (test.labels + 1) % 3)
    assert probe.classify(nn.Flatten(), train, flipped, frozen=True) < 0.05


@pytest.mark.parametrize("frozen", [True, False])
def test_the_callers_encoder_stays_as_it_is(frozen):
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(2, 3)).to(device())
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    probe.classify(encoder, blobs(30, 0), blobs(30, 1), frozen=frozen)
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    assert all(parameter.requires_grad for parameter in encoder.parameters())


def test_fine_tuning_can_repair_what_freezing_cannot():
    class Blind(nn.Module):  # its features say nothing of the image until it is trained
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 4)
            nn.init.zeros_(self.layer.weight)

        def forward(self, x):
            return self.layer(x.flatten(1))

    train, test = blobs(60, 0), blobs(300, 1)
    assert probe.classify(Blind().to(device()), train, test, frozen=True) < 0.4
    blind = Blind().to(device()).requires_grad_(False)  # what was frozen elsewhere is tuned here
    assert probe.classify(blind, train, test, frozen=False, steps=600) > 0.9


def test_standardized_features():
    x = torch.randn(500, 1, 2, 2, device=device())
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).to(device())
    z = probe.Standardized(encoder, x)(x)
    assert torch.allclose(z.mean(0), torch.zeros(3, device=z.device), atol=1e-5)
    assert torch.allclose(z.var(0), torch.ones(3, device=z.device), atol=1e-4)
    dead = nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).to(device()).requires_grad_(False)
    dead[1].weight.zero_()
    assert probe.Standardized(dead, x)(x).abs().max() < 1e-5


def test_accuracy_is_measured_in_evaluation_mode():
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(2, 8), nn.Dropout(0.5)).to(device())
    values = {probe.classify(encoder, blobs(30, 0), blobs(100, 1), frozen=False) for _ in range(3)}
    assert len(values) == 1


def test_an_interrupt_ends_the_whole_curve():
    class Interrupts(nn.Flatten):
        def forward(self, x):
            if self.training:
                signal.raise_signal(signal.SIGINT)
            return super().forward(x)

    encoder = nn.Sequential(Interrupts(), nn.Linear(2, 2)).to(device())
    with pytest.raises(KeyboardInterrupt):
        probe.label_curve({"pixels": (encoder, False)}, blobs(60, 0), blobs(60, 1), [30])


def test_label_curve_rises():
    train, test = load_images("strokes", n=2000), load_images("strokes", "test", n=500)
    curve = probe.label_curve({"pixels": (nn.Flatten(), True)}, train, test, [10, 200], repeats=2)
    assert curve["pixels"].shape == (2, 2)
    few, many = curve["pixels"].mean(1)
    assert 0.25 < few < many - 0.2


def test_labels_that_count_no_classes_are_refused():
    assert probe.class_count(torch.tensor([1, 26, 3])) == 27
    for labels in ([-1, 1], [3, 100_000]):
        with pytest.raises(
            ValueError, match=f"labels go from {labels[0]} to {labels[1]}: number the classes"
        ):
            probe.class_count(torch.tensor(labels))
