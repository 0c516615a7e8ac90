"""The options of the command line: a dataclass for each command, and the parser that fills it."""

import argparse
import math
import reprlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from vae_edu import __version__
from vae_edu.grading import ATTEMPTS, FORMATS, LAYOUTS

EXAMPLES = """examples:
  python -m vae_edu train --data mnist --latent-dim 2 --out model.pt
  python -m vae_edu train --out model.pt --resume --epochs 20
  python -m vae_edu evaluate model.pt
  python -m vae_edu report model.pt --out report.html
  python -m vae_edu explore model.pt --out page.html
  python -m vae_edu generate model.pt --out samples.png
  python -m vae_edu edit model.pt --image 3 --dim 0 --out edit.png
  python -m vae_edu reproduce iwae --k 5
  python -m vae_edu grade submissions --out grades.csv
  torchrun --nproc-per-node=2 -m vae_edu train --data mnist --out model.pt

python -m vae_edu train --help explains the options of train, and so on."""
TRAIN = """the file holds the model and what training needs to go on; VAE.load reads it.
with --resume, options that are not given come from the file; only --epochs may
change. Ctrl-C ends training after the current step, and keeps what was learned.
torchrun starts several processes, which share every batch; it needs --images
instead of --n."""
EVALUATE = """the keys of --json: means over the images, in nats per image unless said
otherwise; null for what is not defined or not finite
  elbo, reconstruction, kl   L5, E[log p(x|z)] and KL(q(z|x), p(z)), with 16
                             samples an image
  bits_per_dimension         -elbo / (pixels x ln 2), in bits; null for a
                             Gaussian likelihood's density
  log_p_x                    by importance sampling from q(z|x)
  log_p_x_sampling_error     the part of its error due to the samples; too small
                             if q misses a mode
  exact_log_p_x, gap         on a grid, and how far the ELBO is below it; null
                             beyond two dimensions
  ..._standard_error         the standard error over the images; null for one
  active_units               latent dimensions whose mean of q(z|x) has a
                             variance above 0.01; null for one image
  images, latent_dim, data   what it was measured on; counts, and the data's name"""
REPORT = """the page is one file: the bound on held-out and on training images, the sampled
log p(x), the baseline of independent pixels, the KL of each dimension,
reconstructions, samples with their nearest training images, and a sentence for
each thing that is wrong. The sentences are printed, too."""
EXPLORE = """the page is one file that needs no network: log p(x), the posterior and the three
terms of D6 while one drags q by hand, bounds with K draws, images from any code.
It takes a model with --latent-dim 2, --likelihood bernoulli and --network mlp.
Its weights are rounded to 16 bits, and so is what the page computes."""
REPRODUCE = """the table: Burda et al. (2016), "Importance weighted autoencoders", one layer of
codes. 784-200-200-50-200-200-784 with tanh; MNIST is binarized anew in every
step; -log p(x) with 5000 samples. The paper's schedule of the learning rate
takes 3280 epochs; a shorter training stops on the way. On a CPU the measurement
takes longer than three minutes of training; --n and --samples shorten it.
With --out, Ctrl-C keeps the file, and the same command with --resume goes on."""
GRADE = """SUBMISSIONS are a folder of notebooks, the zip or unpacked folder of Moodle, Canvas,
ILIAS, Blackboard, Google or GitHub Classroom, or the submitted/ folder of nbgrader.
It writes grades.csv, grades_questions.html with the answers to the questions,
grades_feedback/ with a page for every student and lesson, and grades.json, so that
the next run marks only what has changed. A table that you have changed is kept as
grades.before-1.csv.

If it is not certain whose a file is, nothing is marked: --dry-run lists what is
taken for whose. A roster is a table with the columns id and name, and perhaps
pattern, such as *4711*; the class lists of most platforms work as they are.

The column "flags" says where to look before giving the marks: at solutions that
call, copy or import the package's own function, and at those that need what this
machine lacks. First, right answers are marked; if they fail, nobody is.

Students' code runs in processes that see no network and no file but Python's own.
Where the system does not allow that (macOS, some containers), nothing is marked
unless --unconfined is given: then a student's code can read what you can read.

With notebooks and without --out, it prints what each would get: a student's own
check of the saved file."""
GRADEBOOK = """It writes the marks of a table that grade made, perhaps after changes of yours, into
nbgrader's gradebook, as manual scores, and those of the questions. nbgrader must
know the assignments: run its generate_assignment first. Totals must add up, or be
empty. If one row is wrong, nothing is written, and the error lists the first ones."""
GRADESCOPE = """Upload the file as the autograder of a programming assignment, and choose a base
image with Python 3.11 or newer. Students hand in their notebook under any name.
The points are those of the exercises: mark the answer to the question by hand.
It marks the lessons' own exercises, not a variant."""
DATA = (
    "strokes, photograph, mnist, fashion_mnist, kmnist, or a path: a folder of pictures, of IDX or of .npy "
    "files, or one .npz or .npy file"
)
SIZE = "of pictures in pixels, to which they are resized and cut"
GRAY = "make color images gray, or leave them as they are"
MODEL = "a file of train"
DRAWS = "of the random draws (default: 0)"
PICTURE = "the picture to write, a .png file"
GO_ON = "go on with the file --out"
JSON = "one JSON object instead of a table"


LARGEST = 2**63 - 1  # that PyTorch counts to
MOST_SAMPLES = 10**7  # of one image, which take minutes
MOST_SHOWN = 100  # images on a page, each a button
MOST_RADIUS = 1000.0  # of a grid; 5 holds all of N(0, I)


class Refused(ValueError):
    """Words that are no command; the message is one line."""


class Parser(argparse.ArgumentParser):
    """An argparse parser whose errors are one line, and whose result holds only the given options."""

    def __init__(self, **settings: Any):
        super().__init__(
            **settings,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            argument_default=argparse.SUPPRESS,
        )

    def error(self, message: str) -> NoReturn:
        raise Refused(" ".join(f"{self.prog}: {message}".split()))


def parse(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """The options that were given on the command line, by name, and the name of the "command".

    Ends the process for --help and --version (0), and for words that are no command (2; no words at all get
    the help).
    """
    parser = _parser()
    try:
        given = vars(parser.parse_args(arguments))
    except Refused as error:
        parser.exit(2, f"{error}\n")
    if given.get("command") is None:
        parser.print_help()
        parser.exit(2, f"{parser.prog}: name a command.\n")
    return given


def parsed_again(command: str, options: dict[str, Any]) -> dict[str, Any]:
    """Options as a file keeps them, by name, as `parse` would give them, without those that are the defaults.

    Raises:
        Refused: If the command has no such option, or the option no such value.
    """
    words = [command, "--out", "a file"]
    for name, value in options.items():
        if value == getattr(OPTIONS[command], name, None):
            continue
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            words += [f"--{option}", *map(str, value if isinstance(value, list) else [value])]
    given = vars(_parser().parse_args(words))
    return {name: given[name] for name in options if name in given}


def _parser() -> Parser:
    parser = Parser(prog="python -m vae_edu", description="Variational autoencoders.", epilog=EXAMPLES)
    parser.add_argument("--version", action="version", version=f"vae_edu {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="|".join(OPTIONS))

    def command(name: str, description: str, epilog: str | None = None) -> Parser:
        added = commands.add_parser(name, help=description, description=description, epilog=epilog)
        added.add_argument("--device", type=_text, help="cpu, cuda or cuda:1 (default: CUDA if there is one)")
        return added

    _add_train(command("train", "train a VAE and write it to a file", TRAIN))
    _add_generate(command("generate", "draw images from a model"))
    _add_edit(command("edit", "change one dimension of an image's code and decode"))
    _add_evaluate(command("evaluate", "measure a model on held-out images", EVALUATE))
    _add_report(command("report", "write a page on a model: numbers, images, and what is wrong", REPORT))
    _add_explore(command("explore", "write a page on which one drags q by hand", EXPLORE))
    _add_reproduce(command("reproduce", "train and measure a row of a published table", REPRODUCE))
    _add_grade(command("grade", "mark a folder of students' notebooks", GRADE))
    _add_gradebook(command("gradebook", "write the marks into nbgrader's gradebook", GRADEBOOK))
    _add_gradescope(command("gradescope", "write an autograder for Gradescope", GRADESCOPE))
    return parser


@dataclass(frozen=True)
class Train:
    """What `train` takes; its --help explains each."""

    out: str
    data: str | None = None
    size: int | None = None
    gray: bool | None = None
    mapped: bool = False
    n: int | None = None
    latent_dim: int = 2
    likelihood: str = "bernoulli"
    binarize: str | None = None
    network: str = "mlp"
    hidden: list[int] | None = None
    beta: float = 1.0
    epochs: int = 10
    batch_size: int = 128
    lr: float = 1e-3
    seed: int = 0
    resume: bool = False
    device: str | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for numbers that are not in their range."""
        if not 0 <= self.beta < math.inf:
            raise ValueError(f"--beta = {self.beta} must be a number, 0 or above; 1 makes it the ELBO.")
        if not 0 < self.lr < math.inf:
            raise ValueError(f"--lr = {self.lr} must be a number above 0; 1e-3 is a good start.")


def _add_train(parser: Parser) -> None:
    add = parser.add_argument
    _add_data(parser, "$VAE_EDU_DATASET, else strokes")
    add("--mapped", action="store_true", help="read the training images from their file in every step, for "
        "data larger than memory; with --binarize stochastic or a Gaussian likelihood")  # fmt: skip
    add("--n", "--images", type=_whole(1), help="train on so many images, chosen at random (default: all)")
    add("--latent-dim", type=_whole(1), help=f"dimensions of z (default: {Train.latent_dim})")
    add("--likelihood", choices=["bernoulli", "gaussian", "gaussian_one_sigma"], help="p(x|z): of black and "
        "white pixels (default), or of gray ones with their own or with one standard deviation")  # fmt: skip
    add("--binarize", choices=["half", "stochastic"], help="pixels are 1 from 0.5 on (default), or anew "
        "in every step with their gray value as probability; for a Bernoulli likelihood")  # fmt: skip
    add("--network", choices=["mlp", "cnn"], help="fully connected (default), or convolutions")
    add("--hidden", type=_whole(1), nargs="+", help="widths, or channels (default: 500 500; cnn: 16 32)")
    add("--beta", type=float, help=f"weight of the KL divergence (default: {Train.beta:g}, the ELBO)")
    add("--epochs", type=_whole(1), help=f"default: {Train.epochs}")
    add("--batch-size", type=_whole(1), help=f"over all processes (default: {Train.batch_size})")
    add("--lr", type=float, help=f"Adam's learning rate (default: {Train.lr})")
    add("--seed", type=_seed, help=f"of the weights, the order and the draws (default: {Train.seed})")
    add("--out", type=_text, required=True, help="the file to write")
    add("--resume", action="store_true", help=GO_ON)


@dataclass(frozen=True)
class Generate:
    """What `generate` takes; its --help explains each."""

    model: str
    out: str
    n: int = 64
    mean: bool = False
    columns: int = 8
    seed: int = 0
    device: str | None = None


def _add_generate(parser: Parser) -> None:
    add = parser.add_argument
    add("model", type=_text, help=MODEL)
    add("--n", type=_whole(1), help=f"default: {Generate.n}")
    add("--mean", action="store_true", help="the mean of p(x|z) instead of a sample")
    add("--columns", type=_whole(1), help=f"default: {Generate.columns}")
    add("--out", type=_text, required=True, help=PICTURE)
    add("--seed", type=_seed, help=DRAWS)


@dataclass(frozen=True)
class Edit:
    """What `edit` takes; its --help explains each."""

    model: str
    out: str
    image: int = 0
    dim: int = 0
    values: Sequence[float] = range(-3, 4)
    data: str | None = None
    size: int | None = None
    gray: bool | None = None
    seed: int = 0
    device: str | None = None


def _add_edit(parser: Parser) -> None:
    add = parser.add_argument
    add("model", type=_text, help=MODEL)
    add("--image", type=_whole(0), help="which held-out image, from 0")
    add("--dim", type=_whole(0), help="which dimension of z, from 0")
    add("--values", type=_finite, nargs="+", help="default: -3 ... 3")
    add("--out", type=_text, required=True, help=PICTURE)
    _add_data(parser, "the model's own")
    add("--seed", type=_seed, help=DRAWS)


@dataclass(frozen=True)
class Evaluate:
    """What `evaluate` takes; its --help explains each."""

    model: str
    n: int | None = None
    samples: int = 1000
    grid_points: int = 480
    grid_radius: float = 8.0
    json: bool = False
    data: str | None = None
    size: int | None = None
    gray: bool | None = None
    seed: int = 0
    device: str | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a number that is not in its range."""
        if not 0 < self.grid_radius <= MOST_RADIUS:
            raise ValueError(
                f"--grid-radius = {self.grid_radius} must be a number above 0, at most {MOST_RADIUS:g}; "
                "5 holds all of N(0, I)."
            )


def _add_evaluate(parser: Parser) -> None:
    add = parser.add_argument
    add("model", type=_text, help=MODEL)
    add("--n", type=_whole(1), help="images (default: 1000, or as many as there are)")
    add("--samples", type=_whole(2, MOST_SAMPLES), help=f"for log p(x) (default: {Evaluate.samples})")
    add("--grid-points", type=_whole(4), help=f"a side (default: {Evaluate.grid_points})")
    add("--grid-radius", type=float, help=f"default: {Evaluate.grid_radius:g}")
    add("--json", action="store_true", help=JSON)
    _add_data(parser, "the model's own")
    add("--seed", type=_seed, help=DRAWS)


@dataclass(frozen=True)
class Report:
    """What `report` takes; its --help explains each."""

    model: str
    out: str
    n: int | None = None
    samples: int = 500
    data: str | None = None
    size: int | None = None
    gray: bool | None = None
    seed: int = 0
    device: str | None = None


def _add_report(parser: Parser) -> None:
    add = parser.add_argument
    add("model", type=_text, help=MODEL)
    add("--out", required=True, type=_text, help="the page to write, an .html file")
    add("--n", type=_whole(2), help="held-out images (default: 1000, or as many as there are)")
    add("--samples", type=_whole(2, MOST_SAMPLES), help=f"for log p(x) (default: {Report.samples})")
    _add_data(parser, "the model's own")
    add("--seed", type=_seed, help=DRAWS)


@dataclass(frozen=True)
class Explore:
    """What `explore` takes; its --help explains each."""

    model: str
    out: str
    n: int = 20
    data: str | None = None
    size: int | None = None
    gray: bool | None = None
    device: str | None = None


def _add_explore(parser: Parser) -> None:
    add = parser.add_argument
    add("model", type=_text, help=MODEL)
    add("--out", required=True, type=_text, help="the page to write, an .html file")
    add("--n", type=_whole(1, MOST_SHOWN), help=f"held-out images to choose from (default: {Explore.n})")
    _add_data(parser, "the model's own")


@dataclass(frozen=True)
class Reproduce:
    """What `reproduce` takes; its --help explains each."""

    paper: str
    k: int
    schedule: str | None = None
    budget: float | None = None
    epochs: int | None = None
    vae_epochs: int | None = None
    data: str | None = None
    size: int | None = None
    gray: bool | None = None
    n: int | None = None
    samples: int = 5000
    out: str | None = None
    resume: bool = False
    json: bool = False
    seed: int = 0
    device: str | None = None


SCHEDULES = ("cosine", "paper")
SCHEDULE = "of the learning rate: a cosine for minutes (default), or the paper's own for 3280 epochs"
BUDGET = "minutes of training (default: 3 on a CPU, else 10; of the paper's schedule, elsewhere, all epochs)"


def _add_reproduce(parser: Parser) -> None:
    add = parser.add_argument
    add("paper", choices=["iwae"], help="importance weighted autoencoders")
    add("--k", type=int, choices=[1, 5, 50], required=True, help="samples of the bound; 1 is the VAE")
    add("--schedule", choices=SCHEDULES, help=SCHEDULE)
    length = parser.add_mutually_exclusive_group().add_argument
    length("--budget", type=_minutes, help=BUDGET)
    length("--epochs", type=_whole(1), help="epochs of training, instead of minutes")
    add("--vae-epochs", type=_whole(1), help="with --epochs: how many with one sample before these")
    _add_data(parser, "mnist")
    add("--n", type=_whole(2), help="held-out images to measure on (default: all)")
    add(
        "--samples",
        type=_whole(1, MOST_SAMPLES),
        help=f"an image, for log p(x) (default: {Reproduce.samples})",
    )
    add("--out", type=_text, help="a file that keeps the model")
    add("--resume", action="store_true", help=GO_ON)
    add("--json", action="store_true", help=JSON)
    add("--seed", type=_seed, help=DRAWS)


@dataclass(frozen=True)
class Grade:
    """What `grade` takes; its --help explains each."""

    submissions: list[str]
    out: str | None = None
    lesson: str | None = None
    layout: str | None = None
    roster: str | None = None
    attempts: str = "best"
    dry_run: bool = False
    yes: bool = False
    seed: int | None = None
    unconfined: bool = False
    format: str = "plain"
    variant: int | None = None
    device: str | None = None


def _add_grade(parser: Parser) -> None:
    add = parser.add_argument
    add("submissions", type=_text, nargs="+", help="folders, archives (.zip, .tar.gz) or notebooks")
    add("--out", type=_text, help="the table to write, a .csv file")
    add("--lesson", type=_text, help="such as 01_autoencoder (default: what each notebook holds)")
    add("--layout", choices=LAYOUTS, help="whose names the files have (default: as they look)")
    add("--roster", type=_text, help="a .csv file of the class: id, name, pattern of the files")
    add("--attempts", choices=ATTEMPTS, help="which of several counts (default: best)")
    add("--dry-run", action="store_true", help="list which file is taken for whose; mark nothing")
    add("--yes", action="store_true", help="take the files as --dry-run lists them, even if not certain")
    add("--seed", type=_seed, help="of the numbers to try (default: drawn once, and kept)")
    add("--unconfined", action="store_true", help="run students' code even if it could read your files")
    add("--format", choices=FORMATS, help="columns for another program, in a second table (default: plain)")
    add("--variant", type=_seed, metavar="SEED", help="the class's variant of the exercises, if it has one")


@dataclass(frozen=True)
class Gradebook:
    """What `gradebook` takes; its --help explains each."""

    table: str
    gradebook: str
    add_students: bool = False
    device: str | None = None


def _add_gradebook(parser: Parser) -> None:
    add = parser.add_argument
    add("table", type=_text, help="a .csv file of grade")
    add("gradebook", type=_text, help="nbgrader's gradebook.db")
    add("--add-students", action="store_true", help="add students that the gradebook does not know")


@dataclass(frozen=True)
class Gradescope:
    """What `gradescope` takes; its --help explains each."""

    out: str
    lesson: str | None = None
    device: str | None = None


def _add_gradescope(parser: Parser) -> None:
    add = parser.add_argument
    add("out", type=_text, help="the .zip file to write")
    add("--lesson", type=_text, help="such as 01_autoencoder (default: what each notebook holds)")


KINDS = (Train, Generate, Edit, Evaluate, Report, Explore, Reproduce, Grade, Gradebook, Gradescope)
OPTIONS = {kind.__name__.lower(): kind for kind in KINDS}


def _add_data(parser: Parser, default: str) -> None:
    parser.add_argument("--data", type=_text, help=f"{DATA} (default: {default})")
    parser.add_argument("--size", type=_whole(1), help=SIZE)
    parser.add_argument("--gray", action=argparse.BooleanOptionalAction, help=GRAY)


# What an option's text says.


def _text(text: str) -> str:
    """A name or a path."""
    if not text.strip() or "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is no name: write one, or leave the option out")
    return text


def _whole(least: int, most: int = LARGEST) -> Callable[[str], int]:
    def convert(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            bounds = f", {least} or above" if number < least else f" of at most {most}"
            raise argparse.ArgumentTypeError(f"{reprlib.repr(text)} must be a whole number{bounds}")
        return number

    return convert


_seed = _whole(0, 2**64 - 1)


def _finite(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{reprlib.repr(text)} must be a number, such as -2 or 0.5")
    return number


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not 0 < minutes < math.inf:
        raise argparse.ArgumentTypeError(f"{reprlib.repr(text)} must be a number of minutes above 0")
    return minutes
