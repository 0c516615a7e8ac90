"""The report card of a VAE as one HTML file."""

import base64
import html
import io
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

import vae_edu
from vae_edu import plots
from vae_edu.engine.files import whole_file
from vae_edu.first_look import look
from vae_edu.report import Report

STYLE = """:root { color-scheme: light dark }
body { font: 17px/1.5 system-ui, sans-serif; max-width: 54rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse }
td, th { padding: .2rem .8rem .2rem 0; text-align: left; border-bottom: 1px solid #8886 }
td { font-variant-numeric: tabular-nums }
img { max-width: 100%; background: white; border-radius: 4px }
li { margin: .4rem 0 }
footer { color: #777; margin-top: 2rem }"""


def write(found: Report, path: str | Path, title: str = "Report of a VAE") -> None:
    """Write a report as one HTML file that needs nothing else; an older file is replaced whole or not at all.

    Args:
        found: What `report` returned.
        path: The file.
        title: Of the page.

    Raises:
        OSError: The file cannot be written.
    """
    right = "Nothing that this report looks for is wrong."
    sentences = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in found.findings or [right])
    rows = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{number.mean:.2f} ± {number.error:.2f}</td></tr>"
        for name, number in found.numbers.items()
    )
    used = f"{int(found.active.sum())} of {len(found.active)} dimensions are active"
    ink = look(next(iter(found.rows.values()))).ink
    figures = [
        (_bars(found), f"Bars of the KL divergence of each of {len(found.kl)} dimensions; {used}."),
        (plots.image_rows(found.rows, ink=ink), f"Rows of images: {', '.join(found.rows)}."),
    ]
    pictures = "".join(
        f'<p><img src="data:image/png;base64,{_png(ax)}" alt="{html.escape(alt)}"></p>' for ax, alt in figures
    )
    text = (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body><main>'
        f"<h1>{html.escape(title)}</h1><h2>What to look at</h2><ul>{sentences}</ul><h2>Numbers</h2>"
        "<p>In nats per image, with the standard error of the mean over the images.</p>"
        f"<table>{rows}</table>"
        f"<p>{used}.</p>{pictures}</main><footer>vae_edu {vae_edu.__version__}</footer></body></html>"
    )
    with whole_file(Path(path)) as part:
        part.write_text(text, encoding="utf-8")


def _bars(found: Report) -> Axes:
    ax = plt.subplots(figsize=(6.4, 2.6), dpi=110, layout="constrained")[1]
    order = found.kl.argsort(descending=True).cpu()
    kl, used = found.kl.cpu()[order], found.active.cpu()[order]
    places = range(1, len(kl) + 1)
    ax.bar(places, kl, color=[plots.COLORS[0] if on else "#BBBBBB" for on in used])
    ax.set(
        xlabel="dimension, by its KL", ylabel="KL, nats", title="what each dimension says (gray: not active)"
    )
    return ax


def _png(ax: Axes) -> str:
    picture = io.BytesIO()
    plots.save(ax, picture)
    return base64.b64encode(picture.getvalue()).decode()
