"""The sliders in a real JupyterLab, moved in a real browser: `make test-browser`.

It opens lesson 07, and needs Chromium or Chrome (or the path of one in the environment variable
CHROMIUM). A screenshot goes to build/browser.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parent.parent
LESSON = ROOT / "notebooks" / "07_editing.ipynb"
BUILD = ROOT / "build" / "browser"
SECONDS = 600  # a whole lesson, on a slow or busy machine
SETTINGS = {  # every cell drawn, also those far below; no questions; nothing from the network
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}

# Runs in the page: the bytes of a picture as the browser drew it.
BYTES = """picture => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
    canvas.getContext("2d").drawImage(picture, 0, 0);
    return picture.complete && canvas.width ? canvas.toDataURL() : "";
}"""
RUN_ALL = """() => {
    const panel = jupyterapp.shell.currentWidget;
    panel.revealed
        .then(() => panel.sessionContext.ready)
        .then(() => jupyterapp.commands.execute("notebook:run-all-cells"))
        .finally(() => { window.ran = true; });
}"""


def browser_program():
    names = ("chromium", "chromium-browser", "google-chrome")
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if program is None or not shutil.which(program):
        pytest.fail("no browser: install Chromium or Chrome, or set CHROMIUM to the path of one.")
    return program


def start_playwright():
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.fail("playwright is not installed: run make test-browser, which installs it.")
    return sync_playwright()


@pytest.fixture
def lesson(tmp_path):
    """A copy of the lesson in an empty folder."""
    path = tmp_path / "work" / LESSON.name
    path.parent.mkdir()
    shutil.copy(LESSON, path)
    return path


@contextmanager
def jupyterlab(folder, home):
    """The address of a JupyterLab on a folder, with empty settings, none of the user's."""
    for name, values in SETTINGS.items():
        path = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(values))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = os.urandom(16).hex()
    environment = os.environ | {
        "HOME": str(home),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "VAE_EDU_DATASET": "strokes",
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1"]
    command += [f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={token}"]
    command += ["--LabApp.expose_app_in_browser=True"]
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(
            command, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}/api/status?token={token}", server, home / "log")
        yield f"{address}/lab/tree/{{}}?token={token}&reset"
    finally:
        server.send_signal(signal.SIGTERM)  # it ends its kernels
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)


def wait_for(address, server, log):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            return urllib.request.urlopen(address, timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start: {log.read_text()[-2000:]}")


@pytest.fixture
def page(lesson, tmp_path):
    """The lesson in the browser, all of its cells run."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # a pytest that is killed cleans up too
    program, home = browser_program(), tmp_path / "home"
    home.mkdir()
    with (
        start_playwright() as playwright,
        jupyterlab(lesson.parent, home) as address,
        playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        ) as browser,
    ):
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(1000 * SECONDS)
        page.goto(address.format(lesson.name))
        page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
        page.evaluate(RUN_ALL)
        page.wait_for_function("window.ran")
        yield page


def wait_until(true, sentence):
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, sentence
        time.sleep(0.1)


def test_the_picture_follows_the_slider(page):
    outputs = "\n".join(page.locator(".jp-OutputArea-output").all_inner_texts())
    assert "Traceback" not in outputs, outputs
    output = page.locator(".jp-OutputArea-output:has(.noUi-handle)").first
    output.wait_for()
    original, edited = output.locator("img").all()
    wait_until(lambda: original.evaluate(BYTES) and edited.evaluate(BYTES), "there are no pictures")
    x, first = original.evaluate(BYTES), edited.evaluate(BYTES)
    assert x != first

    def press(handle, key, times):
        handle.focus()
        for _ in range(times):
            page.keyboard.press(key)

    def picture():
        """The picture once it stays as it is."""
        before = None
        while (now := edited.evaluate(BYTES)) != before or not now:
            before = now
            time.sleep(0.5)
        return now

    def moves(handle):
        press(handle, "ArrowRight", 20)
        return picture() != first

    texts = output.locator(".widget-readout").all_inner_texts()
    handles = output.locator(".noUi-handle").all()
    handle = next(filter(moves, handles), None)  # not every dimension of z need matter
    assert handle, "no slider changes the picture"
    assert output.locator(".widget-readout").all_inner_texts() != texts
    second = picture()
    press(handle, "ArrowLeft", 40)
    third = picture()
    assert len({first, second, third}) == 3, "the picture did not follow the slider back"

    place = handle.bounding_box()
    across, down = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    page.mouse.move(across, down)
    page.mouse.down()
    page.mouse.move(across + 60, down, steps=10)
    assert picture() != third, "the picture waits until the slider is let go"
    page.mouse.up()

    BUILD.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=BUILD / "jupyterlab.png")
    output.screenshot(path=BUILD / "sliders.png")

    output.get_by_role("button", name="reset").click()
    wait_until(lambda: edited.evaluate(BYTES) == first, "reset does not bring the first picture back")
    assert picture() == first
    assert output.locator(".widget-readout").all_inner_texts() == texts
    assert original.evaluate(BYTES) == x
    assert "Error displaying widget" not in page.locator("body").inner_text()
