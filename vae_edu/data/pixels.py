"""Grey images kept as bytes, in memory, on a GPU or in a file; rows come out as numbers in [0, 1]."""

import torch
from torch import Tensor

PIECE = 1 << 22  # bytes that are worked on at a time, where all images at once could be too many


class Pixels:
    """N images as bytes, of which indexing gives some as float32 in [0, 1], byte / 255, on `device`.

    It stands in for the tensor x (N, …) of the same numbers wherever rows of it are taken, as `fit` does, and
    needs a quarter of its memory; where the bytes are those of a mapped file, none that grows.
    """

    def __init__(self, content: Tensor, rows: Tensor | None = None, device: torch.device | None = None):
        """content: (M, …) uint8, only read. rows: (N,) int64 beside it, which of them; all without it.

        device: where images come out; where the bytes are without it. Raises ValueError for other dtypes.
        """
        if content.dtype != torch.uint8:
            raise ValueError(f"pixels are kept as uint8, not {content.dtype}: Pixels.pack takes floats.")
        self._content, self._rows = content, rows
        self.device = content.device if device is None else device

    @classmethod
    def pack(cls, x: Tensor) -> "Pixels | None":
        """x (N, …) as bytes on its device, or None unless every x is exactly byte / 255 in float32."""
        if x.dtype != torch.float32 or x.requires_grad or not x.numel():
            return None
        content = torch.empty(x.shape, dtype=torch.uint8, device=x.device)
        for piece, packed in _pieces(x, content):
            packed.copy_((255 * piece).round().clamp(0, 255))
            if not torch.equal(grey(packed), piece):
                return None
        return cls(content)

    @property
    def shape(self) -> torch.Size:
        """(N, …), as that of a tensor."""
        return torch.Size((len(self), *self._content.shape[1:]))

    def __len__(self) -> int:
        return len(self._content if self._rows is None else self._rows)

    def __getitem__(self, index: int | slice | Tensor) -> Tensor:
        """Images as a tensor (B, …) float32, B = 1 for an int. An index tensor may be on any device."""
        if isinstance(index, int) or (isinstance(index, Tensor) and index.dim() == 0):
            if not -len(self) <= index < len(self):  # a GPU would stop working for good
                raise IndexError(f"there is no image {int(index)} of {len(self)}.")
            index = [int(index)]
        if isinstance(index, Tensor):
            index = index.to(self._content.device)
        return grey(self._bytes(index).to(self.device))

    def to(self, device: torch.device | str) -> "Pixels":
        """The same images, coming out on a device.

        The bytes go to a GPU where they take at most half of its free memory; otherwise they stay where they
        are, and images are copied as they are asked for.
        """
        device = torch.empty(0, device=device).device  # "cuda" is "cuda:0"
        if device == self.device:
            return self
        size = len(self) * self._content[0].numel()
        if device.type != "cuda" or size > torch.cuda.mem_get_info(device)[0] / 2:
            return Pixels(self._content, self._rows, device)
        content = torch.empty(self.shape, dtype=torch.uint8, device=device)
        for rows, piece in _pieces(torch.arange(len(self), device=self._content.device), content):
            piece.copy_(self._bytes(rows))
        return Pixels(content)

    def _bytes(self, index: slice | list[int] | Tensor) -> Tensor:
        if self._rows is not None:
            index = self._rows[index]
        if not isinstance(index, Tensor) or index.dtype == torch.bool:
            return self._content[index]
        count = len(self._content)
        return self._content.index_select(0, torch.where(index < 0, index + count, index))  # faster than [ ]


def grey(content: Tensor) -> Tensor:
    """Bytes as float32 in [0, 1], byte / 255, of their shape and on their device."""
    return content.float().div_(255)


def _pieces(*columns: Tensor) -> zip:
    """The tensors' rows side by side, some at a time; the last one's size decides how many."""
    rows = max(1, PIECE // max(1, columns[-1][0].numel()))
    return zip(*(column.split(rows) for column in columns), strict=True)
