"""Downloads from a local HTTP server that misbehaves in every known way."""

import contextlib
import gzip
import hashlib
import itertools
import struct
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from vae_edu.data import DatasetError, download, load_images
from vae_edu.engine import files as engine_files

IMAGES = gzip.compress(b"\0\0\x08\x03" + struct.pack(">3I", 2, 28, 28) + bytes(range(196)) * 8, mtime=0)
LABELS = gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 2) + b"\x03\x04", mtime=0)
CONTENT = {download.TRAIN_IMAGES: IMAGES, download.TRAIN_LABELS: LABELS}
MD5 = {name: hashlib.md5(content, usedforsecurity=False).hexdigest() for name, content in CONTENT.items()}


class Mirror(BaseHTTPRequestHandler):
    """Behaves as the first folder of the address says."""

    def do_GET(self):
        behavior, file = self.path.strip("/").split("/")
        self.server.asked.append(behavior)
        body = CONTENT[file.removesuffix(".gz")]
        if behavior == "missing":
            self.send_error(404)
            return
        if behavior == "circle":
            self.send_response(302)
            self.send_header("Location", self.path)
            self.end_headers()
            return
        if behavior == "wrong":
            body = body[:-1] + b"\0" if body[-1] else body[:-1] + b"\1"
        self.send_response(200)
        if behavior != "endless":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if behavior == "stalled":
            self.wfile.write(body[:10])
            self.wfile.flush()
            self.server.released.wait(10)
        elif behavior in ("drip", "endless"):
            piece, pause = (b"x", 0.02) if behavior == "drip" else (bytes(1 << 16), 0)
            with contextlib.suppress(OSError):  # the client has hung up
                while not self.server.released.wait(pause):
                    self.wfile.write(piece)
        elif behavior == "short":
            self.wfile.write(body[: len(body) // 2])
        elif behavior == "slow":
            for i in range(0, len(body), 8):
                self.wfile.write(body[i : i + 8])
                time.sleep(0.02)
        else:
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    server.asked, server.released = [], threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.address = f"http://127.0.0.1:{server.server_port}"
    server.cache = tmp_path / "vae_edu" / "mnist"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("VAE_EDU_DATA", raising=False)
    monkeypatch.setattr(engine_files.sys, "platform", "linux")
    monkeypatch.setattr(download, "TIMEOUT", 0.5)
    monkeypatch.setattr(download, "LARGEST", 1_000_000)
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()


def use(monkeypatch, server, *behaviors):
    mirrors = [f"{server.address}/{behavior}/" for behavior in behaviors]
    monkeypatch.setitem(download.SOURCES, "mnist", (mirrors, MD5))


def files(server):
    return sorted(path.name for path in server.cache.iterdir()) if server.cache.exists() else []


def test_download_then_cache(server, monkeypatch, tmp_path):
    use(monkeypatch, server, "good")
    assert load_images("mnist").labels.tolist() == [3, 4]
    assert files(server) == ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"]
    assert load_images("mnist").x.shape == (2, 1, 28, 28)
    (tmp_path / "any").touch()  # a shared cache must be readable as any new file is
    assert {path.stat().st_mode for path in server.cache.iterdir()} == {(tmp_path / "any").stat().st_mode}
    assert server.asked == ["good", "good"]  # nothing was requested the second time


@pytest.mark.parametrize("behavior", ["missing", "stalled", "short", "wrong", "drip", "endless", "circle"])
def test_the_next_mirror_takes_over(server, monkeypatch, behavior):
    use(monkeypatch, server, behavior, "good")
    assert load_images("mnist").labels.tolist() == [3, 4]
    assert [asked for asked, _ in itertools.groupby(server.asked)] == [behavior, "good"] * 2
    assert len(files(server)) == 2


def test_every_mirror_down(server, monkeypatch):
    use(monkeypatch, server, "missing", "stalled", "short", "wrong", "drip", "endless", "circle")
    with pytest.raises(DatasetError, match="404") as error:
        load_images("mnist")
    for reason in (
        "timed out",
        "connection ended after",
        "wrong checksum",
        "strokes",
        "bytes came",
        "more than 1,000,000",
    ):
        assert reason in str(error.value)
    assert "\n" not in str(error.value)
    assert files(server) == []


def test_no_network(server, monkeypatch):
    server.address = "http://127.0.0.1:9"  # nobody listens there
    use(monkeypatch, server, "good")
    with pytest.raises(DatasetError, match="check the network"):
        load_images("mnist")
    assert files(server) == []


def test_a_folder_one_level_off(server, monkeypatch, tmp_path):
    """VAE_EDU_DATA names the folder of the files themselves, or one too far up: said before any download."""
    use(monkeypatch, server, "good")
    own = tmp_path / "data" / "mnist"  # a name that images in an archive may have
    own.mkdir(parents=True)
    for name, content in CONTENT.items():
        (own / f"{name}.gz").write_bytes(content)
    monkeypatch.setenv("VAE_EDU_DATA", str(own))
    with pytest.raises(DatasetError, match=rf"no folder mnist, .*VAE_EDU_DATA={own.parent}, "):
        load_images("mnist")
    monkeypatch.setenv("VAE_EDU_DATA", str(tmp_path))
    with pytest.raises(DatasetError, match=rf"set VAE_EDU_DATA={own.parent}\."):
        load_images("mnist")
    assert server.asked == []
    monkeypatch.setenv("VAE_EDU_DATA", str(own.parent))
    own.rename(own.with_name("MNIST"))  # as torchvision has it
    assert len(load_images("mnist", at_most=9)) == 1  # of two, the other is for testing
    assert server.asked == []


def test_unwritable_cache(server, monkeypatch, tmp_path):
    use(monkeypatch, server, "good")
    (tmp_path / "vae_edu").write_text("a file where the folder should be")
    with pytest.raises(DatasetError, match="cannot be written"):
        load_images("mnist")
    assert server.asked == []


def test_an_interrupted_download_leaves_nothing(server, monkeypatch):
    use(monkeypatch, server, "good")
    monkeypatch.setattr(engine_files.os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        load_images("mnist")
    assert files(server) == []


def test_two_processes_at_once(server, monkeypatch, tmp_path):
    code = (
        "from vae_edu.data import download; from vae_edu.data import load_images;"
        f"download.SOURCES['mnist'] = (['{server.address}/slow/'], {MD5!r});"
        "print(load_images('mnist').labels.tolist())"
    )
    run = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    assert [process.communicate(timeout=60)[0].strip() for process in run] == ["[3, 4]"] * 2
    assert files(server) == ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"]


@pytest.mark.parametrize(
    ("platform", "variable", "tail"),
    [
        ("linux", "XDG_CACHE_HOME", "base/vae_edu"),
        ("win32", "LOCALAPPDATA", "base/vae_edu"),
        ("darwin", "HOME", "base/Library/Caches/vae_edu"),
    ],
)
def test_the_cache_is_where_the_platform_keeps_it(monkeypatch, tmp_path, platform, variable, tail):
    monkeypatch.setattr(engine_files.sys, "platform", platform)
    monkeypatch.setenv(variable, str(tmp_path / "base"))
    monkeypatch.setattr(engine_files.Path, "home", lambda: tmp_path / "base")
    assert engine_files.cache_folder() == tmp_path / tail
