"""Which device is chosen, and that a GPU computes as exactly as a CPU: with stand-ins, as few have a GPU."""

import os
import subprocess
import sys
import warnings

import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal

from vae_edu import DeviceWarning, device
from vae_edu.bayes import bayes_rule, log_posterior
from vae_edu.elbo import derivation, elbo, gap
from vae_edu.engine import devices
from vae_edu.engine.precision import exact
from vae_edu.generate import generate
from vae_edu.grid import Grid
from vae_edu.iwae import bounds
from vae_edu.marginal import importance_sampling, monte_carlo, quadrature
from vae_edu.networks import Tanh
from vae_edu.pixelrnn import PixelRNN
from vae_edu.quality import opinion
from vae_edu.reparameterization import gradient_samples
from vae_edu.vae import VAE


@pytest.fixture
def broken_gpu(monkeypatch):
    """A GPU that PyTorch sees and has no kernels for."""
    ones = torch.ones

    def no_kernels(*size, device=None, **options):
        if torch.device(device or "cpu").type == "cuda":
            raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nmore")
        return ones(*size, device=device, **options)

    monkeypatch.delenv("VAE_EDU_DEVICE", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", no_kernels)
    devices._cuda_works.cache_clear()
    yield
    devices._cuda_works.cache_clear()


def test_a_gpu_that_cannot_be_used_gives_the_cpu_and_one_warning(broken_gpu):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for _ in range(3):
            assert device() == torch.device("cpu")
        assert VAE((1, 4, 4), 2).zero.device.type == "cpu"
    (warning,) = seen
    assert issubclass(warning.category, DeviceWarning)
    assert warning.filename == __file__
    assert "no kernel image" in str(warning.message)
    assert "VAE_EDU_DEVICE=cpu" in str(warning.message)
    assert "\n" not in str(warning.message)


def test_named_it_is_an_error(broken_gpu, monkeypatch):
    with pytest.raises(ValueError, match=r"^cuda is not a device that works here .*no kernel image"):
        device("cuda")
    monkeypatch.setenv("VAE_EDU_DEVICE", "cuda")
    with pytest.raises(ValueError, match=r"^cuda is not a device"):
        device()


def test_as_a_user_sees_it():
    """PyTorch for the CPU that claims to have a GPU: `cuda` cannot be initialized."""
    if torch.cuda.is_available():
        pytest.skip("here is one")
    code = "import torch; torch.cuda.is_available = lambda: True; import vae_edu; print(vae_edu.device())"
    environment = {name: value for name, value in os.environ.items() if name != "VAE_EDU_DEVICE"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout == "cpu\n"
    assert done.stderr.count("DeviceWarning") == 1


@pytest.mark.parametrize(
    "name",
    ["mps", "mps:0", torch.device("mps"), "MPS", "meta", "xla", "gpu", "0", "cuda:999", "nonsense\n", True],
)
def test_other_names_get_one_sentence(name, monkeypatch):
    with pytest.raises(ValueError, match="use cpu, or cuda with an NVIDIA GPU") as error:
        device(name)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 250
    monkeypatch.setenv("VAE_EDU_DEVICE", str(name))
    with pytest.raises(ValueError, match="is not a device that works here"):
        device()


def test_mps_is_refused_even_where_it_works(monkeypatch):
    """It has no float64: the first sum would end in a TypeError."""
    ones = torch.ones
    monkeypatch.setattr(torch, "ones", lambda *size, device=None, **options: ones(*size, **options))
    with pytest.raises(ValueError, match="no float64"):
        device("mps")


@pytest.mark.parametrize("name", ["cpu", " cpu ", "CPU", "cpu:0", torch.device("cpu")])
def test_names_of_the_cpu(name, monkeypatch):
    assert device(name).type == "cpu"
    monkeypatch.setenv("VAE_EDU_DEVICE", str(name))
    assert device().type == "cpu"


@pytest.mark.parametrize("name", ["", "  "])
def test_an_empty_variable_is_none(name, monkeypatch):
    monkeypatch.setenv("VAE_EDU_DEVICE", name)
    assert device().type == ("cuda" if torch.cuda.is_available() else "cpu")


# TF32. The switches can be read on a machine without a GPU.


def shortcuts():
    """The ways to fewer bits that are open now."""
    backends = torch.backends
    if not hasattr(backends, "fp32_precision"):
        switches = {"matmul": backends.cuda.matmul.allow_tf32, "cudnn": backends.cudnn.allow_tf32}
        return {name for name, allowed in switches.items() if allowed}
    parts = {"matmul": backends.cuda.matmul, "conv": backends.cudnn.conv, "rnn": backends.cudnn.rnn}
    parts |= {"CPU": backends.mkldnn.matmul, "CPU conv": backends.mkldnn.conv, "CPU rnn": backends.mkldnn.rnn}
    return {name for name, part in parts.items() if part.fp32_precision not in {"ieee", "none"}}


def allow_legacy():
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True


def allow_medium():
    torch.set_float32_matmul_precision("medium")


def allow_new():
    if not hasattr(torch.backends, "fp32_precision"):
        pytest.skip("PyTorch 2.9 brought these names")
    for part in (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn):
        part.fp32_precision = "tf32"


@pytest.fixture(params=[allow_legacy, allow_medium, allow_new])
def tf32(request):
    """Somebody has asked for speed, in one of PyTorch's ways."""
    with exact():  # puts all switches back afterwards
        request.param()
        assert shortcuts()
        yield shortcuts()
        torch.backends.cudnn.allow_tf32 = False
    assert not shortcuts()


def test_importing_the_package_leaves_no_shortcut_and_no_chance():
    assert not shortcuts()
    assert torch.backends.cudnn.deterministic
    assert not torch.backends.cudnn.benchmark


def test_inside_there_is_no_shortcut_and_outside_all_is_as_before(tf32):
    with exact():
        assert not shortcuts()
        assert torch.backends.cudnn.allow_tf32 is False
        assert torch.get_float32_matmul_precision() == "highest"
        with exact():
            assert not shortcuts()
        assert not shortcuts()
    assert shortcuts() == tf32
    with pytest.raises(KeyError), exact():
        raise KeyError
    assert shortcuts() == tf32


class Spy(nn.Module):
    """Notes which shortcuts are open whenever the layer runs."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.seen = layer, []

    def forward(self, *arguments):
        self.seen.append(shortcuts())
        return self.layer(*arguments)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_tanh_with_and_without_gradients(dtype):
    x = torch.cat([torch.linspace(-20, 20, 10_001), torch.tensor([-1e38, 1e38])]).to(device(), dtype)
    right, learned = x.tanh(), Tanh()(x)
    with torch.no_grad():
        fast = Tanh()(x)
    assert learned.equal(right)
    torch.testing.assert_close(fast, right, rtol=0, atol=2e-7 if dtype == torch.float32 else 0)


X = torch.ones(2, 1, 4, 4)
GRID = Grid(2, 30)
OF_A_VAE = {
    "monte_carlo": lambda m, x: monte_carlo(m, x, 100),
    "importance_sampling": lambda m, x: importance_sampling(m, x, 100),
    "quadrature": lambda m, x: quadrature(m, x, GRID),
    "log_posterior": lambda m, x: log_posterior(m, x, torch.zeros(2, 2).to(x), GRID),
    "bayes_rule": lambda m, x: bayes_rule(m, x, torch.zeros(2, 2).to(x)),
    "elbo": lambda m, x: elbo(m, x),
    "derivation": lambda m, x: derivation(m, x, GRID),
    "gap": lambda m, x: gap(m, x, GRID),
    "bounds": lambda m, x: bounds(m, x, (1, 5)),
    "gradient_samples": lambda m, x: gradient_samples(m, x[:1], 5),
    "generate": lambda m, x: generate(m, 2),
    "opinion": lambda m, x: opinion(m.encoder, x),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", OF_A_VAE)
def test_no_layer_takes_a_shortcut_where_a_value_is_exact(name, tf32):
    vae, x = VAE((1, 4, 4), 2, "bernoulli", network="cnn", hidden=(4,)), X.to(device())
    vae.encoder, vae.decoder = Spy(vae.encoder), Spy(vae.decoder)
    OF_A_VAE[name](vae, x)
    seen = [*vae.encoder.seen, *vae.decoder.seen]
    checks = 0 if name == "opinion" else 1  # one code is decoded to learn its shape
    assert sum(map(bool, seen)) <= checks
    assert len(seen) > checks
    assert shortcuts() == tf32


def test_pixelrnn_takes_none_without_gradients(tf32):
    model, x = PixelRNN((1, 4, 4), hidden=4), X.to(device())
    model.lstm = Spy(model.lstm)
    with torch.no_grad():
        model.log_prob(x)
        model.conditionals(x)
    model.sample(2, progress=False)
    model.complete(x, 5, progress=False)
    assert not any(model.lstm.seen)
    model.lstm.seen.clear()
    model.log_prob(x)  # as in training, where the caller decides
    assert model.lstm.seen == [tf32]


@pytest.mark.filterwarnings("ignore::vae_edu.marginal.SamplingWarning")
def test_a_model_of_ones_own_takes_none_either(tf32):
    seen = []

    class Own:
        def prior(self):
            return Independent(Normal(torch.zeros(2).to(device()), 1.0), 1)

        def encode(self, x):
            seen.append(shortcuts())
            return Independent(Normal(x.flatten(1)[:, :2], 1.0), 1)

        def decode(self, z):
            return Independent(Normal(z[..., None, :1, None].expand(*z.shape[:-1], 1, 4, 4), 1.0), 3)

        def log_joint(self, x, z):
            return self.decode(z).log_prob(x) + self.prior().log_prob(z)

    importance_sampling(Own(), X.to(device()), 60)
    assert seen
    assert not any(seen)
