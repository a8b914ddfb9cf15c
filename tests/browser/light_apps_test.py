"""Light web applications in a real browser, straight on hpc-proxy: page, WebSocket, reload."""

import pathlib
import sys

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "support"
sys.path[:0] = [str(SUPPORT), str(SUPPORT / "browser")]
import apps  # noqa: E402
import harness  # noqa: E402


class LightAppsTest(apps.BrowserTestCase):
    def open(self, app, route="port"):
        proxy = self.start_proxy()
        return self.browser.open(f"http://127.0.0.1:{proxy.port}/{route}/{app.port}/")

    def check_hot_update(self, page, edit):
        """An edit is seen in the page that is open already, which keeps its state."""
        page.wait_for_text("first version")
        page.evaluate("window.kept = 'kept'")
        page.edit_until_text(edit, "second version")
        self.assertEqual(page.evaluate("window.kept"), "kept")
        self.assertEqual(page.faults(), [])

    def check_reload(self, page, edit):
        """An edit makes the page load anew."""
        page.wait_for_text("first version")
        page.edit_until_text(edit, "second version")
        page.wait_for("getComputedStyle(document.querySelector('h1')).color == 'rgb(0, 128, 0)'")
        self.assertEqual(page.faults(), [])

    def test_live_server(self):
        app = self.start_app("live")
        page = self.open(app)
        page.wait_for_socket(f"/port/{app.port}//ws")
        self.check_reload(page, app.editor("index.html"))

    def test_web_socket_with_a_relative_address(self):
        app = self.start_app("ws")
        page = self.open(app)
        page.wait_for_text("echo of hello with echo-protocol")
        page.wait_for_socket(f"/port/{app.port}/echo", received=1)
        self.assertEqual(page.faults(), [])

    def test_vite_with_its_base_path(self):
        app = self.start_app("vite", "--base", "/absport/{port}/")
        page = self.open(app, "absport")
        page.wait_for_socket(f"/absport/{app.port}/?token=", received=1)
        self.check_hot_update(page, app.editor("message.js"))

    def test_vite_as_it_is(self):
        app = self.start_app("vite")
        page = self.open(app)
        page.wait_for_socket("/?token=", received=1)
        self.check_hot_update(page, app.editor("message.js"))

    def test_webpack_dev_server_with_its_web_socket_address(self):
        port = apps.free_port()
        app = self.start_app("webpack", "--env", "prefix=/port/{port}", port=port)
        page = self.open(app)
        page.wait_for_socket(f"/port/{app.port}/ws", received=1)
        self.check_hot_update(page, app.editor("message.js"))

    def test_browser_sync_as_it_is(self):
        app = self.start_app("browsersync")
        page = self.open(app)
        page.wait_for_socket("/browser-sync/socket.io/", received=1)
        self.check_reload(page, app.editor("index.html"))

    def test_socket_io_as_it_is(self):
        app = self.start_app("socketio")
        page = self.open(app)
        page.wait_for_text("second reply over websocket")
        page.wait_for_socket("/socket.io/", received=1)
        self.assertEqual(page.faults(), [])


if __name__ == "__main__":
    harness.main()
