"""Write the checkpoints of this folder, and expected.json: what training without a stop comes to.

Version 0.1.0 wrote them, and they stay as they are: a later version must read them and go on with them.

    git worktree add ../vae_edu-0.1.0 87334a4
    PYTHONPATH=../vae_edu-0.1.0 python tests/checkpoints/write.py
"""

import json
from pathlib import Path

import torch

import vae_edu
from vae_edu.elbo import negative_elbo
from vae_edu.train import fit
from vae_edu.vae import VAE

FOLDER = Path(__file__).parent
RUNS = ("gaussian", "tanh")  # each was stopped after 2 of its 4 epochs


def images():
    """64 images of noise, the same bits on every machine."""
    return torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def halved(epochs_done):
    return 1e-2 * 0.5**epochs_done


def train(name, epochs, checkpoint=None):
    """Train the model of that name, or go on with its checkpoint; return the model and its history."""
    x = images()
    torch.manual_seed(0)
    if name == "gaussian":
        vae, lr = VAE((1, 8, 8), 2, "gaussian", hidden=(8,)), 1e-2
    else:
        vae, lr = VAE((1, 8, 8), 2, "bernoulli", hidden=(8, 8), activation="tanh"), halved
        x = (x > 0.5).float()
    options = {"held_out": x[48:], "batch_size": 16, "lr": lr, "checkpoint": checkpoint, "progress": False}
    return vae, fit(vae, negative_elbo, x[:48], epochs, **options)


def numbers(vae, history):
    """The losses of a run, and two numbers of each weight: its sum and its sum of squares."""
    weights = {name: [w.sum().item(), w.square().sum().item()] for name, w in vae.named_parameters()}
    return {"steps": history.steps, "held_out": history.held_out, "weights": weights}


def codes_and_likelihoods(vae):
    """What a saved model makes of the first four images: the means of q(z|x), and log p(x|z = 0)."""
    x, z = (images()[:4] > 0.5).float(), torch.zeros(4, 2)
    with torch.no_grad():
        return {"mu": vae.encode(x).mean.tolist(), "log_p": vae.decode(z).log_prob(x).tolist()}


if __name__ == "__main__":
    torch.manual_seed(0)
    vae = VAE((1, 8, 8), 2, "bernoulli", hidden=(16,))
    vae.about = {"data": "noise", "epochs": 0}
    vae.save(FOLDER / "saved.pt")
    expected = {"vae_edu": vae_edu.__version__, "torch": str(torch.__version__)}
    expected["saved"] = codes_and_likelihoods(vae)
    for name in RUNS:
        train(name, 2, FOLDER / f"{name}.pt")
        expected[name] = numbers(*train(name, 4))
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")
