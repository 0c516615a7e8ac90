"""IDX and .npy files against bytes built by hand."""

import gzip
import io
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from vae_edu.data import DatasetError, read_idx
from vae_edu.data.idx import read_array


def read_npy(path):
    return torch.from_numpy(read_array(Path(path)))


def map_file(path):
    return torch.from_numpy(np.array(read_array(Path(path), mapped=True)))


SMALL = b"\0\0\x08\x03" + struct.pack(">3I", 2, 2, 3) + bytes(range(12))
GZIPPED = gzip.compress(SMALL, mtime=0)  # without the time, so that every process has the same bytes


def test_a_file_built_by_hand(tmp_path):
    plain, gzipped = tmp_path / "plain", tmp_path / "gzipped.gz"
    plain.write_bytes(SMALL)
    gzipped.write_bytes(GZIPPED)
    right = torch.tensor([[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]], dtype=torch.uint8)
    assert torch.equal(read_idx(plain), right)
    assert torch.equal(read_idx(str(gzipped)), right)


def test_labels_have_one_dimension(tmp_path):
    (tmp_path / "labels").write_bytes(b"\0\0\x08\x01" + struct.pack(">I", 3) + b"\x07\x02\x09")
    assert read_idx(tmp_path / "labels").tolist() == [7, 2, 9]


@pytest.mark.parametrize("read", [read_idx, map_file])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an IDX file"),
        (b"GIF89a and so on", "not an IDX file"),
        (b"\0\0\x0a" + SMALL[3:], "not an IDX file"),  # no such type
        (b"\0\0\x0d" + SMALL[3:], "fewer bytes than the 2 x 2 x 3 x 4"),  # floats
        (b"\0\0\x08\0", "not an IDX file"),
        (b"\0\0\x08\x46" + bytes(280), "1 to 4 dimensions"),
        (b"\0\0\x08\x03" + struct.pack(">3I", 0, 2**32 - 1, 2**32 - 1), "holds nothing"),
        (SMALL[:9], "ends inside its header"),
        (SMALL[:-1], "fewer bytes than the 2 x 2 x 3"),
        (SMALL + b"\0", "more bytes than the 2 x 2 x 3"),
    ],
)
def test_broken_files(tmp_path, read, content, message):
    (tmp_path / "broken").write_bytes(content)
    with pytest.raises(DatasetError, match=message) as error:
        read(tmp_path / "broken")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GZIPPED[:-9], "cut-off gzip"),
        (GZIPPED[:20] + b"\xff" * 9, "damaged"),
        (GZIPPED[:-5] + b"\0\0\0\0\0", "damaged"),
    ],
    ids=["cut off", "bad data", "wrong checksum"],
)
def test_broken_gzip(tmp_path, content, message):
    (tmp_path / "broken").write_bytes(content)
    with pytest.raises(DatasetError, match=message) as error:
        read_idx(tmp_path / "broken")
    assert "\n" not in str(error.value)
    with pytest.raises(DatasetError, match="a gzipped file cannot be mapped: gunzip it first"):
        map_file(tmp_path / "broken")


def test_a_mapped_file_is_the_file(tmp_path):
    (tmp_path / "plain").write_bytes(SMALL)
    assert torch.equal(map_file(str(tmp_path / "plain")), read_idx(tmp_path / "plain"))
    for array in (np.arange(12, dtype=np.uint8).reshape(2, 2, 3), np.arange(5, dtype=np.uint8)):
        np.save(tmp_path / "a.npy", array)
        for read in (map_file, read_npy):
            assert np.array_equal(read(tmp_path / "a.npy").numpy(), array)
            assert read(tmp_path / "a.npy").dtype == torch.uint8


@pytest.mark.parametrize("kind", ["<i2", ">i4", "<i8", "u4", "i1", ">f8", "?"])
def test_npy_of_other_numbers(tmp_path, kind):
    right = np.array([7, 0, 99], kind)
    np.save(tmp_path / "a.npy", right)
    for mapped in (False, True):
        array = read_array(tmp_path / "a.npy", mapped)
        assert array.dtype == right.dtype
        assert array.tolist() == right.tolist()


@pytest.mark.parametrize(
    ("code", "kind"), [(0x08, "u1"), (0x09, "i1"), (0x0B, "i2"), (0x0C, "i4"), (0x0D, "f4"), (0x0E, "f8")]
)
def test_idx_of_every_type(tmp_path, code, kind):
    """Numbers packed by `struct`, big-endian as the format says."""
    numbers = [1, 2, 3, 100, 127, 5] if kind == "u1" else [1, -2, 3, -100, 127, 5]
    letter = {"u1": "B", "i1": "b", "i2": "h", "i4": "i", "f4": "f", "f8": "d"}[kind]
    data = bytes([0, 0, code, 2]) + struct.pack(">2I", 2, 3) + struct.pack(f">6{letter}", *numbers)
    for name, content in (("plain", data), ("zipped.gz", gzip.compress(data))):
        (tmp_path / name).write_bytes(content)
        assert read_idx(tmp_path / name).flatten().tolist() == numbers
        assert read_idx(tmp_path / name).numpy().dtype == np.dtype(kind)
    assert read_array(tmp_path / "plain", mapped=True).flatten().tolist() == numbers


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


BYTES = npy(np.arange(12, dtype=np.uint8).reshape(2, 2, 3))


@pytest.mark.parametrize("read", [read_npy, map_file])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a .npy file"),
        (SMALL, "not a .npy file"),
        (BYTES[:50], "not a .npy file of numbers, or is cut off"),
        (BYTES.replace(b"), }", b"((  "), "not a .npy file"),
        (BYTES[:-1], "not a .npy file of numbers, or is cut off"),
        (BYTES + b"\0", "more bytes than the 2 x 2 x 3"),
        (npy(np.zeros((0, 4, 4), np.uint8)), "holds nothing|not a .npy file of numbers"),
        (npy(np.uint8(3)), "holds nothing"),
        (npy(np.array([{}, None])), "not a .npy file of numbers"),
        (BYTES.replace(b"(2, 2, 3)", b"(2,2,True"), "not a .npy file of numbers"),
        (BYTES.replace(b"(2, 2, 3), }   ", b"(2, 2, True), }"), "not a .npy file of numbers"),
    ],
)
def test_broken_npy_files(tmp_path, read, content, message):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(DatasetError, match=message) as error:
        read(tmp_path / "a.npy")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("read", [read_idx, read_npy, map_file])
def test_missing_files_and_folders(tmp_path, read):
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(DatasetError, match="cannot be read"):
            read(path)


def test_a_lying_header_allocates_nothing(tmp_path):
    liar = b"\0\0\x08\x03" + struct.pack(">3I", 2**31, 2**12, 2**12) + b"abc"
    lies = BYTES.replace(b"(2, 2, 3), }            ", b"(9999999, 9999, 9999), }")
    assert lies != BYTES
    for name, content, read in [
        ("plain", liar, read_idx),
        ("gzipped", gzip.compress(liar, mtime=0), read_idx),
        ("mapped", liar, map_file),
        ("a.npy", lies, read_npy),
        ("b.npy", lies, map_file),
    ]:
        (tmp_path / name).write_bytes(content)
        tracemalloc.start()
        with pytest.raises(DatasetError, match=r"fewer bytes|is cut off"):
            read(tmp_path / name)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 8 << 20
