"""A real JupyterLab in a real browser, for tests and for screenshots.

    from jupyterlab_driver import JupyterLab

    with JupyterLab() as lab:
        notebook = lab.open(["print(6 * 7)"])
        notebook.run_all()
        notebook.page.screenshot(path="lesson.png")

As a pytest fixture, one browser for a whole test module; the server is started once for all of them:

    pytest_plugins = ["jupyterlab_driver"]

    @pytest.mark.browser
    def test_something(jupyterlab):
        notebook = jupyterlab.open(["1 + 1"])

The fixture skips the test where no Chromium is found. The reader's own Jupyter configuration, data and workspaces are
neither read nor written. Set CHROMIUM to a browser's path to use that one.
"""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import nbformat
import pytest

from glcic_lite.files import REPOSITORY

START_SECONDS = 90  # a cold start on a slow machine takes half of it
CHROMIUM_OPTIONS = [
    "--no-sandbox",  # needed as root, as in most containers; the browser sees nothing but our own server
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_chromium() -> str | None:
    """The path of a Chromium or Chrome that is installed on this system, or None."""
    names = [os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
    return next((path for name in names if name and (path := shutil.which(name))), None)


class JupyterLab:
    """A JupyterLab server with a temporary configuration and a random token, and a browser beside it.

    Args:
        folder: where notebooks are opened; a temporary one if left out. The package is importable from anywhere.
        theme: "JupyterLab Light" or "JupyterLab Dark".
        viewport: the browser window's (width, height).
        touch: whether the browser says that it has a touch screen.
        save_widget_state: what the menu entry "Save Widget State Automatically" sets.
        application: "jupyterlab", or "notebook" for Jupyter Notebook 7, which is built from the same parts.

    Use it as a context manager; leaving it ends the browser, the kernels and the server.

    Raises:
        RuntimeError: no Chromium is installed, or the server does not come up; the message holds its log.
    """

    def __init__(
        self,
        folder: str | os.PathLike | None = None,
        theme: str = "JupyterLab Light",
        viewport: tuple[int, int] = (1280, 900),
        touch: bool = False,
        save_widget_state: bool = False,
        application: str = "jupyterlab",
    ):
        self._temporary = Path(tempfile.mkdtemp(prefix="jupyterlab-"))
        self.folder = Path(folder or self._temporary / "notebooks")
        self._theme, self._viewport, self._touch = theme, viewport, touch
        self._save_widget_state = save_widget_state
        self._application = application
        self._token = secrets.token_hex(16)

        self._server = self._playwright = None

    def __enter__(self) -> "JupyterLab":
        try:
            self.start_server()
            self.start_browser()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error) -> None:
        self.stop_browser()
        if self._server:
            self._server.terminate()  # the server ends its kernels
            try:
                self._server.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
        shutil.rmtree(self._temporary, ignore_errors=True)

    def open(self, notebook: Sequence[str] | str | os.PathLike, name: str = "notebook.ipynb") -> "NotebookPage":
        """Open a notebook in a new page, ready to be run: its kernel is up.

        Args:
            notebook: the source of its code cells, or the path of a notebook inside `folder`.
            name: the file that is written for a list of cells; give each its own to keep their kernels apart.
        """
        if isinstance(notebook, str | os.PathLike):
            name = str(notebook)
        else:
            cells = [nbformat.v4.new_code_cell(source) for source in notebook]
            kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}  # else a dialog asks for it
            nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), self.folder / name)
        page = self._context.new_page()
        page.set_default_timeout(60_000)  # milliseconds; a laptop that is busy with something else needs more than 30 s
        place = "lab/tree" if self._application == "jupyterlab" else "notebooks"
        page.goto(f"{self._url}/{place}/{name}?reset&token={self._token}")
        opened = NotebookPage(page)
        opened.wait_until_ready()
        return opened

    def start_server(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        config, settings = self._temporary / "config", self._temporary / "settings"
        files = {
            config / "labconfig/page_config.json": {
                "disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}
            },
            settings / "@jupyterlab/apputils-extension/themes.jupyterlab-settings": {"theme": self._theme},
            settings / "@jupyterlab/docmanager-extension/plugin.jupyterlab-settings": {"autosave": False},
            settings / "@jupyter-widgets/jupyterlab-manager/plugin.jupyterlab-settings": {
                "saveState": self._save_widget_state
            },
        }
        if tuple(map(int, version("jupyterlab").split(".")[:2])) < (4, 5):
            # Before 4.5 cells out of sight were kept out of the page, by default, and the tests look at those, too.
            tracker = settings / "@jupyterlab/notebook-extension/tracker.jupyterlab-settings"
            files[tracker] = {"windowingMode": "defer"}
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content))
        environment = os.environ | {
            "JUPYTER_CONFIG_DIR": str(config),
            "JUPYTER_DATA_DIR": str(self._temporary / "data"),
            "JUPYTER_RUNTIME_DIR": str(self._temporary / "runtime"),
            "JUPYTERLAB_SETTINGS_DIR": str(settings),
            "JUPYTERLAB_WORKSPACES_DIR": str(self._temporary / "workspaces"),
            "IPYTHONDIR": str(self._temporary / "ipython"),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")])),
        }
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._url = f"http://127.0.0.1:{port}"
        log = self._temporary / "server.log"
        self._server = subprocess.Popen(
            [
                *(sys.executable, "-m", self._application, "--no-browser", "--allow-root", "--ip=127.0.0.1"),
                *(f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={self.folder}"),
                *(f"--IdentityProvider.token={self._token}", "--LabApp.expose_app_in_browser=True"),
                "--JupyterNotebookApp.expose_app_in_browser=True",
            ],
            env=environment,
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
        )
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                with urllib.request.urlopen(f"{self._url}/api/status?token={self._token}", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                if self._server.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()}") from None
                time.sleep(0.2)

    def stop_browser(self) -> None:
        """Close the browser; another one may be started."""
        if self._playwright:
            self._playwright.stop()
            self._playwright = None

    def start_browser(self) -> None:
        from playwright.sync_api import sync_playwright

        chromium = find_chromium()
        if chromium is None:
            raise RuntimeError("no Chromium is installed (Debian: apt install chromium)")
        self._playwright = sync_playwright().start()
        browser = self._playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
        width, height = self._viewport
        self._context = browser.new_context(viewport={"width": width, "height": height}, has_touch=self._touch)


class NotebookPage:
    """A notebook that is open in the browser. `page` is playwright's page."""

    def __init__(self, page):
        self.page = page

    def evaluate(self, function: str, argument: object = None, seconds: float = 120) -> object:
        """Call a JavaScript function in the page. Unlike `page.evaluate`, it fails rather than wait for ever."""
        return self.page.evaluate(
            f"""(argument) => {{
                const late = new Promise((_, fail) => setTimeout(fail, {seconds * 1000}, 'no answer in {seconds} s'));
                return Promise.race([({function})(argument), late]);
            }}""",
            argument,
        )

    def wait_until_ready(self) -> None:
        """Wait until JupyterLab is restored, the notebook loaded and its kernel answers. "Idle" alone is too early."""
        self.page.wait_for_function("window.jupyterapp?.shell?.currentWidget?.sessionContext")
        self.evaluate(
            """async () => {
                await jupyterapp.restored;
                const panel = jupyterapp.shell.currentWidget;
                await panel.context.ready;
                await panel.sessionContext.ready;
                await panel.sessionContext.session.kernel.info;
                jupyterapp.shell.collapseLeft?.();
            }"""
        )

    def run_all(self, wait: bool = True) -> None:
        """Run all cells, and wait until the last one has finished."""
        self.evaluate(
            """async (wait) => {
                const done = jupyterapp.commands.execute('notebook:run-all-cells');
                if (wait) await done;
            }""",
            wait,
        )

    def execute(self, code: str, wait: bool = True) -> str:
        """Run code in the notebook's kernel, beside its cells. Returns what it printed.

        Args:
            wait: False sends the code and returns at once, with an empty string.

        Raises:
            RuntimeError: the code raised an exception; the message is its traceback.
        """
        answer = self.evaluate(
            """async ([code, wait]) => {
                const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
                const future = kernel.requestExecute({code, store_history: false});
                const answer = {printed: '', error: ''};
                future.onIOPub = ({header, content}) => {
                    if (header.msg_type === 'stream') answer.printed += content.text;
                    if (header.msg_type === 'error') answer.error = content.traceback.join('\\n');
                };
                if (wait) await future.done;
                return answer;
            }""",
            [code, wait],
        )
        if answer["error"]:
            raise RuntimeError(answer["error"])
        return answer["printed"]

    def reload(self) -> None:
        """Reload the browser's page, as F5 does; the kernel lives on."""
        self.page.reload()
        self.wait_until_ready()

    def save(self) -> None:
        """Save the notebook. Nothing is saved without this: JupyterLab's own saving every two minutes is off."""
        self.evaluate("() => jupyterapp.commands.execute('docmanager:save')")

    def close(self) -> None:
        """Shut the kernel down and close the page."""
        self.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        self.page.close()


@pytest.fixture(scope="session")
def jupyterlab_server() -> Iterator[JupyterLab]:
    """One server for all tests of a process; they are skipped where no Chromium is found."""
    pytest.importorskip("playwright")
    if find_chromium() is None:
        pytest.skip("no Chromium is installed, so nothing can be tried in a browser")
    lab = JupyterLab(touch=True, save_widget_state=True)
    try:
        lab.start_server()
        yield lab
    finally:
        lab.__exit__()


@pytest.fixture(scope="module")
def jupyterlab(jupyterlab_server) -> Iterator[JupyterLab]:
    """The server with a browser beside it. Not for longer: while Playwright is there, asyncio cannot be used."""
    try:
        jupyterlab_server.start_browser()
        yield jupyterlab_server
    finally:
        jupyterlab_server.stop_browser()
