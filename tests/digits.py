"""IDX files, and stroke digits as those of a data set, for tests that need a folder."""

import struct

from vae_edu.data import load_images

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def write_idx(path, array, kind="u1"):
    """An array as an IDX file, in one of the types that the format has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = bytes([0, 0, CODES[kind], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(header + array.astype(f">{kind}").tobytes())


def write_digits(folder):
    """Stroke digits as the four IDX files of a data set: 203 to train on, 40 to test."""
    for stem, split, n in [("train", "train", 203), ("t10k", "test", 40)]:
        images = load_images("strokes", split, n).to("cpu")
        write_idx(folder / f"{stem}-images-idx3-ubyte", (255 * images.x[:, 0]).round().byte().numpy())
        write_idx(folder / f"{stem}-labels-idx1-ubyte", images.labels.byte().numpy())
    return folder
