"""Nothing that happens to stdout, stderr or the process's signals costs a result."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.test_commands import SMALL, trained
from vae_edu import streams
from vae_edu.__main__ import main
from vae_edu.vae import VAE

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has neither these signals nor /dev/full")


@pytest.fixture(scope="module")
def model(folder, tmp_path_factory):
    return trained(folder, tmp_path_factory.mktemp("model"), epochs=1)


def command(*words):
    return [sys.executable, "-m", "vae_edu", *map(str, words)]


def evaluation(model):
    return command("evaluate", model, "--n", 9, "--samples", 5, "--grid-points", 100)


def training(folder, out, epochs=1):
    return command("train", "--data", folder, *SMALL, "--epochs", epochs, "--out", out)


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("utf-8", "−1 ± 2 é…".encode() + rb"\udcff"),
        ("cp1252", "-1 ± 2 é…".encode("cp1252") + rb"\udcff"),
        ("latin-1", "-1 ± 2 é...".encode("latin-1") + rb"\udcff"),
        ("ascii", rb"-1 +- 2 \xe9...\udcff"),
    ],
)
def test_what_an_encoding_lacks_is_written_in_ascii(encoding, written, monkeypatch):
    stdout = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", stdout)
    with streams.any_encoding():
        print("−1 ± 2 é…\udcff", end="")
    assert stdout.errors == "strict"
    assert stdout.buffer.getvalue() == written


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_a_table_in_any_encoding(model, folder, tmp_path, encoding):
    environment = {**ENVIRONMENT, "PYTHONIOENCODING": encoding, "TQDM_DISABLE": "0"}
    done = subprocess.run(evaluation(model), env=environment, capture_output=True, check=True)
    plus_minus = "+-" if encoding == "ascii" else "±"
    assert f"{plus_minus} the standard error" in done.stdout.decode(encoding)
    paper = command("reproduce", "iwae", "--k", 1, "--data", folder, "--epochs", 1, "--n", 5, "--samples", 5)
    done = subprocess.run(paper, env=environment, capture_output=True, check=True)
    assert "-log p(x), nats" in done.stdout.decode(encoding)


@POSIX
def test_a_path_that_no_encoding_has(model, folder, tmp_path):
    environment = {**ENVIRONMENT, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    out = os.fsencode(tmp_path) + b"/\xff \xc3\xbc.pt"
    done = subprocess.run([*training(folder, "")[:-1], out], env=environment, capture_output=True, check=True)
    assert rb"\udcff" in done.stdout
    assert os.path.exists(out)
    code = [*evaluation("")[:4], out, *evaluation("")[5:], "--json"]
    done = subprocess.run(code, env=environment, capture_output=True, check=True)
    assert json.loads(done.stdout)["images"] == 9


@POSIX
@pytest.mark.parametrize("gone", [["stdout"], ["stderr"], ["stdout", "stderr"]])
def test_a_reader_that_has_gone_stops_no_work(folder, model, tmp_path, gone):
    reading, writing = os.pipe()
    os.close(reading)
    out, environment = tmp_path / "m.pt", {**ENVIRONMENT, "TQDM_DISABLE": "0"}
    for words, unbuffered in ((training(folder, out), ""), (evaluation(model), ""), (evaluation(model), "1")):
        environment["PYTHONUNBUFFERED"] = unbuffered
        pipes = {name: writing if name in gone else subprocess.PIPE for name in ("stdout", "stderr")}
        done = subprocess.run(words, env=environment, **pipes, check=False)
        assert done.returncode == 0
        assert b"pipe" not in (done.stderr or b"").lower()
    os.close(writing)
    assert VAE.load(out).about["data"] == str(folder)


@POSIX
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_stop_no_work(folder, tmp_path, closed):
    out, environment = tmp_path / "m.pt", {**ENVIRONMENT, "TQDM_DISABLE": "0"}
    words = ["sh", "-c", f'"$@" {closed}', "sh", *training(folder, out)]
    done = subprocess.run(words, env=environment, capture_output=True, check=False)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    assert VAE.load(out).about["data"] == str(folder)
    words[-1] = tmp_path / "no" / "m.pt"
    done = subprocess.run(words, env=environment, capture_output=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == ("2>" not in closed)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full device")
def test_a_full_disk_under_a_result_is_one_line(model):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*evaluation(model), "--json"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
        assert done.returncode == 2
        lines = [line for line in done.stderr.splitlines() if not line.startswith("note: ")]
        assert len(lines) == 1
        assert "No space left" in lines[0]
        assert (
            subprocess.run(evaluation(model), stdout=subprocess.DEVNULL, stderr=full, check=False).returncode
            == 0
        )


def stopped(words, when, number):
    """The exit code and the messages of a process that gets a signal as it imports a module."""
    words = [words[0], "-X", "importtime", *words[1:]]
    process = subprocess.Popen(
        words, env=ENVIRONMENT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    messages = []
    for line in process.stderr:
        if line.rpartition("|")[2].strip() == when:
            process.send_signal(number)
        elif not line.startswith("import time:"):
            messages.append(line)
    process.stdout.close()
    return process.wait(60), "".join(messages)


@POSIX
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
@pytest.mark.parametrize("when", ["vae_edu.streams", "numpy", "torch.autograd", "torch.nn", "vae_edu.vae"])
def test_a_signal_while_it_starts(model, when, number, code):
    found, messages = stopped(evaluation(model), when, number)
    assert (found, messages) == (code, "python -m vae_edu: interrupted.\n")


@POSIX
@pytest.mark.parametrize("words", [["--version"], ["train", "--help"], ["evaluate", "m.pt"], ["nothing"]])
def test_every_command_hears_ctrl_c_while_it_starts(words):
    assert stopped(command(*words), "argparse", signal.SIGINT) == (130, "python -m vae_edu: interrupted.\n")


@POSIX
def test_a_job_in_the_background_ignores_ctrl_c_as_its_shell_said(model):
    words = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *evaluation(model)]
    process = subprocess.Popen(words, env=ENVIRONMENT, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    interrupt = threading.Thread(target=_interrupt_until_it_ends, args=[process])
    interrupt.start()
    stdout, _ = process.communicate(timeout=120)
    interrupt.join()
    assert process.returncode == 0
    assert b"log p(x)" in stdout


def _interrupt_until_it_ends(process):
    time.sleep(0.3)  # the shell needs a moment
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)


@POSIX
def test_sigterm_keeps_the_file_of_a_training(folder, tmp_path):
    out = tmp_path / "m.pt"
    process = subprocess.Popen(
        training(folder, out, epochs=2000), env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not out.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.terminate()
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 143
    assert f"--resume --out {out} goes on" in messages
    assert "Traceback" not in messages
    assert [path.name for path in tmp_path.iterdir()] == ["m.pt"]
    assert main(["evaluate", str(out), "--n", "3", "--samples", "3", "--grid-points", "100"]) == 0
