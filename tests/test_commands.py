"""The command line, from the options to the files: in this process, or for Ctrl-C in another."""

import dataclasses
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from vae_edu import __version__, commands, options, reproduce
from vae_edu.__main__ import main
from vae_edu.data import MappedImages, binarize, load_images
from vae_edu.engine.checkpoint import load
from vae_edu.engine.checkpoint import save as save_checkpoint
from vae_edu.train import fit
from vae_edu.vae import VAE

SMALL = ["--hidden", "30", "--batch-size", "16"]


def trained(folder, made, epochs):
    """A small model of the digits, in a folder that is made for it."""
    path = made / "model.pt"
    assert main(["train", "--data", str(folder), *SMALL, "--epochs", str(epochs), "--out", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def model(folder, tmp_path_factory):
    return trained(folder, tmp_path_factory.mktemp("model"), epochs=40)


def line_of(capsys, code):
    """The one line that an error is."""
    assert code == 2
    text = capsys.readouterr().err
    assert text.count("\n") == 1, text
    return text


def run(*arguments, **options):
    command = [sys.executable, "-m", "vae_edu", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, **options)


def history_of(saved):
    return {**saved["history"], "steps": saved["history"]["steps"].tolist()}


def same_weights(one, two):
    one, two = load(one)["model"], load(two)["model"]
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_the_file_says_where_it_comes_from(model, folder):
    vae = VAE.load(model)
    assert vae.architecture["hidden"] == [30]
    assert vae.architecture["likelihood"] == "bernoulli"
    assert vae.about["data"] == str(folder)
    assert vae.about["binarize"] == "half"
    assert vae.about["options"]["batch_size"] == 16
    assert vae.about["options"]["lr"] == 1e-3


def test_the_last_line_of_training(folder, tmp_path, capsys):
    out = tmp_path / "m.pt"
    options = ["--likelihood", "gaussian", "--beta", "2", "--epochs", "3"]
    assert main(["train", "--data", str(folder), *SMALL, *options, "--out", str(out)]) == 0
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    assert str(out) in line
    vae, x = VAE.load(out), load_images(folder, "test").x
    with torch.no_grad():
        q = vae.encode(x)
        each = vae.decode(q.sample((4000,))).log_prob(x)  # (4000, images)
        kl = kl_divergence(q.base_dist, Normal(0.0, 1.0)).sum(1).mean().item()
    assert float(line.split("KL ")[1].split(")")[0]) == pytest.approx(kl, abs=0.006)
    bound = float(line.split("ELBO ")[1].split()[0])
    error = each.mean(1).std().item()  # of one draw an image, which differs between devices
    assert bound == pytest.approx(each.mean().item() - kl, abs=5 * error)  # whatever beta is
    assert error < 0.04 * abs(bound)
    assert "bits" not in line  # of a density
    assert (
        main(["train", "--data", str(folder), *SMALL, "--epochs", "1", "--out", str(tmp_path / "b.pt")]) == 0
    )
    line = capsys.readouterr().out
    bits, bound = float(line.split("), ")[1].split()[0]), float(line.split("ELBO ")[1].split()[0])
    assert bits == pytest.approx(-bound / 784 / math.log(2), abs=1e-4)


def test_no_bits_for_a_density_and_no_traceback_where_memory_ends(folder, tmp_path, capsys):
    out = str(tmp_path / "g.pt")
    assert (
        main(
            [
                "train",
                "--data",
                str(folder),
                *SMALL,
                "--likelihood",
                "gaussian",
                "--epochs",
                "1",
                "--out",
                out,
            ]
        )
        == 0
    )
    capsys.readouterr()
    assert main(["evaluate", out, "--n", "5", "--samples", "5", "--grid-points", "200", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bits_per_dimension"] is None
    assert main(["evaluate", out, "--n", "5", "--samples", "5", "--grid-points", "200"]) == 0
    assert "bits" not in capsys.readouterr().out
    huge = ["train", "--data", str(folder), "--hidden", "10000000000", "--out", str(tmp_path / "h.pt")]
    line = line_of(capsys, main(huge))
    assert "not enough memory" in line
    assert "--mapped" in line


def test_a_folder_is_no_model(tmp_path, capsys):
    assert "directory" in line_of(capsys, main(["evaluate", str(tmp_path)])).lower()


def test_evaluate_by_other_routes(model, folder, capsys):
    assert main(["evaluate", str(model), "--json", "--grid-points", "400", "--samples", "3000"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    vae, x = VAE.load(model), binarize(load_images(folder, "test").x)
    with torch.no_grad():
        q = vae.encode(x)
        kl = kl_divergence(q.base_dist, Normal(0.0, 1.0)).sum(1).cpu().numpy()
        reconstruction = vae.decode(q.sample((2000,))).log_prob(x).mean(0).cpu().numpy()
    assert numbers["kl"] == pytest.approx(kl.mean(), rel=1e-5)
    assert numbers["kl_standard_error"] == pytest.approx(np.std(kl, ddof=1) / np.sqrt(40), rel=1e-4)
    assert numbers["reconstruction"] == pytest.approx(reconstruction.mean(), abs=1)
    assert numbers["elbo"] == pytest.approx(numbers["reconstruction"] - numbers["kl"])
    assert numbers["bits_per_dimension"] == pytest.approx(-numbers["elbo"] / (784 * math.log(2)))
    spread = math.hypot(numbers["log_p_x_sampling_error"], 0.02)
    # For some images few samples count, and the estimate is too low; how many depends on what training drew.
    assert -1 < numbers["log_p_x"] - numbers["exact_log_p_x"] < 6 * spread
    assert numbers["gap"] == pytest.approx(numbers["exact_log_p_x"] - numbers["elbo"])
    assert numbers["gap"] > 0
    assert numbers["active_units"] == (q.mean.var(0) > 0.01).sum().item()
    assert (numbers["images"], numbers["latent_dim"], numbers["data"]) == (40, 2, str(folder))
    assert main(["evaluate", str(model), "--grid-points", "400", "--n", "40"]) == 0
    table = capsys.readouterr().out
    assert f"{numbers['elbo']:.4f}" in table
    assert f"{numbers['exact_log_p_x']:.4f}" in table


def test_evaluate_beyond_two_dimensions(folder, tmp_path, capsys):
    out = str(tmp_path / "m.pt")
    options = ["--latent-dim", "3", "--binarize", "stochastic", "--epochs", "1"]
    assert main(["train", "--data", str(folder), *SMALL, *options, "--out", out]) == 0
    capsys.readouterr()
    assert main(["evaluate", out, "--samples", "50", "--json"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["gap"] is numbers["exact_log_p_x"] is None
    vae = VAE.load(out)
    assert vae.about["binarize"] == "stochastic"
    x = binarize(load_images(folder, "test").x, seed=0)  # once and for all
    with torch.no_grad():
        kl = kl_divergence(vae.encode(x).base_dist, Normal(0.0, 1.0)).sum(1).mean().item()
    assert numbers["kl"] == pytest.approx(kl, rel=1e-5)
    assert main(["evaluate", out, "--samples", "50"]) == 0
    assert "exact" not in capsys.readouterr().out


def test_a_grid_that_does_not_fit_is_a_note(model, capsys):
    assert main(["evaluate", str(model), "--samples", "5", "--grid-points", "8", "--n", "9"]) == 0
    notes = capsys.readouterr().err.splitlines()
    assert notes
    assert all(note.startswith("note: ") for note in notes)
    assert any("raise points" in note for note in notes)


@pytest.mark.parametrize(
    "command",
    [
        ["generate", "--n", "10", "--columns", "5"],
        ["edit", "--image", "3", "--dim", "1", "--values", "-2", "2"],
    ],
)
def test_pictures_are_the_same_every_time(model, tmp_path, command):
    import matplotlib.pyplot as plt

    paths = [tmp_path / "one.png", tmp_path / "two.png"]
    for path in paths:
        assert main([command[0], str(model), *command[1:], "--out", str(path)]) == 0
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert b"Software" not in paths[0].read_bytes()  # the version of matplotlib
    assert not plt.get_fignums()
    assert plt.imread(paths[0]).min() < 0.1  # ink


def test_the_mean_and_another_seed_are_other_pictures(model, tmp_path):
    seen = set()
    for i, more in enumerate([[], ["--mean"], ["--seed", "1"]]):
        assert main(["generate", str(model), "--n", "4", *more, "--out", str(tmp_path / f"{i}.png")]) == 0
        seen.add((tmp_path / f"{i}.png").read_bytes())
    assert len(seen) == 3


def test_interrupted_and_resumed_equals_uninterrupted(folder, tmp_path):
    options = ["train", "--data", folder, *SMALL, "--epochs", "60", "--seed", "3", "--binarize", "stochastic"]
    whole, parts = tmp_path / "whole.pt", tmp_path / "parts.pt"
    assert main([*map(str, options), "--out", str(whole)]) == 0
    command = [sys.executable, "-m", "vae_edu", *map(str, options), "--out", str(parts)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not parts.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert f"--resume --out {parts} goes on" in errors
    assert "Traceback" not in errors
    stopped = len(load(parts)["history"]["steps"])
    assert 0 < stopped < 60 * 13
    assert not same_weights(parts, whole)
    result = run("train", "--resume", "--out", parts, cwd=folder)  # every option comes from the file
    assert result.returncode == 0, result.stderr
    assert same_weights(parts, whole)
    assert history_of(load(parts)) == history_of(load(whole))


@pytest.mark.parametrize("how", [["--binarize", "stochastic"], ["--likelihood", "gaussian"]])
def test_mapped_training_gives_the_same_weights(folder, tmp_path, how, monkeypatch):
    whole, mapped = str(tmp_path / "whole.pt"), str(tmp_path / "mapped.pt")
    options = ["train", "--data", str(folder), *SMALL, *how, "--images", "150"]
    assert main([*options, "--epochs", "2", "--out", whole]) == 0
    kinds = []
    monkeypatch.setattr(commands, "fit", lambda *a, **k: kinds.append(type(a[2])) or fit(*a, **k))
    assert main([*options, "--epochs", "1", "--mapped", "--out", mapped]) == 0
    assert main(["train", "--resume", "--epochs", "2", "--out", mapped]) == 0  # mapped again
    assert kinds == [MappedImages, MappedImages]
    assert same_weights(mapped, whole)
    assert history_of(load(mapped)) == history_of(load(whole))


def test_resume_takes_more_epochs_and_nothing_else(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(folder.parent)
    out, whole = str(tmp_path / "m.pt"), str(tmp_path / "whole.pt")
    options = ["train", "--data", folder.name, *SMALL, "--seed", "2"]
    assert main([*options, "--epochs", "1", "--out", out]) == 0
    monkeypatch.chdir(folder)  # the file knows where the data are
    for more, message in [
        (["--lr", "0.1"], "trained with --lr 0.001, not 0.1"),
        (["--beta", "3"], "--beta 1.0, not 3.0"),
        (["--data", "strokes"], "not strokes"),
        (["--latent-dim", "5"], "--latent-dim 2"),
        (["--hidden", "30", "30"], "--hidden [30]"),
    ]:
        capsys.readouterr()
        assert message in line_of(capsys, main(["train", "--resume", *more, "--out", out]))
    assert main(["train", "--resume", "--data", str(folder), "--epochs", "3", "--out", out]) == 0
    options[2] = str(folder)
    assert main([*options, "--epochs", "3", "--out", whole]) == 0
    assert same_weights(out, whole)
    assert load(out)["about"]["options"]["epochs"] == 3
    capsys.readouterr()
    assert "longer already" in line_of(capsys, main(["train", "--resume", "--epochs", "1", "--out", out]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--data", "nowhere", "--out", "a.pt"], "unknown data set"),
        (["train", "--data", ".", "--out", "a.pt"], "no train-images-idx3-ubyte"),
        (["train", "--out", "no/such/a.pt"], "missing or cannot be written"),
        (["train", "--out", "."], "is a folder"),
        (["train", "--out", "there.txt"], "exists already: --resume goes on"),
        (["train", "--out", "there.txt", "--resume"], "not a checkpoint"),
        (["train", "--out", "a.pt", "--resume"], "there is no checkpoint"),
        (["train", "--out", "model.pt", "--resume"], "not made by this command"),
        (["train", "--out", "a.pt", "--likelihood", "gaussian", "--binarize", "half"], "leave it out"),
        (["train", "--out", "a.pt", "--mapped"], "add --binarize stochastic"),
        (["train", "--out", "a.pt", "--mapped", "--likelihood", "gaussian"], "name a folder of files"),
        (["train", "--out", "a.pt", "--device", "gpu"], "gpu is not a device"),
        (["train", "--out", "a.pt", "--n", "20", "--lr", "nan"], "lr = nan"),
        (["train", "--out", "a.pt", "--n", "20", "--beta", "-1"], "beta = -1.0"),
        (["train", "--out", "a.pt", "--n", "300", "--lr", "1e30"], "lower lr"),
        (["evaluate", "model.pt"], "give --data"),
        (["evaluate", "there.txt"], "not a checkpoint"),
        (["evaluate", "nowhere.pt"], "there is no checkpoint"),
        (["evaluate", "model.pt", "--data", "strokes", "--n", "10"], "images of the model's shape"),
        (["evaluate", "model.pt", "--data", "strokes", "--n", "99999"], "ask for at most"),
        (["evaluate", "model.pt", "--grid-radius", "0"], "radius = 0"),
        (["generate", "model.pt", "--out", "a.jpg"], "name a .png file"),
        (["generate", "model.pt", "--out", "no/a.png"], "missing or cannot be written"),
        (["edit", "model.pt", "--data", "strokes", "--image", "10000", "--out", "a.png"], "0 to 9999"),
        (["edit", "model.pt", "--out", "a.png"], "give --data"),
    ],
)
def test_errors_are_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VAE_EDU_DATASET", raising=False)
    (tmp_path / "there.txt").write_text("not a model")
    VAE((1, 4, 4), 2).save("model.pt")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert message in line_of(capsys, main(arguments))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["paint"],
        ["train"],
        ["train", "--out", "a.pt", "--epochs", "0"],
        ["train", "--out", "a.pt", "--n", "1.5"],
        ["train", "--out", "a.pt", "--seed", "-1"],
        ["train", "--out", "a.pt", "--latent", "3"],
        ["generate", "a.pt", "--columns", "0", "--out", "a.png"],
    ],
)
def test_so_are_those_of_the_options(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    line_of(capsys, stop.value.code)


@pytest.mark.parametrize(
    "command",
    [
        ["train", "--epochs", "1"],
        ["train", "--epochs", "1", "--binarize", "stochastic", "--mapped"],
        ["train", "--resume", "--epochs", "41"],
        ["evaluate", "--samples", "5", "--grid-points", "100", "--n", "9"],
        ["generate", "--n", "4"],
        ["edit"],
        ["reproduce", "iwae", "--k", "1", "--budget", "0.0001", "--samples", "5"],
    ],
)
def test_the_device_of_the_command_line_comes_before_the_environments(
    folder, model, tmp_path, monkeypatch, command
):
    """Wherever something asked for the device without the option's name, the environment's would fail."""
    monkeypatch.setenv("VAE_EDU_DEVICE", "nowhere")
    monkeypatch.setattr(reproduce, "EPOCHS", 2)
    name, *options = command
    out = tmp_path / ("out.pt" if name in ("train", "reproduce") else "out.png")
    if "--resume" in options:
        out.write_bytes(model.read_bytes())
    elif name in ("train", "reproduce"):
        options += ["--data", str(folder)]
    else:
        options.insert(0, str(model))
    if name == "train" and "--resume" not in options:
        options += SMALL
    if name != "evaluate":
        options += ["--out", str(out)]
    before = dict(os.environ)
    assert main([name, *options, "--device", "cpu"]) == 0
    assert dict(os.environ) == before
    assert name == "evaluate" or out.exists()


@pytest.mark.parametrize(
    "command", [["generate", "--out", "a.png"], ["edit", "--out", "a.png"], ["evaluate"]]
)
def test_a_device_that_is_not_there(model, tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    name, *options = command
    error = line_of(capsys, main([name, str(model), *options, "--device", "gpu"]))
    assert "gpu is not a device" in error
    monkeypatch.setenv("VAE_EDU_DEVICE", "nowhere")
    assert "nowhere is not a device" in line_of(capsys, main([name, str(model), *options]))


def test_options_are_what_was_given_and_the_defaults(monkeypatch):
    seen = []
    for name in options.OPTIONS:
        monkeypatch.setattr(commands, name, lambda given: seen.append(given) or 0)
    assert main(["train", "--out", "a.pt", "--latent-dim", "3"]) == 0
    assert main(["edit", "a.pt", "--out", "a.png", "--values", "1", "2"]) == 0
    train, edit = seen
    assert train == options.Train("a.pt", latent_dim=3)
    assert edit == options.Edit("a.pt", "a.png", values=[1.0, 2.0])
    with pytest.raises(dataclasses.FrozenInstanceError):
        train.data = "mnist"


def test_a_file_whose_options_are_no_options(tmp_path, capsys):
    vae = VAE((1, 4, 4), 2)
    vae.about = {"options": "all of them"}
    vae.save(tmp_path / "a.pt")
    error = line_of(capsys, main(["train", "--resume", "--out", str(tmp_path / "a.pt")]))
    assert "not made by this command" in error
    save_checkpoint(tmp_path / "b.pt", {"model": 3})
    assert "holds no VAE" in line_of(capsys, main(["generate", str(tmp_path / "b.pt"), "--out", "b.png"]))


def test_an_interrupt_outside_of_training(model, monkeypatch, capsys):
    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "evaluate", interrupted)
    assert main(["evaluate", str(model)]) == 130
    assert capsys.readouterr().err == "python -m vae_edu evaluate: interrupted.\n"


def test_a_bug_shows_its_traceback(model, monkeypatch):
    monkeypatch.setattr(commands, "evaluate", lambda options: {}["key"])
    with pytest.raises(KeyError):
        main(["evaluate", str(model)])


def test_help_is_quick_and_has_examples():
    code = (
        "import sys; from vae_edu.__main__ import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'matplotlib', 'vae_edu.commands', 'vae_edu.train'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"
    assert "python -m vae_edu evaluate model.pt" in result.stdout
    for command in ("train", "generate", "edit", "evaluate"):
        assert run(command, "--help").returncode == 0


def test_every_key_of_json_is_explained(model, capsys):
    main(["evaluate", str(model), "--json", "--samples", "5", "--n", "9", "--grid-points", "100"])
    keys = json.loads(capsys.readouterr().out)
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    text = capsys.readouterr().out
    assert all(key.removesuffix("_standard_error") in text for key in keys)


def test_the_commands_of_the_page_run_as_shown(tmp_path):
    text = (Path(__file__).parent.parent / "notebooks" / "COMMANDS.md").read_text(encoding="utf-8")
    commands = re.search(r"```bash\n(python -m vae_edu train.*?)```", text, re.S)[1].splitlines()
    assert [line.split()[3] for line in commands] == ["train", "evaluate", "report", "generate", "edit"]
    for line in commands:
        done = run(*line.split()[3:], cwd=tmp_path)
        assert done.returncode == 0, (line, done.stderr)
    assert {path.name for path in tmp_path.iterdir()} == {
        "model.pt",
        "report.html",
        "samples.png",
        "edit.png",
    }


def write_arrays(folder, train, test):
    """Random black and white images of these shapes as the two .npy files of a set without labels."""
    folder.mkdir()
    numbers = np.random.default_rng(0)
    for stem, shape in (("train", train), ("t10k", test)):
        np.save(folder / f"{stem}-images.npy", (255 * numbers.integers(0, 2, shape)).astype(np.uint8))
    return folder


def test_version_and_no_words(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert (stop.value.code, capsys.readouterr().out) == (0, f"vae_edu {__version__}\n")
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 2
    assert "examples:" in capsys.readouterr().out


@pytest.mark.parametrize("channels", [(), (3,)], ids=["gray", "color"])
def test_large_images_and_a_single_one(tmp_path, capsys, channels):
    shape = (*channels, 512, 512)
    folder = write_arrays(tmp_path / "large", (6, *shape), (1, *shape))
    out = str(tmp_path / "m.pt")
    network = ["--network", "cnn", "--hidden", "8", "8", "--likelihood", "gaussian", "--epochs", "1"]
    assert main(["train", "--data", str(folder), *network, "--batch-size", "3", "--out", out]) == 0
    few = ["--samples", "3", "--grid-points", "6"]
    assert main(["evaluate", out, *few]) == 0
    printed = capsys.readouterr()
    assert "1 held-out image of" in printed.out
    assert "±" not in printed.out
    assert "active units" not in printed.out
    assert "note: a single image has no standard error" in printed.err
    assert main(["evaluate", out, *few, "--json"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["elbo"] is not None
    assert [name for name in numbers if numbers[name] is None] == [
        "elbo_standard_error",
        "reconstruction_standard_error",
        "kl_standard_error",
        "bits_per_dimension",
        "log_p_x_standard_error",
        "exact_log_p_x_standard_error",
        "active_units",
    ]


def test_a_model_remembers_how_its_pictures_were_made(tmp_path, capsys):
    folder, out = write_arrays(tmp_path / "color", (40, 3, 12, 12), (10, 3, 12, 12)), str(tmp_path / "m.pt")
    shape = ["--size", "8", "--gray"]
    options = [*shape, *SMALL, "--likelihood", "gaussian", "--epochs", "1"]
    assert main(["train", "--data", str(folder), *options, "--out", out]) == 0
    assert VAE.load(out).image_shape == (1, 8, 8)
    assert main(["train", "--resume", "--epochs", "2", "--out", out]) == 0
    capsys.readouterr()
    assert "--size 8, not 9" in line_of(capsys, main(["train", "--resume", "--size", "9", "--out", out]))
    few = ["--samples", "3", "--grid-points", "40", "--json"]
    assert main(["evaluate", out, *few]) == 0
    own = json.loads(capsys.readouterr().out)
    assert main(["evaluate", out, "--data", str(folder), *shape, *few]) == 0
    assert json.loads(capsys.readouterr().out) == own
    error = line_of(capsys, main(["evaluate", out, "--data", str(folder), *few]))
    assert "images of the model's shape" in error
    assert main(["edit", out, "--out", str(tmp_path / "a.png")]) == 0
    paper = ["reproduce", "iwae", "--k", "1", "--epochs", "1", "--n", "5", "--samples", "2", "--json"]
    assert main([*paper, "--data", str(folder), *shape, "--out", str(tmp_path / "k.pt")]) == 0
    command = json.loads(capsys.readouterr().out)["command"]
    assert f"--data {folder} --size 8 --gray --epochs 1" in command
    again = ["reproduce", "iwae", "--k", "1", "--n", "5", "--samples", "2", "--json", "--resume"]
    assert main([*again, "--out", str(tmp_path / "k.pt")]) == 0  # the data are those of the file
    assert json.loads(capsys.readouterr().out)["command"] == command


def test_what_cannot_be_measured_is_said_before_training(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(commands, "fit", None)
    monkeypatch.setattr(reproduce, "fit", None)
    odd = str(write_arrays(tmp_path / "odd", (40, 8, 8), (10, 9, 9)))
    one = str(write_arrays(tmp_path / "one", (40, 8, 8), (1, 8, 8)))
    out = str(tmp_path / "m.pt")
    paper = ["reproduce", "iwae", "--k", "1", "--epochs", "1"]
    assert "(1, 9, 9)" in line_of(capsys, main(["train", "--data", odd, *SMALL, "--out", out]))
    assert "(1, 9, 9)" in line_of(capsys, main([*paper, "--data", odd]))
    assert "a single test image" in line_of(capsys, main([*paper, "--data", one]))
    for name in ("a" * 300, "a" * 240):
        assert "too long a name" in line_of(capsys, main(["train", "--data", one, "--out", name]))


def test_what_no_memory_holds_is_refused_by_arithmetic(model, folder, tmp_path, capsys):
    picture = ["generate", str(model), "--out", str(tmp_path / "a.png"), "--n"]
    assert "there is memory for about" in line_of(capsys, main([*picture, "100000000"]))
    for option in ("--hidden", "--latent-dim"):
        for number in ("100000000", str(2**63 - 1)):
            words = ["train", "--data", str(folder), option, number, "--out", str(tmp_path / "a.pt")]
            assert "not enough memory" in line_of(capsys, main(words))
            assert "not enough memory" in line_of(capsys, main([*words, "--network", "cnn"]))
    assert not list(tmp_path.iterdir())
    assert "would take" in line_of(
        capsys, main(["train", "--n", "1000000000", "--out", str(tmp_path / "a.pt")])
    )


def test_numbers_that_are_not_finite_are_null_in_json():
    assert commands._json({"a": math.inf, "b": math.nan, "c": 1.5, "d": "x"}) == (
        '{"a": null, "b": null, "c": 1.5, "d": "x"}'
    )
