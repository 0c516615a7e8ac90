"""CUDA graphs: a training step is recorded once and then replayed as a whole, not kernel by kernel."""

import gc
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from vae_edu.engine.sync_checks import unchecked

Step = Callable[[Tensor], Tensor]  # rows → the loss of these rows
WARM_UP = 3  # calls before the first recording, while libraries choose their kernels


class CaptureWarning(UserWarning):
    """A step cannot be recorded as a CUDA graph; it runs kernel by kernel, and more slowly."""


class Captured:
    """captured(step, rows) is step(rows), both on the GPU, recorded once for every number of rows.

    `step` must always be the same. Its first calls, `WARM_UP` of them, run as they are. A replay repeats on
    the GPU what the recorded call did, on other rows and with the random numbers that come next. Python
    code inside runs once only, and nothing is checked (`vae_edu.engine.sync_checks`). If a step cannot be
    recorded, because it reads a value from the GPU, say, all steps run as they are, with a
    `CaptureWarning` that names the reason. This relies on PyTorch's sync-debug mode, which its
    documentation calls experimental.
    """

    def __init__(self) -> None:
        self.calls, self.possible = 0, True
        self.graphs: dict[int, tuple[torch.cuda.CUDAGraph, Tensor, Tensor]] = {}
        self.stream = torch.cuda.Stream()

    def __call__(self, step: Step, rows: Tensor) -> Tensor:
        self.calls += 1
        if self.possible and self.calls == WARM_UP:
            return self._dry_run(step, rows)
        if self.possible and self.calls > WARM_UP and len(rows) not in self.graphs:
            self._record(step, rows)
        if len(rows) not in self.graphs:
            return self._on_capture_stream(step, rows)
        graph, static_rows, value = self.graphs[len(rows)]
        static_rows.copy_(rows)
        graph.replay()
        return value.clone()

    def _on_capture_stream(self, step: Step, rows: Tensor) -> Tensor:
        """Run the step on the capture stream, so that the memory it keeps belongs to that stream."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream), warnings.catch_warnings():
            # a model that was trained on another stream before; the two wait for each other here
            warnings.filterwarnings("ignore", "The AccumulateGrad node's stream")
            value = step(rows)
        torch.cuda.current_stream().wait_stream(self.stream)
        return value

    def _dry_run(self, step: Step, rows: Tensor) -> Tensor:
        """Run the step, and raise wherever it would wait for the GPU; then give up and run it once more.

        A capture that fails half-way corrupts the state of the random numbers and of the allocator; a dry
        run does not.
        """
        random, mode = torch.cuda.get_rng_state(), torch.cuda.get_sync_debug_mode()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Synchronization debug mode is a prototype")
            torch.cuda.set_sync_debug_mode("error")
        try:
            with unchecked():
                return self._on_capture_stream(step, rows)
        except RuntimeError as error:
            torch.cuda.set_sync_debug_mode(mode)
            torch.cuda.set_rng_state(random)
            self._give_up(error)
            return self._on_capture_stream(step, rows)
        finally:
            torch.cuda.set_sync_debug_mode(mode)

    def _record(self, step: Step, rows: Tensor) -> None:
        graph, static_rows = torch.cuda.CUDAGraph(), rows.clone()
        generator, stream = torch.cuda.default_generators[rows.device.index], torch.cuda.current_stream()
        random, collects = generator.clone_state(), gc.isenabled()
        gc.disable()  # freeing an older graph during capture invalidates the new one
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
        cause: BaseException = error
        while cause.__context__ is not None:  # the last one only says that capture failed
            cause = cause.__context__
        warnings.warn(
            "the training step cannot be recorded as a CUDA graph and runs kernel by kernel: "
            f"{str(cause).splitlines()[0]}",
            CaptureWarning,
            stacklevel=6,
        )
