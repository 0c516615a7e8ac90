"""The published table: its schedule and network, the command for a row, the runs that came with it."""

import json
import math
import re
import signal
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.test_commands import line_of
from vae_edu import device, options, reproduce
from vae_edu.__main__ import main
from vae_edu.active_units import active_units
from vae_edu.data import binarize, load_images
from vae_edu.marginal import importance_sampling
from vae_edu.schedules import cosine
from vae_edu.train import History
from vae_edu.vae import VAE

COMMAND = ["reproduce", "iwae", "--n", "20", "--samples", "10"]


@pytest.fixture(scope="module")
def folder(folder):
    return str(folder)


def test_the_schedule_is_the_papers_epoch_by_epoch():
    rates = [1e-3 * 10 ** (-i / 7) for i in range(8) for _ in range(3**i)]
    assert len(rates) == 3280
    for epoch, rate in enumerate(rates):
        assert reproduce.learning_rate(epoch) == pytest.approx(rate)
        assert reproduce.learning_rate(epoch + 0.99) == pytest.approx(rate)
    assert reproduce.learning_rate(5000) == pytest.approx(1e-4)


def test_a_short_training_takes_the_schedule_as_far_as_it_goes(monkeypatch):
    asked = {}
    monkeypatch.setattr(reproduce, "fit", lambda *arguments, **options: asked.update(options) or History())
    x = load_images("strokes", n=40).x
    reproduce.train(reproduce.network(x), x, 1, 8, schedule="paper")
    rates = [asked["lr"](epoch + 0.5) for epoch in range(8)]
    assert rates == pytest.approx([1e-3, *[1e-3 * 10 ** (-1 / 7)] * 3, *[1e-3 * 10 ** (-2 / 7)] * 4])
    assert (asked["batch_size"], asked["eps"]) == (20, 1e-4)


def test_without_a_word_it_is_the_cosine(monkeypatch):
    asked = {}
    monkeypatch.setattr(reproduce, "fit", lambda *arguments, **options: asked.update(options) or History())
    x = load_images("strokes", n=40).x
    for k, epochs, peak, batch in (
        (1, 1, 1.2e-2, 512),
        (5, 99, 1.2e-2, 512),
        (50, 4, 4e-3, 128),
        (50, 100, 2e-3, 128),
        (1, 1000, 1e-3, 128),
    ):
        reproduce.train(reproduce.network(x), x, k, epochs)
        right = cosine(peak, epochs, min(1, epochs / 10))
        for epoch in (0, 0.5 * epochs, 0.9 * epochs):
            assert asked["lr"](epoch) == right(epoch)
        assert (asked["batch_size"], asked["eps"]) == (batch, 1e-8)
    with pytest.raises(ValueError, match="there is no schedule step: choose cosine or paper"):
        reproduce.train(reproduce.network(x), x, 1, 2, schedule="step")


def test_the_network_is_the_papers():
    x = load_images("strokes", n=300).x
    vae = reproduce.network(x)
    layers = [layer for layer in vae.modules() if isinstance(layer, nn.Linear)]
    sizes = [(layer.in_features, layer.out_features) for layer in layers]
    assert sizes == [(784, 200), (200, 200), (200, 100), (50, 200), (200, 200), (200, 784)]
    for layer in layers:
        limit = math.sqrt(6 / (layer.in_features + layer.out_features))
        assert 0.95 * limit < layer.weight.abs().max() <= limit
        assert layer is layers[-1] or not layer.bias.any()
    assert sum(type(layer).__name__ == "Tanh" for layer in vae.modules()) == 4
    torch.testing.assert_close(layers[-1].bias.sigmoid(), x.mean(0).flatten().clamp(0.001, 0.999))
    assert torch.equal(reproduce.network(x).encoder[1].weight, vae.encoder[1].weight)
    assert not torch.equal(reproduce.network(x, seed=1).encoder[1].weight, vae.encoder[1].weight)


def test_a_budget_buys_whole_epochs(monkeypatch):
    x, clock, steps = load_images("strokes", n=41).x, [0.0], []

    def fit(vae, loss, few, epochs, **options):  # a step takes 0.002 s a sample, and at first thrice that
        steps.append(len(few) / options["batch_size"])
        clock[0] += steps[-1] * 0.002 * loss.keywords["samples"] * (3 if len(steps) % 2 else 1)
        return History()

    monkeypatch.setattr(reproduce, "fit", fit)
    monkeypatch.setattr(reproduce.time, "perf_counter", lambda: clock[0])
    assert reproduce.affordable_epochs(x, 5, 1 / 60, "paper") == (33, 0)  # epochs of three steps, in a second
    assert reproduce.affordable_epochs(x, 5, 1 / 60) == (100, 0)  # of one step
    assert reproduce.affordable_epochs(x, 5, 0.6 / 60) == (30, 50)  # half of the time for each part, at most
    assert reproduce.affordable_epochs(x, 1, 0.1 / 60) == (50, 0)
    assert reproduce.affordable_epochs(x, 5, 1e-6) == (1, 1)
    assert reproduce.affordable_epochs(x, 5, 1e-6, "paper") == (1, 0)
    assert reproduce.affordable_epochs(x, 5, 1e6) == (3280, 0)
    assert set(steps) == {reproduce.TRIAL_STEPS}
    steps.clear()
    reproduce.affordable_epochs(x, 50, 0.5 / 60)
    assert len(steps) == 4  # twice with 50 samples and twice with one: nothing is measured again
    assert options.SCHEDULES == reproduce.SCHEDULES
    monkeypatch.setattr(reproduce, "fit", lambda *arguments, **options: History(interrupted=True))
    with pytest.raises(KeyboardInterrupt):
        reproduce.affordable_epochs(x, 5, 1.0)


def test_a_run_is_what_its_numbers_say(folder, tmp_path, capsys):
    out = str(tmp_path / "k5.pt")
    options = [*COMMAND, "--k", "5", "--data", folder, "--epochs", "2", "--out", out]
    assert main([*options, "--json"]) == 0
    run = json.loads(capsys.readouterr().out)
    vae, gray = VAE.load(out), load_images(folder, "test", n=20).x
    x = binarize(gray.cpu(), seed=0).to(gray)  # another device would draw other images from this seed
    log_p_x = importance_sampling(vae, x, 10).log_p_x
    assert run["nll"] == pytest.approx(-log_p_x.mean().item())
    assert run["standard_error"] == pytest.approx(log_p_x.std().item() / math.sqrt(20))
    assert run["active_units"] == active_units(vae, x).sum()
    right = f"python -m vae_edu reproduce iwae --k 5 --data {folder} --epochs 2 --n 20 --samples 10"
    assert run["command"] == right
    assert (run["k"], run["epochs"], run["images"], run["samples"]) == (5, 2, 20, 10)
    assert run["training_minutes"] == pytest.approx(vae.about["training_minutes"], abs=0.006)
    assert main(options) == 2  # the file is there
    assert "--resume goes on with it" in line_of(capsys, 2)
    options = [*COMMAND, "--data", folder, "--out", out, "--resume"]
    assert main([*options, "--k", "5"]) == 0  # nothing is left to train
    table = capsys.readouterr().out
    assert f"{run['nll']:.2f} ± {run['standard_error']:.2f}" in table
    assert torch.equal(VAE.load(out).encoder[1].weight, vae.encoder[1].weight)
    assert main([*options, "--k", "1"]) == 2
    assert "was made with --k 5, not with --k 1" in line_of(capsys, 2)
    assert main(["evaluate", out, "--n", "5", "--samples", "5", "--json"]) == 0  # a model as any other
    assert json.loads(capsys.readouterr().out)["latent_dim"] == 50


def test_resumed_is_what_it_would_have_been(folder, tmp_path, monkeypatch, capsys):
    whole, parts = str(tmp_path / "whole.pt"), str(tmp_path / "parts.pt")
    options = [*COMMAND, "--k", "5", "--data", folder, "--json", "--out"]
    new = ["--schedule", "paper", "--epochs", "3", "--seed", "7"]  # in batches of 20: more steps
    assert main([*options, whole, *new]) == 0
    right = json.loads(capsys.readouterr().out)
    fit, calls = reproduce.fit, []

    def with_ctrl_c(vae, loss, x, *arguments, lr, **others):  # in the second of the three epochs
        def until(epoch):  # asked in every step, also if a CUDA graph replays the loss without calling it
            calls.append(epoch)
            if epoch > 1.3 and max(calls[:-1]) <= 1.3:
                signal.raise_signal(signal.SIGINT)
            return lr(epoch)

        return fit(vae, loss, x, *arguments, lr=until, **others)

    monkeypatch.setattr(reproduce, "fit", with_ctrl_c)
    assert main([*options, parts, *new]) == 130
    assert f"--k 5 --resume --out {parts} goes on." in capsys.readouterr().err
    assert 1.3 < max(calls) < 1.5  # that step was the last one
    minutes = VAE.load(parts).about["training_minutes"]
    monkeypatch.setattr(reproduce, "fit", fit)
    assert main([*options, parts, "--resume"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["nll"] == right["nll"]
    assert found["command"] == right["command"]
    assert "--seed 7" in found["command"]
    assert VAE.load(parts).about["training_minutes"] > minutes > 0


def test_a_training_that_begins_as_a_plain_vae(folder, tmp_path, monkeypatch, capsys):
    """Two calls of fit, one falling rate; stopped in either part, it goes on to the same end."""
    whole, parts = str(tmp_path / "whole.pt"), tmp_path / "parts.pt"
    options = [*COMMAND, "--k", "5", "--data", folder, "--json", "--out"]
    new = ["--epochs", "3", "--vae-epochs", "4", "--seed", "7"]
    fit, calls = reproduce.fit, []

    def recorded(vae, loss, x, epochs, *, lr, **others):
        calls.append((loss.keywords["samples"], epochs, lr(0.0), lr(epochs)))
        return fit(vae, loss, x, epochs, lr=lr, **others)

    monkeypatch.setattr(reproduce, "fit", recorded)
    assert main([*options, whole, *new]) == 0
    right = json.loads(capsys.readouterr().out)
    assert right["command"].endswith("--epochs 3 --vae-epochs 4 --seed 7 --n 20 --samples 10")
    (one, first, start, middle), (k, last, again, end) = calls
    assert (one, first, k, last) == (1, 4, 5, 3)
    assert start < middle == again
    assert end < 1e-5 * middle
    for stop in (1, 5):  # with so many samples

        def stopped(vae, loss, x, *arguments, lr, stop=stop, **others):
            def until(epoch):
                if epoch >= 1 and loss.keywords["samples"] == stop:
                    signal.raise_signal(signal.SIGINT)
                return lr(epoch)

            return fit(vae, loss, x, *arguments, lr=until, **others)

        monkeypatch.setattr(reproduce, "fit", stopped)
        assert main([*options, str(parts), *new]) == 130
        assert parts.exists() == (stop == 5)
        monkeypatch.setattr(reproduce, "fit", fit)
        capsys.readouterr()
        assert main([*options, str(parts), *new]) == 2
        assert "--resume goes on with it" in line_of(capsys, 2)
        assert main([*options, str(parts), "--resume"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["nll"], found["command"]) == (right["nll"], right["command"])
        assert [path.name for path in tmp_path.iterdir() if "parts" in path.name] == ["parts.pt"]
        parts.unlink()


def test_without_a_file_an_interruption_says_that_nothing_is_kept(folder, monkeypatch, capsys):
    monkeypatch.setattr(reproduce, "fit", lambda *arguments, **others: History(interrupted=True))
    assert main([*COMMAND, "--k", "5", "--data", folder, "--epochs", "3"]) == 130
    assert "Nothing is kept without --out." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "schedule", "epochs", "elsewhere"),
    [
        ([], "cosine", 33, 110),
        (["--budget", "6"], "cosine", 66, 66),
        (["--epochs", "4"], "cosine", 4, 4),
        (["--schedule", "cosine"], "cosine", 33, 110),
        (["--schedule", "paper"], "paper", 33, 3280),
        (["--schedule", "paper", "--budget", "6"], "paper", 66, 66),
    ],
)
def test_how_long_it_trains(folder, monkeypatch, options, schedule, epochs, elsewhere):
    """Three minutes on a CPU, ten on a GPU or all of the paper's epochs, unless it is told otherwise."""
    asked = []

    def train(vae, x, k, epochs, **others):
        asked.append((epochs, others["schedule"]))
        return History(interrupted=True)

    monkeypatch.setattr(reproduce, "train", train)
    monkeypatch.setattr(
        reproduce, "affordable_epochs", lambda x, k, minutes, schedule: (int(11 * minutes), 3)
    )
    main([*COMMAND, "--k", "5", "--data", folder, *options])
    assert asked == [(epochs if device().type == "cpu" else elsewhere, schedule)]


def test_a_file_from_before_goes_on_with_the_papers_schedule(folder, tmp_path, monkeypatch, capsys):
    out = str(tmp_path / "k1.pt")
    options = [*COMMAND, "--k", "1", "--data", folder, "--out", out]
    assert main([*options, "--schedule", "paper", "--epochs", "1"]) == 0
    assert "--schedule paper" not in capsys.readouterr().out
    vae = VAE.load(out)
    assert vae.about.pop("schedule") == "paper"
    vae.save(out)
    asked = []
    monkeypatch.setattr(reproduce, "fit", lambda *arguments, **others: asked.append(others) or History())
    assert main([*options, "--resume", "--json"]) == 0
    assert asked[0]["lr"] is reproduce.learning_rate
    assert "--schedule paper --epochs 1" in json.loads(capsys.readouterr().out)["command"]


def test_the_seed_is_that_of_the_weights_and_of_the_training(folder, monkeypatch):
    found = []

    def train(vae, x, k, epochs, **others):
        found.append((vae, x, others["seed"]))
        return History(interrupted=True)

    monkeypatch.setattr(reproduce, "train", train)
    main([*COMMAND, "--k", "5", "--data", folder, "--epochs", "1", "--seed", "7"])
    ((vae, x, seed),) = found
    assert seed == 7
    assert torch.equal(vae.encoder[1].weight, reproduce.network(x, seed=7).encoder[1].weight)


def test_minutes_are_minutes(folder, monkeypatch):
    clock = iter(range(0, 10**6, 30))  # whenever somebody looks, half a minute has passed
    monkeypatch.setattr(reproduce.time, "perf_counter", lambda: next(clock))
    x = load_images(folder, n=20).x
    vae = reproduce.network(x)
    vae.about = {"training_minutes": 5.0}
    reproduce.train(vae, x, 1, 3)
    assert vae.about["training_minutes"] == 5 + 3 * 0.5


def test_training_improves_the_measure(folder):
    x, test = load_images(folder).x, load_images(folder, "test").x
    vae = reproduce.network(x)
    before = reproduce.evaluate(vae, test, 20)
    reproduce.train(vae, x, 5, 15)
    after = reproduce.evaluate(vae, test, 20)
    assert after["nll"] < before["nll"] - 5
    assert 0 <= after["active_units"] <= 50


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--k", "7"], "invalid choice"),
        (["--k", "5", "--budget", "0"], "'0' must be a number of minutes above 0"),
        (["--k", "5", "--budget", "nan"], "minutes above 0"),
        (["--k", "5", "--budget", "soon"], "minutes above 0"),
        (["--k", "5", "--budget", "3", "--epochs", "2"], "not allowed with"),
        (["--k", "5", "--resume"], "--resume takes everything but --out"),
        (
            ["--k", "5", "--resume", "--out", "k.pt", "--epochs", "3"],
            "leave --epochs, --budget and --schedule out",
        ),
        (["--k", "5", "--resume", "--out", "k.pt", "--schedule", "paper"], "--schedule out"),
        (["--k", "5", "--schedule", "linear"], "invalid choice"),
        (["--k", "5", "--vae-epochs", "3"], "--vae-epochs goes with --epochs"),
        (["--k", "1", "--epochs", "3", "--vae-epochs", "3"], "--vae-epochs goes with --epochs"),
        (["--k", "5", "--epochs", "3", "--vae-epochs", "3", "--schedule", "paper"], "and the cosine"),
        (["--k", "5", "--resume", "--out", "no.pt"], "there is no checkpoint no.pt"),
        (["--k", "5", "--n", "99"], "has 40 test images"),
        (["--k", "5", "--out", "no/where/k5.pt"], "missing or cannot be written"),
        ([], "--k"),
    ],
)
def test_bad_input_is_one_line(folder, options, message, capsys):
    try:
        code = main(["reproduce", "iwae", "--data", folder, *options])
    except SystemExit as stopped:
        code = stopped.code
    assert message in line_of(capsys, code)


def test_the_runs_that_came_with_the_package():
    runs = reproduce.runs()
    assert {run["k"] for run in runs} == {1, 5, 50}
    for run in runs:
        words = (
            r"python -m vae_edu reproduce iwae --k (\d+)( --schedule paper)? --epochs (\d+)"
            r"( --vae-epochs (\d+))?( --samples 1000)?$"
        )
        found = re.match(words, run["command"])
        assert (int(found[1]), int(found[3])) == (run["k"], run["epochs"])
        assert (found[2] is not None) == (run["schedule"] == "paper")
        assert int(found[5] or 0) == run["vae_epochs"]
        assert (found[6] is not None) == (run["samples"] == 1000)
        assert run["data"] == "mnist"
        assert run["images"] == 10_000
        assert run["samples"] in (1000, 5000)  # fewer give a larger −log p(x)
        assert reproduce.PAPER[run["k"]][0] - 0.5 < run["nll"] < 120
        assert 0 < run["standard_error"] < 0.5
    page = (Path(__file__).parent.parent / "notebooks" / "PUBLISHED.md").read_text(encoding="utf-8")
    for run in runs:
        assert f"{run['nll']:.2f}" in page, "PUBLISHED.md gives other numbers"


def test_a_table_of_other_data_has_no_column_of_the_paper():
    run = {
        "k": 5,
        "epochs": 2,
        "schedule": "cosine",
        "training_minutes": 0.1,
        "machine": "here",
        "nll": 50.0,
        "standard_error": 1.0,
    }
    text = reproduce.table([{**run, "active_units": 3, "data": "strokes"}])
    assert "85.54" not in text
    assert "nan" not in text
    assert "50.00 ± 1.00" in text
    assert "85.54" in reproduce.table([{**run, "active_units": 3, "data": "mnist"}])
