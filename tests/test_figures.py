"""The figures of the course as files: the same every time, vector graphics where we draw them."""

import base64
import json

import figures
import pictures
import pytest

from tests.figures import overlaps
from vae_edu.exercises import LESSONS
from vae_edu.grid import Grid


def small_waterfall():
    """Of a model that has hardly learned anything."""
    return pictures.waterfall(images=100, epochs=1, grid=Grid(points=41))


@pytest.mark.parametrize("form", ["svg", "pdf"])
def test_the_files_are_the_same_every_time(form, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(figures, "waterfall", small_waterfall)
    monkeypatch.setattr(figures, "committed", lambda: iter([("04_elbo_cell-12.png", b"a picture")]))
    found = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        monkeypatch.setattr(figures, "BUILD", folder)
        figures.main([form])
        found.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert found[0] == found[1]
    assert len(found[0]) == 10
    assert {f"waterfall.{form}", f"diagram_jensen.{form}", "04_elbo_cell-12.png"} <= found[0].keys()
    assert capsys.readouterr().out.startswith("wrote 10 files into ")


def test_the_figures_of_the_lessons_are_written_as_they_are(tmp_path):
    picture, other = b"a picture", b"another"
    data = [{"image/png": base64.b64encode(content).decode()} for content in (picture, other)]
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": "no picture"},
        {"output_type": "display_data", "data": data[0], "metadata": {"image/png": {"alt": "One thing."}}},
        {"output_type": "display_data", "data": data[1], "metadata": {}},
    ]
    cells = [{"cell_type": "markdown", "id": "a"}, {"cell_type": "code", "id": "bars", "outputs": outputs}]
    (tmp_path / "04_elbo.ipynb").write_text(json.dumps({"cells": cells}))
    assert dict(figures.committed(tmp_path)) == {
        "04_elbo_bars.png": picture,
        "04_elbo_bars.txt": b"One thing.\n",
        "04_elbo_bars_2.png": other,
    }


def test_every_lesson_has_figures():
    names = [name for name, _ in figures.committed()]
    assert {name[:2] for name in names} == {lesson[:2] for lesson in LESSONS}
    assert len(names) == len(set(names))


def test_help_says_what_is_written(capsys):
    with pytest.raises(SystemExit):
        figures.main(["--help"])
    written = capsys.readouterr().out
    assert "waterfall.svg" in written
    assert "04_elbo_cell-12.png" in written


def test_the_picture_of_the_readme_can_be_read():
    assert overlaps(small_waterfall()) == []
