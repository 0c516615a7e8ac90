"""Checkpoint files: written whole or not at all, plain values only, and one sentence for any other file."""

import copy
import math
import os
import platform
import random
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

import vae_edu
from vae_edu.elbo import negative_elbo
from vae_edu.engine import checkpoint as checkpoints
from vae_edu.train import fit
from vae_edu.vae import VAE

CPU = {"batch_size": 20, "device": "cpu", "progress": False}


def test_checkpoint_files(tmp_path):
    path = tmp_path / "a.pt"
    checkpoints.save(path, {"numbers": [1, 2.5], "tensor": torch.arange(3)})
    assert checkpoints.load(path)["tensor"].tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="there is no checkpoint"):
        checkpoints.load(tmp_path / "nowhere.pt")
    whole = path.read_bytes()
    for damaged in (b"", whole[:200], whole[:-30], b"text, not a checkpoint"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged or not a checkpoint"):
            checkpoints.load(path)
    torch.save({"weights": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match="not a checkpoint of vae_edu"):
        checkpoints.load(path)
    torch.save(nn.Linear(2, 2), path)  # a pickled module would run code
    with pytest.raises(ValueError, match="damaged or not a checkpoint"):
        checkpoints.load(path)
    torch.save({"format": checkpoints.FORMAT, "version": checkpoints.VERSION + 1}, path)
    with pytest.raises(ValueError, match="newer vae_edu"):
        checkpoints.load(path)
    with pytest.raises(ValueError, match="missing or cannot be written"):
        checkpoints.save(tmp_path / "no" / "folder.pt", {})


@pytest.mark.skipif(sys.platform != "linux", reason="a file size limit stands in for a full disk")
def test_a_full_disk_keeps_the_older_checkpoint(tmp_path):
    code = (
        "import resource, sys, torch; from vae_edu.engine import checkpoint;"
        "checkpoint.save('a.pt', {'value': 1});"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000));"
        "checkpoint.save('a.pt', {'value': torch.zeros(100_000)})"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "ValueError: a.pt cannot be written" in run.stderr
    assert checkpoints.load(tmp_path / "a.pt")["value"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.pt"]


def test_the_versions_that_wrote_it(tmp_path):
    checkpoints.save(tmp_path / "a.pt", {})
    versions = {
        "vae_edu": vae_edu.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    assert checkpoints.load(tmp_path / "a.pt")["versions"] == versions


@pytest.mark.parametrize("thing", [{1, 2}, object(), lambda: 0, nn.Linear(1, 1), torch.float32])
def test_what_could_not_be_read_is_not_written(tmp_path, thing):
    path = tmp_path / "a.pt"
    with pytest.raises(ValueError, match=r"contents\['about'\]\['x'\]\[1\] is a .*make it a number"):
        checkpoints.save(path, {"about": {"x": [1, thing]}})
    assert not path.exists()


def test_a_file_without_a_version(tmp_path):
    for version in ({}, {"version": "new"}):
        torch.save({"format": checkpoints.FORMAT, **version}, tmp_path / "a.pt")
        with pytest.raises(ValueError, match="damaged"):
            checkpoints.load(tmp_path / "a.pt")


def small(path):
    """A file as `fit` writes it."""
    x = torch.rand(20, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    fit(VAE((1, 4, 4), 2, hidden=(5,), device="cpu"), negative_elbo, x, 2, checkpoint=path, **CPU)
    return x


def same(one, two):
    if isinstance(one, dict):
        return list(one) == list(two) and all(same(one[name], two[name]) for name in one)
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, torch.Tensor):
        return one.dtype == two.dtype and torch.equal(one, two)
    return type(one) is type(two) and one == two


def test_a_flipped_bit_is_refused_or_changes_nothing(tmp_path):
    """Bits at 400 places: half anywhere, half in the table of the parts, where PyTorch looks first."""
    path, chance = tmp_path / "a.pt", random.Random(0)
    small(path)
    whole, right, refused = path.read_bytes(), checkpoints.load(path), 0
    directory = whole.index(b"PK\x01\x02")
    for i in range(400):
        byte = chance.randrange(directory if i % 2 else 0, len(whole))
        flipped = bytearray(whole)
        flipped[byte] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)
        try:
            found = checkpoints.load(path)
        except ValueError:
            refused += 1
        else:
            assert same(found, right), f"a bit of byte {byte}"
    assert refused > 200


def changed(contents, place, value):
    """Contents with a value put at a place, a tuple of names; a value of `GONE` removes it."""
    contents = copy.deepcopy(contents)
    *above, last = place
    inner = contents
    for name in above:
        inner = inner[name]
    if value is GONE:
        del inner[last]
    else:
        inner[last] = value
    return contents


GONE = object()
MOMENT = ("optimizer", "state", 0, "exp_avg")
SECTIONS = ["model", "optimizer", "random", "history", "settings"]
CRAFTED = [
    *(((section,), value) for section in SECTIONS for value in (GONE, None, [], "x", 5, {}, torch.zeros(2))),
    *((MOMENT, value) for value in (GONE, None, 1.0, torch.zeros(1), torch.zeros(3), torch.zeros(0))),
    (MOMENT, torch.zeros(1).expand(5, 16)),
    (MOMENT, torch.zeros(16, 5)),
    (MOMENT, torch.full((5, 16), math.nan)),
    (MOMENT, torch.zeros(5, 16, dtype=torch.float64)),
    (MOMENT, torch.zeros(5, 16, dtype=torch.int32)),
    (MOMENT, torch.zeros(5, 16, dtype=torch.complex64)),
    (MOMENT, torch.zeros(5, 16).to_sparse()),
    (MOMENT, torch.zeros(5, 16, device="meta")),
    (("optimizer", "state", 0, "exp_avg_sq"), -torch.ones(5, 16)),
    *((("optimizer", "state", 0, "step"), step) for step in (-1.0, 0, 0.5, 99, math.nan, None, "2")),
    (("optimizer", "state", 0, "step"), torch.ones(2)),
    (("optimizer", "state", 0), None),
    (("optimizer", "state", 0, "max_exp_avg_sq"), torch.zeros(5, 16)),
    (("optimizer", "state", 99), {}),
    (("optimizer", "state", "0"), {}),
    (("optimizer", "state"), {}),
    *((("random", "cpu"), state) for state in (GONE, None, [1], torch.zeros(10), torch.zeros(7).byte())),
    (("random", "cpu"), torch.zeros(5056).byte()),
    (("random of other processes",), 3),
    (("random of other processes",), [None]),
    *((("history", "steps"), value) for value in (GONE, None, [], "x", {}, [True, 1.0], [math.nan, 1.0])),
    *((("history", "train"), value) for value in (GONE, None, [], "x", {}, [True, 1.0], [math.nan, 1.0])),
    (("history", "steps"), ["a", "b"]),
    (("history", "steps"), torch.zeros(2, 2)),
    (("history", "train"), [1.0]),
    (("history", "train"), [1.0] * 3),
    (("history", "held_out"), [1.0]),
    (("history", "watched"), None),
    (("history", "unit"), 3),
    (("settings", "lr"), GONE),
    (("settings", "weights"), GONE),
    (("model", "encoder.1.weight"), GONE),
    (("model", "encoder.1.weight"), torch.zeros(1).expand(5, 16)),
    (("model", "encoder.1.weight"), torch.full((5, 16), math.inf)),
    (("model", "encoder.1.weight"), torch.zeros(5, 16).long()),
    (("model", "encoder.1.weight"), torch.zeros(5, 16).bool()),
    (("model", "encoder.1.weight"), torch.zeros(5, 16).cfloat()),
    (("model", "encoder.1.weight"), [[0.0] * 16] * 5),
    (("model", 3), torch.zeros(1)),
    (("model", "more"), torch.zeros(1)),
]  # fmt: skip


@pytest.mark.parametrize("place_and_value", CRAFTED, ids=lambda pair: "-".join(map(str, pair[0])))
def test_a_crafted_file_gets_one_sentence(tmp_path, place_and_value):
    """Nothing reaches the optimizer, or the model, which stay what they are; nor does the file change."""
    path = tmp_path / "a.pt"
    x = small(path)
    torch.save(changed(torch.load(path, weights_only=True), *place_and_value), path)
    before, vae = path.read_bytes(), VAE((1, 4, 4), 2, hidden=(5,), device="cpu")
    weights = copy.deepcopy(vae.state_dict())
    with pytest.raises(ValueError, match="is damaged: ") as caught:
        fit(vae, negative_elbo, x, 4, checkpoint=path, **CPU)
    assert "\n" not in str(caught.value)
    assert same(vae.state_dict(), weights)
    assert path.read_bytes() == before


def test_a_file_without_checksums_is_refused(tmp_path):
    """A compressed archive, which could take more memory than it has bytes."""
    path = tmp_path / "a.pt"
    small(path)
    with zipfile.ZipFile(path) as archive:
        parts = {part: archive.read(part) for part in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, content in parts.items():
            archive.writestr(part, content)
    with pytest.raises(ValueError, match="is damaged: it is compressed"):
        checkpoints.load(path)


@pytest.mark.parametrize("value", [np.float64(2), np.int8(2), np.array(2.0), np.float32(2), np.str_("2")])
def test_numbers_of_numpy_become_pythons(tmp_path, value):
    checkpoints.save(tmp_path / "a.pt", {"about": {"x": [value]}})
    (found,) = checkpoints.load(tmp_path / "a.pt")["about"]["x"]
    assert type(found) in (int, float, str)
    assert found == value


def test_a_tensor_is_written_without_the_rest_of_its_storage(tmp_path):
    large = torch.arange(1e6)
    checkpoints.save(tmp_path / "a.pt", {"few": large[:3], "many": large[:1].expand(1000)})
    assert (tmp_path / "a.pt").stat().st_size < 10_000
    assert checkpoints.load(tmp_path / "a.pt")["few"].tolist() == [0, 1, 2]


def test_contents_that_hold_themselves(tmp_path):
    about = {}
    about["about"] = about
    with pytest.raises(ValueError, match="keep it flat"):
        checkpoints.save(tmp_path / "a.pt", {"about": about})


@pytest.mark.parametrize("path", [b"a.pt", 5, None, True, "a\0b", "x" * 300, "x" * 250])
def test_what_is_no_path(tmp_path, path):
    for work in (lambda: checkpoints.save(path, {}), lambda: checkpoints.load(path)):
        with pytest.raises(
            ValueError, match=r"not the path of a file|cannot be (written|read)|no checkpoint"
        ):
            work()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="is not a file"):
        checkpoints.load(tmp_path / "pipe")
    with pytest.raises(ValueError, match="a device or a pipe"):
        checkpoints.save(tmp_path / "pipe", {})


def test_a_part_that_claims_to_be_a_folder_is_refused(tmp_path):
    """PyTorch would read no bytes for it, and give what is in memory; its checksum still fits."""
    path = tmp_path / "a.pt"
    small(path)
    whole, place = bytearray(path.read_bytes()), 0
    parts = 0
    while (place := whole.find(b"PK\x01\x02", place)) >= 0:
        flipped = bytearray(whole)
        flipped[place + 38] ^= 0x10  # the attributes of a file under DOS
        path.write_bytes(flipped)
        with pytest.raises(ValueError, match="is damaged: a part has attributes"):
            checkpoints.load(path)
        place, parts = place + 1, parts + 1
    assert parts > 10
