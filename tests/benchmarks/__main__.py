"""How close to the hardware: one table, each row a ratio measured in one run.

    python -m tests.benchmarks            the table
    python -m tests.benchmarks --write    and into the README
    python -m tests.benchmarks --growth   time and memory over three decades, as a picture and in figures

(or: make bench, for the first and the last)
"""

import argparse
import sys

import torch

import vae_edu
from tests.benchmarks import rows
from tests.benchmarks.measure import Row, machine

OTHERS = ("DataLoader", "kernel by kernel", "pythae")


def measure(rounds: int):
    """(threads or GPU, row) one after the other."""
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
    """A line of the table: seconds are medians, and each ratio has its smallest and largest round."""
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


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is timed (5)")
    parser.add_argument("--write", action="store_true", help="write the table into the README")
    parser.add_argument("--growth", action="store_true", help="time and memory over three decades instead")
    options = parser.parse_args()
    print(f"{machine()}; medians of {options.rounds} rounds, ratios with smallest and largest")
    print("| what | threads | ours | products alone | ours / products | others / ours |")
    print("|---|---|---|---|---|---|")
    for where, row in measure(options.rounds):
        print(line(where, row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
