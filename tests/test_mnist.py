"""The lessons on MNIST: what nbval compares is the same, and the tables' numbers for MNIST are right."""

import shutil
from pathlib import Path

import nbformat
import pytest
import run
import ties

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("[0-9]*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_lesson_says_the_same_on_mnist(path, mnist, tmp_path, monkeypatch):
    monkeypatch.setenv("VAE_EDU_DATASET", mnist)
    monkeypatch.setattr(run, "BUILD", tmp_path)
    result = run.run(path, inplace=False)
    assert result.failure is None
    committed = nbformat.read(path, as_version=4)
    executed = nbformat.read(tmp_path / path.name, as_version=4)
    for here, there in zip(committed.cells, executed.cells, strict=True):
        if "nbval-check-output" in here.metadata.get("tags", []):
            assert ties.output(there) == ties.output(here), here.source
    assert ties.problems(committed, ties.read(path.stem), executed) == []
    shutil.rmtree(tmp_path)
