"""Hundreds of odd invocations of the command line: each works, or says in one line what is wrong with it."""

import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.test_commands import SMALL
from vae_edu import reproduce
from vae_edu.__main__ import main
from vae_edu.engine.checkpoint import save
from vae_edu.vae import VAE

WHOLE = [
    "0",
    "-1",
    "1.5",
    "nan",
    "1e3",
    "",
    " ",
    "9" * 30,
    "9" * 5000,
    "0x10",
    "True",
    "--",
    "٣",
    "1_0",
    "-0",
]
HUGE = ["99999999", "1000000000", "9223372036854775807", "9223372036854775808"]
NUMBER = ["nan", "inf", "-inf", "1e400", "-1", "0", "1e-320", "1e300", "", "abc", "0x1p3", "1e38", "-0.0"]
SEED = [*WHOLE, "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616"]
OUT = ["", " ", ".", "/", "..", "/dev/null", "no/such/a.png", "a" * 300, "a" * 240 + ".png", "/a" * 3000]
OUT += [
    "folder",
    "folder/",
    "there.txt",
    "ü\udcff.png",
    "a\nb.png",
    "a.jpg",
    ".png",
    "a.PNG",
    "link.png",
    "a b.pt",
]
MODEL = [
    "",
    ".",
    "/",
    "no.pt",
    "there.txt",
    "empty.pt",
    "history.pt",
    "other.pt",
    "odd.pt",
    "cut.pt",
    "folder",
]
DATA = [
    "",
    ".",
    "/",
    "no",
    "there.txt",
    "folder",
    "mnist\0",
    "strokes ",
    "/dev/null",
    "digits",
    "color",
    "one",
]
DEVICE = ["", "gpu", "cuda", "cuda:99", "meta", "mps", "cpu:0", "CPU", "0", "-1"]

ODD = {
    "train": {
        "--data": DATA,
        "--n": [*WHOLE, *HUGE],
        "--latent-dim": [*WHOLE, *HUGE],
        "--likelihood": ["gaussian", "gaussian_one_sigma", "poisson", ""],
        "--binarize": ["half", "stochastic", "no"],
        "--network": ["cnn", "rnn"],
        "--hidden": [*WHOLE, *HUGE, "3 4", "1"],
        "--beta": NUMBER,
        "--epochs": [*WHOLE, "99999999999999999999"],
        "--batch-size": [*WHOLE, *HUGE],
        "--lr": NUMBER,
        "--seed": SEED,
        "--out": [*OUT, *MODEL],
        "--resume": [None],
        "--mapped": [None],
        "--size": [*WHOLE, *HUGE, "4"],
        "--gray": [None],
        "--no-gray": [None],
        "--device": DEVICE,
    },
    "generate": {
        "": MODEL,
        "--n": [*WHOLE, *HUGE],
        "--columns": [*WHOLE, *HUGE],
        "--seed": SEED,
        "--out": OUT,
        "--mean": [None],
        "--device": DEVICE,
    },
    "edit": {
        "": MODEL,
        "--image": [*WHOLE, *HUGE],
        "--dim": [*WHOLE, *HUGE],
        "--values": [*NUMBER, "1 2 nan", " ".join(map(str, range(500)))],
        "--data": DATA,
        "--size": [*WHOLE, "4"],
        "--out": OUT,
        "--seed": SEED,
    },
    "evaluate": {
        "": MODEL,
        "--n": [*WHOLE, *HUGE, "1"],
        "--samples": [*WHOLE, "99999999999"],
        "--grid-points": [*WHOLE, *HUGE],
        "--grid-radius": NUMBER,
        "--data": DATA,
        "--seed": SEED,
        "--json": [None],
        "--device": DEVICE,
    },
    "reproduce": {
        "": ["vae", ""],
        "--k": [*WHOLE, "2"],
        "--epochs": WHOLE,
        "--vae-epochs": WHOLE,
        "--schedule": ["", "paper", "linear", "cosine "],
        "--budget": NUMBER,
        "--data": DATA,
        "--n": [*WHOLE, *HUGE],
        "--samples": [*WHOLE, "99999999999"],
        "--out": [*OUT, *MODEL],
        "--resume": [None],
        "--size": [*WHOLE, "4"],
        "--seed": SEED,
    },
    "grade": {
        "": ["", ".", "no", "there.txt", "folder"],
        "--out": OUT,
        "--lesson": ["", "99_no", "01_autoencoder"],
        "--seed": SEED,
    },
    "gradebook": {"": ["", ".", "no.csv", "there.txt", "folder"]},
}
USUAL = {
    "train": ["--data", "digits", *SMALL, "--epochs", "1", "--out", "new.pt"],
    "generate": ["model.pt", "--n", "4", "--out", "new.png"],
    "edit": ["model.pt", "--out", "new.png"],
    "evaluate": ["model.pt", "--samples", "3", "--grid-points", "40", "--n", "5"],
    "reproduce": ["iwae", "--k", "1", "--epochs", "1", "--samples", "2", "--n", "5", "--data", "digits"],
    "grade": ["folder", "--out", "new.csv"],
    "gradebook": ["there.txt", "there.txt"],
}
CASES = 300


def invocations():
    """Each odd value once, then several at a time."""
    cases = [
        (name, {option: value})
        for name, odd in ODD.items()
        for option, values in odd.items()
        for value in values
    ]
    chance = random.Random(0)
    chance.shuffle(cases)
    for _ in range(CASES // 3):
        name = chance.choice(list(ODD))
        some = chance.sample(list(ODD[name]), min(len(ODD[name]), 3))
        cases.append((name, {option: chance.choice(ODD[name][option]) for option in some}))
    return cases


def words_of(name, odd):
    words = list(USUAL[name])
    for option, value in odd.items():
        values = [] if value is None else value.split(" ") if option in ("--values", "--hidden") else [value]
        if not option:
            words[0] = value
        elif option in words and value is not None:
            words[words.index(option) + 1 : words.index(option) + 2] = values
        else:
            words += [option, *values]
    return [name, *words]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VAE_EDU_DATASET", raising=False)
    monkeypatch.setattr(reproduce, "EPOCHS", 2)
    random_images = np.random.default_rng(0)
    for folder, shape, test in (("digits", (8, 8), 12), ("color", (3, 8, 8), 12), ("one", (8, 8), 1)):
        Path(folder).mkdir()
        for stem, n in (("train", 40), ("t10k", test)):
            np.save(f"{folder}/{stem}-images.npy", random_images.integers(0, 256, (n, *shape), np.uint8))
            np.save(f"{folder}/{stem}-labels.npy", np.arange(n) % 10)
    Path("folder").mkdir()
    Path("there.txt").write_text("neither a model nor a table")
    Path("empty.pt").touch()
    Path("link.png").symlink_to("no/such/file")
    assert main(["train", *USUAL["train"][:-1], "model.pt"]) == 0
    save("history.pt", {"history": {"steps": torch.zeros(3)}})
    save("other.pt", {"model": {"a": torch.zeros(3)}, "architecture": {"layers": 3}, "about": {}})
    odd = VAE((1, 8, 8), 2, "bernoulli")
    odd.about = {"data": "nowhere", "options": {"hidden": {}, "lr": "fast"}}
    odd.save("odd.pt")
    Path("cut.pt").write_bytes(Path("model.pt").read_bytes()[:1000])
    return tmp_path


def content(folder):
    return {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}


def test_odd_invocations_work_or_say_in_a_line_what_is_wrong(place, capsys):
    """Exit code 0 or 2, one line at most beside the notes, no traceback, and no file after an error."""
    cases, wrong = invocations(), []
    assert len(cases) > CASES
    before = content(place)
    capsys.readouterr()
    for name, odd in cases:
        words = words_of(name, odd)
        try:
            code = main(words)
        except SystemExit as stop:
            code = stop.code
        except Exception as error:
            code = f"{type(error).__name__}: {error}"[:200]
        lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("note: ")]
        lines = [line for line in lines if ", schedule " not in line]  # what reproduce is about to do
        after = content(place)
        new = {path: after.get(path) for path in {*after, *before} if after.get(path) != before.get(path)}
        if code not in (0, 2) or len(lines) != (code == 2) or (code == 2 and new):
            wrong.append((words, code, lines, [str(path) for path in new]))
        for path in new:  # as it was
            if path in before:
                path.unlink()
                if before[path]:
                    path.write_bytes(before[path])
                else:
                    path.symlink_to("no/such/file")
            elif path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    assert not wrong, "\n".join(map(str, wrong))
