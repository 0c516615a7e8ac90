"""The tables of the benchmarks: their ratios, their place in SPEED.md, and training to a good model."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.benchmarks import good_model, others
from tests.benchmarks.__main__ import PAGE, line, write
from tests.benchmarks.good_model import MOST, Result
from tests.benchmarks.measure import Row, in_turns
from tests.benchmarks.rows import network
from vae_edu import elbo
from vae_edu.data import binarize, load_images
from vae_edu.train import evaluate
from vae_edu.vae import VAE


def test_ratios_are_taken_round_by_round():
    row = Row(
        "a thing", {"ours": [2.0, 3.0, 8.0], "products": [1.0, 2.0, 2.0], "DataLoader": [4.0, 9.0, 8.0]}
    )
    assert row.ratios("products") == (2.0, 1.5, 4.0)
    assert line("1", row) == ("| a thing | 1 | 3 s | 2 s | 2.00 (1.50–4.00) | DataLoader 2.00 (1.00–3.00) |")


def test_each_contender_has_its_turn_in_every_round():
    calls = []
    contenders = {"ours": lambda: calls.append("ours"), "products": lambda: calls.append("products")}
    row = in_turns("nothing", contenders, 3, units={"ours": 10})
    assert {name: len(seconds) for name, seconds in row.seconds.items()} == {"ours": 3, "products": 3}
    turns = re.sub(r"(\w)\1+", r"\1", "".join(call[0] for call in calls))
    assert turns == "op" * 4  # the first one warms up
    assert calls.count("ours") <= 1 + 3 * 50


def test_the_layers_of_a_network():
    assert network((400,), 20) == [(784, 400), (400, 40), (20, 400), (400, 784)]
    assert network((8, 9), 2) == [(784, 8), (8, 9), (9, 4), (2, 9), (9, 8), (8, 784)]


def test_a_table_takes_the_place_of_the_last_one_of_its_kind(tmp_path):
    text = PAGE.read_text(encoding="utf-8")
    copy = Path(tmp_path) / "SPEED.md"
    copy.write_text(text, encoding="utf-8")
    write("cpu", "a new table\n", copy)
    changed = copy.read_text(encoding="utf-8")
    assert "<!-- bench cpu -->\na new table\n<!-- /bench -->" in changed
    assert changed.split("<!-- bench cuda -->")[1] == text.split("<!-- bench cuda -->")[1]
    for kind in ("cpu", "cuda"):  # the present tables came from a run, and name its machine
        table = re.search(rf"<!-- bench {kind} -->\n(.*?)<!-- /bench -->", text, re.S)[1]
        assert re.match(r".+, PyTorch [\d.]+; medians of \d+ rounds", table)
        assert table.count("\n| training") >= 2
    good = re.search(r"<!-- bench good -->\n(.*?)<!-- /bench -->", text, re.S)[1]
    assert not good or re.match(r".+, PyTorch [\d.]+; medians of \d+ runs", good)


@pytest.fixture
def digits(tmp_path, monkeypatch):
    """A file of stroke digits, 300 for training and 100 for testing; on the CPU, as good_model measures."""
    monkeypatch.setenv("VAE_EDU_DEVICE", "cpu")
    bytes_of = {"train": 300, "test": 100}
    for split, n in bytes_of.items():
        bytes_of[split] = (255 * load_images("strokes", split, n=n).x[:, 0]).byte().numpy()
    np.savez(tmp_path / "digits.npz", x_train=bytes_of["train"], x_test=bytes_of["test"])
    return str(tmp_path / "digits.npz")


@pytest.mark.parametrize("name", ["DataLoader", "example", "pythae"])
def test_the_others_train_until_the_elbo_is_reached(name, digits):
    if name == "pythae":
        pytest.importorskip("pythae")
    first, again = (json.loads(good_model.one(name, digits, -1000.0, seed=0)) for _ in range(2))
    assert first["epochs"] == 1
    assert -600 < first["elbo"] < -300  # an untrained model has −784 log 2 = −543 nats
    assert again["elbo"] == pytest.approx(first["elbo"], rel=1e-5)  # the seed fixes the weights and all draws
    later = json.loads(good_model.one(name, digits, first["elbo"] + 50, seed=0))
    assert later["elbo"] >= first["elbo"] + 50
    assert 1 < later["epochs"] < MOST


def test_ours_trains_as_long_as_its_learning_rate_lasts(digits):
    found = json.loads(good_model.one("ours", digits, -1000.0, seed=0))
    assert found["epochs"] == good_model.EPOCHS
    assert -543 < found["elbo"] < -150


def test_who_never_gets_there_gives_up(monkeypatch, digits):
    monkeypatch.setattr(good_model, "MOST", 2)
    assert json.loads(good_model.one("DataLoader", digits, 0.0, seed=0))["epochs"] == 2


def test_the_held_out_elbo_is_that_of_evaluate_and_leaves_the_draws_of_training_alone(digits):
    x = binarize(load_images(digits, "test").x, seed=0)
    model = VAE((1, 28, 28), 20, "bernoulli", hidden=(30,))
    expected = -evaluate(model, elbo.negative_elbo, x)
    state = torch.get_rng_state()
    assert good_model.held_out_elbo(good_model.parts_of(model), digits) == pytest.approx(expected, rel=1e-3)
    assert torch.equal(state, torch.get_rng_state())


def test_the_example_takes_images_through_pillow_unchanged():
    x = load_images("strokes", n=5).x
    pictures = others.Pictures(x)
    torch.testing.assert_close(pictures[3][0], (255 * x[3].cpu()).round() / 255)
    assert pictures[3][0].shape == (1, 28, 28)


def test_the_time_is_that_of_a_process_without_what_measuring_takes(digits, monkeypatch):
    result = good_model.run("DataLoader", 1, 0, digits, target=-1000.0)
    assert result.epochs == 1
    assert result.seconds > 0.3  # importing PyTorch takes longer
    monkeypatch.setattr(good_model, "HIDDEN", 1)  # in this process alone
    assert json.loads(good_model.one("DataLoader", digits, -1000.0, 0))["elbo"] != result.elbo
    with pytest.raises(RuntimeError, match=r"ours failed:\n[\s\S]*no-such-file"):
        good_model.run("ours", 1, 0, "no-such-file.npz")


def test_lines_of_the_time_to_a_good_model():
    runs = {
        "ours": [Result(10.0, -104.5, 3, 1.0), Result(12.0, -104.7, 3, 1.0), Result(11.0, -104.6, 3, 1.0)],
        "DataLoader": [
            Result(30.0, -104.9, 8, 9.0),
            Result(24.0, -104.8, 7, 9.0),
            Result(33.0, -105, 8, 9.0),
        ],
        "example": [
            Result(90.0, -105.1, 40, 9.0),
            Result(90.0, -104.1, 40, 9.0),
            Result(90.0, -104, 40, 9.0),
        ],
    }
    ours, loader, example = (line.split(" | ")[1:] for line in good_model.lines(2, runs))
    assert ours == ["2", "11.0 (10.0 to 12.0)", "–", "3", "−104.6 (−104.7 to −104.5) |"]
    assert loader == [
        "2",
        "30.0 (24.0 to 33.0)",
        "3.00 (2.00 to 3.00)",
        "8 (7 to 8)",
        "−104.9 (−105.0 to −104.8) |",
    ]
    assert example[1:3] == ["not reached in 90.0", "–"]


def test_without_mnist_a_sentence_and_without_pythae_another(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(good_model.importlib.util, "find_spec", lambda name: None)
    assert good_model.installed() == ["ours", "DataLoader", "example"]
    assert capsys.readouterr().err == "pythae is not installed, and left out.\n"
    monkeypatch.setenv("VAE_EDU_DEVICE", "cpu")  # as main will, but only here
    monkeypatch.setenv("VAE_EDU_DATA", str(tmp_path / "mnist"))
    monkeypatch.setattr(sys, "argv", ["good_model"])
    assert good_model.main() == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("MNIST is not here, so nothing was measured: VAE_EDU_DATA=")
