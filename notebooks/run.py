"""Run the lessons, and write executed copies and HTML to build/lessons, or execute them in place.

python notebooks/run.py                 run every lesson into build/lessons
python notebooks/run.py 01_autoencoder  run one
python notebooks/run.py --inplace       execute the committed notebooks again
"""

import argparse
import os
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

import own_images
import pages
from fingerprint import fingerprint

from vae_edu import streams
from vae_edu.data import default_name
from vae_edu.data.sources import NAMES

FOLDER = Path(__file__).resolve().parent
BUILD = FOLDER.parent / "build" / "lessons"
AT_ONCE = max(1, min(4, os.cpu_count() or 1))  # lessons at the same time, one on each core
CELL_SECONDS = 600  # a cell that takes longer has hung


class Result(NamedTuple):
    """A lesson's time in seconds, its kernel's peak memory in megabytes (0 if unknown), and what failed."""

    seconds: float
    megabytes: int
    failure: str | None


def run(path: Path, inplace: bool) -> Result:
    """Execute one lesson and write the result."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    notebook = nbformat.read(path, as_version=4)
    at = {"cell": 0, "megabytes": 0}

    def measure(cell, cell_index, **_):
        at.update(cell=cell_index, megabytes=_peak(client) or at["megabytes"])

    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,  # output arrives in different pieces in each run
        resources={"metadata": {"path": str(FOLDER)}},
        on_cell_start=measure,
        on_cell_executed=measure,
        extra_arguments=["--log-level=40"],  # keeps a note about TCP off stderr
    )
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # not a kernel of another Python in the user's own folder
    start = time.perf_counter()
    failure = None
    try:
        client.execute(env=kernel_environment(inplace))
    except CellExecutionError as error:
        failure = f"cell {at['cell'] + 1}: {error.ename}: {error.evalue}"
    except CellTimeoutError:
        failure = f"cell {at['cell'] + 1}: took longer than {CELL_SECONDS} s"
    except DeadKernelError:
        failure = f"cell {at['cell'] + 1}: the kernel died"
    seconds = time.perf_counter() - start
    _tidy(notebook, path.stem)
    if not inplace:
        nbformat.write(notebook, BUILD / path.name)
        pages.write(notebook, BUILD / f"{path.stem}.html")
    elif failure is None:
        nbformat.write(notebook, path)
    return Result(seconds, at["megabytes"], failure)


def _peak(client: Any) -> int:
    """The kernel's peak memory in megabytes; 0 if this is not Linux."""
    status = Path(f"/proc/{getattr(client.km.provisioner, 'pid', None)}/status")
    found = re.search(r"VmHWM:\s+(\d+)", status.read_text()) if status.exists() else None
    return int(found[1]) // 1024 if found else 0


def kernel_environment(inplace: bool) -> dict[str, str]:
    """The environment of a lesson's kernel: no progress bars, no memory of solved exercises, one core."""
    environment = os.environ | {"TQDM_DISABLE": "1", "VAE_EDU_PROGRESS": "0", "OMP_NUM_THREADS": "1"}
    # A kernel runs in notebooks/, so the caller's relative paths must become absolute.
    paths = ["VAE_EDU_DATA"]
    if environment.get("VAE_EDU_DATASET") not in NAMES:
        paths.append("VAE_EDU_DATASET")
    for name in paths:
        if environment.get(name):
            environment[name] = str(Path(environment[name]).expanduser().resolve())
    if inplace:  # the committed notebooks show the offline course on a CPU
        environment |= dict.fromkeys(("VAE_EDU_DATASET", "VAE_EDU_SIZE", "VAE_EDU_GRAY"), "")
        environment |= {"VAE_EDU_DEVICE": "cpu"}
    return environment


def _tidy(notebook: dict, lesson: str) -> None:
    """Keep only metadata that is the same on every machine, add the fingerprint, and drop live widgets.

    A widget needs a running kernel and has a new id in each run. Its picture stays.
    """
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "vae_edu": {"fingerprint": fingerprint(notebook, lesson)},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the lessons of the course.")
    parser.add_argument("lessons", nargs="*", help="names such as 01_autoencoder (default: all)")
    parser.add_argument("--inplace", action="store_true", help="execute the committed notebooks again")
    arguments = parser.parse_args()
    known = {path.stem: path for path in sorted(FOLDER.glob("[0-9]*.ipynb"))}
    if unknown := set(arguments.lessons) - set(known):
        parser.error(f"no lesson {sorted(unknown)}: the lessons are {', '.join(known)}")
    own = default_name() != "strokes" or os.environ.get("VAE_EDU_SIZE")
    if own and not arguments.inplace:
        try:
            print(f"{default_name()}: {own_images.describe()}", flush=True)
        except ValueError as error:
            parser.exit(2, f"VAE_EDU_DATASET={default_name()}: {error}\n")
    import matplotlib.font_manager  # noqa: F401  (builds the font cache before a lesson prints about it)

    if not arguments.inplace:
        BUILD.mkdir(parents=True, exist_ok=True)
        pages.copy_mathjax(BUILD)
        pages.write_texts(BUILD)
    names = arguments.lessons or list(known)
    with_live_page = not arguments.inplace and not {"04_elbo", "07_editing"}.isdisjoint(names)
    live = pages.begin_live_pages(BUILD) if with_live_page else None
    start = time.perf_counter()
    results = []
    print(f"{len(names)} lessons, up to {AT_ONCE} at a time:", flush=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = {pool.submit(run, known[name], arguments.inplace): name for name in names}
        try:
            for done in as_completed(running):
                result = done.result()
                results.append(result)
                verdict = "passed" if result.failure is None else f"FAILED in {result.failure}"
                line = f"{running[done]:32} {result.seconds:6.1f} s {result.megabytes:6} MB  {verdict}"
                print(line, flush=True)
            broken = live is not None and live.wait() != 0
        except KeyboardInterrupt:
            print("Stopped. Unfinished lessons were not written.", flush=True)
            os._exit(130)  # an ordinary exit would wait for the lessons; kernels end with this process
    slowest = max(result.seconds for result in results)
    largest = max(result.megabytes for result in results)
    took = time.perf_counter() - start
    print(f"{'all':32} {took:6.1f} s, the slowest {slowest:.1f} s, the largest {largest} MB", flush=True)
    if not arguments.inplace:
        print(f"Open {BUILD}/index.html in a browser, or the notebooks next to it in JupyterLab.")
    if broken:
        print("explorer.html and sliders.html could not be written; the reason is above.")
    return int(broken or any(result.failure for result in results))


if __name__ == "__main__":
    with streams.any_encoding():
        sys.exit(main())
