"""The same training as most people write it: with PyTorch's DataLoader, and with pythae if installed."""

import contextlib
import importlib.util
import io
import logging
import tempfile
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, relu
from torch.utils.data import DataLoader, TensorDataset

from vae_edu import device


class Tutorial(nn.Module):
    """The 784-400-20 network of PyTorch's own VAE example."""

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


def data_loader(x: Tensor, hidden: int, latent_dim: int, batch: int) -> Callable:
    """One epoch with a DataLoader over images on the CPU, which stacks every batch image by image."""
    model = Tutorial(x[0].numel(), hidden, latent_dim).to(device())
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = DataLoader(TensorDataset(x.cpu()), batch_size=batch, shuffle=True)

    def run() -> None:
        total = 0.0
        for (images,) in loader:
            images = images.to(device()).flatten(1)
            logits, mu, logvar = model(images)
            reconstruction = binary_cross_entropy_with_logits(logits, images, reduction="sum")
            kl = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
            loss = (reconstruction + kl) / len(images)
            optimizer.zero_grad()
            loss.backward()
            total += loss.item()
            optimizer.step()

    return run


def pythae(x: Tensor, latent_dim: int, batch: int) -> Callable | None:
    """One epoch with pythae's trainer and its own network, 784-512-20; None if pythae is not installed."""
    if importlib.util.find_spec("pythae") is None:
        return None
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE, VAEConfig
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    model = VAE(VAEConfig(input_dim=tuple(x.shape[1:]), latent_dim=latent_dim, reconstruction_loss="bce"))

    def run() -> None:
        logging.disable(logging.CRITICAL)
        quiet = contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO())
        with tempfile.TemporaryDirectory() as folder, quiet[0], quiet[1]:
            config = BaseTrainerConfig(
                output_dir=folder,
                num_epochs=1,
                per_device_train_batch_size=batch,
                learning_rate=1e-3,
                no_cuda=device().type != "cuda",
            )
            data = BaseDataset(x.cpu(), torch.zeros(len(x)))
            BaseTrainer(model=model, train_dataset=data, training_config=config).train()
        logging.disable(logging.NOTSET)

    return run
