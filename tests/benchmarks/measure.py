"""Time and memory. Machines are noisy and only ratios count, so contenders take turns in one run."""

import platform
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

import vae_edu


class Row(NamedTuple):
    """What was timed, and the seconds of each contender in each round."""

    what: str
    seconds: dict[str, list[float]]

    def median(self, name: str) -> float:
        return statistics.median(self.seconds[name])

    def ratios(self, to: str, name: str = "ours") -> tuple[float, float, float]:
        """Median, minimum and maximum over the rounds of one contender's seconds over another's."""
        rounds = [a / b for a, b in zip(self.seconds[name], self.seconds[to], strict=True)]
        return statistics.median(rounds), min(rounds), max(rounds)


def in_turns(
    what: str, contenders: dict[str, Callable[[], object]], rounds: int, units: dict[str, int] | None = None
) -> Row:
    """Time each contender once per round, after a warm-up round. Fast ones are called more often.

    Args:
        what: The name of the row.
        contenders: What to call, by name.
        rounds: How often to time each.
        units: How many units of work one call of a contender does (default: 1).
    """
    times = {name: once(call) for name, call in contenders.items()}
    repeats = {name: max(1, min(50, int(0.2 / seconds))) for name, seconds in times.items()}
    seconds = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            seconds[name].append(once(call, repeats[name]) / (units or {}).get(name, 1))
    return Row(what, seconds)


def once(call: Callable[[], object], repeats: int = 1) -> float:
    """Seconds per call, including the work of the GPU."""
    wait()
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    wait()
    return (time.perf_counter() - start) / repeats


def wait() -> None:
    if vae_edu.device().type == "cuda":
        torch.cuda.synchronize()


def machine() -> str:
    """The name of the processor or GPU, the threads, and the version of PyTorch."""
    version = f"PyTorch {torch.__version__.split('+')[0]}"
    if vae_edu.device().type == "cuda":
        return f"{torch.cuda.get_device_name()}, {version}"
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", info.read_text()) if info.exists() else []
    name = names[0] if names else platform.processor() or platform.machine()
    return f"{name}, {torch.get_num_threads()} cores, {version}"


def heading(what: str, columns: str) -> list[str]:
    """The first lines of a table: the machine and what the numbers are, and the names of the columns."""
    return [f"{machine()}; {what}", "", columns, "|---" * (columns.count("|") - 1) + "|"]


def high_water_mark() -> float:
    """Peak memory of this process in megabytes (Linux)."""
    return megabytes("VmHWM")


def megabytes(field: str) -> float:
    """Memory of this process in Linux's fields: VmHWM, the peak; RssAnon, now, without files."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(rf"{field}:\s+(\d+)", status)[1]) / 1024
