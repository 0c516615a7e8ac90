"""Images that stay in their file: each batch is read when it is taken, for data larger than memory."""

from pathlib import Path

import torch
from torch import Tensor

from vae_edu.data.errors import DatasetError
from vae_edu.data.paths import kind_of
from vae_edu.data.pixels import as_floats
from vae_edu.engine.arguments import image_index

PIECE_BYTES = 1 << 22  # copied at a time


class MappedImages:
    """N images kept as bytes in a file, of which indexing reads some as float32 in [0, 1], byte / 255.

    They take the place of a float32 tensor x (N, C, H, W) wherever rows are read, as in `fit`, and need no
    memory that grows. `map_images` makes them.

    Attributes:
        labels: (N,) int64, or None if there are none.
        classes: The name of each label, or None if they have none.
        device: Where images come out.
    """

    def __init__(
        self,
        content: Tensor,
        labels: Tensor | None = None,
        rows: Tensor | None = None,
        *,
        classes: tuple[str, ...] | None = None,
        path: Path | None = None,
    ):
        """Keep the bytes, which are only read.

        Args:
            content: (M, C, H, W) uint8.
            labels: (N,) int64, or None.
            rows: (N,) int64, which of the M images these are; by default all of them.
            classes: The name of each label.
            path: Of the file that holds the content, if it does.

        Raises:
            ValueError: If the content is not uint8.
        """
        if content.dtype != torch.uint8:
            raise ValueError(f"mapped images are kept as uint8, not {content.dtype}.")
        self.labels, self.classes, self.device = labels, classes, content.device
        self._content, self._rows = content, rows
        self._path, self._size = path, path.stat().st_size if path else 0

    @property
    def shape(self) -> torch.Size:
        """(N, C, H, W)."""
        return torch.Size((len(self), *self._content.shape[1:]))

    def __len__(self) -> int:
        return len(self._content if self._rows is None else self._rows)

    def __getitem__(self, index: int | slice | list[int] | Tensor) -> Tensor:
        """Images (B, C, H, W) float32, B = 1 for an int. An index tensor may be on any device.

        Raises:
            IndexError: If there is no such image.
            DatasetError: If the file has become shorter: reading what is gone would end the process.
        """
        rows = image_index(index, len(self))
        if isinstance(rows, Tensor):
            rows = rows.to(self._content.device)
        return as_floats(self._bytes(rows).to(self.device))

    def to(self, device: torch.device | str) -> "MappedImages":
        """The same images, coming out on a device.

        The bytes go to a GPU if they take at most half of its free memory. Otherwise they stay in their
        file, and images are copied as they are taken.
        """
        device = torch.empty(0, device=device).device  # "cuda" is "cuda:0"
        labels = None if self.labels is None else self.labels.to(device)
        if device == self.device and labels is self.labels:
            return self
        content, rows, path = self._content, self._rows, self._path
        size = len(self) * content[0].numel()
        if device.type == "cuda" and size <= torch.cuda.mem_get_info(device)[0] / 2:
            content, rows = torch.empty(self.shape, dtype=torch.uint8, device=device), None
            path = None
            images = max(1, PIECE_BYTES // content[0].numel())
            for start in range(0, len(self), images):
                content[start : start + images].copy_(self._bytes(slice(start, start + images)))
        moved = MappedImages(content, labels, rows, classes=self.classes, path=path)
        moved.device = device
        return moved

    def _bytes(self, index: slice | list[int] | Tensor) -> Tensor:
        if self._path and (kind_of(self._path) != "file" or self._path.stat().st_size < self._size):
            raise DatasetError(
                f"{self._path} became shorter while it was in use: put it back, and start again."
            )
        if self._rows is not None:
            index = self._rows[index]
        if not isinstance(index, Tensor) or index.dtype == torch.bool:
            return self._content[index]
        index = torch.where(index < 0, index + len(self._content), index)
        return self._content.index_select(0, index)  # faster than self._content[index]
