"""The command line: python -m vae_edu train | generate | edit | evaluate | reproduce | grade | gradebook."""

import argparse
import math
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import NoReturn

from vae_edu.engine.arguments import whole_number

EXAMPLES = """examples:
  python -m vae_edu train --data mnist --latent-dim 2 --out model.pt
  python -m vae_edu train --out model.pt --resume --epochs 20
  python -m vae_edu evaluate model.pt
  python -m vae_edu generate model.pt --out samples.png
  python -m vae_edu edit model.pt --image 3 --dim 0 --out edit.png
  python -m vae_edu reproduce iwae --k 5
  python -m vae_edu grade submissions --out grades.csv
  torchrun --nproc-per-node=2 -m vae_edu train --data mnist --out model.pt

python -m vae_edu train --help explains the options of train; the others have theirs."""
TRAIN = """the file holds the model and all that training needs in order to go on; VAE.load reads it.
--resume takes every option that is not given from the file; only --epochs may change.
Ctrl-C ends training after the step that it is in, and keeps what was learned.
torchrun starts several processes, which share every batch; it wants --images in the place of --n."""
EVALUATE = """the keys of --json: means over the images, in nats per image unless said otherwise
  elbo, reconstruction, kl      L5, E[log p(x|z)] and KL(q(z|x), p(z)), with 16 samples an image
  bits_per_dimension            -elbo / (pixels x ln 2), in bits; null for a Gaussian likelihood's density
  log_p_x                       by importance sampling from q(z|x)
  log_p_x_sampling_error        what of its error the samples cause; too small where q misses a part
  exact_log_p_x, gap            on a grid, and what the ELBO lacks of it; null beyond two latent dimensions
  ..._standard_error            the standard error over the images
  active_units                  latent dimensions whose mean of q(z|x) has a variance above 0.01
  images, latent_dim, data      what it was measured on; counts, and the name of the data"""
REPRODUCE = """the table: Burda et al. (2016), "Importance weighted autoencoders", one layer of codes.
784-200-200-50-200-200-784 with tanh; MNIST is binarized anew in every step; -log p(x) with 5000 samples.
The paper's schedule of the learning rate takes 3280 epochs; with fewer it goes as far as they do.
On a CPU the measurement takes longer than three minutes of training; --n and --samples shorten it.
With --out, Ctrl-C keeps the file, and the same command with --resume goes on."""
GRADE = """SUBMISSIONS is a folder of notebooks, one a student, or the submitted/ folder of nbgrader.
Beside grades.csv it writes grades_feedback/, a page for every student and lesson, and grades.json, with
which it runs again only what has changed. The column "flags" says where a teacher should look before giving
the marks: solutions that call, copy or read the package's own function. Students' code runs in processes
of its own, without a network and with nothing to write to where the system allows that (Linux does)."""
GRADEBOOK = """write the marks of a table that grade has made, perhaps with changes of yours, into nbgrader's
gradebook, as manual scores. nbgrader must know the assignments: run its generate_assignment first."""


class Parser(argparse.ArgumentParser):
    """An argparse parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 2 where the input is at fault, 130 after Ctrl-C."""
    parser, train = parsers()
    options = parser.parse_args(arguments)
    if options.device:
        os.environ["VAE_EDU_DEVICE"] = options.device
    from vae_edu import commands  # only now, so that --help is quick

    try:
        if options.command == "train" and options.resume:
            saved = commands.saved_options(options.out)
            train.set_defaults(**saved)
            options = parser.parse_args(arguments)
            commands.check_same(options, saved)
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: print(f"note: {message}", file=sys.stderr)
            return getattr(commands, options.command)(options)
    except KeyboardInterrupt:
        print(f"python -m vae_edu {options.command}: interrupted.", file=sys.stderr)
        return 130
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"python -m vae_edu {options.command}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except (MemoryError, RuntimeError) as error:  # PyTorch's own, on the CPU as on CUDA
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        hint = "lower --hidden, --latent-dim or --batch-size, or --n."
        hint = f"{hint[:-1]}, or read from files with --mapped." if options.command == "train" else hint
        hint = "lower --k or --n." if options.command == "reproduce" else hint
        print(f"python -m vae_edu {options.command}: there is not enough memory: {hint}", file=sys.stderr)
        return 2


def parsers() -> tuple[Parser, Parser]:
    """The parser of the command line, and the one of its train command."""
    text = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
    parser = Parser("python -m vae_edu", description="Variational autoencoders.", epilog=EXAMPLES, **text)
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="train|generate|edit|evaluate|reproduce|grade|gradebook"
    )

    def command(name: str, description: str, epilog: str | None = None) -> Parser:
        added = commands.add_parser(name, help=description, description=description, epilog=epilog, **text)
        added.add_argument("--device", help="cpu, cuda or cuda:1; CUDA where there is one without it")
        return added

    data = "strokes, mnist, fashion_mnist, kmnist, or a folder of four IDX or .npy files"

    train = command("train", "train a VAE and write it to a file", TRAIN)
    add = train.add_argument
    add("--data", help=f"{data} (default: $VAE_EDU_DATASET, else strokes)")
    add("--mapped", action="store_true", help="read the training images from their file in every step, for "
        "data larger than memory; with --binarize stochastic or a Gaussian likelihood")  # fmt: skip
    add("--n", "--images", type=_whole(1), help="train on so many images, chosen at random (default: all)")
    add("--latent-dim", type=_whole(1), default=2, help="dimensions of z (default: %(default)s)")
    add("--likelihood", choices=["bernoulli", "gaussian", "gaussian_one_sigma"], default="bernoulli")
    add("--binarize", choices=["half", "stochastic"], help="pixels are 1 from 0.5 on (default), or anew "
        "in every step with their grey value for probability; for a Bernoulli likelihood")  # fmt: skip
    add("--network", choices=["mlp", "cnn"], default="mlp")
    add("--hidden", type=_whole(1), nargs="+", help="widths, or channels (default: 500 500; cnn: 16 32)")
    add("--beta", type=float, default=1.0, help="weight of the KL divergence (default: 1, the ELBO)")
    add("--epochs", type=_whole(1), default=10, help="default: %(default)s")
    add("--batch-size", type=_whole(1), default=128, help="over all processes (default: %(default)s)")
    add("--lr", type=float, default=1e-3, help="Adam's learning rate (default: %(default)s)")
    add("--seed", type=_whole(0), default=0, help="of the weights, the order and the draws (default: 0)")
    add("--out", required=True, help="the file to write")
    add("--resume", action="store_true", help="go on with the file --out")

    generate = command("generate", "draw images from a model")
    generate.add_argument("model", help="a file of train")
    generate.add_argument("--n", type=_whole(1), default=64, help="default: %(default)s")
    generate.add_argument("--mean", action="store_true", help="the mean of p(x|z) instead of a sample")
    generate.add_argument("--columns", type=_whole(1), default=8, help="default: %(default)s")

    edit = command("edit", "change one dimension of an image's code and decode")
    edit.add_argument("model", help="a file of train")
    edit.add_argument("--image", type=_whole(0), default=0, help="which held-out image, from 0")
    edit.add_argument("--dim", type=_whole(0), default=0, help="which dimension of z, from 0")
    edit.add_argument("--values", type=float, nargs="+", default=range(-3, 4), help="default: -3 ... 3")

    for picture in (generate, edit):
        picture.add_argument("--out", required=True, help="the picture to write, a .png file")

    evaluate = command("evaluate", "measure a model on held-out images", EVALUATE)
    evaluate.add_argument("model", help="a file of train")
    evaluate.add_argument("--n", type=_whole(2), help="images (default: 1000, or as many as there are)")
    evaluate.add_argument("--samples", type=_whole(2), default=1000, help="for log p(x) (default: 1000)")
    evaluate.add_argument("--grid-points", type=_whole(4), default=480, help="a side (default: 480)")
    evaluate.add_argument("--grid-radius", type=float, default=8.0, help="default: 8")
    evaluate.add_argument("--json", action="store_true", help="one JSON object instead of a table")

    reproduce = command("reproduce", "train and measure a row of a published table", REPRODUCE)
    add = reproduce.add_argument
    add("paper", choices=["iwae"], help="importance weighted autoencoders")
    add("--k", type=int, choices=[1, 5, 50], required=True, help="samples of the bound; 1 is the VAE")
    length = reproduce.add_mutually_exclusive_group()
    length.add_argument(
        "--budget", type=_minutes, help="minutes of training (default: 3 on a CPU, else all 3280 epochs)"
    )
    length.add_argument("--epochs", type=_whole(1), help="epochs of training, instead of minutes")
    add("--data", default="mnist", help=f"{data} (default: mnist)")
    add("--n", type=_whole(2), help="held-out images to measure on (default: all)")
    add("--samples", type=_whole(1), default=5000, help="an image, for log p(x) (default: %(default)s)")
    add("--out", help="a file that keeps the model")
    add("--resume", action="store_true", help="go on with the file --out")
    add("--json", action="store_true", help="one JSON object instead of a table")

    grade = command("grade", "mark a folder of students' notebooks", GRADE)
    grade.add_argument("submissions", help="the folder")
    grade.add_argument("--out", required=True, help="the table to write, a .csv file")
    grade.add_argument("--lesson", help="such as 01_autoencoder (default: what each notebook holds)")
    grade.add_argument("--seed", type=_whole(0), help="of the numbers to try (default: drawn once, and kept)")

    gradebook = command("gradebook", "write the marks into nbgrader's gradebook", GRADEBOOK)
    gradebook.add_argument("table", help="a .csv file of grade")
    gradebook.add_argument("gradebook", help="nbgrader's gradebook.db")

    for user in (edit, evaluate):
        user.add_argument("--data", help=f"{data} (default: the model's own)")
    for user in (generate, edit, evaluate, reproduce):
        user.add_argument("--seed", type=_whole(0), default=0, help="of the random draws (default: 0)")
    return parser, train


def _whole(least: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        try:
            return whole_number("it", int(text), least)
        except ValueError:
            message = f"{text!r} must be a whole number, {least} or above"
            raise argparse.ArgumentTypeError(message) from None

    return convert


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not 0 < minutes < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number of minutes above 0")
    return minutes


if __name__ == "__main__":
    code = main()
    if "TORCHELASTIC_RUN_ID" in os.environ:  # under torchrun: gloo's threads can abort the exit of a process
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
