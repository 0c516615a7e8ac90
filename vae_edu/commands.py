"""What the commands of `python -m vae_edu` do, each with the options of its name; they return exit codes."""

import gc
import json
import math
import os
import shlex
import sys
from contextlib import redirect_stdout
from dataclasses import asdict, fields, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

import vae_edu
from vae_edu import marginal
from vae_edu import reproduce as paper
from vae_edu.active_units import active_units
from vae_edu.data import MappedImages, binarize, default_name, load_images, map_images
from vae_edu.data.pixels import wanted_gray, wanted_size
from vae_edu.data.room import free_memory
from vae_edu.data.sources import NAMES
from vae_edu.edit import traverse
from vae_edu.elbo import negative_elbo, negative_elbo_of_binarized
from vae_edu.engine import checkpoint, distributed
from vae_edu.engine.chunks import chunk_sizes
from vae_edu.engine.interrupts import exit_code
from vae_edu.engine.randomness import random_stream
from vae_edu.explore import explore as write_page
from vae_edu.explore import rounded
from vae_edu.generate import generate as draw
from vae_edu.grid import Grid
from vae_edu.monitor import bits_per_dimension
from vae_edu.options import (
    Edit,
    Evaluate,
    Explore,
    Generate,
    Grade,
    Gradebook,
    Gradescope,
    Report,
    Reproduce,
    Train,
    parsed_again,
)
from vae_edu.report import report as measure
from vae_edu.report import terms_of_images
from vae_edu.train import fit
from vae_edu.uncertainty import standard_error
from vae_edu.vae import VAE, WIDTHS

NOT_KEPT = {"out", "resume", "device"}  # options of one call, which a file of train does not keep
SAMPLES = 16  # for the ELBO of one image
MOST_NAMED = 9  # values in a title


def train(options: Train) -> int:
    """Train a VAE, and print its bound on the held-out images."""
    vae_edu.device(options.device)
    if not options.resume:
        _check_new(options.out)
    options = _in_full(options)
    with distributed.process_group(options.device):
        x = _training_images(options)
        test = _held_out(_source(options), options.binarize)
        _check_alike(x.shape[1:], test)
        _check_room_to_train(options, x.shape[1:])
        vae = _new_vae(options, x.shape[1:])
        loss = negative_elbo_of_binarized if options.binarize == "stochastic" else negative_elbo
        with redirect_stdout(sys.stderr):  # what is said on the way is no result
            history = fit(
                vae,
                partial(loss, beta=options.beta),
                x,
                options.epochs,
                held_out=test,
                batch_size=options.batch_size,
                lr=options.lr,
                seed=options.seed,
                device=options.device,
                checkpoint=options.out,
            )
        if distributed.rank() == 0 and history.interrupted:
            print(
                f"python -m vae_edu train --resume --out {shlex.quote(options.out)} goes on.", file=sys.stderr
            )
        elif distributed.rank() == 0:
            print(f"{_bound_in_words(vae, test)}: {options.out}")
    return exit_code() if history.interrupted else 0


def with_saved_options(given: dict[str, Any]) -> dict[str, Any]:
    """The options of a training that goes on: those that its file keeps, and those that were given.

    Raises:
        ValueError: If the file keeps no options, or others than those given; only the epochs may differ.
    """
    path = given["out"]
    saved = VAE.load(path, "cpu").about.get("options")
    if not isinstance(saved, dict):
        raise ValueError(f"{path} was not made by this command: go on with `fit(…, checkpoint=…)` in Python.")
    kept = {field.name for field in fields(Train)} - NOT_KEPT
    try:
        saved = parsed_again("train", {name: value for name, value in saved.items() if name in kept})
    except ValueError as error:
        raise ValueError(
            f"{path} is damaged, its options are none of train ({error}): name another."
        ) from None
    if "data" in given:
        given = {**given, "data": _full_name(given["data"])}
    for name, before in asdict(Train(path, **saved)).items():
        if name in kept - {"epochs"} and given.get(name, before) != before:
            option = "--" + name.replace("_", "-")
            raise ValueError(
                f"{path} was trained with {option} {before}, not {given[name]}: leave the option "
                "out, or name another file."
            )
    return saved | given


def generate(options: Generate) -> int:
    """Write a picture of images drawn from the model."""
    _check_picture(options.out)
    vae = VAE.load(options.model, options.device)
    _check_room_to_generate(vae, options.n)
    drawn = draw(vae, options.n, seed=options.seed)
    x = drawn.mean if options.mean else drawn.x
    plots = _plots()
    plots.save(plots.image_grid(_finite(x, options.model), options.columns), options.out)
    return 0


def edit(options: Edit) -> int:
    """Write a picture of one held-out image, and of what its code becomes as one dimension changes."""
    _check_picture(options.out)
    vae = VAE.load(options.model, options.device)
    if options.dim >= vae.latent_dim:
        raise ValueError(f"there is no --dim {options.dim}: this model's are 0 to {vae.latent_dim - 1}.")
    images = _held_out_for(vae, _source_for(vae, options))
    if options.image >= len(images):
        raise ValueError(
            f"there is no image {options.image}: the held-out images are 0 to {len(images) - 1}."
        )
    x = images[options.image : options.image + 1]
    row = torch.cat([x, traverse(vae, x, options.dim, options.values)[:, 0]])
    places = [f"{value:g}" for value in options.values]
    if len(places) > MOST_NAMED:
        places = [*places[: MOST_NAMED - 1], "…", places[-1]]
    title = f"image {options.image}, then z[{options.dim}] = {', '.join(places)}"
    plots = _plots()
    plots.save(plots.image_rows({"": _finite(row, options.model)}, title), options.out)
    return 0


def evaluate(options: Evaluate) -> int:
    """Print how well the model explains held-out images."""
    vae = VAE.load(options.model, options.device)
    try:
        grid = Grid(vae.latent_dim, options.grid_points, options.grid_radius) if vae.latent_dim <= 2 else None
    except ValueError as error:
        raise ValueError(f"--grid-points {options.grid_points}: {error}") from None
    source = _source_for(vae, options)
    x = _some(_held_out_for(vae, source), options.n)
    if len(x) == 1:
        print("note: a single image has no standard error, and no active units.", file=sys.stderr)
    numbers: dict[str, Any] = {"data": source["name"], "images": len(x), "latent_dim": vae.latent_dim}
    reconstruction, kl = terms_of_images(vae, x, SAMPLES, options.seed)
    bound = reconstruction - kl
    numbers |= _mean("elbo", bound) | _mean("reconstruction", reconstruction) | _mean("kl", kl)
    numbers["bits_per_dimension"] = _bits(vae, bound)
    estimate = marginal.importance_sampling(vae, x, options.samples, seed=options.seed)
    numbers |= _mean("log_p_x", estimate.log_p_x)
    numbers["log_p_x_sampling_error"] = estimate.standard_error.square().sum().sqrt().item() / len(x)
    exact = marginal.quadrature(vae, x, grid).log_p_x if grid else None
    numbers |= _mean("exact_log_p_x", exact)
    numbers["gap"] = None if exact is None else numbers["exact_log_p_x"] - numbers["elbo"]
    numbers["active_units"] = int(active_units(vae, x).sum()) if len(x) > 1 else None
    print(_json(numbers) if options.json else _table(numbers))
    return 0


def report(options: Report) -> int:
    """Write a page on a model: its numbers, its images, and what is wrong."""
    _check_page(options.out)
    vae = VAE.load(options.model, options.device)
    source = _source_for(vae, options)
    x = _some(_held_out_for(vae, source), options.n)
    train = _binarized(load_images(**source, n=_images_seen(vae, options)).x, _binarization_of(vae))
    _check_alike(train.shape[1:], x)
    _plots()  # to files, before the page imports it
    from vae_edu.report_page import write

    found = measure(vae, train, x, samples=options.samples, seed=options.seed)
    write(found, options.out, f"{Path(options.model).name} on {source['name']}")
    print("\n".join([*found.findings, f"The report is in {options.out}."]))
    return 0


def explore(options: Explore) -> int:
    """Write a page on which one drags q by hand."""
    _check_page(options.out)
    vae = VAE.load(options.model, options.device)
    rounded(vae, latent_dim=2)  # to say what does not fit before images are read
    source = _source_for(vae, options)
    x = _held_out_for(vae, source)
    x = _some(x, min(options.n, len(x)))
    write_page(vae, x, options.out, f"Drag q: {Path(options.model).name} on {Path(source['name']).name}")
    print(f"The page is in {options.out}: {Path(options.out).stat().st_size / 1000:.0f} kB.")
    return 0


def reproduce(options: Reproduce) -> int:
    """Train and measure one row of a published table, and print it with the paper's numbers."""
    _check_reproduce(options)
    saved = _saved_reproduction(options) if options.resume else None
    source = _source_of_reproduction(options, saved)
    x = load_images(**source).x
    test = load_images(**source, split="test", n=options.n).x
    _check_alike(x.shape[1:], test)
    if len(test) < 2:
        raise ValueError(f"{source['name']} has a single test image: the standard error needs two or more.")
    vae = saved or _new_reproduction(options, source, x)
    _check_alike(torch.Size(vae.image_shape), test)
    seed = vae.about["seed"]
    how = {"epochs": vae.about["epochs"], "vae_epochs": vae.about.get("vae_epochs", 0)}
    how["schedule"] = vae.about.get("schedule", "paper")  # of a file from before 0.5
    first = f"{how['vae_epochs']} epochs with one sample, and then " if how["vae_epochs"] else ""
    print(f"{first}{how['epochs']} epochs, schedule {how['schedule']} ...", file=sys.stderr)
    with redirect_stdout(sys.stderr):  # which is for the result alone
        history = paper.train(vae, x, options.k, **how, seed=seed, checkpoint=options.out)
    if history.interrupted:
        goes_on = "Nothing is kept without --out."
        if options.out:
            out = shlex.quote(options.out)
            goes_on = f"python -m vae_edu reproduce iwae --k {options.k} --resume --out {out} goes on."
        print(goes_on, file=sys.stderr)
        return exit_code()
    run: dict[str, Any] = {
        "command": _command(options, source, how, seed),
        "data": source["name"],
        "k": options.k,
        **how,
        "machine": paper.machine(x.device),
        "training_minutes": round(vae.about.get("training_minutes", 0.0), 2),
        "images": len(test),
        "samples": options.samples,
    }
    run |= paper.evaluate(vae, test, options.samples, seed=seed)
    print(_json(run) if options.json else paper.table([run]))
    return 0


def grade(options: Grade) -> int:
    """Mark students' notebooks, and print what became of them."""
    gc.freeze()  # PyTorch's objects stay: to look for garbage among them takes half a second
    from vae_edu.grading.grade import grade as grade_all
    from vae_edu.grading.grade import say_all

    paths = [Path(path) for path in options.submissions]
    roster = Path(options.roster) if options.roster else None
    if options.dry_run:
        return _plan(options, paths, roster)
    if options.out is None:
        return _check_saved(options, paths)
    out = Path(options.out)
    if out.suffix != ".csv":
        raise ValueError(f"--out {out} must end in .csv.")
    records, isolated = grade_all(
        paths,
        out,
        options.lesson,
        options.seed,
        layout=options.layout,
        roster=roster,
        attempts=options.attempts,
        certain=options.yes,
        unconfined=options.unconfined,
        format=options.format,
        variant=options.variant,
        say=print,
    )
    flagged = sum(any(mark.flags for mark in record.marks.values()) for record in records)
    print(f"The marks are in {out}, and the pages for the students in {out.stem}_feedback/.")
    print(f"{out.stem}_questions.html holds their answers to the questions: fill in the question columns.")
    say_all([f"{r.student}: {r.note}{f' ({r.file})' if r.file else ''}." for r in records if r.note], print)
    if flagged:
        print(f"Look at {flagged} of them before you give the marks: the column flags says why.")
    if not isolated:
        print("This system does not let a process leave the network and the other processes behind;")
        print("students' code ran with limits, as a user without rights where you are root. See TEACHING.md.")
    return 0


def _plan(options: Grade, paths: list[Path], roster: Path | None) -> int:
    """Print which file is taken for whose; mark nothing."""
    from tempfile import TemporaryDirectory

    from vae_edu.grading.find import find
    from vae_edu.grading.grade import listing

    out = Path(options.out) if options.out else None
    with TemporaryDirectory(prefix="vae_edu-", ignore_cleanup_errors=True) as room:
        finding = find(paths, Path(room), options.layout, roster, options.lesson, out)
    print("\n".join(listing(finding)))
    return 0


def _check_saved(options: Grade, paths: list[Path]) -> int:
    """Print what single notebooks would get."""
    from vae_edu.grading.saved import check_saved

    if folder := next((path for path in paths if path.is_dir()), None):
        raise ValueError(f"{folder} is a folder: add --out grades.csv for the table.")
    for line in check_saved(paths, options.lesson, options.variant):
        print(line)
    return 0


def gradebook(options: Gradebook) -> int:
    """Write a table of marks into nbgrader's gradebook."""
    from vae_edu.grading.gradebook import write

    count = write(Path(options.table), Path(options.gradebook), options.add_students)
    print(f"{count} marks are in {options.gradebook}.")
    return 0


def gradescope(options: Gradescope) -> int:
    """Write an autograder for Gradescope."""
    from vae_edu.grading.gradescope import write

    write(Path(options.out), options.lesson)
    print(f"{options.out}: upload it as the autograder of a programming assignment of Gradescope.")
    return 0


# The options in full.


def _in_full(options: Train) -> Train:
    """The options of train, with the defaults that depend on other options."""
    binarization = _binarization(options)
    if options.mapped and binarization == "half":
        raise ValueError("--mapped reads gray pixels in every step: add --binarize stochastic.")
    hidden = options.hidden
    if options.network == "mlp" and hidden is None:
        hidden = [500, 500]  # the way from two numbers to 784 pixels takes two layers
    size, gray = wanted_size(options.size), wanted_gray(options.gray)
    data = _full_name(options.data)
    return replace(options, data=data, size=size, gray=gray, binarize=binarization, hidden=hidden)


def _binarization(options: Train) -> str | None:
    if options.likelihood == "bernoulli":
        return options.binarize or "half"
    if options.binarize:
        raise ValueError(
            f"--binarize goes with --likelihood bernoulli: leave it out for {options.likelihood}."
        )
    return None


def _full_name(data: str | None) -> str:
    """The name of a data set, or the absolute path of its folder, which is the same from every folder."""
    data = data or default_name()
    return data if data in NAMES else str(Path(data).expanduser().resolve())


def _check_out(path: str) -> None:
    """Raise ValueError if no file can be written at path, before any work is done for it."""
    longest = 255 - len(".part") - 60  # of a name on most systems, with what a temporary file adds to it
    if len(os.fsencode(Path(path).name)) > longest or len(os.fsencode(path)) > 4000:
        raise ValueError(f"--out {path[:20]}… is too long a name: take one of {longest} bytes at most.")
    checkpoint.check_path(path)


def _check_new(path: str) -> None:
    _check_out(path)
    if Path(path).exists():
        raise ValueError(f"{path} exists already: --resume goes on with it, or name another.")


def _check_picture(path: str) -> None:
    _check_out(path)
    if Path(path).suffix.lower() != ".png":
        raise ValueError(f"--out {path} is no picture: name a .png file.")


def _check_page(path: str) -> None:
    _check_out(path)
    if Path(path).suffix.lower() != ".html":
        raise ValueError(f"--out {path} is no page: name an .html file.")


# Data and models.


def _source(options: Train | Edit | Evaluate | Report | Explore | Reproduce) -> dict[str, Any]:
    """What `load_images` should load: the data's name, and size and gray if they were given."""
    source = {"name": options.data, "device": options.device, "size": options.size, "gray": options.gray}
    return {name: value for name, value in source.items() if value is not None}


def _training_images(options: Train) -> Tensor | MappedImages:
    """The images to train on, as the loss takes them."""
    source = _source(options)
    if options.mapped:
        return map_images(source.pop("name"), n=options.n, **source)
    x = load_images(**source, n=options.n).x
    return binarize(x) if options.binarize == "half" else x


def _new_vae(options: Train, image_shape: torch.Size) -> VAE:
    """An untrained VAE with its data and options in `about`."""
    with random_stream(options.seed):
        vae = VAE(
            image_shape,
            options.latent_dim,
            options.likelihood,
            network=options.network,
            hidden=options.hidden,
            device=options.device,
        )
    kept = {name: value for name, value in asdict(options).items() if name not in NOT_KEPT}
    about = ("data", "size", "gray", "binarize", "seed")
    vae.about = {name: kept[name] for name in about if kept[name] is not None or name == "binarize"}
    vae.about["options"] = kept
    return vae


def _held_out(source: dict[str, Any], binarization: str | None) -> Tensor:
    """The test images, black and white if the model learned from such images."""
    return _binarized(load_images(**source, split="test").x, binarization)


def _binarized(x: Tensor, binarization: str | None) -> Tensor:
    if binarization is None:
        return x
    return binarize(x, seed=0 if binarization == "stochastic" else None)


def _check_alike(image_shape: torch.Size, test: Tensor) -> None:
    """Raise ValueError if the test images have another shape, before a model is trained for hours."""
    if test.shape[1:] != image_shape:
        raise ValueError(
            f"the test images are {tuple(test.shape[1:])}, but those to train on {tuple(image_shape)}: give "
            "images of one shape, or for pictures --size and --gray."
        )


def _source_for(vae: VAE, options: Edit | Evaluate | Report | Explore) -> dict[str, Any]:
    """What to look at: the data that are named, or else those that the model learned from."""
    source = _source(options)
    if options.data is None:
        source = _source_in(vae, options.model) | source
        if "name" not in source:
            raise ValueError(f"{options.model} does not say which data it learned from: give --data.")
    return source | {"name": _full_name(source["name"])}


def _held_out_for(vae: VAE, source: dict[str, Any]) -> Tensor:
    """The test images, binarized as the model's own data were."""
    return _held_out(source, _binarization_of(vae))


def _binarization_of(vae: VAE) -> str | None:
    return vae.about.get("binarize", "half" if vae.likelihood == "bernoulli" else None)


def _images_seen(vae: VAE, options: Report) -> int | None:
    """How many of its own images the model learned from, or None for all, and for other data."""
    saved = _about(vae, options.model, "options", dict) if options.data is None else None
    return saved.get("n") if saved else None


def _source_in(vae: VAE, path: str | None) -> dict[str, Any]:
    """What the model's file says of the data that it learned from, as `_source` has it."""
    source = {"name": vae.about.get("data")}
    source |= {name: _about(vae, path, name, kind) for name, kind in (("size", int), ("gray", bool))}
    return {name: value for name, value in source.items() if value is not None}


def _about(vae: VAE, path: str | None, name: str, kind: type) -> Any:
    """What the model's file says about it, of its kind, or None."""
    value = vae.about.get(name)
    if value is not None and (not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)):
        raise ValueError(f"{path} is damaged, {value!r} is no {name} of a model: name another file.")
    return value


def _check_room_to_train(options: Train, image_shape: torch.Size) -> None:
    """Raise MemoryError if the weights cannot fit, with their gradients and Adam's two moments."""
    channels, height, width = image_shape
    hidden = options.hidden or []
    if options.network == "cnn":
        hidden = hidden or list(WIDTHS["cnn"])
        convolutions = 9 * sum(a * b for a, b in pairwise([channels, *hidden]))
        ends = hidden[-1] * math.ceil(height / 2 ** len(hidden)) * math.ceil(width / 2 ** len(hidden))
        weights = 2 * (convolutions + ends * options.latent_dim)
    else:
        weights = 2 * sum(a * b for a, b in pairwise([math.prod(image_shape), *hidden, options.latent_dim]))
    free = _free(vae_edu.device(options.device))
    if free is not None and 4 * 4 * weights > free:
        raise MemoryError


def _free(device: torch.device) -> int | None:
    """The bytes that are free on a device, or None if the system does not say."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else free_memory()


def _check_room_to_generate(vae: VAE, n: int) -> None:
    """Raise ValueError if n images and their picture take more memory than there is."""
    channels, height, width = vae.image_shape

    def work(images: int, _: int) -> tuple[Tensor, ...]:
        p = vae.decode(vae.prior().sample(torch.Size([images])))
        return p.mean, p.sample(), torch.empty(images, 12, height, width, dtype=torch.float64)

    free = _free(next(vae.parameters()).device)
    if free is None:
        return
    with torch.no_grad(), random_stream(0):
        most, _ = chunk_sizes(work, n, 1, free)
    if most < n:
        raise ValueError(
            f"--n {n}: there is memory for about {most} images of {channels} x {height} x {width} pixels at "
            "a time; lower it, and draw others with another --seed."
        )


def _finite(x: Tensor, path: str) -> Tensor:
    """The pictures, if they can be shown."""
    if not x.isfinite().all():
        raise ValueError(f"the images of {path} are not finite: give --values nearer to 0, or another model.")
    return x


def _some(x: Tensor, n: int | None) -> Tensor:
    """n of the images, chosen at random; by default 1000, or all if there are fewer."""
    if n and n > len(x):
        raise ValueError(f"--n {n}, but there are {len(x)} held-out images: ask for at most as many.")
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    return x[order[: n or 1000].to(x.device)]


# The numbers.


def _bits(vae: VAE, bound: Tensor) -> float | None:
    """The mean of the ELBO (B,) in bits per dimension; a density has none."""
    if vae.likelihood != "bernoulli":
        return None
    return float(bits_per_dimension(bound.mean().item(), math.prod(vae.image_shape)))


def _mean(name: str, values: Tensor | None) -> dict[str, float | None]:
    """The mean of a value for each image, (B,), and its standard error, by name; None without values."""
    if values is None:
        return {name: None, f"{name}_standard_error": None}
    error = standard_error(values).item() if len(values) > 1 else None
    return {name: values.mean().item(), f"{name}_standard_error": error}


def _json(numbers: dict[str, Any]) -> str:
    """The numbers as one object; those that are not finite are null, since JSON has no words for them."""
    finite = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in numbers.items()
    }
    return json.dumps(finite, allow_nan=False)


def _bound_in_words(vae: VAE, x: Tensor) -> str:
    reconstruction, kl = terms_of_images(vae, x, samples=1)
    bound = reconstruction - kl
    bits = _bits(vae, bound)
    text = (
        f"held-out ELBO {bound.mean():.2f} nats per image "
        f"(reconstruction {reconstruction.mean():.2f}, KL {kl.mean():.2f})"
    )
    return text if bits is None else f"{text}, {bits:.4f} bits per dimension"


def _table(numbers: dict[str, Any]) -> str:
    def line(name: str, key: str, unit: str = "nats per image") -> str:
        error = numbers.get(f"{key}_standard_error")
        plus_minus = f" ± {error:<8.4f}" if error else " " * 11
        return f"{name:<32}{numbers[key]:>12.4f}{plus_minus} {unit}"

    lines = [
        f"{numbers['images']} held-out images of {numbers['data']}; ± the standard error over the images"
        if numbers["images"] > 1
        else f"1 held-out image of {numbers['data']}",
        line("ELBO", "elbo"),
        line("  reconstruction, E[log p(x|z)]", "reconstruction"),
        line("  KL(q(z|x), p(z))", "kl"),
    ]
    if numbers["bits_per_dimension"] is not None:
        lines.append(line("-ELBO, in bits", "bits_per_dimension", "bits per dimension"))
    lines.append(line("log p(x), importance sampling", "log_p_x"))
    lines.append(line("  error of the sampling", "log_p_x_sampling_error"))
    if numbers["gap"] is not None:
        lines.append(line("log p(x), exact on a grid", "exact_log_p_x"))
        lines.append(line("  gap to the ELBO", "gap"))
    if numbers["active_units"] is not None:
        lines.append(f"active units {numbers['active_units']:>24} of {numbers['latent_dim']}")
    return "\n".join(lines)


# A row of a published table.


def _check_reproduce(options: Reproduce) -> None:
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise ValueError("reproduce runs in one process: start it without torchrun.")
    vae_edu.device(options.device)
    given = options.epochs or options.vae_epochs or options.budget or options.schedule
    if options.resume and (options.out is None or given):
        raise ValueError(
            "--resume takes everything but --out from that file: leave --epochs, --budget and --schedule out."
        )
    if options.vae_epochs and (options.epochs is None or options.k == 1 or options.schedule == "paper"):
        raise ValueError("--vae-epochs goes with --epochs, --k 5 or 50, and the cosine.")
    if options.out and not options.resume:
        _check_new(options.out)
        if paper.first_part(options.out).exists():
            raise ValueError(f"{options.out} is begun already: --resume goes on with it, or name another.")


def _source_of_reproduction(options: Reproduce, saved: VAE | None) -> dict[str, Any]:
    """What to load: the data that are named, those of the file that goes on, or else MNIST."""
    source = _source_in(saved, options.out) if saved else {}
    source |= _source(options)
    return source | {"name": _full_name(source.get("name", "mnist"))}


def _new_reproduction(options: Reproduce, source: dict[str, Any], x: Tensor) -> VAE:
    """The paper's network, untrained, with its data, options and number of epochs in `about`."""
    vae, schedule = paper.network(x, options.seed), options.schedule or "cosine"
    epochs, vae_epochs = options.epochs, options.vae_epochs or 0
    if epochs is None and (options.budget or schedule == "cosine" or x.device.type == "cpu"):
        minutes = options.budget or paper.MINUTES["cpu" if x.device.type == "cpu" else "cuda"]
        epochs, vae_epochs = paper.affordable_epochs(x, options.k, minutes, schedule)
    vae.about = {"data": source["name"], "binarize": "stochastic", "k": options.k, "seed": options.seed}
    vae.about |= {name: source[name] for name in ("size", "gray") if name in source}
    vae.about |= {"schedule": schedule, "epochs": epochs or paper.EPOCHS, "vae_epochs": vae_epochs}
    return vae


def _saved_reproduction(options: Reproduce) -> VAE:
    """The network in the file --out, whose training goes on."""
    path, first = str(options.out), paper.first_part(str(options.out))
    if first.exists() and not Path(path).exists():
        path = str(first)
    vae = VAE.load(path, options.device)
    if vae.about.get("k") != options.k:
        what = f"with --k {vae.about['k']}" if "k" in vae.about else "by another command"
        raise ValueError(f"{path} was made {what}, not with --k {options.k}: name another file.")
    if any(_about(vae, path, name, int) is None for name in ("epochs", "seed")):
        raise ValueError(f"{path} is damaged, it has no epochs or no seed: name another file.")
    _about(vae, path, "training_minutes", float)
    _about(vae, path, "schedule", str)
    _about(vae, path, "vae_epochs", int)
    return vae


def _command(options: Reproduce, source: dict[str, Any], how: dict[str, Any], seed: int) -> str:
    """The command that computes the same numbers again."""
    words = [f"python -m vae_edu reproduce iwae --k {options.k}"]
    if source["name"] != "mnist":
        words.append(f"--data {shlex.quote(source['name'])}")
    if "size" in source:
        words.append(f"--size {source['size']}")
    if "gray" in source:
        words.append("--gray" if source["gray"] else "--no-gray")
    if how["schedule"] == "paper":
        words.append("--schedule paper")
    words.append(f"--epochs {how['epochs']}")
    if how["vae_epochs"]:
        words.append(f"--vae-epochs {how['vae_epochs']}")
    if seed != Reproduce.seed:
        words.append(f"--seed {seed}")
    if options.n is not None:
        words.append(f"--n {options.n}")
    if options.samples != Reproduce.samples:
        words.append(f"--samples {options.samples}")
    return " ".join(words)


def _plots() -> ModuleType:
    """The module `plots`, drawing to files, not to windows."""
    import matplotlib

    matplotlib.use("agg")
    from vae_edu import plots

    return plots
