"""Shared by all tests: quiet progress bars, figures without a screen, test data, and which tests are slow."""

import os
from pathlib import Path

import matplotlib
import pytest
import torch

os.environ.setdefault("TQDM_DISABLE", "1")
os.environ["VAE_EDU_PROGRESS"] = "0"  # tests must not count as a learner's work
matplotlib.use("agg")

# Left out by `make quick`: tests that train for seconds, start other processes, or grade. A file, or
# a test without its parameters; test_project.py checks that each exists.
SLOW = {
    "test_assignments.py",
    "test_commands.py",
    "test_confine.py",
    "test_distributed.py",
    "test_grading.py",
    "test_reproduce.py",
}


def pytest_collection_modifyitems(items):
    for item in items:
        test = f"{item.path.name}::{getattr(item, 'originalname', '')}"
        if item.path.name in SLOW or test in SLOW:
            item.add_marker("slow")


@pytest.fixture
def mnist():
    """The real MNIST, if VAE_EDU_DATA is the folder that holds it; else the test is skipped."""
    folder = Path(os.environ.get("VAE_EDU_DATA", "")) / "mnist"
    if not os.environ.get("VAE_EDU_DATA") or not folder.is_dir():
        pytest.skip("MNIST is not here: set VAE_EDU_DATA to the folder that holds mnist/")
    return "mnist"


@pytest.fixture(autouse=True)
def _same_numbers_every_time():
    """Seed every test, so that one that draws without a seed always passes or always fails."""
    torch.manual_seed(0)
