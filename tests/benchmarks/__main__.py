"""How close to the hardware: one table, each row a ratio measured in one run.

    python -m tests.benchmarks            print the table, of the GPU if there is one
    python -m tests.benchmarks --write    and write it into notebooks/SPEED.md

`make bench` also runs tests.benchmarks.growth.
"""

import argparse
import re
import sys
from pathlib import Path

import torch

import vae_edu
from tests.benchmarks import rows
from tests.benchmarks.measure import Row, heading
from vae_edu import streams

PAGE = Path(__file__).parents[2] / "notebooks" / "SPEED.md"
OTHERS = ("DataLoader", "kernel by kernel", "pythae")


def measure(rounds: int):
    """Pairs of (threads or "CUDA", row), each yielded when it has been measured."""
    if vae_edu.device().type == "cuda":
        everything = [rows.training(rounds)], rows.evaluation(rounds), rows.steps_on_cuda(rounds)
        for row in (row for part in everything for row in part):
            yield "CUDA", row
        return
    for count in sorted({1, torch.get_num_threads()}):
        with rows.threads(count):
            yield str(count), rows.training(rounds)
            for row in rows.evaluation(rounds):
                yield str(count), row


def line(where: str, row: Row) -> str:
    """A line of the table: median seconds, and median ratios with their smallest and largest round."""
    others = [name for name in OTHERS if name in row.seconds]
    beside = ", ".join(f"{name} {_spread(row.ratios('ours', name))}" for name in others) or "–"
    return (
        f"| {row.what} | {where} | {_seconds(row.median('ours'))} | {_seconds(row.median('products'))} "
        f"| {_spread(row.ratios('products'))} | {beside} |"
    )


def _seconds(value: float) -> str:
    return f"{value:.3g} s" if value >= 0.1 else f"{1000 * value:.3g} ms"


def _spread(ratio: tuple[float, float, float]) -> str:
    return "{:.2f} ({:.2f}–{:.2f})".format(*ratio)


def write(kind: str, table: str, page: Path = PAGE) -> None:
    """Replace the page's table of this kind, cpu or cuda."""
    text = page.read_text(encoding="utf-8")
    pattern = rf"(<!-- bench {kind} -->\n).*?(<!-- /bench -->)"
    page.write_text(
        re.sub(pattern, lambda found: found[1] + table + found[2], text, flags=re.S), encoding="utf-8"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is timed (5)")
    parser.add_argument("--write", action="store_true", help="write the table into notebooks/SPEED.md")
    options = parser.parse_args()
    kind = vae_edu.device().type
    where = "threads" if kind == "cpu" else "on"
    lines = heading(
        f"medians of {options.rounds} rounds, ratios with the smallest and the largest.",
        f"| what | {where} | ours | products alone | ours / products | others / ours |",
    )
    print("\n".join(lines), flush=True)
    for place, row in measure(options.rounds):
        lines.append(line(place, row))
        print(lines[-1], flush=True)
    if options.write:
        write(kind, "\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    with streams.any_encoding():
        sys.exit(main())
