"""The command line: python -m vae_edu train | generate | edit | evaluate | reproduce | grade | gradebook."""

import os
import sys
import warnings
from collections.abc import Sequence

from vae_edu.options import OPTIONS, parse

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
    given = parse(arguments)
    command = given.pop("command")
    from vae_edu import commands  # only now, so that --help is quick

    try:
        if command == "train" and given.get("resume"):
            given = commands.with_saved_options(given)
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: print(f"note: {message}", file=sys.stderr)
            return getattr(commands, command)(OPTIONS[command](**given))
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


if __name__ == "__main__":
    code = main()
    if "TORCHELASTIC_RUN_ID" in os.environ:
        # Under torchrun, leave without Python's cleanup: gloo's threads may still run and abort it.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
