"""The training loop: against closed forms, through interruption and resumption, and with bad input."""

import ast
import copy
import inspect
import json
import math
import os
import queue
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

import vae_edu
from vae_edu import train
from vae_edu.autoencoder import deep, reconstruction_loss
from vae_edu.data import Images, MappedImages, load_images
from vae_edu.elbo import elbo, negative_elbo
from vae_edu.engine import checkpoint as checkpoints
from vae_edu.engine import interrupts, randomness, rows
from vae_edu.engine.step import Step
from vae_edu.train import History, evaluate
from vae_edu.vae import VAE

DEVICE = vae_edu.device()
ROOT = Path(__file__).parent.parent
fit = partial(train.fit, capture=False)  # these losses watch every step; a graph calls them once


class Noisy(nn.Module):
    """A regression whose loss draws random numbers, as a variational autoencoder's does."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(3, 1)

    def forward(self, x):
        return self.layer(x + 0.1 * torch.randn_like(x))


def squared(model, batch):
    x, y = batch
    return (model(x) - y).square().sum(1)


def taxed(model, batch, beta=1.0):
    """A second term with a weight, as in a β-VAE; it draws random numbers, too."""
    return squared(model, batch) + beta * model.layer.weight.abs().sum()


def regression(n=50):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(n, 3, generator=generator)
    y = x @ torch.tensor([[1.0], [-2.0], [0.5]]) + 0.3 + 0.1 * torch.randn(n, 1, generator=generator)
    return x.to(DEVICE), y.to(DEVICE)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()]).cpu()


def body(function):
    """The lines of a function below its docstring."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    return ast.unparse(tree.body[1:] if ast.get_docstring(tree) else tree.body).splitlines()


def test_the_loop_fits_a_slide():
    assert len(body(train.fit)) <= 15


def test_lesson_01_shows_the_loop_that_trains():
    """Each line of its loop stands in a step, but for comments, and for the names that the lesson has."""
    lesson = json.loads((ROOT / "notebooks" / "01_autoencoder.ipynb").read_text(encoding="utf-8"))
    shown = next("".join(cell["source"]) for cell in lesson["cells"] if cell["id"] == "by-hand")
    lines = [line.split("#")[0].strip() for line in shown.splitlines()]
    assert [line for line in lines if line.startswith("for batch in")] != []
    in_step = [line.replace("self.", "") for line in body(Step._descend)]
    for line in ("optimizer.zero_grad()", "loss.backward()", "optimizer.step()"):
        assert line in lines
        assert any(line.split("(")[0].split(".")[1] in other for other in in_step), line


def test_reaches_the_least_squares_solution():
    x, y = regression()
    model = nn.Linear(3, 1)
    fit(model, squared, (x, y), epochs=1000, batch_size=50, lr=0.02)
    design = np.c_[x.cpu().double().numpy(), np.ones(50)]
    right = np.linalg.lstsq(design, y.cpu().double().numpy(), rcond=None)[0].ravel()
    assert weights(model).numpy() == pytest.approx(right, abs=2e-3)


def test_equals_a_loop_written_by_hand():
    x, y = regression(20)
    ours, theirs = Noisy().layer, Noisy().layer.to(DEVICE)
    optimizer = torch.optim.Adam(theirs.parameters(), lr=0.01, fused=False, foreach=False)
    history = fit(ours, squared, (x, y), epochs=5, batch_size=20, lr=0.01)
    for loss in history.steps:
        value = squared(theirs, (x, y)).mean()
        assert loss == pytest.approx(value.item(), rel=1e-4)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    assert torch.allclose(weights(ours), weights(theirs), atol=1e-5)


def test_an_epoch_sees_every_image_once_in_a_new_order():
    seen = []

    def watch(model, batch):
        seen.append(batch[:, 0].tolist())
        return model(batch).sum(1)

    data = torch.arange(10.0)[:, None]
    history = fit(nn.Linear(1, 1), watch, data, epochs=2, batch_size=4, lr=1e-9)
    assert [len(batch) for batch in seen] == [4, 4, 2] * 2
    first, second = ([v for batch in seen[i : i + 3] for v in batch] for i in (0, 3))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert first != list(range(10))
    assert len(history.steps) == 6


def test_epoch_means_count_images_not_batches():
    data = torch.arange(10.0)[:, None]
    model = nn.Linear(1, 1).requires_grad_(True)

    def value_itself(model, batch):
        return batch[:, 0] + 0 * model(batch)[:, 0]

    history = fit(model, value_itself, data, epochs=3, batch_size=4, held_out=data[:7])
    assert history.train == pytest.approx([4.5] * 3)
    assert history.held_out == pytest.approx([3.0] * 3)
    assert evaluate(model, value_itself, data, batch_size=3) == pytest.approx(4.5)


@pytest.mark.parametrize(
    ("numbers", "on_a_gpu"), [((1, 28, 28), 2**22 // 784), ((3, 64, 64), 1000), ((0,), 2**22)]
)
def test_a_gpu_evaluates_more_small_images_together(numbers, on_a_gpu):
    x = torch.empty(2, *numbers, device="meta")  # a stand-in for a GPU
    assert rows.at_a_time(x, x.device) == rows.at_a_time((x, x[:, :0]), x.device) == on_a_gpu
    assert rows.at_a_time(x, torch.device("cpu")) == 1000


def test_the_seed_fixes_everything_and_disturbs_nothing():
    data = regression()
    runs = []
    for seed in (5, 5, 6):
        torch.rand(3)  # whatever the caller drew before must not matter
        model = Noisy()
        torch.manual_seed(42 + len(runs))
        fit(model, squared, data, epochs=3, batch_size=16, seed=seed)
        runs.append((weights(model), torch.rand(1).item()))
    assert torch.equal(runs[0][0], runs[1][0])
    assert not torch.equal(runs[0][0], runs[2][0])
    torch.manual_seed(42)
    assert runs[0][1] == torch.rand(1).item()


def test_the_seed_fixes_the_draws_of_the_loss():
    draws = []

    def draw(model, batch):
        draws.append(torch.rand(1).item())
        return squared(model, batch)

    for seed in (5, 5, 6):
        fit(Noisy(), draw, regression(), epochs=1, batch_size=50, seed=seed)
    assert draws[0] == draws[1] != draws[2]


def test_images_are_data_too():
    images = load_images("strokes", n=40)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 1))
    history = fit(model, lambda m, batch: (m(batch.x)[:, 0] - batch.factors["slant"]) ** 2, images, epochs=30)
    assert history.train[-1] < 0.5 * history.train[0]


def test_frozen_weights_stay():
    model = nn.Sequential(nn.Linear(3, 2).requires_grad_(False), nn.Linear(2, 1))
    before = model[0].weight.clone()
    fit(model, squared, regression(), epochs=2)
    assert torch.equal(model[0].weight.cpu(), before)
    with pytest.raises(ValueError, match="no weights to train"):
        fit(model.requires_grad_(False), squared, regression(), epochs=2)


def interrupt_at(step):
    """A loss that presses Ctrl-C on itself in the given step."""
    calls = []

    def loss(model, batch):
        calls.extend([1] * model.training)  # the held-out images do not count
        if model.training and len(calls) == step:
            signal.raise_signal(signal.SIGINT)
        return squared(model, batch)

    return loss


@pytest.mark.parametrize("step", [1, 5, 8, 11])  # 4 steps an epoch: within, at the end, in the last
def test_interrupted_and_resumed_equals_uninterrupted(tmp_path, step, capsys):
    data = regression()
    whole, parts = Noisy(), Noisy()
    options = {"epochs": 3, "batch_size": 16, "lr": 0.01, "held_out": data}
    right = fit(whole, squared, data, **options)
    path = tmp_path / "run.pt"
    stopped = fit(parts, interrupt_at(step), data, checkpoint=path, **options)
    assert stopped.interrupted
    assert len(stopped.steps) == step
    assert f"Stopped after step {step} of 12" in capsys.readouterr().out
    parts = Noisy()  # a new session knows nothing but the file
    torch.rand(100)
    history = fit(parts, squared, data, checkpoint=path, **options)
    assert torch.equal(weights(parts), weights(whole))
    assert history == right
    assert not history.interrupted
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.pt"]


def test_a_finished_run_is_not_trained_again_but_can_be_prolonged(tmp_path):
    data, path = regression(), tmp_path / "run.pt"
    model = Noisy()
    first = fit(model, squared, data, epochs=2, checkpoint=path)
    again = Noisy()
    assert fit(again, squared, data, epochs=2, checkpoint=path) == first
    assert torch.equal(weights(again), weights(model))
    longer, whole = Noisy(), Noisy()
    fit(longer, squared, data, epochs=5, checkpoint=path)
    fit(whole, squared, data, epochs=5)
    assert torch.equal(weights(longer), weights(whole))


def test_an_interrupted_run_keeps_what_it_learned_without_a_file():
    model = Noisy()
    before, handler = weights(model), signal.getsignal(signal.SIGINT)
    history = fit(model, interrupt_at(3), regression(), epochs=100, batch_size=16)
    assert history.interrupted
    assert len(history.steps) == 3
    assert not torch.equal(weights(model), before)
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_second_interrupt_is_obeyed_at_once():
    def hangs(model, batch):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("the second Ctrl-C did not interrupt")

    with pytest.raises(KeyboardInterrupt):
        fit(Noisy(), hangs, regression(), epochs=1)


def test_trains_outside_the_main_thread():
    results = queue.Queue()
    thread = threading.Thread(target=lambda: results.put(fit(Noisy(), squared, regression(), epochs=1)))
    thread.start()
    thread.join(60)
    assert len(results.get(timeout=1).train) == 1


def test_the_stop_button_of_a_notebook():
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3")
    try:
        client.execute(
            "import torch; from torch import nn; from vae_edu.train import fit\n"
            "model, x = nn.Linear(4, 4), torch.randn(64, 4)\n"
            "def loss(m, b):\n    print('.', end='', flush=True)\n    return (m(b) - b).square().sum(1)\n"
            "history = fit(model, loss, x, epochs=10**6, progress=False)"
        )
        while client.get_iopub_msg(timeout=60)["msg_type"] != "stream":
            pass
        manager.interrupt_kernel()
        printed = []
        client.execute_interactive(
            "print(history.interrupted, len(history.steps) > 0)",
            timeout=60,
            output_hook=lambda message: printed.append(message["content"].get("text", "")),
        )
        assert "True True" in "".join(printed)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_loss_that_is_not_finite_names_the_step_and_spares_the_weights():
    for bad in (float("nan"), float("inf")):
        model, calls = Noisy(), []

        def explodes(model, batch, bad=bad, calls=calls):
            calls.append(weights(model))
            return squared(model, batch) * (bad if len(calls) == 7 else 1)

        with pytest.raises(FloatingPointError, match=r"at step 6 \(epoch 1\)"):
            fit(model, explodes, regression(), epochs=3, batch_size=16)
        assert torch.equal(weights(model), calls[-1])


@pytest.mark.parametrize("shape", ["mean", "sum over images", "per pixel"])
def test_a_loss_must_give_one_value_an_image(shape):
    def wrong(model, batch):
        value = squared(model, batch)
        return {"mean": value.mean(), "sum over images": value.sum()[None], "per pixel": value[:, None]}[
            shape
        ]

    with pytest.raises(ValueError, match="return one value each"):
        fit(Noisy(), wrong, regression(), epochs=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs = 0"),
        ({"epochs": True}, "epochs = True"),
        ({"lr": "1e-3"}, "lr = '1e-3'"),
        ({"device": "gpu"}, "gpu is not a device"),
        ({"data": [1.0, 2.0]}, "give a tensor"),
        ({"data": ()}, "give a tensor"),
        ({"loss": lambda model, batch: None}, "type NoneType"),
        ({"loss": lambda model, batch: squared(model, batch).detach()}, "does not depend"),
        ({"epochs": 1.5}, "epochs = 1.5"),
        ({"batch_size": 0}, "batch_size = 0"),
        ({"seed": -1}, "seed = -1"),
        ({"lr": 0}, "lr = 0"),
        ({"lr": lambda epoch: -1.0}, "lr = -1.0"),
        ({"lr": lambda epoch: 0.1 - epoch, "batch_size": 10}, "lr = -0.1"),
        ({"eps": 0}, "eps = 0 must be a number above 0; 1e-8"),
        ({"lr": float("nan")}, "lr = nan"),
        ({"loss": taxed, "beta": -1}, "beta = -1 must be a number, 0 or above"),
        ({"loss": taxed, "beta": 10**400}, "is too large"),
        ({"loss": taxed, "beta": lambda epoch: 0.5 - epoch, "batch_size": 10}, "beta = -0.0999"),
        ({"loss": taxed, "beta": "1"}, "beta = '1'"),
        ({"loss": taxed, "beta": math.inf}, "beta = inf"),
        ({"beta": 1}, "the loss has no argument beta"),
        ({"data": torch.empty(0, 3)}, "hold no images"),
        ({"data": (torch.zeros(3, 3), torch.zeros(4, 1))}, "one length"),
        ({"held_out": torch.empty(0, 3)}, "hold no images"),
    ],
)
def test_bad_arguments(change, message):
    with pytest.raises(ValueError, match=message):
        fit(**{"model": Noisy(), "loss": squared, "data": regression(), "epochs": 1, **change})


def test_an_option_that_does_not_exist():
    with pytest.raises(TypeError, match="no option 'precision': besides its arguments it takes eps, device"):
        fit(Noisy(), squared, regression(), epochs=1, precision="bf16")


def test_a_constant_schedule_is_no_schedule():
    one, two = Noisy(), Noisy()
    fit(one, squared, regression(), epochs=3, lr=0.02, batch_size=16)
    fit(two, squared, regression(), epochs=3, lr=lambda epoch: np.float64(0.02), batch_size=16)
    assert torch.equal(weights(one), weights(two))


def test_a_schedule_is_asked_at_every_step_for_the_epochs_done():
    asked, seen = [], []

    def rate(epoch):
        asked.append(epoch)
        return 0.1 if epoch < 2 else 1e-12

    def watch(model, history):
        seen.append(weights(model))

    fit(Noisy(), squared, regression(), epochs=4, lr=rate, batch_size=16, watch=watch)
    assert asked[-16:] == pytest.approx([step / 4 for step in range(16)])
    assert (seen[1] - seen[0]).abs().max() > 0.01
    assert torch.allclose(seen[1], seen[3], atol=1e-8)


def test_a_run_with_a_schedule_goes_on_with_the_same_one(tmp_path):
    def rate(epoch):
        return 0.05 * (1 - epoch / 6)

    def stop(model, history):
        if len(history.train) == 2:
            raise KeyboardInterrupt

    path, whole, parts = tmp_path / "run.pt", Noisy(), Noisy()
    fit(whole, squared, regression(), epochs=4, lr=rate, batch_size=16)
    with pytest.raises(KeyboardInterrupt):
        fit(parts, squared, regression(), epochs=4, lr=rate, batch_size=16, checkpoint=path, watch=stop)
    for other in ({"lr": 0.06}, {"lr": lambda epoch: 0.06 * (1 - epoch / 6)}, {"eps": 1e-4}):
        options = {"epochs": 4, "lr": rate, "batch_size": 16, "checkpoint": path, **other}
        with pytest.raises(ValueError, match=r"another run \((lr|eps) differ\)"):
            fit(Noisy(), squared, regression(), **options)
    parts = Noisy()
    fit(parts, squared, regression(), epochs=3, lr=rate, batch_size=16, checkpoint=path)
    fit(parts, squared, regression(), epochs=4, lr=rate, batch_size=16, checkpoint=path)
    assert torch.equal(weights(whole), weights(parts))


def test_beta_moves_within_one_run_of_adam():
    """A loop by hand: one Adam, and β a Python number that changes at every step."""
    x, y = regression(20)
    ours, theirs = Noisy().to(DEVICE), Noisy().to(DEVICE)
    warm_up = lambda epoch: min(1.0, epoch / 4)  # noqa: E731
    fit(ours, taxed, (x, y), epochs=3, batch_size=8, lr=0.01, beta=warm_up, seed=2)
    optimizer = torch.optim.Adam(theirs.parameters(), lr=0.01, fused=True)
    batches, draws = [], []

    def spy(model, batch, beta):
        batches.append(batch)
        draws.append(torch.get_rng_state() if DEVICE.type == "cpu" else torch.cuda.get_rng_state())
        return taxed(model, batch, beta)

    fit(Noisy(), spy, (x, y), epochs=3, batch_size=8, lr=1e-9, beta=1, seed=2)
    for step, (batch, state) in enumerate(zip(batches, draws, strict=True)):
        torch.set_rng_state(state) if DEVICE.type == "cpu" else torch.cuda.set_rng_state(state)
        optimizer.zero_grad()
        taxed(theirs, batch, warm_up(step / 3)).mean().backward()
        optimizer.step()
    assert len(batches) == 9
    torch.testing.assert_close(weights(ours), weights(theirs), rtol=1e-6, atol=1e-7)


def test_a_constant_beta_is_that_of_the_loss():
    runs = [Noisy(), Noisy(), Noisy()]
    losses = [(partial(taxed, beta=0.3), {}), (taxed, {"beta": 0.3}), (taxed, {"beta": lambda epoch: 0.3})]
    seen = [
        fit(model, loss, regression(), epochs=3, batch_size=16, held_out=regression(), **beta)
        for model, (loss, beta) in zip(runs, losses)
    ]
    assert torch.equal(weights(runs[1]), weights(runs[2]))
    assert seen[1] == seen[2]
    torch.testing.assert_close(weights(runs[0]), weights(runs[1]), rtol=1e-5, atol=1e-6)  # a Python number
    assert seen[0].held_out == pytest.approx(seen[1].held_out, rel=1e-5)


def test_beta_of_the_bound_in_one_fit():
    """A VAE trained with β rising from 0 says more than one trained with β = 4."""
    x = (torch.rand(40, 1, 4, 4, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    said = {}
    for name, beta in {"rising": lambda epoch: epoch / 60, "high": 4.0}.items():
        torch.manual_seed(0)
        vae = VAE((1, 4, 4), 2, "bernoulli", hidden=16)
        fit(vae, negative_elbo, x, epochs=60, lr=0.01, beta=beta, progress=False)
        said[name] = elbo(vae, x.to(DEVICE)).kl.mean().item()
    assert said["rising"] > 0.3 + said["high"]


def test_a_run_with_a_moving_beta_goes_on_with_the_same_one(tmp_path):
    def rise(epoch):
        return epoch / 4

    path, whole, parts = tmp_path / "run.pt", Noisy(), Noisy()
    right = fit(whole, taxed, regression(), epochs=4, beta=rise, batch_size=16, held_out=regression())
    options = {"beta": rise, "batch_size": 16, "checkpoint": path, "held_out": regression()}
    fit(parts, taxed, regression(), epochs=3, **options)
    for other in (0.0, lambda epoch: epoch / 5, None):
        with pytest.raises(ValueError, match=r"another run \(beta.* differ\)"):
            fit(Noisy(), taxed, regression(), epochs=4, **options | {"beta": other})
    parts = Noisy()
    assert fit(parts, taxed, regression(), epochs=4, **options) == right
    assert torch.equal(weights(whole), weights(parts))


def test_eps_must_stay_the_same_either_way(tmp_path):
    path = tmp_path / "run.pt"
    fit(Noisy(), squared, regression(), epochs=1, eps=1e-4, checkpoint=path)
    with pytest.raises(ValueError, match=r"another run \(eps differ\)"):
        fit(Noisy(), squared, regression(), epochs=2, checkpoint=path)


def test_a_checkpoint_of_an_older_version_goes_on(tmp_path):
    """Its losses are a list, and it knows no eps."""
    path, whole, parts = tmp_path / "run.pt", Noisy(), Noisy()
    fit(whole, squared, regression(), epochs=2, batch_size=16)
    fit(parts, squared, regression(), epochs=1, batch_size=16, checkpoint=path)
    saved = torch.load(path, weights_only=True)
    assert saved["history"]["steps"].dtype == torch.float64
    saved["history"]["steps"] = saved["history"]["steps"].tolist()
    torch.save(saved | {"version": 2}, path)
    parts = Noisy()
    history = fit(parts, squared, regression(), epochs=2, batch_size=16, checkpoint=path)
    assert torch.equal(weights(whole), weights(parts))
    assert len(history.steps) == 8


def test_a_checkpoint_goes_on_with_the_options_of_this_device(tmp_path):
    """What the optimizer of the other device was told, such as a rate in a tensor, does not count."""
    path, whole, parts = tmp_path / "run.pt", Noisy(), Noisy()
    fit(whole, squared, regression(), epochs=2, batch_size=16)
    fit(parts, squared, regression(), epochs=1, batch_size=16, checkpoint=path)
    saved = torch.load(path, weights_only=True)
    saved["optimizer"]["param_groups"][0].update(lr=torch.tensor(0.5), capturable=True, eps=0.1)
    torch.save(saved, path)
    fit(parts, squared, regression(), epochs=2, batch_size=16, checkpoint=path)
    assert torch.equal(weights(whole), weights(parts))


def test_eps_is_adams():
    """One step: w − lr · g / (|g| + ε)."""
    x, y = regression()
    model = nn.Linear(3, 1).to(DEVICE)
    before = weights(model)
    squared(model, (x, y)).mean().backward()
    gradient = torch.cat([w.grad.flatten() for w in model.parameters()]).cpu()
    fit(model, squared, (x, y), epochs=1, batch_size=50, lr=0.1, eps=0.5)
    torch.testing.assert_close(weights(model), before - 0.1 * gradient / (gradient.abs() + 0.5))


def test_checkpoints_of_another_run(tmp_path):
    path, data = tmp_path / "run.pt", regression()
    fit(Noisy(), squared, data, epochs=1, checkpoint=path)
    before = path.read_bytes()
    x, y = data
    changes = [{"batch_size": 7}, {"lr": 0.5}, {"seed": 9}, {"data": regression(49)}, {"data": (x + 1, y)}]
    for change in [*changes, {"held_out": data}]:
        with pytest.raises(ValueError, match="belongs to another run"):
            fit(
                **{"model": Noisy(), "loss": squared, "data": data, "epochs": 2, "checkpoint": path, **change}
            )
    other = nn.Linear(3, 2)
    with pytest.raises(ValueError, match=r"another run \(weights"):
        fit(other, lambda m, b: m(b[0]).sum(1), data, epochs=2, checkpoint=path)
    thawed = Noisy()
    thawed.layer.bias.requires_grad_(False)
    with pytest.raises(ValueError, match=r"another run \(trained differ\)"):
        fit(thawed, squared, data, epochs=2, checkpoint=path)
    assert path.read_bytes() == before
    fit(Noisy(), squared, data, epochs=3, checkpoint=path)
    with pytest.raises(ValueError, match="trained for longer already"):
        fit(Noisy(), squared, data, epochs=2, checkpoint=path)


def test_checkpoint_paths_are_checked_before_any_work(tmp_path):
    def never(model, batch):
        raise AssertionError("work was done first")

    for path, message in [(tmp_path, "is a folder"), (tmp_path / "no" / "run.pt", "missing or cannot")]:
        with pytest.raises(ValueError, match=message):
            fit(Noisy(), never, regression(), epochs=1, checkpoint=path)


def test_a_checkpoint_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fit(Noisy(), squared, regression(), epochs=1, checkpoint="run.pt")
    assert len(fit(Noisy(), squared, regression(), epochs=2, checkpoint="run.pt").train) == 2


def test_a_gradient_that_is_not_finite_spares_the_checkpoint(tmp_path):
    path, data = tmp_path / "run.pt", regression()
    fit(Noisy(), squared, data, epochs=1, batch_size=50, checkpoint=path)
    before = path.read_bytes()

    def root_of_zero(model, batch):  # finite, but its gradient is 0 x inf
        return (squared(model, batch) * 0).sqrt() + 1

    with pytest.raises(FloatingPointError, match=r"a weight .* not finite after step 2 \(epoch 1\)"):
        fit(Noisy(), root_of_zero, data, epochs=2, batch_size=50, checkpoint=path)
    assert path.read_bytes() == before

    def bad_when_held_out(model, batch):
        return squared(model, batch) * (1 if model.training else float("nan"))

    with pytest.raises(FloatingPointError, match="held-out loss is not finite"):
        fit(Noisy(), bad_when_held_out, data, epochs=1, held_out=data)


def test_the_model_goes_to_the_device_and_back_to_training_mode():
    model = nn.Sequential(nn.Linear(3, 1), nn.Dropout(0.5)).eval()
    modes = []

    def watch(model, batch):
        modes.append(model.training)
        return squared(model, batch)

    fit(model, watch, regression(), epochs=1, held_out=regression(10))
    assert modes == [True, False]
    assert next(model.parameters()).device.type == DEVICE.type


def test_a_history_at_the_end_of_a_cell_is_no_flood():
    text = repr(History(steps=[1.0] * 10_000, train=[2.0], held_out=[3.0]))
    assert len(text) < 200
    assert "train=[2.0]" in text


def nosy(model, history):
    """A watch that does what it should not: it draws, and would train, were gradients on."""
    assert not model.training
    assert not torch.is_grad_enabled()
    history.watched.setdefault("steps so far", []).append(float(len(history.steps)))
    history.watched.setdefault("draw", []).append(torch.rand(1).item())
    torch.rand(1000)


@pytest.mark.parametrize("step", [5, 8])
def test_a_watch_sees_whole_epochs_and_changes_nothing(tmp_path, step):
    data, path = regression(), tmp_path / "run.pt"
    options = {"epochs": 3, "batch_size": 16, "lr": 0.01, "held_out": data}
    alone, seen, parts = Noisy(), Noisy(), Noisy()
    right, history = fit(alone, squared, data, **options), fit(seen, squared, data, watch=nosy, **options)
    assert torch.equal(weights(alone), weights(seen))
    assert (history.steps, history.held_out) == (right.steps, right.held_out)
    assert history.watched["steps so far"] == [4, 8, 12]
    assert len(set(history.watched["draw"])) == 1  # the same draws after every epoch can be compared
    fit(parts, interrupt_at(step), data, watch=nosy, checkpoint=path, **options)
    assert checkpoints.load(path)["history"]["watched"]["steps so far"] == [4, 8][: step // 4]
    assert fit(Noisy(), squared, data, watch=nosy, checkpoint=path, **options) == history
    assert "draw" not in repr(history)


def test_a_watch_that_fails_leaves_the_model_in_training_mode():
    def fails(model, history):
        raise ZeroDivisionError

    model = Noisy()
    with pytest.raises(ZeroDivisionError):
        fit(model, squared, regression(), epochs=1, watch=fails)
    assert model.training


def test_a_model_alone_is_no_run_to_go_on_with(tmp_path):
    model = Noisy()
    checkpoints.save(tmp_path / "model.pt", checkpoints.contents_of(model))
    with pytest.raises(ValueError, match="no training to go on with"):
        fit(model, squared, regression(), epochs=1, checkpoint=tmp_path / "model.pt")


def weighted(model, batch, weight=1.0):
    return weight * squared(model, batch)


def twice(model, batch):
    return 2 * squared(model, batch)


class Slope(nn.Module):
    """Two layers with an activation between them, of the same weights whatever it is."""

    def __init__(self, activation):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(3, 4), activation, nn.Linear(4, 1))

    def forward(self, x):
        return self.layers(x)


X, Y = regression()
OTHER = {
    "a loss of another name": (
        {"loss": weighted},
        {"loss": twice},
        "twice(), in the file weighted(weight=1)",
    ),
    "another argument of the loss": (
        {"loss": partial(weighted, weight=1.0)},
        {"loss": partial(weighted, weight=4.0)},
        "loss: weighted(weight=4), in the file weighted(weight=1)",
    ),
    "a partial of a partial": (
        {"loss": partial(partial(weighted), weight=torch.tensor(2.0))},
        {"loss": weighted},
        "in the file weighted(weight=2)",
    ),
    "an activation": (
        {"model": Slope(nn.ReLU())},
        {"model": Slope(nn.Tanh())},
        "layers: layers.1 Tanh(), in the file ReLU()",
    ),
    "a slope": (
        {"model": Slope(nn.LeakyReLU(0.1))},
        {"model": Slope(nn.LeakyReLU(0.2))},
        "LeakyReLU(negative_slope=0.2), in the file LeakyReLU(negative_slope=0.1)",
    ),
    "one number in the middle": ({}, {"data": (X + (torch.arange(50) == 30)[:, None].to(X), Y)}, "data: ["),
    "the order of the rows": ({}, {"data": (X[[0, 2, 1, *range(3, 50)]], Y)}, "data: ["),
    "held-out data": ({"held_out": (X, Y)}, {"held_out": (X, Y + Y.gt(1))}, "held-out data: ["),
    "a schedule": (
        {"lr": lambda epoch: 0.1 / (1 + epoch)},
        {"lr": lambda epoch: 0.1 / (1 + 2 * epoch)},
        "lr of the last step: 0.0",
    ),
    "a type": (
        {"model": Noisy().double(), "data": (X.double(), Y.double())},
        {},
        "dtypes: ['torch.float32']",
    ),
}


@pytest.mark.parametrize("change", OTHER)
def test_a_run_goes_on_only_as_the_run_it_was(tmp_path, change):
    first, then, words = OTHER[change]
    options = {"loss": squared, "data": (X, Y), "batch_size": 16, "checkpoint": tmp_path / "run.pt"}
    fit(**{"model": Noisy(), **options, "epochs": 1, **copy.deepcopy(first)})
    before = (tmp_path / "run.pt").read_bytes()
    for epochs in (1, 3):  # a finished run answers for no other, either
        with pytest.raises(ValueError, match="belongs to another run") as caught:
            fit(**{"model": Noisy(), **options, "epochs": epochs, **copy.deepcopy(then)})
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)
    assert (tmp_path / "run.pt").read_bytes() == before


def test_the_architecture_is_compared(tmp_path):
    """Even `min_sigma`, which is in no layer and no weight."""
    x, options = torch.rand(20, 1, 4, 4), {"checkpoint": tmp_path / "run.pt", "progress": False}
    fit(VAE((1, 4, 4), 2, min_sigma=0.1), negative_elbo, x, 1, **options)
    with pytest.raises(ValueError, match=r"architecture: min_sigma 0.2, in the file 0.1"):
        fit(VAE((1, 4, 4), 2, min_sigma=0.2), negative_elbo, x, 2, **options)


def test_mapped_images_are_known_again(tmp_path):
    content = torch.arange(20 * 16, dtype=torch.float32).reshape(20, 1, 4, 4).byte()
    options = {"checkpoint": tmp_path / "run.pt", "progress": False}
    model = lambda: VAE((1, 4, 4), 2)  # noqa: E731
    fit(model(), negative_elbo, MappedImages(content, torch.zeros(20).long()), 1, **options)
    fit(model(), negative_elbo, MappedImages(content.clone(), torch.zeros(20).long()), 2, **options)
    content[7, 0, 2, 2] += 1
    with pytest.raises(ValueError, match=r"another run \(data differ\)"):
        fit(model(), negative_elbo, MappedImages(content, torch.zeros(20).long()), 3, **options)


def test_a_line_says_where_training_goes_on(tmp_path, capsys):
    path = tmp_path / "run.pt"
    fit(Noisy(), squared, regression(), epochs=2, checkpoint=path)
    assert capsys.readouterr().out == ""
    fit(Noisy(), squared, regression(), epochs=2, checkpoint=path)
    assert capsys.readouterr().out == f"{path} has all 2 epochs already; nothing was trained.\n"
    fit(Noisy(), lambda m, b: squared(m, b), regression(), epochs=5, checkpoint=path)
    line = capsys.readouterr().out
    assert line.startswith(
        f"Training goes on at epoch 3 of 5 from {path}, with a loss that cannot be compared"
    )


def test_a_checksum_of_all_rows_takes_no_time():
    data = torch.rand(60_000, 784)
    before = time.process_time()
    rows.checksums(data)
    assert rows.first_not_finite(data) is None
    assert time.process_time() - before < 1  # 0.2 s alone


@pytest.mark.parametrize(
    "value", [np.float32(2), np.float64(2), np.array(2.0), torch.tensor(2.0), np.int64(2)]
)
def test_a_watch_may_record_any_number(tmp_path, value):
    def watch(model, history):
        history.watched.setdefault("a", []).append(value)

    path = tmp_path / "run.pt"
    history = fit(Noisy(), squared, regression(), epochs=2, watch=watch, checkpoint=path)
    assert history.watched == {"a": [2, 2]}
    assert type(history.watched["a"][0]) in (int, float)
    assert fit(Noisy(), squared, regression(), epochs=3, watch=watch, checkpoint=path).watched["a"] == [
        2,
        2,
        2,
    ]


def test_what_a_watch_cannot_keep_costs_no_epoch(tmp_path):
    def watch(model, history):
        history.watched.setdefault("a", []).extend([1.0, object()])

    path = tmp_path / "run.pt"
    with pytest.raises(ValueError, match=r"history.watched\['a'\]\[1\] is a object.*keeps the rest"):
        fit(Noisy(), squared, regression(), epochs=3, watch=watch, checkpoint=path)
    assert checkpoints.load(path)["history"]["watched"] == {"a": [1.0]}
    assert len(fit(Noisy(), squared, regression(), epochs=3, checkpoint=path).train) == 3


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", ["data", "held_out"])
def test_a_pixel_that_is_not_finite_is_blamed_on_its_image(value, where):
    def never(model, history):
        raise AssertionError("an epoch was trained first")

    x = torch.rand(30, 1, 4, 4)
    bad = x.clone()
    bad[17, 0, 2, 1] = value
    options = {"data": x, "held_out": x, where: bad, "watch": never, "progress": False}
    name = "the data" if where == "data" else "the held-out data"
    for loss, make in [
        (negative_elbo, lambda: VAE((1, 4, 4), 2)),
        (reconstruction_loss, lambda: deep((1, 4, 4), 2)),
    ]:
        with pytest.raises(ValueError, match=f"image 17 of {name} holds NaN or infinity"):
            fit(make(), loss, epochs=1, **options)


def test_a_loss_may_leave_out_what_is_missing():
    x, y = regression()
    x[5, 1] = math.nan
    history = fit(Noisy(), lambda m, b: squared(m, (b[0].nan_to_num(), b[1])), (x, y), epochs=1)
    assert len(history.train) == 1


FLOATS = torch.rand(8, 1, 4, 4)
KINDS = {
    "complex": (FLOATS + 0j, "are complex"),
    "sparse": (FLOATS.to_sparse(), "sparse or nested"),
    "meta": (FLOATS.to("meta"), "without values"),
    "one number": (torch.tensor(1.0), r"one number, of shape \(\)"),
    "float16": (FLOATS.half(), "float16"),
    "a tuple": ((FLOATS, torch.zeros(8)), "cannot take data of the kind tuple: give the images alone"),
    "Images": (Images(FLOATS, torch.zeros(8).long()), "kind Images: give .x"),
    "bool": (FLOATS > 0.5, "images of torch.bool: give floats"),
    "flat": (FLOATS.flatten(), "images"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loss", [negative_elbo, reconstruction_loss])
def test_data_that_a_loss_cannot_take(kind, loss):
    data, message = KINDS[kind]
    model = VAE((1, 4, 4), 2) if loss is negative_elbo else deep((1, 4, 4), 2)
    with pytest.raises(ValueError, match=message) as caught:
        fit(model, loss, data, epochs=1, progress=False)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_data_and_models_of_other_floats(tmp_path, dtype):
    model = lambda: VAE((1, 4, 4), 2).to(dtype)  # noqa: E731
    options = {"checkpoint": tmp_path / "run.pt", "progress": False}
    fit(model(), negative_elbo, FLOATS.to(dtype), 1, **options)
    assert len(fit(model(), negative_elbo, FLOATS.to(dtype), 3, **options).train) == 3
    fit(VAE((1, 4, 4), 2), negative_elbo, FLOATS.to(dtype), 1, progress=False)
    with pytest.raises(ValueError, match="is float16"):
        fit(VAE((1, 4, 4), 2).half(), negative_elbo, FLOATS, 1, progress=False)


@pytest.mark.parametrize("lr", [np.float32(0.5), np.float64(0.5), np.array(0.5), torch.tensor(0.5)])
def test_a_rate_may_be_any_number(lr):
    one, two = Noisy(), Noisy()
    fit(one, squared, regression(), epochs=1, lr=lr, eps=np.float32(0.25))
    fit(two, squared, regression(), epochs=1, lr=0.5, eps=0.25)
    assert torch.equal(weights(one), weights(two))


def test_a_batch_may_be_larger_than_the_data():
    assert len(fit(Noisy(), squared, regression(), epochs=2, batch_size=2**63).steps) == 2


def compiled(model):
    return torch.compile(model, backend="eager")


@pytest.mark.parametrize("before", [compiled, lambda model: model])
@pytest.mark.parametrize("after", [compiled, lambda model: model])
@pytest.mark.parametrize("normalized", [False, True])
def test_compiled_and_parametrized_models_go_on(tmp_path, before, after, normalized):
    def make():
        model = Noisy()
        if normalized:
            weight_norm(model.layer)
        return model

    options = {"batch_size": 16, "checkpoint": tmp_path / "run.pt"}
    whole, parts = make(), make()
    fit(whole, squared, regression(), epochs=3, batch_size=16)
    fit(before(make()), squared, regression(), epochs=1, **options)
    fit(after(parts), squared, regression(), epochs=3, **options)
    assert torch.equal(weights(whole), weights(parts))


def in_threads(works):
    """What each function returns or raises, all of them in threads at the same time."""
    found = [None] * len(works)

    def run(i):
        try:
            found[i] = works[i]()
        except Exception as error:
            found[i] = error

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


def test_threads_have_the_losses_that_each_has_alone(monkeypatch):
    monkeypatch.setattr(randomness, "TURN", 0.0)  # they take turns after every step
    models = [Noisy() for _ in range(6)]
    options = {"epochs": 4, "batch_size": 8}
    right = [fit(models[seed], squared, regression(), seed=seed, **options) for seed in range(2)]
    torch.manual_seed(3)
    works = [partial(fit, models[2 + i], squared, regression(), seed=i % 2, **options) for i in range(4)]
    assert in_threads(works) == right * 2
    after = torch.rand(1)
    torch.manual_seed(3)
    assert after == torch.rand(1)  # the caller's numbers stay what they were


def test_two_trainings_with_one_checkpoint(tmp_path):
    """One is told, and what it learned is in another file, from which it can go on."""
    path, other = tmp_path / "run.pt", []

    def elsewhere(model, history):
        if not other:
            with torch.enable_grad():
                other.append(fit(Noisy(), squared, regression(), epochs=1, seed=5, checkpoint=path))

    with pytest.raises(ValueError, match="written by another training") as caught:
        fit(Noisy(), squared, regression(), epochs=3, watch=elsewhere, checkpoint=path)
    assert checkpoints.load(path)["settings"]["seed"] == 5
    own = re.search(r"learned is in (\S+\.pt);", str(caught.value))[1]
    whole, parts = Noisy(), Noisy()
    fit(whole, squared, regression(), epochs=3)
    assert len(fit(parts, squared, regression(), epochs=3, checkpoint=own).train) == 3
    assert torch.equal(weights(whole), weights(parts))
    path.unlink()
    other.clear()
    with pytest.raises(ValueError, match=r"learned is in \S+run-3\.pt;"):  # run-2.pt stays
        fit(Noisy(), squared, regression(), epochs=3, watch=elsewhere, checkpoint=path)
    path.unlink()  # a file that is gone is written anew
    fit(
        Noisy(),
        squared,
        regression(),
        epochs=2,
        watch=lambda m, h: path.unlink(missing_ok=True),
        checkpoint=path,
    )
    assert len(checkpoints.load(path)["history"]["train"]) == 2


def test_ctrl_c_after_the_last_step_stops_nothing(tmp_path):
    path, signals = tmp_path / "run.pt", []

    def late(model, history):
        if len(history.train) == 2:
            signals.append(signal.raise_signal(signal.SIGINT))

    assert not fit(Noisy(), squared, regression(), epochs=2, watch=late, checkpoint=path).interrupted
    assert signals
    assert checkpoints.load(path)["history"]["interrupted"] is False


def test_threads_with_one_checkpoint(tmp_path):
    works = [
        partial(fit, Noisy(), squared, regression(), 3, seed=seed, checkpoint=tmp_path / "run.pt")
        for seed in range(4)
    ]
    found = in_threads(works)
    told = [error for error in found if isinstance(error, ValueError)]
    assert len(told) == 3
    late = [error for error in told if "belongs to another run" in str(error)]  # it has trained nothing yet
    own = [error for error in told if "what this one learned is in" in str(error)]
    assert len(late) + len(own) == 3
    assert len(list(tmp_path.iterdir())) == 1 + len(own)
    assert all(len(checkpoints.load(path)["history"]["train"]) >= 1 for path in tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM there")
def test_sigterm_ends_training_like_ctrl_c(tmp_path):
    def loss(model, batch):
        if model.training:
            signal.raise_signal(signal.SIGTERM)
        return squared(model, batch)

    path = tmp_path / "run.pt"
    assert fit(Noisy(), loss, regression(), epochs=9, batch_size=16, checkpoint=path).interrupted
    assert len(checkpoints.load(path)["history"]["steps"]) == 1
    assert interrupts.exit_code() == 143
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    seen = []
    signal.signal(signal.SIGTERM, lambda *_: seen.append(1))  # somebody else's stays
    try:
        assert not fit(Noisy(), loss, regression(), epochs=1, batch_size=50).interrupted
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert seen == [1]
    fit(Noisy(), interrupt_at(1), regression(), epochs=1)
    assert interrupts.exit_code() == 130


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes to fork")
def test_signals_at_random_moments_lose_nothing():
    """`python -m tests.interruptions 50` is the same with 50 runs for each signal."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.interruptions", "3"],
        # With a GPU in sight, autograd has threads of its own, and a fork can compute no gradients.
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": 3 runs") == 3


THREADS = """
import sys, torch
torch.set_num_threads(int(sys.argv[1]))
from vae_edu.elbo import negative_elbo
from vae_edu.train import fit
from vae_edu.vae import VAE
torch.manual_seed(0)
x = torch.rand(300, 1, 28, 28)
vae, epochs, path = VAE((1, 28, 28), 2, device="cpu"), int(sys.argv[2]), sys.argv[3]
fit(vae, negative_elbo, x, epochs, checkpoint=path, device="cpu")
"""


def test_weights_do_not_depend_on_the_number_of_threads(tmp_path):
    """Nor on another number for the second part of the run; but for the last bits, with three threads.

    Adam makes more of them where a gradient is nearly 0: other draws would move a weight by a thousandth.
    """
    for threads, epochs, name in [(1, 2, "1"), (2, 2, "2"), (3, 2, "3"), (1, 1, "mixed"), (3, 2, "mixed")]:
        command = [sys.executable, "-c", THREADS, str(threads), str(epochs), str(tmp_path / f"{name}.pt")]
        environment = {**os.environ, "TQDM_DISABLE": "1"}
        environment.pop("OMP_NUM_THREADS", None)
        subprocess.run(command, check=True, env=environment)
    right, *others = (checkpoints.load(tmp_path / f"{name}.pt") for name in ("1", "2", "3", "mixed"))
    for other in others:
        torch.testing.assert_close(other["history"]["steps"], right["history"]["steps"], rtol=1e-6, atol=0)
        for name, weight in right["model"].items():
            torch.testing.assert_close(other["model"][name], weight, rtol=0, atol=5e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": VAE}, "the model is the class VAE"),
        ({"model": lambda x: x}, "the model is a function"),
        ({"model": nn.Linear(3, 1, device="meta")}, "without values"),
        ({"model": nn.LazyLinear(1)}, "lazy layers"),
        ({"loss": None}, "loss = None is no function"),
        ({"watch": 3}, "watch = 3 is no function"),
        ({"lr": True}, "lr = True must be"),
        ({"lr": np.bool_(True)}, "lr = .*True.* must be"),
        ({"lr": 1j}, "lr = 1j must be"),
        ({"lr": 10**400}, "too large"),
        ({"eps": "1e-8"}, "eps = '1e-8' must be"),
        ({"seed": 2**64}, "seed = 18446744073709551616 must be a whole number below"),
        ({"seed": 10**5000}, "seed = a number of 16610 bits"),
        ({"epochs": 2**64}, "epochs = 18446744073709551616"),
        ({"checkpoint": 5}, "5 is not the path of a file"),
    ],
)
def test_more_bad_arguments(change, message):
    with pytest.raises(ValueError, match=message):
        fit(**{"model": Noisy(), "loss": squared, "data": regression(), "epochs": 1, **change})


def test_a_model_whose_about_cannot_be_kept_is_not_trained_first(tmp_path):
    def never(model, batch):
        raise AssertionError("work was done first")

    for about, message in [
        ({"a": {1}}, "is a set"),
        (5, "about is a int"),
        ({"data": 5}, "is 5, not the name"),
    ]:
        model = Noisy()
        model.about = about
        with pytest.raises(ValueError, match=message):
            fit(model, never, regression(), epochs=1, checkpoint=tmp_path / "run.pt")
