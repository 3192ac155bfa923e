"""A lesson in a real JupyterLab in a real browser: it opens, it runs, a slider moves, the picture changes."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]
LESSON = "20_one_queue.ipynb"
CHROMIUM = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
IS_ROOT = os.geteuid() == 0
START_S, CELLS_S, ANSWER_S = 60, 120, 20  # patience, not promises: a busy machine is slow
ERROR = "application/vnd.jupyter.error"
# All cells are in the page, not just those in view; nothing asks for news in front of them.
SETTINGS = {
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH; Debian's package is called chromium"),
]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_up(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.URLError:
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not come up within {START_S} s:\n{log.read_text()[-3000:]}")


def _stop(server: subprocess.Popen[bytes]) -> None:
    """End the server and the kernels that it started, each of which leads a session of its own."""
    own = [psutil.Process(server.pid)] if psutil.pid_exists(server.pid) else []
    family = [*own, *(child for each in own for child in each.children(recursive=True))]
    server.terminate()
    _, alive = psutil.wait_procs(family, timeout=15)
    for process in alive:
        process.kill()
    server.wait(timeout=15)
    assert not psutil.wait_procs(alive, timeout=15)[1]


@pytest.fixture
def lesson_url(tmp_path: Path) -> Iterator[str]:
    """The address of a copy of the lesson in a JupyterLab of its own."""
    (tmp_path / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks" / LESSON, tmp_path / "notebooks")
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios")
    for name, values in SETTINGS.items():
        file = tmp_path / "settings" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    port, token, log = _free_port(), secrets.token_hex(16), tmp_path / "jupyter.log"
    folders = {"CONFIG": "config", "DATA": "data", "RUNTIME": "runtime"}
    environment = {
        **os.environ,
        **{f"JUPYTER_{name}_DIR": str(tmp_path / folder) for name, folder in folders.items()},
        "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "workspaces"),
        "LAB_QUICK": "1",
        "PYTHONPATH": str(ROOT),
    }
    options = ["--no-browser", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    options += [f"--ServerApp.root_dir={tmp_path}", f"--IdentityProvider.token={token}"]
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options, *(["--allow-root"] if IS_ROOT else [])],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_up(f"http://127.0.0.1:{port}/api", server, log)
            yield f"http://127.0.0.1:{port}/lab/tree/notebooks/{LESSON}?token={token}"
        finally:
            _stop(server)


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of a browser of its own."""
    with sync_playwright() as driver:
        # The sandbox needs a user that is not root.
        arguments = ["--no-sandbox"] if IS_ROOT else []
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield browser.new_page(viewport={"width": 1400, "height": 1000})
        finally:
            browser.close()


def _run_all(page: Page) -> None:
    # The notebook shows before its kernel is connected, and what is sent until then is lost.
    expect(page.locator("#jp-main-statusbar")).to_contain_text("(ipykernel) | Idle", timeout=START_S * 1e3)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    # The last cell asserts what the lesson says; its number comes when it is done, or never after an error.
    error, last = page.locator(f'[data-mime-type="{ERROR}"]'), page.locator(".jp-CodeCell .jp-InputPrompt").last
    expect(error.or_(last.filter(has_text=re.compile(r"\[\d+\]")))).not_to_have_count(0, timeout=CELLS_S * 1e3)
    assert error.all_inner_texts() == []


def test_a_slider_moves_the_picture(lesson_url: str, page: Page) -> None:
    """Opened, run from top to bottom without an error; a slider that is moved draws another picture in its place."""
    page.goto(lesson_url)
    expect(page.locator(".jp-Notebook")).to_be_visible(timeout=START_S * 1e3)
    _run_all(page)
    picture, handle = page.locator("img.widget-image"), page.locator(".widget-slider .noUi-handle").first
    expect(picture).to_have_count(1)
    picture.scroll_into_view_if_needed()
    before, source = picture.screenshot(), picture.get_attribute("src")
    handle.scroll_into_view_if_needed()
    at = handle.bounding_box()
    assert at is not None
    page.mouse.move(at["x"] + at["width"] / 2, at["y"] + at["height"] / 2)
    page.mouse.down()
    page.mouse.move(at["x"] - 60, at["y"] + at["height"] / 2, steps=5)
    page.mouse.up()
    let_go = time.monotonic()
    expect(picture).not_to_have_attribute("src", source or "", timeout=ANSWER_S * 1e3)
    print(f"the picture followed the slider after {time.monotonic() - let_go:.2f} s")
    picture.scroll_into_view_if_needed()
    assert picture.screenshot() != before
    expect(picture).to_have_count(1)  # in its place, not below it
