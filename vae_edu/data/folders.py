"""Which array files a folder has: the four of MNIST, in the layouts of the usual archives, or .npy files."""

import os
from pathlib import Path
from typing import NamedTuple

from vae_edu.data.errors import DatasetError
from vae_edu.data.names import PARTS, Role, role_of, set_of
from vae_edu.data.paths import contents, kind_of
from vae_edu.data.splits import Part

DEPTH = 3  # folders in folders: torchvision has MNIST/raw, Kaggle a folder around each file


class Files(NamedTuple):
    """Images and, if there are any, their labels."""

    images: Path
    labels: Path | None


def array_files(folder: Path, name: str | None = None) -> dict[Part, Files]:
    """The array files of a folder, by the part that they are.

    Args:
        folder: Has the files, or folders with them.
        name: Of the one set that is wanted, such as emnist-letters, if there are several.

    Returns:
        Nothing if there are none.

    Raises:
        DatasetError: If there are several sets and none is named.
    """
    sets: dict[Path, dict[Role, Path]] = {}
    for path, role, home in _candidates(folder):
        files = sets.setdefault(home / role.name if role.name else home, {})
        files[role] = min(files.get(role, path), path, key=_preference)
    sets = {home: files for home, files in sets.items() if any(role.kind == "images" for role in files)}
    if name is not None:
        sets = {home: files for home, files in sets.items() if home.name == set_of(name)}
    if folder in sets and name is None:
        sets = {folder: sets[folder]}
    if len(sets) > 1:
        known = ", ".join(sorted(str(home) for home in sets))
        raise DatasetError(f"{folder} has several sets, {known}: name one of them.")
    return {part: files for found in sets.values() for part, files in _parts(found).items()}


def _parts(files: dict[Role, Path]) -> dict[Part, Files]:
    images = {role.part: path for role, path in files.items() if role.kind == "images"}
    labels = {role.part: path for role, path in files.items() if role.kind == "labels"}
    return {part: Files(path, labels.get(part)) for part, path in images.items()}


def _candidates(folder: Path, depth: int = DEPTH) -> list[tuple[Path, Role, Path]]:
    """Array files with their roles, and the folder that counts as theirs."""
    found: list[tuple[Path, Role, Path]] = []
    for path in contents(folder) if depth else ():
        role = role_of(path.name)
        if os.path.isdir(path):
            part = PARTS.get(path.name.lower())
            for file, known, home in _candidates(path, depth - 1):
                named = known._replace(part=part) if part and known.part is None else known
                found.append((file, named, folder if role or part else home))
        elif role and _is_array(path) and kind_of(path) == "file":
            found.append((path, role, folder))
    return found


def _is_array(path: Path) -> bool:
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    return suffix in ("", ".npy", ".ubyte") or suffix.startswith(".idx")


def _preference(path: Path) -> tuple:
    """What can be mapped comes first, then IDX files, then those with their usual names."""
    return path.suffix == ".gz", path.suffix == ".npy", len(path.parts), ".idx" in path.name, path.name
