"""The progress bar: a line in a terminal or a notebook, a few lines in a log, and never the end of a run."""

import io
import os
import re
import subprocess
import sys
import textwrap

import pytest

from vae_edu.engine import progress

LONG = {"desc": "held out", "postfix": "held-out 12345.67", "unit": "step"}


@pytest.fixture(autouse=True)
def _bars_are_on(monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE")


def run_bar(updates=3000, **options):
    with progress.progress_bar(total=updates, **options) as bar:
        for _ in range(updates):
            bar.update()


def python(code, **options):
    """A process that does not know of TQDM_DISABLE."""
    environment = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"}
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return subprocess.run(
        command, **({"capture_output": True, "text": True, "env": environment, "check": False} | options)
    )


def test_a_log_gets_nothing_from_short_work(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    run_bar()
    assert sys.stderr.getvalue() == ""


def test_a_log_gets_a_line_every_ten_seconds(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    monkeypatch.setattr("tqdm.std.tqdm.monitor_interval", 0)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    bar = progress.progress_bar(total=10_000, desc="training")
    for _ in range(10_000):
        now[0] += 0.01  # 100 seconds in all
        bar.update()
    bar.close()
    lines = sys.stderr.getvalue().splitlines()
    assert 9 <= len(lines) <= 12
    assert all(line.startswith("training: ") and len(line) <= 80 for line in lines)
    assert "10000/10000" in lines[-1]
    assert "\r" not in sys.stderr.getvalue()


@pytest.mark.parametrize("error", [OSError(32, "Broken pipe"), ValueError("I/O operation on closed file")])
def test_a_log_that_cannot_be_written_ends_nothing(monkeypatch, error):
    class Broken(io.StringIO):
        def write(self, text):
            raise error

        def flush(self):
            raise error

    monkeypatch.setattr(progress, "LOG_SECONDS", 0)
    monkeypatch.setattr(sys, "stderr", Broken())
    run_bar(20)


@pytest.mark.parametrize("streams", ["2>&-", "<&- >&- 2>&-"])
@pytest.mark.skipif(os.name == "nt", reason="a shell's redirections")
def test_closed_streams_end_nothing(tmp_path, streams):
    code = "from vae_edu.engine.progress import progress_bar as b\nfor _ in b(iterable=range(9)): pass\n"
    code += f"open({str(tmp_path / 'done')!r}, 'w').close()"
    environment = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"}
    subprocess.run(["sh", "-c", f'"$0" -c "$1" {streams}', sys.executable, code], env=environment, check=True)
    assert (tmp_path / "done").exists()


@pytest.mark.skipif(os.name == "nt", reason="needs a terminal of Unix")
@pytest.mark.parametrize("columns", [80, 40])
def test_a_terminal_keeps_the_bar_on_one_line(columns):
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    code = f"""
        from vae_edu.engine.progress import progress_bar
        with progress_bar(total=60000, **{LONG | {"postfix": None}}) as bar:
            for _ in range(60000):
                bar.set_postfix_str({LONG["postfix"]!r}, refresh=False)
                bar.update()
    """
    python(code, capture_output=False, stderr=theirs)
    os.close(theirs)
    text = os.read(ours, 1 << 16).decode()
    os.close(ours)
    states = [state for state in re.split(r"[\r\n]+", text) if state.strip()]
    assert states
    assert max(map(len, states)) <= columns
    assert columns < 80 or "held-out 12345.67" in states[-1]


def test_a_notebook_without_ipywidgets_gets_a_line_and_no_advice():
    code = """
        import sys
        import ipykernel.zmqshell, IPython  # tqdm knows a notebook by the one, or the other
        IPython.get_ipython = lambda: type("Kernel", (), {"config": {"IPKernelApp": {}}})
        sys.modules["ipywidgets"] = None
        from vae_edu.engine import progress
        progress.LOG_SECONDS = 0
        for _ in progress.progress_bar(iterable=range(3)): pass
    """
    result = python(code)
    assert result.returncode == 0, result.stderr
    assert "3/3" in result.stderr
    assert "Warning" not in result.stderr


def test_a_bar_fills_the_width_of_a_notebook(monkeypatch):
    import tqdm.notebook

    class OutStream(io.StringIO):
        __module__ = "ipykernel.iostream"

    monkeypatch.setattr(sys, "stderr", OutStream())
    monkeypatch.setattr(tqdm.notebook, "display", lambda container: None)
    monkeypatch.setattr(progress, "tqdm", tqdm.notebook.tqdm)
    bar = progress.progress_bar(total=3)
    assert bar.container.layout.width == "100%"
    assert bar.delay == 0


def test_training_shows_one_number(monkeypatch):
    import torch

    from vae_edu import elbo, train
    from vae_edu.engine import run
    from vae_edu.vae import VAE

    seen = []

    class Bar(progress.tqdm):
        def set_postfix_str(self, text, refresh):
            seen.append(text)

    monkeypatch.setattr(run, "progress_bar", lambda **options: Bar(disable=True))
    x = torch.rand(20, 1, 4, 4).round()
    train.fit(VAE(x.shape[1:], 2, hidden=8), elbo.negative_elbo, x, 2, held_out=x[:5])
    assert all(re.fullmatch(r"(train|held-out) \d+\.\d\d", text) for text in seen)
    assert {text.split()[0] for text in seen} == {"train", "held-out"}
