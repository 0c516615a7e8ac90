"""Write the figures of the course as files for slides into build/figures (make figures).

python notebooks/figures.py          vector graphics as SVG
python notebooks/figures.py pdf      as PDF

What it writes:
    diagram_jensen.svg …       the diagrams of vae_edu.diagrams, one for each function
    waterfall.svg              D1 to D6 for one image under a trained model, which takes half a minute
    04_elbo_cell-12.png …      each figure of the committed lessons, as it is, by lesson and cell, and with it
                               04_elbo_cell-12.txt, its alternative text, if it has one
The files are the same every time.
"""

import argparse
import base64
import inspect
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from pictures import waterfall

from vae_edu import diagrams, plots

FOLDER = Path(__file__).resolve().parent
BUILD = FOLDER.parent / "build" / "figures"


def main(arguments: list[str] | None = None) -> None:
    description, _, rest = (__doc__ or "").partition("\n\n")
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, epilog=rest, formatter_class=plain)
    parser.add_argument("form", nargs="?", choices=["svg", "pdf"], default="svg", help="of what we draw")
    form = parser.parse_args(arguments).form
    BUILD.mkdir(parents=True, exist_ok=True)
    count = 0
    for name, draw in drawings().items():
        vector(draw(), BUILD / f"{name}.{form}")
        count += 1
    for name, content in committed():
        (BUILD / name).write_bytes(content)
        count += 1
    print(f"wrote {count} files into {BUILD}")


def drawings() -> dict[str, Callable[[], Axes]]:
    """What is drawn anew: name → its function."""
    functions = inspect.getmembers(diagrams, inspect.isfunction)
    ours = {name: draw for name, draw in functions if draw.__module__ == diagrams.__name__ and name[0] != "_"}
    return {f"diagram_{name}": draw for name, draw in ours.items()} | {"waterfall": waterfall}


def vector(ax: Axes, path: Path) -> None:
    """Write the figure of the axes as SVG or PDF, without date and version, and close it."""
    figure = plots.figure_of(ax)
    names = ["Date", "Creator"] if path.suffix == ".svg" else ["CreationDate", "Creator", "Producer"]
    with mpl.rc_context({"svg.hashsalt": "vae_edu"}):
        figure.savefig(path, bbox_inches="tight", metadata=dict.fromkeys(names))
    plt.close(figure)


def committed(folder: Path = FOLDER) -> Iterator[tuple[str, bytes]]:
    """The pictures in the outputs of the lessons, and their alternative texts: file name, content."""
    for path in sorted(folder.glob("[0-9]*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            outputs = [output for output in cell.get("outputs", []) if "image/png" in output.get("data", {})]
            for number, output in enumerate(outputs):
                name = f"{path.stem}_{cell['id']}" + (f"_{number + 1}" if number else "")
                yield f"{name}.png", base64.b64decode(output["data"]["image/png"])
                if text := output["metadata"].get("image/png", {}).get("alt"):
                    yield f"{name}.txt", f"{text}\n".encode()


if __name__ == "__main__":
    main()
