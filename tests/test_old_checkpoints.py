"""Files that version 0.1.0 wrote (tests/checkpoints/write.py) load, and training goes on with them."""

import json
import shutil

import pytest
import torch

from tests.checkpoints.write import FOLDER, RUNS, codes_and_likelihoods, numbers, train
from vae_edu.engine import checkpoint
from vae_edu.vae import VAE

EXPECTED = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def _on_the_cpu(monkeypatch):
    """The files hold the random numbers of a CPU."""
    monkeypatch.setenv("VAE_EDU_DEVICE", "cpu")


@pytest.mark.parametrize("name", ["saved", *RUNS])
def test_the_files_are_small_and_of_the_old_version(name):
    path = FOLDER / f"{name}.pt"
    assert path.stat().st_size < 50_000
    assert checkpoint.load(path)["versions"]["vae_edu"] == EXPECTED["vae_edu"] == "0.1.0"


def test_a_saved_model_computes_what_it_did():
    vae = VAE.load(FOLDER / "saved.pt")
    assert vae.about == {"data": "noise", "epochs": 0}
    assert vae.architecture["hidden"] == [16]
    for name, values in codes_and_likelihoods(vae).items():
        torch.testing.assert_close(torch.tensor(values), torch.tensor(EXPECTED["saved"][name]))


@pytest.mark.parametrize("name", RUNS)
def test_training_goes_on_as_if_it_had_never_stopped(name, tmp_path):
    expected, path = EXPECTED[name], tmp_path / f"{name}.pt"
    shutil.copy(FOLDER / path.name, path)
    before = checkpoint.load(path)["history"]
    assert len(before["steps"]) == 6  # of 12
    vae, history = train(name, 4, path)
    assert history.steps[:6] == before["steps"].tolist()
    result = numbers(vae, history)
    assert result["steps"] == pytest.approx(expected["steps"], rel=1e-5)
    assert result["held_out"] == pytest.approx(expected["held_out"], rel=1e-5)
    assert result["weights"].keys() == expected["weights"].keys()
    for weight, values in result["weights"].items():
        assert values == pytest.approx(expected["weights"][weight], rel=1e-4, abs=1e-4), weight
    assert len(checkpoint.load(path)["history"]["steps"]) == 12


@pytest.mark.parametrize("name", RUNS)
def test_a_model_is_read_from_a_training_file(name):
    vae = VAE.load(FOLDER / f"{name}.pt")
    saved = checkpoint.load(FOLDER / f"{name}.pt")["model"]
    assert vae.state_dict().keys() == saved.keys()
    assert all(torch.equal(weight.cpu(), saved[key]) for key, weight in vae.state_dict().items())
