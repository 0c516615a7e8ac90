"""Time and memory: contenders in turns in one run, since machines are noisy and the ratio is what counts."""

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
    """Each contender once a round, after a round that warms up. One that is fast is called more often.

    units: how many of what is timed a call of some contender does, where that is not one.
    """
    times = {name: once(call) for name, call in contenders.items()}
    repeats = {name: max(1, min(50, int(0.2 / seconds))) for name, seconds in times.items()}
    seconds = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            seconds[name].append(once(call, repeats[name]) / (units or {}).get(name, 1))
    return Row(what, seconds)


def once(call: Callable[[], object], repeats: int = 1) -> float:
    """Seconds of one call, the GPU's work included."""
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


def high_water_mark() -> float:
    """Megabytes of this process at its largest (Linux)."""
    return megabytes("VmHWM")


def megabytes(field: str) -> float:
    """What Linux says of this process: VmHWM, at its largest; RssAnon, now and without files."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(rf"{field}:\s+(\d+)", status)[1]) / 1024
