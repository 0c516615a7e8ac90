"""The downstream task (lecture section 1): throw the decoder away and classify with the encoder."""

import copy
import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from vae_edu import device
from vae_edu.data import Images
from vae_edu.engine.progress import progress_bar
from vae_edu.engine.randomness import random_stream
from vae_edu.train import fit

BATCH = 100


class Standardized(nn.Module):
    """An encoder whose features have mean 0 and variance 1 over the images x, which need no labels.

    Codes of an autoencoder come in any scale; a classifier trained by Adam does best near 1.
    """

    def __init__(self, encoder: nn.Module, x: Tensor):
        super().__init__()
        self.encoder = encoder
        with torch.no_grad():
            z = encoder(x)
        self.register_buffer("mean", z.mean(0))
        std = z.std(0)
        self.register_buffer("std", torch.where(std > 1e-6, std, 1))  # a dead feature stays dead

    def forward(self, x: Tensor) -> Tensor:
        return (self.encoder(x) - self.mean) / self.std


def labelled(images: Images, n: int, seed: int = 0) -> Images:
    """Choose n images at random, as many of each class as of any other (to one where n is no multiple).

    Raises ValueError where a class has too few images.
    """
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(len(images), generator=generator)
    labels = images.labels.cpu()[shuffled]
    classes = labels.unique()
    shares = [n // len(classes) + (i < n % len(classes)) for i in range(len(classes))]
    rows = [shuffled[labels == label][:share] for label, share in zip(classes, shares, strict=True)]
    if n < 1 or sum(map(len, rows)) < n:
        raise ValueError(f"n = {n} labels: give 1 up to {len(classes)} times the images of the rarest class.")
    return images[torch.cat(rows).to(images.labels.device)]


def classification_loss(classifier: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """−log p(label|x), the cross-entropy, of a batch (x, labels): (B,), in nats, as `fit` wants it."""
    x, labels = batch
    return cross_entropy(classifier(x), labels, reduction="none")


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Fraction of images whose largest logit is that of their label. logits: (N, classes), labels: (N,)."""
    return (logits.argmax(1) == labels).double().mean().item()


def classify(
    encoder: nn.Module, train: Images, test: Images, *, frozen: bool, steps: int = 100, seed: int = 0
) -> float:
    """Train a linear classifier on top of an encoder with train; its accuracy on test, from 0 to 1.

    logits = W encoder(x) + b, at least `steps` steps of Adam on the cross-entropy. frozen: train W and
    b alone; otherwise the encoder too (fine-tuning), in a copy, so that the caller's stays as it is.
    """
    encoder = copy.deepcopy(encoder).requires_grad_().to(device()).eval()
    with torch.no_grad(), random_stream(seed):
        head = nn.Linear(encoder(train.x[:1]).shape[1], int(train.labels.max()) + 1)
        if frozen:  # the features never change: compute them once
            model, x, test_x, lr = head, encoder(train.x), encoder(test.x), 1e-2
        else:
            model, x, test_x, lr = nn.Sequential(encoder, head), train.x, test.x, 2e-3
    epochs = math.ceil(steps / math.ceil(len(train) / BATCH))
    data = (x, train.labels)
    history = fit(
        model, classification_loss, data, epochs, batch_size=BATCH, lr=lr, seed=seed, progress=False
    )
    if history.interrupted:
        raise KeyboardInterrupt("a half-trained classifier has no accuracy worth keeping")
    with torch.no_grad():
        return accuracy(model.eval()(test_x), test.labels)


def label_curve(
    methods: Mapping[str, tuple[nn.Module, bool]],
    train: Images,
    test: Images,
    label_counts: Sequence[int] = (10, 30, 100, 1000),
    repeats: int = 3,
) -> dict[str, Tensor]:
    """Accuracy of each method against the number of labels, each time with other labelled images.

    methods: name → (encoder, frozen), see `classify`. Returns name → (len(label_counts), repeats).
    """
    curve = {name: torch.empty(len(label_counts), repeats) for name in methods}
    with progress_bar(total=len(methods) * len(label_counts) * repeats, unit="classifier") as bar:
        for name, (encoder, frozen) in methods.items():
            for i, n in enumerate(label_counts):
                for seed in range(repeats):
                    chosen = labelled(train, n, seed)
                    curve[name][i, seed] = classify(encoder, chosen, test, frozen=frozen, seed=seed)
                    bar.update()
    return curve
