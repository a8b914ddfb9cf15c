"""Large web applications in a real browser, straight on hpc-proxy. Label heavy:
`tests/run.sh --label heavy` installs them and runs this."""

import pathlib
import shutil
import sys

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "support"
sys.path[:0] = [str(SUPPORT), str(SUPPORT / "browser")]
import apps  # noqa: E402
import harness  # noqa: E402
import ide_pages  # noqa: E402


class LargeAppsTest(apps.BrowserTestCase):
    def address(self, app, route="port"):
        return f"http://127.0.0.1:{self.start_proxy().port}/{route}/{app.port}/"

    def need(self, program):
        if not shutil.which(program):
            self.skipTest(f"no {program}; run packaging/install-deps.sh heavy")

    def test_shiny(self):
        self.need("Rscript")
        page = self.browser.open(self.address(self.start_app("shiny")))
        page.wait_for_text("square: 4")
        page.wait_for_socket("/websocket/", received=1)
        page.call("fill", "#number", "12")
        page.wait_for_text("square: 144")
        self.assertEqual(page.faults(), [])

    def code_server_options(self, *origins):
        """It compares the browser's Origin with X-Forwarded-Host, where others take Host."""
        data = self.home / "data"
        return ["--trusted-origins", *origins, "--user-data-dir", str(data / "data"),
                "--extensions-dir", str(data / "extensions")]

    def check_workbench(self, url, directory):
        page = self.browser.open(url)
        ide_pages.check_workbench(self, page, directory / "made-by-the-terminal")

    def test_code_server(self):
        port = apps.free_port()
        app = self.start_app("code-server", *self.code_server_options("localhost:{port}"),
                             port=port, XDG_CONFIG_HOME=str(self.home / "data"), SHELL="/bin/sh")
        self.check_workbench(self.address(app), app.directory)

    def test_code_server_on_a_socket(self):
        path = self.home / ".hpc-proxy/ide.sock"
        proxy = self.start_proxy("--app", f"unix:{path}")
        # A port of its own would be open to everybody on the node.
        app = self.start_app("code-server", "--socket", str(path),
                             *self.code_server_options("localhost"), ready=path.exists,
                             XDG_CONFIG_HOME=str(self.home / "data"), SHELL="/bin/sh")
        self.check_workbench(f"http://127.0.0.1:{proxy.port}/app/", app.directory)

    def open_notebook(self, address):
        ide_pages.check_notebook(self, self.browser.open(address + "notebooks/page.ipynb"))

    def test_jupyter_as_it_is(self):
        self.need("jupyter-notebook")
        self.open_notebook(self.address(self.start_app("jupyter")))

    def test_jupyter_with_its_base_path(self):
        self.need("jupyter-notebook")
        app = self.start_app("jupyter", "--NotebookApp.base_url=/absport/{port}/")
        self.open_notebook(self.address(app, "absport"))

    def test_vite_5_with_its_base_path(self):
        app = self.start_app("vite5", "--base", "/absport/{port}/")
        page = self.browser.open(self.address(app, "absport"))
        page.wait_for_socket(f"/absport/{app.port}/?token=", received=1)
        self.check_hot_update(page, app.editor("message.js"))

    def test_vite_5_as_it_is(self):
        app = self.start_app("vite5")
        page = self.browser.open(self.address(app))
        page.wait_for_socket("/?token=", received=1)
        self.check_hot_update(page, app.editor("message.js"))

    def test_next_as_it_is(self):
        app = self.start_app("next", own_modules=True)
        page = self.browser.open(self.address(app))
        page.wait_for_socket("/_next/", received=1)
        page.call("click", "button")
        page.wait_for_text("clicked 1")
        self.check_hot_update(page, app.editor("app/message.js"))
        self.assertEqual(page.call("innerText", "button"), "clicked 1")


if __name__ == "__main__":
    harness.main()
