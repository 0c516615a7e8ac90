"""The same training as most people write it: with PyTorch's DataLoader, as in PyTorch's own example of a VAE,
and with pythae if installed."""

import contextlib
import importlib.util
import io
import logging
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits, relu
from torch.utils.data import DataLoader, Dataset, TensorDataset

from vae_edu import device

LR = 1e-3  # of Adam, in the example and in most tutorials
Parts = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]  # images (b, pixels) → logits, μ, log σ²


class Tutorial(nn.Module):
    """The 784-400-20 network of PyTorch's own VAE example, with logits instead of probabilities."""

    def __init__(self, pixels: int, hidden: int, latent_dim: int):
        super().__init__()
        self.fc1 = nn.Linear(pixels, hidden)
        self.mu, self.logvar = nn.Linear(hidden, latent_dim), nn.Linear(hidden, latent_dim)
        self.fc3, self.fc4 = nn.Linear(latent_dim, hidden), nn.Linear(hidden, pixels)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = relu(self.fc1(x))
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)
        return self.fc4(relu(self.fc3(z))), mu, logvar

    def reconstruction(self, logits: Tensor, images: Tensor) -> Tensor:
        return binary_cross_entropy_with_logits(logits, images, reduction="sum")


class Example(Tutorial):
    """The loss of PyTorch's own VAE example, which takes the logarithm of probabilities."""

    def reconstruction(self, logits: Tensor, images: Tensor) -> Tensor:
        return binary_cross_entropy(logits.sigmoid(), images, reduction="sum")


class Loop:
    """The loop of most tutorials. A call is an epoch, and then the loss of the test images if there are any.

    Args:
        model: Trained by Adam.
        train: Batches (images, …).
        test: Likewise.
        drawn: Whether every batch is binarized at random.
    """

    def __init__(
        self, model: Tutorial, train: DataLoader, test: DataLoader | None = None, *, drawn: bool = False
    ):
        self.model, self.train, self.test, self.drawn = model.to(device()), train, test, drawn
        self.optimizer = torch.optim.Adam(model.parameters(), lr=LR)

    def __call__(self) -> None:
        total = 0.0
        for images, *_ in self.train:
            loss = self._loss(images)
            self.optimizer.zero_grad()
            loss.backward()
            total += loss.item()
            self.optimizer.step()
        with torch.no_grad():
            for images, *_ in self.test or ():
                total += self._loss(images).item()

    def _loss(self, images: Tensor) -> Tensor:
        images = images.to(device()).flatten(1)
        if self.drawn:
            images = torch.bernoulli(images)
        logits, mu, logvar = self.model(images)
        kl = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
        return (self.model.reconstruction(logits, images) + kl) / len(images)


def data_loader(x: Tensor, hidden: int, latent_dim: int, batch: int, *, drawn: bool = False) -> Loop:
    """With a DataLoader over images on the CPU, which stacks every batch image by image."""
    loader = DataLoader(TensorDataset(x.cpu()), batch_size=batch, shuffle=True)
    return Loop(Tutorial(x[0].numel(), hidden, latent_dim), loader, drawn=drawn)


class Pictures(Dataset):
    """What torchvision's MNIST with ToTensor does for each image: a Pillow image, and floats of it.

    torchvision must fit the build of PyTorch exactly, so this does the same without it, in less time.
    """

    def __init__(self, x: Tensor):
        self.content = (255 * x[:, 0].cpu()).round().byte()
        self.labels = torch.zeros(len(x), dtype=torch.long)

    def __len__(self) -> int:
        return len(self.content)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.content[index].numpy())
        pixels = torch.from_numpy(np.array(image)).view(image.height, image.width, 1)
        return pixels.permute(2, 0, 1).contiguous().float().div(255), int(self.labels[index])


def example(train: Tensor, test: Tensor, hidden: int, latent_dim: int, batch: int) -> Loop:
    """As pytorch/examples, vae/main.py: image by image through Pillow, and a test after every epoch."""
    loaders = [DataLoader(Pictures(x), batch_size=batch, shuffle=True) for x in (train, test)]
    return Loop(Example(train[0].numel(), hidden, latent_dim), *loaders, drawn=True)


def pythae(x: Tensor, latent_dim: int, batch: int) -> Callable | None:
    """One epoch with pythae's trainer and its own network, 784-512-20; None if pythae is not installed."""
    if importlib.util.find_spec("pythae") is None:
        return None
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE, VAEConfig

    model = VAE(VAEConfig(input_dim=tuple(x.shape[1:]), latent_dim=latent_dim, reconstruction_loss="bce"))
    data = BaseDataset(x.cpu(), torch.zeros(len(x)))
    return lambda: _pythae(model, data, batch)


def pythae_until(
    x: Tensor, hidden: int, latent_dim: int, batch: int, epochs: int, seed: int, done: Callable[[Parts], bool]
) -> None:
    """pythae's trainer with the network of the others, until done, which it asks after every epoch.

    Its data set binarizes each image at random as it takes it.
    """
    from pythae.data.datasets import BaseDataset, DatasetOutput
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers.training_callbacks import TrainingCallback

    class Drawn(BaseDataset):
        def __getitem__(self, index: int) -> DatasetOutput:
            return DatasetOutput(data=torch.bernoulli(self.data[index]), labels=self.labels[index])

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Flatten(), nn.Linear(x[0].numel(), hidden), nn.ReLU())
            self.mu, self.logvar = nn.Linear(hidden, latent_dim), nn.Linear(hidden, latent_dim)

        def forward(self, images: Tensor) -> ModelOutput:
            h = self.layers(images)
            return ModelOutput(embedding=self.mu(h), log_covariance=self.logvar(h))

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            out = nn.Linear(hidden, x[0].numel())
            self.layers = nn.Sequential(nn.Linear(latent_dim, hidden), nn.ReLU(), out, nn.Sigmoid())

        def forward(self, z: Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=self.layers(z).reshape(-1, *x.shape[1:]))

    class Done(Exception):
        pass

    class Ask(TrainingCallback):
        def on_epoch_end(self, training_config: Any, **_: Any) -> None:
            if done(parts):
                raise Done

    def parts(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        code = model.encoder(images)
        mu, logvar = code.embedding, code.log_covariance
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)
        return model.decoder(z).reconstruction.flatten(1).logit(eps=1e-7), mu, logvar

    config = VAEConfig(input_dim=tuple(x.shape[1:]), latent_dim=latent_dim, reconstruction_loss="bce")
    model = VAE(config, Encoder(), Decoder())
    with contextlib.suppress(Done):
        _pythae(model, Drawn(x.cpu(), torch.zeros(len(x))), batch, epochs, seed, [Ask()])


def _pythae(
    model: Any, data: Any, batch: int, epochs: int = 1, seed: int = 8, callbacks: list | None = None
) -> None:
    """Epochs of pythae's trainer, without its words."""
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    logging.disable(logging.CRITICAL)
    quiet = contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO())
    try:
        with tempfile.TemporaryDirectory() as folder, quiet[0], quiet[1]:
            config = BaseTrainerConfig(
                output_dir=folder,
                num_epochs=epochs,
                per_device_train_batch_size=batch,
                learning_rate=LR,
                seed=seed,
                no_cuda=device().type != "cuda",
            )
            BaseTrainer(model, data, training_config=config, callbacks=callbacks).train()
    finally:
        logging.disable(logging.NOTSET)
