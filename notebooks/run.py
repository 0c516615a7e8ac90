"""Run the lessons: executed copies and HTML under build/lessons, or in place for committing.

python notebooks/run.py                 run every lesson into build/lessons
python notebooks/run.py 01_autoencoder  run one
python notebooks/run.py --inplace       execute the committed notebooks again
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
BUILD = FOLDER.parent / "build" / "lessons"
PACKAGE = FOLDER.parent / "vae_edu"
CELL_SECONDS = 300  # a cell that takes longer has hung


def fingerprint(notebook: dict) -> str:
    """Hash of what a lesson's outputs come from: its cells, and the modules of vae_edu that they import."""
    cells = [(cell["cell_type"], cell["source"]) for cell in notebook["cells"]]
    waiting, modules = {"__init__"}.union(*(_imports(text) for kind, text in cells if kind == "code")), {}
    while waiting:
        name = waiting.pop()
        files = [PACKAGE / f"{name}.py", *sorted((PACKAGE / name).glob("*.py"))]  # a module, or a package
        text = "".join(path.read_text(encoding="utf-8") for path in files if path.exists())
        if name not in modules and text:
            modules[name] = text
            waiting |= _imports(text)
    return hashlib.sha256(json.dumps([cells, sorted(modules.items())]).encode()).hexdigest()


def _imports(code: str) -> set[str]:
    """Names that could be modules: those after `import vae_edu.`, `from vae_edu.`, `from vae_edu import`."""
    names = set(re.findall(r"^\s*(?:import|from) vae_edu\.(\w+)", code, re.M))
    for listed in re.findall(r"^\s*from vae_edu import ([\w, ]+)", code, re.M):
        names |= set(re.findall(r"\w+", listed))
    return names


def run(path: Path, inplace: bool) -> tuple[float, str | None]:
    """Execute one lesson and write it; its seconds, and the failing cell with its error, or None."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    from tqdm import tqdm

    notebook = nbformat.read(path, as_version=4)
    code_cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    with tqdm(total=code_cells, desc=path.stem, unit="cell", leave=False, disable=None) as bar:
        at = {"cell": 0}

        def count(cell, cell_index):
            at["cell"] = cell_index
            bar.update(cell.cell_type == "code")

        client = NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,  # how output arrives in pieces differs from run to run
            resources={"metadata": {"path": str(FOLDER)}},
            on_cell_start=count,
            extra_arguments=["--log-level=40"],  # no note on stderr that the kernel talks over TCP
        )
        start, failure = time.perf_counter(), None
        try:
            client.execute(env=kernel_environment(inplace))
        except CellExecutionError as error:
            failure = f"cell {at['cell'] + 1}: {error.ename}: {error.evalue}"
        except CellTimeoutError:
            failure = f"cell {at['cell'] + 1}: took longer than {CELL_SECONDS} s"
        except DeadKernelError:
            failure = f"cell {at['cell'] + 1}: the kernel died"
        seconds = time.perf_counter() - start
    _tidy(notebook)
    if not inplace:
        nbformat.write(notebook, BUILD / path.name)
        _write_html(notebook, BUILD / f"{path.stem}.html")
    elif failure is None:
        nbformat.write(notebook, path)
    return seconds, failure


def kernel_environment(inplace: bool) -> dict[str, str]:
    # widgets differ from run to run; and the exercises of these runs were not done by a learner
    environment = os.environ | {"TQDM_DISABLE": "1", "VAE_EDU_PROGRESS": "0"}
    # a kernel runs in notebooks/, the caller somewhere else; a data set without a slash is a name
    paths = ["VAE_EDU_DATA"] + ["VAE_EDU_DATASET"] * ("/" in environment.get("VAE_EDU_DATASET", ""))
    for name in filter(environment.get, paths):
        environment[name] = str(Path(environment[name]).expanduser().resolve())
    if inplace:  # what is committed is the offline course on a CPU
        environment |= {"VAE_EDU_DATASET": "strokes", "VAE_EDU_DEVICE": "cpu"}
    return environment


def _tidy(notebook: dict) -> None:
    """Metadata that does not depend on the machine, the fingerprint of what was run, and no live widgets.

    A widget's id differs from run to run, and without a kernel it does not live: its picture stays.
    """
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "vae_edu": {"fingerprint": fingerprint(notebook)},
    }


def _write_html(notebook: dict, path: Path) -> None:
    """A page that needs no network: MathJax lies beside it, with the one web font that it comes with."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        mathjax_url="mathjax/MathJax.js?config=TeX-AMS-MML_HTMLorMML-full,Safe",
        require_js_url="",
        jquery_url="",
    )
    body, _ = exporter.from_notebook_node(notebook, resources={"metadata": {"name": path.stem}})
    fonts = {"availableFonts": [], "preferredFont": None, "webFont": "STIX-Web"}
    settings = json.dumps({"jax": ["input/TeX", "output/HTML-CSS"], "HTML-CSS": fonts})
    body = body.replace("<head>", f"<head><script>window.MathJax = {settings};</script>", 1)
    path.write_text(body, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the lessons of the course.")
    parser.add_argument("lessons", nargs="*", help="names such as 01_autoencoder; all of them without one")
    parser.add_argument("--inplace", action="store_true", help="execute the committed notebooks again")
    arguments = parser.parse_args()
    known = {path.stem: path for path in sorted(FOLDER.glob("[0-9]*.ipynb"))}
    if unknown := set(arguments.lessons) - set(known):
        parser.error(f"no lesson {sorted(unknown)}: the lessons are {', '.join(known)}")
    import jupyter_server_mathjax
    import matplotlib.font_manager  # noqa: F401  (builds the font cache here, not in a lesson's output)

    if not arguments.inplace:
        BUILD.mkdir(parents=True, exist_ok=True)
        mathjax = Path(jupyter_server_mathjax.__file__).parent / "static"
        shutil.copytree(mathjax, BUILD / "mathjax", dirs_exist_ok=True)
    failed = 0
    for name in arguments.lessons or known:
        if not sys.stderr.isatty():  # no progress bar there
            print(f"{name:32} running ...", flush=True)
        try:
            seconds, failure = run(known[name], arguments.inplace)
        except KeyboardInterrupt:
            print(f"{name:32} stopped; nothing of it was written.")
            return 130
        print(
            f"{name:32} {seconds:6.1f} s  {'passed' if failure is None else 'FAILED in ' + failure}",
            flush=True,
        )
        failed += failure is not None
    if not arguments.inplace:
        print(f"Open {BUILD}/*.html in a browser, or the notebooks beside them in JupyterLab.")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
