"""Training steps as CUDA graphs against the same steps kernel by kernel. Needs a GPU."""

import math

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import vae_edu
from vae_edu import autoencoder, elbo, iwae, marginal
from vae_edu.conditional import ConditionalVAE, negative_conditional_elbo
from vae_edu.data import MappedImages, binarize, load_images
from vae_edu.engine.capture import WARM_UP, Captured, CaptureWarning
from vae_edu.engine.step import Step
from vae_edu.engine.sync_checks import unchecked
from vae_edu.interface import log_likelihoods
from vae_edu.pixelrnn import PixelRNN, negative_log_likelihood
from vae_edu.train import fit
from vae_edu.vae import VAE

cuda = pytest.mark.skipif(vae_edu.device().type != "cuda", reason="needs CUDA")


def model(likelihood="bernoulli"):
    torch.manual_seed(0)
    return VAE((1, 28, 28), 3, likelihood, hidden=(50,))


def weights(model):
    return torch.cat([weight.detach().flatten() for weight in model.parameters()]).cpu()


def run(data, capture, likelihood="bernoulli", loss=elbo.negative_elbo, **options):
    vae = model(likelihood)
    options = {"epochs": 4, "batch_size": 64, **options}
    return fit(vae, loss, data, capture=capture, progress=False, **options), weights(vae)


@cuda
@pytest.mark.filterwarnings("error::vae_edu.engine.capture.CaptureWarning")
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian", "gaussian_one_sigma"])
@pytest.mark.parametrize("lr", [1e-3, lambda epoch: 1e-3 / (1 + epoch)])
def test_a_graph_computes_what_the_loop_does(likelihood, lr):
    """500 images in batches of 64: the last has 52."""
    x = load_images("strokes", n=500).x
    x = binarize(x) if likelihood == "bernoulli" else x
    graph, learned = run(x, True, likelihood, lr=lr, held_out=x[:100])
    loop, right = run(x, False, likelihood, lr=lr, held_out=x[:100])
    assert len(graph.steps) == 32
    assert graph.steps == pytest.approx(loop.steps, rel=1e-4)
    assert graph.held_out == pytest.approx(loop.held_out, rel=1e-4)
    torch.testing.assert_close(learned, right, rtol=0, atol=2e-4)
    assert graph.steps[-1] < 0.9 * graph.steps[0]


@cuda
@pytest.mark.filterwarnings("error::vae_edu.engine.capture.CaptureWarning")
@pytest.mark.parametrize("loss", [elbo.negative_elbo, elbo.negative_elbo_of_binarized])
def test_a_graph_reads_beta_anew_at_every_step(loss):
    x = binarize(load_images("strokes", n=500).x)
    options = {"loss": loss, "beta": lambda epoch: epoch / 4, "held_out": x[:100]}
    graph, learned = run(x, True, **options)
    loop, right = run(x, False, **options)
    assert graph.steps == pytest.approx(loop.steps, rel=1e-4)
    assert graph.held_out == pytest.approx(loop.held_out, rel=1e-4)
    torch.testing.assert_close(learned, right, rtol=0, atol=2e-4)
    constant, _ = run(x, True, **options | {"beta": 0})
    assert graph.held_out[-1] > constant.held_out[-1]


@cuda
@pytest.mark.filterwarnings("error::vae_edu.engine.capture.CaptureWarning")
@pytest.mark.parametrize("binarized", ["in every step", "as bytes"])
def test_draws_and_bytes_inside_a_graph(binarized):
    x = load_images("strokes", n=500).x
    if binarized == "as bytes":
        content = (255 * binarize(x)).byte()
        data, floats, loss = MappedImages(content, content), content.float() / 255, elbo.negative_elbo
    else:
        data, floats, loss = x, x, elbo.negative_elbo_of_binarized
    graph, learned = run(data, True, loss=loss)
    loop, right = run(floats, False, loss=loss)
    assert graph.steps == pytest.approx(loop.steps, rel=1e-4)
    torch.testing.assert_close(learned, right, rtol=0, atol=2e-4)


@cuda
def test_a_run_goes_on_from_its_checkpoint(tmp_path):
    x = binarize(load_images("strokes", n=500).x)
    whole, right = run(x, True, epochs=6)
    vae, path = model(), tmp_path / "run.pt"
    fit(vae, elbo.negative_elbo, x, 2, batch_size=64, checkpoint=path, progress=False)
    history = fit(vae, elbo.negative_elbo, x, 6, batch_size=64, checkpoint=path, progress=False)
    assert history.steps == pytest.approx(whole.steps, rel=1e-4)
    torch.testing.assert_close(weights(vae), right, rtol=0, atol=2e-4)


@cuda
def test_a_step_that_asks_the_gpu_runs_as_it_is():
    x = binarize(load_images("strokes", n=500).x)

    def asks(model, batch):
        loss = elbo.negative_elbo(model, batch)
        return loss * (1 if loss.mean().item() > -math.inf else 0)

    with pytest.warns(CaptureWarning, match="cannot be recorded as a CUDA graph") as warned:
        graph, learned = run(x, True, loss=asks)
    assert len([w for w in warned if w.category is CaptureWarning]) == 1
    loop, right = run(x, False, loss=asks)
    assert graph.steps == pytest.approx(loop.steps, rel=1e-4)
    torch.testing.assert_close(learned, right, rtol=0, atol=2e-4)


@cuda
def test_images_are_checked_before_a_graph_that_cannot():
    x = binarize(load_images("strokes", n=500).x)
    x[-1, 0, 3, 3] = 0.5
    with pytest.raises(ValueError, match="binarize the images"):
        run(x, True)


@cuda
@pytest.mark.parametrize("capture", [True, False])
def test_a_loss_that_is_not_finite_moves_no_weight(capture):
    """Image 300 has NaN when the loss first sees it in training; every later step changes nothing either."""
    x = torch.randn(500, 3, device="cuda")
    torch.manual_seed(0)
    layer = nn.Linear(3, 1).cuda()
    loss = lambda m, b: m(b[0])[:, 0].square() / (b[1] if m.training else 1)  # noqa: E731
    flag = torch.ones(500, device="cuda")
    order = []
    fit(layer, lambda m, b: order.append(b[1].tolist()) or m(b[0])[:, 0] ** 2, (x, torch.arange(500.0)), 1,
        batch_size=20, capture=False, lr=1e-9)  # fmt: skip
    step = next(i for i, batch in enumerate(order) if 300 in batch)
    flag[300] = math.nan
    spared = nn.Linear(3, 1).cuda()
    start = weights(spared)
    with pytest.raises(FloatingPointError, match=rf"the loss is nan at step {step} \(epoch 0\)"):
        fit(spared, loss, (x, flag), 1, batch_size=20, capture=capture, progress=False)
    again = nn.Linear(3, 1).cuda()
    with torch.no_grad():
        again.weight.copy_(start[:3][None])
        again.bias.copy_(start[3:])
    rows = [torch.tensor(batch, dtype=torch.long, device="cuda") for batch in order[:step]]
    by_hand = Step(again, loss, (x, torch.ones(500, device="cuda")), capture=False)
    for batch in rows:
        by_hand(batch, 1e-3)
    torch.testing.assert_close(weights(spared), weights(again), rtol=0, atol=1e-6)


@cuda
def test_nothing_waits_for_the_gpu_inside_an_epoch(monkeypatch):
    x = binarize(load_images("strokes", n=640).x)
    plain, calls = Captured.__call__, []

    def watched(self, step, rows):
        calls.append(1)
        strict = len(calls) > WARM_UP + 1  # the warm-up asks, and the recording does
        torch.cuda.set_sync_debug_mode("error" if strict else "default")
        try:
            return plain(self, step, rows)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(Captured, "__call__", watched)
    run(x, True)
    assert len(calls) == 40


def test_without_a_gpu_nothing_is_recorded():
    if vae_edu.device().type != "cuda":
        layer = nn.Linear(3, 1)
        assert Step(layer, lambda m, b: m(b)[:, 0], torch.randn(5, 3)).captured is None


def negative_monte_carlo(vae, x):
    """The loss of lesson 02."""
    z = vae.prior().sample((10,))
    return -marginal.log_mean_exp(log_likelihoods(vae.decode(z), x))


def given_a_label(model, x):
    """The loss of lesson 09, of images that are labeled 0, 1, 2, …"""
    return negative_conditional_elbo(model, (x, torch.arange(len(x), device=x.device)))


class NoReading(TorchDispatchMode):
    """Fails where a value of a tensor is read, for which a GPU would have to be waited for."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        read = {"_local_scalar_dense", "nonzero", "equal", "is_nonzero", "masked_select", "unique"}
        assert func.overloadpacket.__name__ not in read, func
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("make", "loss"),
    [
        (lambda: model("bernoulli"), elbo.negative_elbo),
        (lambda: model("gaussian"), elbo.negative_elbo),
        (lambda: model("gaussian_one_sigma"), elbo.negative_elbo),
        (lambda: VAE((1, 28, 28), 3, "bernoulli", network="cnn"), elbo.negative_elbo_of_binarized),
        (lambda: VAE((1, 28, 28), 3, "bernoulli", activation="tanh"), iwae.negative_bound_of_binarized),
        (lambda: model("bernoulli"), negative_monte_carlo),
        (lambda: autoencoder.deep((1, 28, 28), 3), autoencoder.reconstruction_loss),
        (lambda: PixelRNN((1, 28, 28), 8), negative_log_likelihood),
        (lambda: ConditionalVAE((1, 28, 28), 3, 10), given_a_label),
    ],
    ids=[
        "bernoulli",
        "gaussian",
        "one-sigma",
        "cnn",
        "tanh-iwae",
        "monte-carlo",
        "autoencoder",
        "pixelrnn",
        "conditional",
    ],
)
def test_a_loss_and_its_gradient_read_no_value(make, loss):
    """So a GPU need not be waited for, and the step can be a CUDA graph. It runs without a GPU, too."""
    x, net = binarize(load_images("strokes", n=4).x), make()
    with unchecked(), NoReading():
        loss(net, x).mean().backward()
    with pytest.raises(AssertionError), NoReading():
        x.sum().item()
