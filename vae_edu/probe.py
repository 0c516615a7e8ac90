"""The downstream task (lecture section 1): throw the decoder away and classify with the encoder."""

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from vae_edu import device
from vae_edu.data import Images
from vae_edu.engine.progress import progress_bar
from vae_edu.engine.randomness import random_stream
from vae_edu.train import fit

BATCH = 100
MOST_CLASSES = 100_000


class Standardized(nn.Module):
    """An encoder whose features have mean 0 and variance 1 over some images, which need no labels.

    Codes of an autoencoder come in any scale; a classifier trained by Adam does best near 1.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, encoder: nn.Module, x: Tensor):
        """Measure mean and variance of the features of the images x, (N, C, H, W)."""
        super().__init__()
        self.encoder = encoder
        with torch.no_grad():
            z = encoder(x)
        self.register_buffer("mean", z.mean(0))
        std = z.std(0)
        self.register_buffer("std", torch.where(std > 1e-6, std, 1))  # a dead feature stays dead

    def forward(self, x: Tensor) -> Tensor:
        """The standardized features of images x."""
        return (self.encoder(x) - self.mean) / self.std


def labeled(images: Images, n: int, seed: int = 0) -> Images:
    """Choose images at random, equally many of each class, or one more of some if n is no multiple.

    Args:
        images: Images with labels.
        n: How many to choose.
        seed: Of the choice.

    Returns:
        The chosen images.

    Raises:
        ValueError: If a class has too few images.
    """
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(len(images), generator=generator)
    labels = images.known_labels.cpu()[shuffled]
    classes = labels.unique()
    shares = [n // len(classes) + (i < n % len(classes)) for i in range(len(classes))]
    rows = [shuffled[labels == label][:share] for label, share in zip(classes, shares, strict=True)]
    if n < 1 or sum(map(len, rows)) < n:
        raise ValueError(f"n = {n} labels: give 1 up to {len(classes)} times the images of the rarest class.")
    return images[torch.cat(rows).to(images.x.device)]


def class_count(labels: Tensor) -> int:
    """How many numbers a classifier of labels (N,) puts out: one for each label from 0 to the largest.

    Raises:
        ValueError: If labels do not count classes.
    """
    least, most = int(labels.min()), int(labels.max())
    if least < 0 or most >= MOST_CLASSES:
        raise ValueError(
            f"labels go from {least} to {most}: number the classes 0, 1, 2, …, as "
            "labels.unique(return_inverse=True)[1] does."
        )
    return most + 1


def classification_loss(classifier: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """The cross-entropy −log p(label|x), in nats, a loss for `vae_edu.train.fit`.

    Args:
        classifier: From images to logits (B, classes).
        batch: Images (B, …) and labels (B,).

    Returns:
        (B,).
    """
    x, labels = batch
    return cross_entropy(classifier(x), labels, reduction="none")


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """The fraction of images whose largest logit is that of their label.

    Args:
        logits: (N, classes).
        labels: (N,).

    Returns:
        From 0 to 1.
    """
    return (logits.argmax(1) == labels).double().mean().item()


def classify(
    encoder: nn.Module, train: Images, test: Images, *, frozen: bool, steps: int = 100, seed: int = 0
) -> float:
    """Train a linear classifier on top of an encoder, logits = W encoder(x) + b, and test it.

    Args:
        encoder: From images to features (B, features). It is copied, so that the caller's stays as it is.
        train: Images with labels to train on.
        test: Images with labels to test on.
        frozen: Whether to train W and b alone; otherwise the encoder is fine-tuned, too.
        steps: The least number of steps of Adam on the cross-entropy.
        seed: Of W, b and the order of the images.

    Returns:
        The accuracy on the test images, from 0 to 1.

    Raises:
        KeyboardInterrupt: After Ctrl-C, since a half-trained classifier has no accuracy worth keeping.
    """
    encoder = copy.deepcopy(encoder).requires_grad_().to(device()).eval()
    with torch.no_grad(), random_stream(seed):
        head = nn.Linear(encoder(train.x[:1]).shape[1], class_count(train.known_labels))
        model: nn.Module
        if frozen:  # the features never change: compute them once
            model, x, test_x, lr = head, encoder(train.x), encoder(test.x), 1e-2
        else:
            model, x, test_x, lr = nn.Sequential(encoder, head), train.x, test.x, 2e-3
    epochs = math.ceil(steps / math.ceil(len(train) / BATCH))
    settings = {"batch_size": BATCH, "lr": lr, "seed": seed, "progress": False}
    fit_classifier(model, (x, train.known_labels), epochs, **settings)
    with torch.no_grad():
        return accuracy(model(test_x), test.known_labels)


def fit_classifier(model: nn.Module, data: tuple[Tensor, Tensor], epochs: int, **options: Any) -> nn.Module:
    """Minimize the cross-entropy over images and labels.

    Args:
        model: From images to logits (B, classes); changed in place.
        data: Images (N, …) and labels (N,).
        epochs: How many times every image is seen.
        **options: Those of `vae_edu.train.fit`.

    Returns:
        The model, in evaluation mode.

    Raises:
        KeyboardInterrupt: After Ctrl-C, so that nobody takes a half-trained classifier for a trained one.
    """
    if fit(model, classification_loss, data, epochs, **options).interrupted:
        raise KeyboardInterrupt
    return model.eval()


def label_curve(
    methods: Mapping[str, tuple[nn.Module, bool]],
    train: Images,
    test: Images,
    label_counts: Sequence[int] = (10, 30, 100, 1000),
    repeats: int = 3,
) -> dict[str, Tensor]:
    """The accuracy of each method against the number of labels, each time with other labeled images.

    Args:
        methods: Name → (encoder, frozen), see `classify`.
        train: Images with labels to choose from.
        test: Images with labels to test on.
        label_counts: How many labels to train with.
        repeats: How often, each time with other images.

    Returns:
        Name → accuracies (len(label_counts), repeats).

    Raises:
        KeyboardInterrupt: After Ctrl-C.
    """
    curve = {name: torch.empty(len(label_counts), repeats) for name in methods}
    with progress_bar(total=len(methods) * len(label_counts) * repeats, unit="classifier") as bar:
        for name, (encoder, frozen) in methods.items():
            for i, n in enumerate(label_counts):
                for seed in range(repeats):
                    chosen = labeled(train, n, seed)
                    curve[name][i, seed] = classify(encoder, chosen, test, frozen=frozen, seed=seed)
                    bar.update()
    return curve
