"""What the commands of `python -m vae_edu` do, each with the options of its name."""

import json
import math
import os
import sys
from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vae_edu import marginal
from vae_edu.data import binarize, load_images
from vae_edu.data.download import SOURCES
from vae_edu.elbo import elbo, negative_elbo, negative_elbo_of_binarized
from vae_edu.engine import checkpoint, distributed
from vae_edu.engine.randomness import random_stream
from vae_edu.grid import Grid
from vae_edu.monitor import bits_per_dimension
from vae_edu.train import fit
from vae_edu.uncertainty import standard_error
from vae_edu.vae import VAE

HERE = {"command", "out", "resume", "device"}  # options of one call, that are not the model's
SAMPLES = 16  # for the ELBO of one image


def train(options: Namespace) -> int:
    """Train a VAE, and print its bound on the held-out images."""
    if not options.resume:
        _check_new(options.out)
    options.data, options.binarize = _data_name(options.data), _binarization(options)
    if options.mapped and options.binarize == "half":
        raise ValueError("--mapped reads grey pixels in every step: add --binarize stochastic.")
    if options.network == "mlp" and options.hidden is None:
        options.hidden = [500, 500]  # the way from two numbers to 784 pixels takes two layers
    with distributed.process_group():
        images = load_images(options.data, n=options.n, mapped=options.mapped).x
        x = binarize(images) if options.binarize == "half" else images
        loss = negative_elbo_of_binarized if options.binarize == "stochastic" else negative_elbo
        test = _held_out(options.data, options.binarize)
        with random_stream(options.seed):
            vae = VAE(
                images.shape[1:],
                options.latent_dim,
                options.likelihood,
                network=options.network,
                hidden=options.hidden,
            )
        kept = {name: value for name, value in vars(options).items() if name not in HERE}
        vae.about = {
            "data": options.data,
            "binarize": options.binarize,
            "seed": options.seed,
            "options": kept,
        }
        history = fit(
            vae,
            partial(loss, beta=options.beta),
            x,
            options.epochs,
            held_out=test,
            batch_size=options.batch_size,
            lr=options.lr,
            seed=options.seed,
            checkpoint=options.out,
        )
        if distributed.rank() == 0 and history.interrupted:
            print(f"python -m vae_edu train --resume --out {options.out} goes on.", file=sys.stderr)
        elif distributed.rank() == 0:
            numbers = _bound(vae, test, 1)
            bits = numbers["bits_per_dimension"]
            print(
                f"held-out ELBO {numbers['elbo']:.2f} nats per image (reconstruction "
                f"{numbers['reconstruction']:.2f}, KL {numbers['kl']:.2f})"
                f"{'' if bits is None else f', {bits:.4f} bits per dimension'}: {options.out}"
            )
    return 130 if history.interrupted else 0


def saved_options(path: str) -> dict[str, Any]:
    """The options that a file of train was made with. Raises ValueError where it has none."""
    options = VAE.load(path).about.get("options")
    if not isinstance(options, dict):
        raise ValueError(f"{path} was not made by this command: go on with `fit(…, checkpoint=…)` in Python.")
    return options


def check_same(options: Namespace, saved: dict[str, Any]) -> None:
    """Raise ValueError where training cannot go on because an option differs from the file's."""
    given = {**vars(options), "data": _data_name(options.data)}
    for name, value in saved.items():
        if name != "epochs" and given.get(name) != value:
            option = "--" + name.replace("_", "-")
            raise ValueError(
                f"{options.out} was trained with {option} {value}, not {given.get(name)}: leave the option "
                "out, or name another file."
            )


def generate(options: Namespace) -> int:
    """Write a picture of images drawn from the model."""
    from vae_edu.generate import generate as draw

    _check_picture(options.out)
    drawn = draw(VAE.load(options.model), options.n, seed=options.seed)
    plots = _plots()
    _write(plots.image_grid(drawn.mean if options.mean else drawn.x, options.columns), options.out)
    return 0


def edit(options: Namespace) -> int:
    """Write a picture of one held-out image, and of what its code becomes as one dimension changes."""
    from vae_edu.edit import traverse

    _check_picture(options.out)
    vae = VAE.load(options.model)
    images = _images_for(vae, options)
    if options.image >= len(images):
        raise ValueError(
            f"there is no image {options.image}: the held-out images are 0 to {len(images) - 1}."
        )
    x = images[options.image : options.image + 1]
    row = torch.cat([x, traverse(vae, x, options.dim, options.values)[:, 0]])
    places = ", ".join(f"{value:g}" for value in options.values)
    title = f"image {options.image}, then z[{options.dim}] = {places}"
    _write(_plots().image_rows({"": row}, title), options.out)
    return 0


def evaluate(options: Namespace) -> int:
    """Print how well the model explains held-out images."""
    from vae_edu.active_units import active_units

    vae = VAE.load(options.model)
    grid = Grid(vae.latent_dim, options.grid_points, options.grid_radius) if vae.latent_dim <= 2 else None
    x = _images_for(vae, options)
    if options.n and options.n > len(x):
        raise ValueError(f"--n {options.n}, but there are {len(x)} held-out images: ask for at most as many.")
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    x = x[order[: options.n or 1000].to(x.device)]
    numbers = {"data": options.data, "images": len(x), "latent_dim": vae.latent_dim}
    numbers |= _bound(vae, x, SAMPLES, options.seed)
    estimate = marginal.importance_sampling(vae, x, options.samples, seed=options.seed)
    numbers["log_p_x"], numbers["log_p_x_standard_error"] = _mean(estimate.log_p_x)
    numbers["log_p_x_sampling_error"] = estimate.standard_error.square().sum().sqrt().item() / len(x)
    exact = marginal.quadrature(vae, x, grid).log_p_x if grid else None
    numbers["exact_log_p_x"], numbers["exact_log_p_x_standard_error"] = _mean(exact)
    numbers["gap"] = None if exact is None else numbers["exact_log_p_x"] - numbers["elbo"]
    numbers["active_units"] = int(active_units(vae, x).sum())
    print(json.dumps(numbers, allow_nan=False) if options.json else _table(numbers))
    return 0


def reproduce(options: Namespace) -> int:
    """Train and measure one row of a published table, and print it beside the paper's."""
    from vae_edu import reproduce as paper

    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise ValueError("reproduce runs in one process: start it without torchrun.")
    if options.resume and (options.out is None or options.epochs or options.budget):
        raise ValueError(
            "--resume takes everything but --out from that file: leave --epochs and --budget out."
        )
    if options.out and not options.resume:
        _check_new(options.out)
    name = _data_name(options.data)
    x, test = load_images(name).x, load_images(name, "test", n=options.n).x
    if len(test) < 2:
        raise ValueError(f"{name} has a single test image: the standard error needs two or more.")
    if options.resume:
        vae = VAE.load(options.out)
        if vae.about.get("k") != options.k:
            what = f"with --k {vae.about['k']}" if "k" in vae.about else "by another command"
            raise ValueError(f"{options.out} was made {what}, not with --k {options.k}: name another file.")
    else:
        vae, epochs = paper.network(x, options.seed), options.epochs
        if epochs is None and (options.budget or vae.zero.device.type == "cpu"):
            epochs = paper.affordable_epochs(x, options.k, options.budget or 3)
        vae.about = {"data": name, "binarize": "stochastic", "k": options.k, "seed": options.seed}
        vae.about["epochs"] = epochs or paper.EPOCHS
    epochs, seed = vae.about["epochs"], vae.about["seed"]
    print(f"{epochs} epochs, of the paper's {paper.EPOCHS} ...", file=sys.stderr)
    if paper.train(vae, x, options.k, epochs, seed=seed, checkpoint=options.out).interrupted:
        goes_on = f"python -m vae_edu reproduce iwae --k {options.k} --resume --out {options.out} goes on."
        print(goes_on if options.out else "Nothing is kept without --out.", file=sys.stderr)
        return 130
    given = {"data": name, "epochs": epochs, "seed": seed, "n": options.n, "samples": options.samples}
    usual = {"data": "mnist", "seed": 0, "n": None, "samples": 5000}
    words = [f"--{key} {value}" for key, value in given.items() if usual.get(key, ...) != value]
    run = {"command": " ".join([f"python -m vae_edu reproduce iwae --k {options.k}", *words])}
    run |= {"data": name, "k": options.k, "epochs": epochs, "machine": paper.machine()}
    run |= {"training_minutes": round(vae.about["training_minutes"], 2)}
    run |= {"images": len(test), "samples": options.samples}
    run |= paper.evaluate(vae, test, options.samples, seed=seed)
    print(json.dumps(run, allow_nan=False) if options.json else paper.table([run]))
    return 0


def grade(options: Namespace) -> int:
    """Mark a folder of notebooks, and print what became of them."""
    from vae_edu.grading import grade

    out = Path(options.out)
    if out.suffix != ".csv":
        raise ValueError(f"--out {out} must end in .csv.")
    records, isolated = grade.grade(Path(options.submissions), out, options.lesson, options.seed)
    flagged = sum(any(mark.flags for mark in record.marks.values()) for record in records)
    print(f"{len(records)} notebooks: {out}, and {out.stem}_feedback/ for the students.")
    for record in records:
        if record.note:
            print(f"{record.student}: {record.note} ({record.file}).")
    if flagged:
        print(f"Look at {flagged} of them before you give the marks: the column flags says why.")
    if not isolated:
        print("This system does not let a process leave the network and the other processes behind;")
        print("students' code ran with limits, as a user without rights where you are root. See TEACHING.md.")
    return 0


def gradebook(options: Namespace) -> int:
    """Write a table of marks into nbgrader's gradebook."""
    from vae_edu.grading.gradebook import write

    print(f"{write(Path(options.table), Path(options.gradebook))} marks are in {options.gradebook}.")
    return 0


def _table(numbers: dict[str, Any]) -> str:
    def line(name: str, key: str, unit: str = "nats per image") -> str:
        error = numbers.get(f"{key}_standard_error")
        return f"{name:<32}{numbers[key]:>12.4f}" + (f" ± {error:<8.4f}" if error else " " * 11) + f" {unit}"

    has_bits = numbers["bits_per_dimension"] is not None
    lines = [
        f"{numbers['images']} held-out images of {numbers['data']}; ± the standard error over the images",
        line("ELBO", "elbo"),
        line("  reconstruction, E[log p(x|z)]", "reconstruction"),
        line("  KL(q(z|x), p(z))", "kl"),
        *([line("-ELBO, in bits", "bits_per_dimension", "bits per dimension")] if has_bits else []),
        line("log p(x), importance sampling", "log_p_x"),
        line("  error of the sampling", "log_p_x_sampling_error"),
    ]
    if numbers["gap"] is not None:
        lines += [line("log p(x), exact on a grid", "exact_log_p_x"), line("  gap to the ELBO", "gap")]
    return "\n".join([*lines, f"active units {numbers['active_units']:>24} of {numbers['latent_dim']}"])


@torch.no_grad()
def _bound(vae: VAE, x: Tensor, samples: int, seed: int = 0) -> dict[str, float]:
    """The ELBO and its two terms, means over the images with their standard errors."""
    with random_stream(seed):
        parts = [elbo(vae, batch, samples) for batch in x.split(200)]
    reconstruction, kl = (torch.cat(column).double() for column in zip(*parts, strict=True))
    numbers = {}
    for name, values in {"elbo": reconstruction - kl, "reconstruction": reconstruction, "kl": kl}.items():
        numbers[name], numbers[f"{name}_standard_error"] = _mean(values)
    discrete = vae.likelihood == "bernoulli"
    bits = bits_per_dimension(numbers["elbo"], math.prod(vae.image_shape)) if discrete else None
    numbers["bits_per_dimension"] = bits
    return numbers


def _mean(values: Tensor | None) -> tuple[float | None, float | None]:
    if values is None:
        return None, None
    return values.mean().item(), standard_error(values).item()


def _data_name(name: str | None) -> str:
    """What load_images takes, the same from whatever folder it is called."""
    name = name or os.environ.get("VAE_EDU_DATASET") or "strokes"
    return name if name in {"strokes", *SOURCES} else str(Path(name).expanduser().resolve())


def _binarization(options: Namespace) -> str | None:
    if options.likelihood == "bernoulli":
        return options.binarize or "half"
    if options.binarize:
        raise ValueError(
            f"--binarize goes with --likelihood bernoulli: leave it out for {options.likelihood}."
        )
    return None


def _held_out(data: str, how: str | None) -> Tensor:
    x = load_images(data, split="test").x
    return x if how is None else binarize(x, seed=0 if how == "stochastic" else None)


def _images_for(vae: VAE, options: Namespace) -> Tensor:
    """The held-out images of the data that the model learned from, or of others, as it saw them."""
    name = options.data or vae.about.get("data")
    if name is None:
        raise ValueError(f"{options.model} does not say which data it learned from: give --data.")
    options.data = _data_name(name)
    return _held_out(
        options.data, vae.about.get("binarize", "half" if vae.likelihood == "bernoulli" else None)
    )


def _check_new(path: str) -> None:
    checkpoint.check_path(path)
    if Path(path).exists():
        raise ValueError(f"{path} exists already: --resume goes on with it, or name another.")


def _check_picture(path: str) -> None:
    checkpoint.check_path(path)
    if Path(path).suffix.lower() != ".png":
        raise ValueError(f"--out {path} is no picture: name a .png file.")


def _plots() -> Any:
    import matplotlib

    matplotlib.use("agg")  # no window
    from vae_edu import plots

    return plots


def _write(ax: Any, path: str) -> None:
    import matplotlib.pyplot as plt

    ax.figure.savefig(path, metadata={"Software": None})  # the same bytes from the same model
    plt.close(ax.figure)
