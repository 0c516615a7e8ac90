"""CUDA graphs: a training step is recorded once and then started as a whole, not kernel by kernel."""

import gc
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from vae_edu.engine.sync_checks import unchecked

Step = Callable[[Tensor], Tensor]  # rows → the loss of these rows
WARM_UP = 3  # calls before the first recording, in which libraries choose their kernels


class CaptureWarning(UserWarning):
    """A step cannot be recorded as a CUDA graph; it runs kernel by kernel, and more slowly."""


class Captured:
    """captured(step, rows) is step(rows), CUDA tensors both, recorded once for every number of rows.

    step: always the same one. The first calls, `WARM_UP` of them, run as they are. A replay does on the GPU
    what the recorded call did, on other rows and with the random numbers that come next; Python code inside
    runs once only, and nothing is checked (`vae_edu.engine.sync_checks`).
    Where a step cannot be recorded, because it reads a value from the GPU, say, all steps run as they
    are, with a `CaptureWarning` that names the reason.
    """

    def __init__(self) -> None:
        self.calls, self.possible = 0, True
        self.graphs: dict[int, tuple[torch.cuda.CUDAGraph, Tensor, Tensor]] = {}
        self.stream = torch.cuda.Stream()

    def __call__(self, step: Step, rows: Tensor) -> Tensor:
        self.calls += 1
        if self.possible and self.calls == WARM_UP:
            return self._rehearsed(step, rows)
        if self.possible and self.calls > WARM_UP and len(rows) not in self.graphs:
            self._record(step, rows)
        if len(rows) not in self.graphs:
            return self._beside(step, rows)
        graph, static_rows, value = self.graphs[len(rows)]
        static_rows.copy_(rows)
        graph.replay()
        return value.clone()

    def _beside(self, step: Step, rows: Tensor) -> Tensor:
        """A call on a stream of its own, as recordings are: what the step keeps must belong to that."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            value = step(rows)
        torch.cuda.current_stream().wait_stream(self.stream)
        return value

    def _rehearsed(self, step: Step, rows: Tensor) -> Tensor:
        """A call that fails where it waits for the GPU, and then runs once more: a recording that fails
        leaves PyTorch's random numbers and memory in disorder."""
        random, mode = torch.cuda.get_rng_state(), torch.cuda.get_sync_debug_mode()
        torch.cuda.set_sync_debug_mode("error")
        try:
            with unchecked():
                return self._beside(step, rows)
        except RuntimeError as error:
            torch.cuda.set_sync_debug_mode(mode)
            torch.cuda.set_rng_state(random)
            self._give_up(error)
            return self._beside(step, rows)
        finally:
            torch.cuda.set_sync_debug_mode(mode)

    def _record(self, step: Step, rows: Tensor) -> None:
        graph, static_rows = torch.cuda.CUDAGraph(), rows.clone()
        generator, stream = torch.cuda.default_generators[rows.device.index], torch.cuda.current_stream()
        random, collects = generator.clone_state(), gc.isenabled()
        gc.disable()  # the end of an older graph would spoil this one
        try:
            with unchecked(), torch.cuda.graph(graph, stream=self.stream):
                value = step(static_rows)
            self.graphs[len(rows)] = graph, static_rows, value
        except RuntimeError as error:
            torch.cuda.set_stream(stream)
            generator.graphsafe_set_state(random)
            self._give_up(error)
        finally:
            if collects:
                gc.enable()

    def _give_up(self, error: RuntimeError) -> None:
        self.possible = False
        self.graphs.clear()
        while error.__context__ is not None:  # the end of a recording that failed only says that it failed
            error = error.__context__
        warnings.warn(
            "the training step cannot be recorded as a CUDA graph and runs kernel by kernel: "
            f"{str(error).splitlines()[0]}",
            CaptureWarning,
            stacklevel=6,
        )
