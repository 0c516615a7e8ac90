"""IDX files against bytes built by hand."""

import gzip
import struct
import tracemalloc

import pytest
import torch

from vae_edu.data import DatasetError, read_idx

SMALL = b"\0\0\x08\x03" + struct.pack(">3I", 2, 2, 3) + bytes(range(12))


def test_a_file_built_by_hand(tmp_path):
    plain, gzipped = tmp_path / "plain", tmp_path / "gzipped.gz"
    plain.write_bytes(SMALL)
    gzipped.write_bytes(gzip.compress(SMALL))
    right = torch.tensor([[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]], dtype=torch.uint8)
    assert torch.equal(read_idx(plain), right)
    assert torch.equal(read_idx(str(gzipped)), right)


def test_labels_have_one_dimension(tmp_path):
    (tmp_path / "labels").write_bytes(b"\0\0\x08\x01" + struct.pack(">I", 3) + b"\x07\x02\x09")
    assert read_idx(tmp_path / "labels").tolist() == [7, 2, 9]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an IDX file"),
        (b"GIF89a and so on", "not an IDX file"),
        (b"\0\0\x0d" + SMALL[3:], "not an IDX file of unsigned bytes"),  # floats
        (b"\0\0\x08\0", "not an IDX file"),
        (b"\0\0\x08\x46" + bytes(280), "1 to 4 dimensions"),
        (b"\0\0\x08\x03" + struct.pack(">3I", 0, 2**32 - 1, 2**32 - 1), "holds nothing"),
        (SMALL[:9], "ends inside its header"),
        (SMALL[:-1], "fewer bytes than the 2 x 2 x 3"),
        (SMALL + b"\0", "more bytes than the 2 x 2 x 3"),
        (gzip.compress(SMALL)[:-9], "cut-off gzip"),
        (gzip.compress(SMALL)[:20] + b"\xff" * 9, "damaged"),
        (gzip.compress(SMALL)[:-5] + b"\0\0\0\0\0", "damaged"),  # wrong checksum
    ],
)
def test_broken_files(tmp_path, content, message):
    (tmp_path / "broken").write_bytes(content)
    with pytest.raises(DatasetError, match=message) as error:
        read_idx(tmp_path / "broken")
    assert "\n" not in str(error.value)


def test_missing_files_and_folders(tmp_path):
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(DatasetError, match="cannot be read"):
            read_idx(path)


def test_a_lying_header_allocates_nothing(tmp_path):
    liar = b"\0\0\x08\x03" + struct.pack(">3I", 2**31, 2**12, 2**12) + b"abc"
    for name, content in [("plain", liar), ("gzipped", gzip.compress(liar))]:
        (tmp_path / name).write_bytes(content)
        tracemalloc.start()
        with pytest.raises(DatasetError, match="fewer bytes"):
            read_idx(tmp_path / name)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 8 << 20
