"""The command line: python -m vae_edu train | evaluate | grade …; --help lists the commands."""

import os  # what takes longer to import is imported later, by functions: Ctrl-C may hit an import
import sys

PROJECT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if __name__ == "__main__" and sys.path[0] == os.getcwd() != PROJECT:
    del sys.path[0]  # python -m imports from the current folder, where a student's torch.py may lie

import signal  # noqa: E402
from collections.abc import Sequence  # noqa: E402

LESS_MEMORY = {
    "train": "lower --hidden, --latent-dim or --batch-size, or --n, or read from files with --mapped.",
    "reproduce": "lower --k or --n.",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The words of the command line; `sys.argv` by default.

    Returns:
        The exit code: 0, 2 if the input is at fault, 130 after Ctrl-C.
    """
    from vae_edu import streams
    from vae_edu.options import parse

    with streams.any_encoding():
        return _run(parse(arguments))


def _run(given: dict) -> int:
    """Run the command with the options that were given, and return its exit code."""
    import warnings

    from vae_edu import commands  # only now, so that --help is quick
    from vae_edu.options import OPTIONS

    command = given.pop("command")
    try:
        if command == "train" and given.get("resume"):
            given = commands.with_saved_options(given)
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: print(f"note: {message}", file=sys.stderr)
            code = getattr(commands, command)(OPTIONS[command](**given))
        sys.stdout.flush()  # here, so that a full disk is an error of one line
        return code
    except KeyboardInterrupt:
        return _failed(command, "interrupted.", 130)
    except (ValueError, OSError, FloatingPointError) as error:
        return _failed(command, " ".join(str(error).split()), 2)
    except (MemoryError, RuntimeError) as error:  # PyTorch raises RuntimeError, on the CPU as on CUDA
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        hint = LESS_MEMORY.get(command, "lower --hidden, --latent-dim or --batch-size, or --n.")
        return _failed(command, f"there is not enough memory: {hint}", 2)


def _failed(command: str, message: str, code: int) -> int:
    print(f"python -m vae_edu {command}: {message}", file=sys.stderr)
    return code


# The process.


def process() -> int:
    """The whole life of `python -m vae_edu`: `main`, and Ctrl-C and SIGTERM from its start to its end.

    Returns:
        The exit code: that of `main`, or 143 after SIGTERM.
    """
    terminated = []

    def as_ctrl_c(number: int, frame: object) -> None:
        terminated.append(number)
        handler = signal.getsignal(signal.SIGINT)  # training has its own
        if not callable(handler):
            raise KeyboardInterrupt
        handler(number, None)

    interrupt = signal.getsignal(signal.SIGINT)  # which a shell's background jobs ignore
    if interrupt is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    signal.signal(signal.SIGTERM, _leave)
    from vae_edu import streams
    from vae_edu.options import parse

    streams.any_reader()
    with streams.any_encoding():
        given = parse()
        from vae_edu import commands  # noqa: F401, some seconds, in which an import may swallow an exception

        try:
            signal.signal(signal.SIGTERM, as_ctrl_c)
            signal.signal(signal.SIGINT, interrupt)
            code = _run(given)
        except KeyboardInterrupt:  # just before or just after
            code = 130
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the work is done; Python takes a while to end
    return 128 + signal.SIGTERM if code == 130 and terminated else code


def _leave(number: int, _: object) -> None:
    """End the process at once: nothing has begun, and an exception would show where the imports are."""
    try:
        os.write(2, b"python -m vae_edu: interrupted.\n")
    finally:
        os._exit(128 + number)


if __name__ == "__main__":
    code = process()
    if "TORCHELASTIC_RUN_ID" in os.environ:
        # Under torchrun, leave without Python's cleanup: gloo's threads may still run and abort it.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
