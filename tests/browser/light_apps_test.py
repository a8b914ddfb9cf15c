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

    def check_webpack(self, socket, *options):
        app = self.start_app("webpack", *options)
        page = self.open(app)
        page.wait_for_socket(socket.format(port=app.port), received=1)
        self.check_hot_update(page, app.editor("message.js"))

    def test_webpack_dev_server_with_its_web_socket_address(self):
        self.check_webpack("/port/{port}/ws", "--env", "prefix=/port/{port}")

    def test_webpack_dev_server_with_its_web_socket_at_the_root(self):
        self.check_webpack("/ws")

    def test_browser_sync_as_it_is(self):
        app = self.start_app("browsersync")
        page = self.open(app)
        page.wait_for_socket("/browser-sync/socket.io/", received=1)
        self.check_reload(page, app.editor("index.html"))

    def test_socket_io_as_it_is(self):
        app = self.start_app("socketio")
        page = self.open(app)
        page.wait_for_text("the reply over websocket")
        page.wait_for_socket("/socket.io/", received=1)
        self.assertEqual(page.faults(), [])


if __name__ == "__main__":
    harness.main()
