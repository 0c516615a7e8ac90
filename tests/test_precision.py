"""Matrix products in fewer bits: what changes, and what does not."""

import pytest
import torch

import vae_edu
from vae_edu import elbo
from vae_edu.data import binarize, load_images
from vae_edu.engine.precision import PRECISIONS, matrix_products
from vae_edu.train import fit
from vae_edu.vae import LIKELIHOODS, VAE

DEVICE = vae_edu.device()


def trained(precision, likelihood="bernoulli", **options):
    x = load_images("strokes", n=256).x
    x = binarize(x) if likelihood == "bernoulli" else x
    torch.manual_seed(0)
    vae = VAE(x.shape[1:], 3, likelihood, hidden=(40,))
    history = fit(vae, elbo.negative_elbo, x, 3, batch_size=64, precision=precision, held_out=x, **options)
    return history, vae


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_losses_stay_close_and_weights_stay_float32(precision, likelihood):
    exact, _ = trained("float32", likelihood)
    rough, vae = trained(precision, likelihood)
    assert rough.held_out == pytest.approx(exact.held_out, rel=0.01)
    assert {weight.dtype for weight in vae.parameters()} == {torch.float32}
    if precision == "bf16":  # it is something else, on every machine
        assert rough.steps != exact.steps
    elif DEVICE.type == "cpu":
        assert rough.steps == exact.steps


def test_products_have_the_bits_that_were_asked_for():
    torch.set_float32_matmul_precision("highest")
    a = torch.rand(64, 64, device=DEVICE)
    right = (a.double() @ a.double()).float()
    errors = {}
    for precision in PRECISIONS:
        with matrix_products(precision, DEVICE):
            errors[precision] = ((a @ a).float() - right).abs().max().item() / right.max().item()
        assert torch.get_float32_matmul_precision() == "highest"
        assert not torch.is_autocast_enabled(DEVICE.type)
    assert errors["float32"] < 1e-6 < 1e-4 < errors["bf16"] < 1e-2
    assert errors["float32"] <= errors["tf32"] < errors["bf16"]


def test_an_unknown_precision_and_that_of_another_run(tmp_path):
    with pytest.raises(ValueError, match="unknown precision 'fp8': use float32, tf32, bf16"):
        trained("fp8")
    trained("float32", checkpoint=tmp_path / "run.pt")
    with pytest.raises(ValueError, match=r"another run \(precision differ\)"):
        trained("bf16", checkpoint=tmp_path / "run.pt")
