"""Standard output and error that cannot stop the work: of any encoding, closed, or with nobody reading."""

import codecs
import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

PLAIN = {"−": "-", "–": "-", "±": "+-", "×": "x", "→": "->", "…": "...", "’": "'", "“": '"', "”": '"'}


@contextmanager
def any_encoding() -> Iterator[None]:
    """Inside, what stdout's or stderr's encoding lacks is written in ASCII: − as -, ± as +-, é as \\xe9."""
    codecs.register_error("vae_edu_plain", _plain)
    streams = [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, io.TextIOWrapper)]
    before = [stream.errors for stream in streams]
    for stream in streams:
        stream.reconfigure(errors="vae_edu_plain")
    try:
        yield
    finally:
        for stream, errors in zip(streams, before, strict=True):
            with suppress(OSError, ValueError):  # it cannot be written, or is closed
                stream.reconfigure(errors=errors)


def any_reader() -> None:
    """From now on, text for a reader that has gone is dropped without an error, and so is that for nobody.

    For the whole process: the end of `| head -1`, and streams that were closed before the process started.
    """
    _fill_closed()
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None:
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, it stays open
        elif type(getattr(getattr(stream, "buffer", None), "raw", None)) is io.FileIO:
            stream = io.TextIOWrapper(
                io.BufferedWriter(_Lasting(number, "w", closefd=False)),
                encoding=stream.encoding,
                errors=stream.errors,
                line_buffering=stream.line_buffering,
                write_through=stream.write_through,
            )
        setattr(sys, name, stream)


class _Lasting(io.FileIO):
    """A file that takes text to the end of the process, even if nobody reads it any more.

    If stdout has another error, such as a full disk, its first writing raises it. Messages on stderr are
    never worth the work.
    """

    broken = False

    def write(self, content: Any, /) -> int:
        if not self.broken:
            try:
                return super().write(content)
            except OSError as error:
                self.broken = True
                no_reader = isinstance(error, BrokenPipeError) or (
                    sys.platform == "win32" and error.errno == errno.EINVAL
                )
                if not no_reader and self.fileno() == 1:
                    raise
        return len(content)


def _fill_closed() -> None:
    """Open nothing as the streams 0, 1, 2 that are closed, or the next file would take their numbers."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            nothing = os.open(os.devnull, os.O_RDWR)
            os.dup2(nothing, number)
            if nothing != number:
                os.close(nothing)


def _plain(error: UnicodeError) -> tuple[str, int]:
    """What to write in place of the characters that an encoding lacks, and where to go on."""
    assert isinstance(error, UnicodeEncodeError)
    lacking = error.object[error.start : error.end]
    return "".join(PLAIN.get(sign) or ascii(sign)[1:-1] for sign in lacking), error.end
