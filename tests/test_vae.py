"""The model: what its distributions are, on every likelihood, network and image shape."""

import itertools
import math
import time

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Normal
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from vae_edu import device
from vae_edu.elbo import negative_elbo
from vae_edu.engine import checkpoint
from vae_edu.train import fit
from vae_edu.vae import LIKELIHOODS, LOGVAR_SCALE, VAE

SHAPES = [(1, 28, 28), (3, 9, 14), (2, 5, 5)]


def images(likelihood, *shape):
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(device())
    return (x > 0.5).float() if likelihood == "bernoulli" else x


@pytest.mark.parametrize(
    ("likelihood", "network", "shape"), list(itertools.product(LIKELIHOODS, ["mlp", "cnn"], SHAPES))
)
def test_shapes_with_any_leading_dimensions(likelihood, network, shape):
    vae = VAE(shape, 3, likelihood, network=network)
    x = images(likelihood, 2, 4, *shape)
    q = vae.encode(x)
    assert (q.batch_shape, q.event_shape) == ((2, 4), (3,))
    z = q.rsample((6,))
    p = vae.decode(z)
    assert (p.batch_shape, p.event_shape) == ((6, 2, 4), shape)
    assert vae.log_joint(x, z).shape == (6, 2, 4)
    assert vae.decode(z[0, 0, 0]).batch_shape == ()
    # one by one or all at once is the same
    torch.testing.assert_close(vae.encode(x[1, 2]).mean, q.mean[1, 2], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        vae.log_joint(x[1, 2], z[5, 1, 2]), vae.log_joint(x, z)[5, 1, 2], rtol=1e-4, atol=1e-3
    )


def test_the_joint_is_likelihood_times_prior():
    vae = VAE((1, 4, 4), 2, "gaussian")
    x, z = images("gaussian", 5, 1, 4, 4), torch.randn(5, 2).to(device())
    p = vae.decode(z)
    by_hand = Normal(p.mean, p.stddev).log_prob(x).sum((1, 2, 3)) + Normal(0, 1).log_prob(z).sum(1)
    torch.testing.assert_close(vae.log_joint(x, z), by_hand)


def test_the_gaussian_decoder_gives_mean_and_covariance():
    vae = VAE((1, 4, 4), 2, "gaussian")
    p = vae.decode(torch.tensor([[0.0, 0.0], [3.0, -3.0]]).to(device()))
    a, b = p.variance
    extreme = vae.decode(torch.tensor([[1e3, 1e3]]).to(device())).mean
    assert ((extreme >= 0) & (extreme <= 1)).all()  # a gray level
    assert not torch.allclose(a, b)  # it depends on z
    assert a.unique().numel() > 1  # and on the pixel
    one = VAE((1, 4, 4), 2, "gaussian_one_sigma").decode(torch.randn(5, 2).to(device())).variance
    assert one.unique().numel() == 1


def test_a_bernoulli_decoder_gives_probabilities():
    vae = VAE((1, 4, 4), 2, "bernoulli")
    x, z = images("bernoulli", 5, 1, 4, 4), torch.randn(5, 2).to(device())
    by_hand = torch.where(x == 1, vae.decode(z).mean, 1 - vae.decode(z).mean).log().sum((1, 2, 3))
    torch.testing.assert_close(vae.decode(z).log_prob(x), by_hand)


@pytest.mark.parametrize("likelihood", ["gaussian", "gaussian_one_sigma"])
def test_the_floor_holds_where_pixels_are_constant(likelihood):
    """Training on images of one color sends σ down to the floor and no further; the loss stays finite."""
    vae = VAE((1, 3, 3), 1, likelihood, hidden=(8,), min_sigma=0.1)
    x = torch.full((64, 1, 3, 3), 0.5)
    history = fit(vae, negative_elbo, x, epochs=300, lr=0.03, progress=False)
    sigma = vae.decode(torch.randn(100, 1).to(device())).stddev
    assert sigma.min() >= 0.1 * (1 - 1e-6)
    assert sigma.max() < 0.14
    best = -9 * Normal(0.5, 0.1).log_prob(torch.tensor(0.5)).item()
    assert best <= history.steps[-1] < best + 3


@pytest.mark.parametrize("value", [0.5, -1.0, 2.0])
def test_a_pixel_that_is_not_binary_gets_a_hint(value):
    vae, x = VAE((1, 4, 4), 2, "bernoulli"), images("bernoulli", 5, 1, 4, 4)
    x[3, 0, 1, 1] = value
    z = torch.zeros(5, 2).to(device())
    for work in (
        lambda: vae.decode(z).log_prob(x),
        lambda: vae.log_joint(x, z),
        lambda: negative_elbo(vae, x),
    ):
        with pytest.raises(ValueError, match="binarize the images, or use a Gaussian decoder"):
            work()


def test_validation_stays_on():
    vae = VAE((1, 4, 4), 2, "gaussian")
    with pytest.raises(ValueError, match="support"):
        vae.log_joint(torch.full((5, 1, 4, 4), math.nan).to(device()), torch.zeros(5, 2).to(device()))
    assert isinstance(VAE((1, 4, 4), 2, "bernoulli").decode(torch.zeros(2).to(device())).base_dist, Bernoulli)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: VAE((1, 4, 4), 2, "laplace"), "gaussian, gaussian_one_sigma, bernoulli"),
        (lambda: VAE((1, 4, 4), 2, network="rnn"), "'mlp' or 'cnn'"),
        (lambda: VAE((1, 4, 4), 0), "latent_dim = 0"),
        (lambda: VAE((1, 4, 4.5), 2), "image_shape = 4.5"),
        (lambda: VAE((4, 4), 2), "image_shape"),
        (lambda: VAE((1, 4, 4), 2, network="cnn", hidden=()), "at least one"),
        (lambda: VAE((1, 4, 4), 2).log_joint(torch.zeros(5, 3, 4, 4), torch.zeros(5, 2)), "images are"),
        (lambda: VAE((1, 4, 4), 2, min_sigma=0), "min_sigma = 0"),
        (lambda: VAE((1, 4, 4), 2, activation="elu"), "use relu or tanh"),
        (lambda: VAE((1, 4, 4), 2, network="cnn", activation="tanh"), "a CNN has ReLUs"),
        (lambda: VAE((1, 4, 4), 2).encode(torch.zeros(5, 1, 4, 5).to(device())), "images are"),
        (lambda: VAE((1, 4, 4), 2).encode(torch.zeros(5, 16).to(device())), "images are"),
        (lambda: VAE((1, 4, 4), 2).decode(torch.zeros(5, 3).to(device())), "codes are"),
        (lambda: VAE((1, 4, 4), 2).decode(torch.tensor(0.0).to(device())), "codes are"),
    ],
)
def test_bad_input_gets_one_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("network", ["mlp", "cnn"])
def test_hidden_layers_are_as_many_as_asked(network):
    vae = VAE((1, 8, 8), 2, network=network, hidden=(5, 6, 7))
    assert sum(isinstance(layer, torch.nn.ReLU) for layer in vae.encoder) == 3
    assert sum(isinstance(layer, torch.nn.ReLU) for layer in vae.decoder) == 3
    widths = [w.shape for w in vae.encoder.parameters() if w.dim() == 1]
    mirrored = [w.shape for w in vae.decoder.parameters() if w.dim() == 1]
    if network == "mlp":
        assert [*widths[:3], *mirrored[:3]] == [(5,), (6,), (7,), (7,), (6,), (5,)]
    else:  # the first layer makes as many channels as the last convolution had
        assert [*widths[:3], *mirrored[1:3]] == [(5,), (6,), (7,), (6,), (5,)]


def test_one_width_and_an_empty_batch():
    vae = VAE((1, 4, 4), 2, hidden=7)
    assert vae.encoder[1].out_features == 7
    assert vae.encode(torch.zeros(0, 1, 4, 4).to(device())).batch_shape == (0,)


def test_the_floor_lets_gradients_through():
    """Far below it, too, so that a pixel that starts there can leave."""
    vae = VAE((1, 3, 3), 1, "gaussian_one_sigma", min_sigma=0.5)
    with torch.no_grad():
        vae.scaled_logvar.fill_(-6.0 / LOGVAR_SCALE)
    variance = vae.decode(torch.zeros(1).to(device())).variance
    (gradient,) = torch.autograd.grad(variance.sum(), vae.scaled_logvar)
    assert gradient > 0
    assert variance[0, 0, 0].item() == pytest.approx(0.25 + math.exp(-6))


ARCHITECTURES = [
    {"likelihood": "bernoulli", "hidden": (7, 5)},
    {"likelihood": "gaussian", "min_sigma": 0.3, "hidden": 6},
    {"likelihood": "gaussian_one_sigma", "network": "cnn"},
    {"hidden": ()},
]


@pytest.mark.parametrize("options", ARCHITECTURES)
def test_a_file_is_all_that_a_vae_needs(tmp_path, options):
    vae = VAE((1, 8, 8), 3, **options)
    vae.about = {"data": "strokes", "seed": 3, "options": {"hidden": [7, 5], "beta": 1.0}}
    vae.save(tmp_path / "vae.pt")
    torch.manual_seed(5)
    again = VAE.load(tmp_path / "vae.pt")
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert drawn == torch.rand(1)  # loading draws nothing
    assert (again.about, again.architecture) == (vae.about, vae.architecture)
    assert again.zero.device.type == device().type
    z = torch.randn(4, 3).to(device())
    for one, two in [
        (vae.decode(z), again.decode(z)),
        (vae.encode(z.new_ones(1, 8, 8)), again.encode(z.new_ones(1, 8, 8))),
    ]:
        assert torch.equal(one.mean, two.mean)
        assert torch.equal(one.variance, two.variance)


def test_double_precision_stays(tmp_path):
    vae = VAE((1, 4, 4), 2).double()
    vae.save(tmp_path / "vae.pt")
    z = torch.ones(1, 2).double().to(device())
    assert torch.equal(VAE.load(tmp_path / "vae.pt").decode(z).mean, vae.decode(z).mean)


def test_a_checkpoint_of_training_is_a_model_too(tmp_path):
    vae, path = VAE((1, 4, 4), 2, hidden=(5,)), tmp_path / "run.pt"
    vae.about = {"data": "noise"}
    fit(vae, negative_elbo, images("gaussian", 20, 1, 4, 4), 2, checkpoint=path, progress=False)
    again = VAE.load(path)
    assert again.about == {"data": "noise"}
    for name, value in again.state_dict().items():
        assert torch.equal(value, vae.state_dict()[name])


def test_files_that_hold_no_vae(tmp_path):
    path, vae = tmp_path / "a.pt", VAE((1, 4, 4), 2)
    with pytest.raises(ValueError, match="there is no checkpoint"):
        VAE.load(path)
    checkpoint.save(path, checkpoint.contents_of(torch.nn.Linear(2, 2)))
    with pytest.raises(ValueError, match="holds no VAE"):
        VAE.load(path)
    right = checkpoint.contents_of(vae)
    for wrong in [
        {"architecture": {**vae.architecture, "latent_dim": 3}},
        {"architecture": {**vae.architecture, "likelihood": "cauchy"}},
        {"architecture": {**vae.architecture, "depth": 3}},
        {"architecture": {**vae.architecture, "min_sigma": "small"}},
        {"architecture": {}},
        {"model": {}},
        {"model": 3},
        {"model": {**vae.state_dict(), "more": torch.zeros(1)}},
        {"about": 3},
    ]:
        checkpoint.save(path, {**right, **wrong})
        reason = "its weights do not fit its architecture|it holds no weights|about is a int"
        with pytest.raises(ValueError, match=f"is damaged: ({reason})"):
            VAE.load(path)


@pytest.mark.parametrize("hidden", [[10**6, 10**6], [1] * 20_000, [10**15]])
def test_an_absurd_architecture_is_refused_before_it_is_built(tmp_path, hidden):
    """The first would take 8 TB."""
    path, vae = tmp_path / "a.pt", VAE((1, 4, 4), 2)
    right = checkpoint.contents_of(vae)
    checkpoint.save(path, {**right, "architecture": {**vae.architecture, "hidden": hidden}})
    before = time.process_time()
    with pytest.raises(ValueError, match="is damaged: its weights do not fit its architecture"):
        VAE.load(path)
    assert time.process_time() - before < 0.5


WRONG_WEIGHTS = {
    "NaN": lambda w: torch.full_like(w, math.nan),
    "infinity": lambda w: torch.full_like(w, math.inf),
    "int": torch.Tensor.long,
    "bool": torch.Tensor.bool,
    "complex": lambda w: w + 0j,
    "another type": torch.Tensor.double,
    "sparse": torch.Tensor.to_sparse,
    "a list": torch.Tensor.tolist,
    "an expanded number": lambda w: torch.zeros(1).expand(w.shape),
}


@pytest.mark.parametrize("kind", WRONG_WEIGHTS)
@pytest.mark.parametrize("where", ["first", "last"])
def test_weights_that_are_none_are_refused(tmp_path, kind, where):
    path, vae = tmp_path / "a.pt", VAE((1, 4, 4), 2, device="cpu")
    contents = checkpoint.contents_of(vae)
    checkpoint.save(path, contents)
    saved = torch.load(path, weights_only=True)
    name = [*saved["model"]][0 if where == "first" else -1]
    saved["model"][name] = WRONG_WEIGHTS[kind](saved["model"][name])
    torch.save(saved, path)
    with pytest.raises(ValueError, match="is damaged: ") as caught:
        VAE.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("about", [5, "text", [1], {"data": 5}, {"binarize": 1}, {"seed": "1"}, {3: 4}])
def test_a_wrong_about_is_refused_when_saved_and_when_loaded(tmp_path, about):
    path, vae = tmp_path / "a.pt", VAE((1, 4, 4), 2)
    vae.save(path)
    saved = torch.load(path, weights_only=True)
    torch.save({**saved, "about": about}, path)
    with pytest.raises(ValueError, match="is damaged: about"):
        VAE.load(path)
    vae.about = about
    with pytest.raises(ValueError, match="about"):
        vae.save(tmp_path / "b.pt")
    assert not (tmp_path / "b.pt").exists()


def test_nothing_about_a_model_is_an_empty_dict(tmp_path):
    vae = VAE((1, 4, 4), 2)
    vae.about = None
    vae.save(tmp_path / "a.pt")
    assert VAE.load(tmp_path / "a.pt").about == {}


@pytest.mark.parametrize("training", [False, True])
def test_a_parametrized_vae_is_loaded_as_a_plain_one(tmp_path, training):
    vae, x = VAE((1, 4, 4), 2, hidden=(5,)), images("gaussian", 20, 1, 4, 4)
    weight_norm(vae.encoder[1])
    spectral_norm(vae.decoder[0])
    if training:
        fit(vae, negative_elbo, x, 2, checkpoint=tmp_path / "a.pt", progress=False)
    else:
        vae.save(tmp_path / "a.pt")
    again = VAE.load(tmp_path / "a.pt")
    vae.eval()
    torch.testing.assert_close(again.encode(x).mean, vae.encode(x).mean, rtol=0, atol=1e-6)
    z = torch.ones(3, 2).to(device())
    torch.testing.assert_close(again.decode(z).mean, vae.decode(z).mean, rtol=0, atol=1e-3)


def test_a_compiled_vae_is_loaded_as_a_plain_one(tmp_path):
    vae, x = torch.compile(VAE((1, 4, 4), 2, hidden=(5,)), backend="eager"), images("gaussian", 20, 1, 4, 4)
    fit(vae, negative_elbo, x, 2, checkpoint=tmp_path / "a.pt", progress=False)
    assert torch.equal(VAE.load(tmp_path / "a.pt").encode(x).mean, vae.encode(x).mean)
    vae.encoder = torch.compile(vae.encoder, backend="eager")
    vae.save(tmp_path / "b.pt")
    assert torch.equal(VAE.load(tmp_path / "b.pt").encode(x).mean, vae.encode(x).mean)


def test_a_vae_that_could_not_be_loaded_is_not_saved(tmp_path):
    vae = VAE((1, 4, 4), 2)
    vae.decoder = torch.nn.Linear(2, 16)
    with pytest.raises(ValueError, match="its weights do not fit its architecture"):
        vae.save(tmp_path / "a.pt")
    assert not (tmp_path / "a.pt").exists()


@pytest.mark.parametrize(
    "width", [np.int64(7), torch.tensor(7), [np.int32(7)], np.array([7]), torch.tensor([7])]
)
def test_widths_of_any_kind(width):
    vae = VAE((1, 4, 4), np.int64(2), hidden=width, min_sigma=np.float32(0.5))
    assert vae.architecture["hidden"] == [7]
    assert vae.architecture["min_sigma"] == 0.5


@pytest.mark.parametrize("hidden", [0, (7, 0), -1, 2.5, "400", True, [None]])
def test_widths_that_are_none(hidden):
    with pytest.raises(ValueError, match=r"hidden = .* must be a whole number"):
        VAE((1, 4, 4), 2, hidden=hidden)
