"""Checkpoint files: written whole or not at all, plain values only, and one sentence for any other file."""

import platform
import subprocess
import sys

import pytest
import torch
from torch import nn

import vae_edu
from vae_edu.engine import checkpoint as checkpoints


def test_checkpoint_files(tmp_path):
    path = tmp_path / "a.pt"
    checkpoints.save(path, {"numbers": [1, 2.5], "tensor": torch.arange(3)})
    assert checkpoints.load(path)["tensor"].tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="there is no checkpoint"):
        checkpoints.load(tmp_path / "nowhere.pt")
    whole = path.read_bytes()
    for damaged in (b"", whole[:200], whole[:-30], b"text, not a checkpoint"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged or not a checkpoint"):
            checkpoints.load(path)
    torch.save({"weights": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match="not a checkpoint of vae_edu"):
        checkpoints.load(path)
    torch.save(nn.Linear(2, 2), path)  # a pickled module would run code
    with pytest.raises(ValueError, match="damaged or not a checkpoint"):
        checkpoints.load(path)
    torch.save({"format": checkpoints.FORMAT, "version": checkpoints.VERSION + 1}, path)
    with pytest.raises(ValueError, match="newer vae_edu"):
        checkpoints.load(path)
    with pytest.raises(ValueError, match="missing or cannot be written"):
        checkpoints.save(tmp_path / "no" / "folder.pt", {})


@pytest.mark.skipif(sys.platform != "linux", reason="a file size limit stands in for a full disk")
def test_a_full_disk_keeps_the_older_checkpoint(tmp_path):
    code = (
        "import resource, sys, torch; from vae_edu.engine import checkpoint;"
        "checkpoint.save('a.pt', {'value': 1});"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000));"
        "checkpoint.save('a.pt', {'value': torch.zeros(100_000)})"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "ValueError: a.pt cannot be written" in run.stderr
    assert checkpoints.load(tmp_path / "a.pt")["value"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.pt"]


def test_the_versions_that_wrote_it(tmp_path):
    checkpoints.save(tmp_path / "a.pt", {})
    versions = {
        "vae_edu": vae_edu.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    assert checkpoints.load(tmp_path / "a.pt")["versions"] == versions


@pytest.mark.parametrize("thing", [{1, 2}, object(), lambda: 0, nn.Linear(1, 1), torch.float32])
def test_what_could_not_be_read_is_not_written(tmp_path, thing):
    path = tmp_path / "a.pt"
    with pytest.raises(ValueError, match=r"contents\['about'\]\['x'\]\[1\] is a .*make it a number"):
        checkpoints.save(path, {"about": {"x": [1, thing]}})
    assert not path.exists()


def test_a_file_without_a_version(tmp_path):
    for version in ({}, {"version": "new"}):
        torch.save({"format": checkpoints.FORMAT, **version}, tmp_path / "a.pt")
        with pytest.raises(ValueError, match="damaged"):
            checkpoints.load(tmp_path / "a.pt")
