"""A file is there whole, or the older one is."""

import os
import subprocess
import sys
import time

import pytest

from vae_edu.engine import files
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


def dead():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.skipif(sys.platform == "win32", reason="a process is asked for by a signal")
def test_what_a_killed_process_left_is_removed_at_the_next_write(tmp_path):
    path, here, gone = tmp_path / "a.pt", files._machine(), dead()
    removed = [f"a.pt.{gone}-3-{here}.part", f"a.pt.{gone}.part", f"a.pt.{gone}-140231.part"]
    kept = [
        f"a.pt.{os.getppid()}-0-{here}.part",  # its process runs
        f"a.pt.{gone}-3-00000000.part",  # another machine's, whose processes cannot be seen
        f"b.pt.{gone}-3-{here}.part",  # of another file
        "a.pt.part",
        "a.pt.best.part",
    ]
    old = [f"a.pt.{gone}-4-00000000.part", f"a.pt.{os.getppid()}-1-{here}.part"]
    for name in [*removed, *kept, *old]:
        (tmp_path / name).write_text("half")
    for name in old:  # nobody has written them for more than a day
        os.utime(tmp_path / name, (time.time() - 90_000,) * 2)
    with whole_file(path) as part:
        part.write_text("new")
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(["a.pt", *kept])


def test_every_writer_has_its_own_temporary_file(tmp_path):
    with whole_file(tmp_path / "a") as one, whole_file(tmp_path / "a") as two:
        assert one != two
        one.write_text("one")
        two.write_text("two")
    assert [file.name for file in tmp_path.iterdir()] == ["a"]
