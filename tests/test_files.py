"""A file is there whole, or the older one is."""

import pytest

from vae_edu.engine.files import whole_file


def test_the_new_file_takes_the_place_of_the_old_one(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("old")
    with whole_file(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("old")

    def interrupted():
        with whole_file(path) as part:
            part.write_text("ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
