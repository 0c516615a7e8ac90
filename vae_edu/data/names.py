"""What the name of a file or an array says: train-images-idx3-ubyte, x_test, emnist-letters-train-labels."""

import re
from typing import NamedTuple

PARTS = {
    **dict.fromkeys(("train", "training", "tr"), "train"),
    **dict.fromkeys(("test", "testing", "t10k"), "test"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
}
KINDS = {
    **dict.fromkeys(("images", "image", "imgs", "img", "x", "data", "pixels"), "images"),
    **dict.fromkeys(("labels", "label", "y", "target", "targets"), "labels"),
}
ENDINGS = {"idx1", "idx2", "idx3", "idx4", "ubyte", "int", "idx", "npy", "gz"}


class Role(NamedTuple):
    """What a file is for: which set's, "train", "test", "val" or None, "images" or "labels"."""

    name: str
    part: str | None
    kind: str


def role_of(name: str) -> Role | None:
    """The role that a name speaks of, or None if it says nothing of images or labels."""
    spaced = re.sub(
        r"^([xy])(?=train|test|val)|(?<=train|valid)(?=[xy]\b)|(?<=test)(?=[xy]\b)", r"\1_", name.lower()
    )
    words = [word for word in re.split(r"[-_.\s]+", spaced) if word and word not in ENDINGS]
    parts = [PARTS[word] for word in words if word in PARTS]
    kinds = [KINDS[word] for word in words if word in KINDS]
    if len(parts) > 1 or len(kinds) != 1:
        return None
    others = [word for word in words if word not in PARTS and word not in KINDS]
    return Role("-".join(others), parts[0] if parts else None, kinds[0])


def set_of(name: str) -> str:
    """The name of a set as roles have it: emnist_letters is emnist-letters."""
    return "-".join(word for word in re.split(r"[-_.\s]+", name.lower()) if word)
