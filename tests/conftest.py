"""Shared by all tests: quiet progress bars, figures without a screen, and the data they may need."""

import os
from pathlib import Path

import matplotlib
import pytest
import torch

os.environ.setdefault("TQDM_DISABLE", "1")
os.environ["VAE_EDU_PROGRESS"] = "0"  # not what a learner did
matplotlib.use("agg")


@pytest.fixture
def mnist():
    """The real MNIST, for tests that want it; they skip where VAE_EDU_DATA does not lead to it."""
    folder = Path(os.environ.get("VAE_EDU_DATA", "")) / "mnist"
    if not os.environ.get("VAE_EDU_DATA") or not folder.is_dir():
        pytest.skip("MNIST is not at hand: set VAE_EDU_DATA to the folder that holds mnist/")
    return "mnist"


@pytest.fixture(autouse=True)
def _same_numbers_every_time():
    """Whatever ran before: a test that draws without a seed of its own passes always or never."""
    torch.manual_seed(0)
