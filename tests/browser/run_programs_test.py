"""Real programs as commands of `hpc-proxy run`, each started by two users on the same port at the
same time: everybody sees his own. Label heavy: `tests/run.sh --label heavy` installs them.

docs/apps.md has a table of what is seen here.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

SUPPORT = pathlib.Path(__file__).resolve().parent.parent / "support"
sys.path[:0] = [str(SUPPORT), str(SUPPORT / "browser")]
import apps  # noqa: E402
import browser  # noqa: E402
import harness  # noqa: E402

START_SECONDS = apps.START_SECONDS
NGINX = """daemon off; pid {directory}/pid; error_log stderr;
events {{}}
http {{
  access_log off; client_body_temp_path {directory}; proxy_temp_path {directory};
  fastcgi_temp_path {directory}; uwsgi_temp_path {directory}; scgi_temp_path {directory};
  server {{ listen {port}; listen [::]:{port}; root {directory}; }}
}}
"""
SHINY = """library(shiny)
runApp(shinyApp(fluidPage("{word}"), function(input, output) {{}}), host = "127.0.0.1",
       port = {port}, launch.browser = FALSE)
"""
JAVA = """import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
public class Server {
  public static void main(String[] words) throws Exception {
    var server = HttpServer.create(new InetSocketAddress(Integer.parseInt(words[1])), 0);
    server.createContext("/", exchange -> {
      byte[] body = words[0].getBytes();
      exchange.sendResponseHeaders(200, body.length);
      exchange.getResponseBody().write(body);
      exchange.close();
    });
    server.start();
  }
}
"""


class User:
    """One of the two: his home, his word, and his running hpc-proxy."""

    def __init__(self, uid, home, word):
        self.uid, self.home, self.word = uid, home, word
        self.directory = home / "files"
        self.proxy = None

    def put(self, name, text):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def own(self):
        subprocess.run(["chown", "-RhP", f"{self.uid}:{self.uid}", self.home], check=True)


@unittest.skipUnless(harness.IS_ROOT, "needs root to be two users")
class RunProgramsTest(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.port = apps.free_port()
        self.users = [User(uid, self.new_home(uid), word) for uid, word in (
            (harness.USER_UID, "page-of-alice"), (harness.OTHER_UID, "page-of-bob"))]
        for user in self.users:
            user.put("index.html", f"<!doctype html><title>{user.word}</title>{user.word}\n")

    def need(self, program):
        if not shutil.which(program):
            self.skipTest(f"no {program}; run packaging/install-deps.sh heavy")

    def modules(self, name):
        return browser.readable_for(harness.USER_UID, browser.apps_directory(name), self.base)

    def start_both(self, command, **variables):
        """command(user) is what each of them runs, in the directory of his files."""
        for user in self.users:
            words = command(user)
            user.own()
            user.proxy = self.start(
                "run", "--", "env", "-C", user.directory, *map(str, words), uid=user.uid,
                home=user.home, variables={"NO_UPDATE_NOTIFIER": "1", **variables})

    def get(self, user, path=""):
        return user.proxy.get(f"/port/{self.port}/{path}")

    def wait_for(self, user, path=""):
        harness.wait_until(
            lambda: user.proxy.process.poll() is not None or self.get(user, path).status == 200,
            f"{user.word} is there", START_SECONDS)
        self.assertIsNone(user.proxy.process.poll(), user.proxy.log)

    def listeners(self):
        """uid -> addresses on which the port listens."""
        text = subprocess.run(["ss", "-Htlne", f"sport = :{self.port}"], check=True,
                              capture_output=True, text=True).stdout
        found = {}
        for line in text.splitlines():
            uid = int(re.search(r"uid:(\d+)", line).group(1))
            found.setdefault(uid, set()).add(line.split()[3].rsplit(":", 1)[0].strip("[]"))
        return found

    def check_pages(self, path="", own=lambda user: user.word):
        """Each sees his own on the one port, at an address that is his."""
        for user in self.users:
            self.wait_for(user, path)
        for user in self.users:
            text = self.get(user, path).body.decode(errors="replace")
            self.assertIn(own(user), text)
            for other in self.users:
                if other is not user:
                    self.assertNotIn(own(other), text)
        found = self.listeners()
        self.assertEqual(set(found), {user.uid for user in self.users})
        for addresses in found.values():
            for address in addresses:
                self.assertRegex(address, r"^(::ffff:)?127\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.")
        for user in self.users:
            self.assertNotIn("without a private address", user.proxy.log)

    def end_both(self):
        for user in self.users:
            user.proxy.end()

    def run_pages(self, command, path="", own=lambda user: user.word, **variables):
        self.start_both(command, **variables)
        self.check_pages(path, own)
        self.end_both()

    def test_python_http_server(self):
        self.run_pages(lambda _: [sys.executable, "-m", "http.server", self.port])

    def test_python_asyncio_on_localhost(self):
        code = ("import asyncio, sys\n"
                "async def answer(reader, writer):\n"
                "    await reader.readuntil(b'\\r\\n\\r\\n')\n"
                "    word = sys.argv[1].encode()\n"
                "    writer.write(b'HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s'"
                " % (len(word), word))\n"
                "    await writer.drain(); writer.close()\n"
                "async def main():\n"
                "    server = await asyncio.start_server(answer, sys.argv[2] or None,"
                " int(sys.argv[3]))\n"
                "    await server.serve_forever()\n"
                "asyncio.run(main())\n")
        for host in ("localhost", ""):  # each is two sockets, of IPv4 and of IPv6
            with self.subTest(host=host):
                self.run_pages(lambda user, host=host: [sys.executable, "-c", code, user.word,
                                                        host, self.port])

    def test_live_server(self):
        modules = self.modules("live")
        self.run_pages(lambda _: apps.npm("live-server", "live-server.js")(
            modules, f"--port={self.port}", "--no-browser", "."))

    def test_vite(self):
        modules = self.modules("browser")
        self.run_pages(lambda _: apps.vite(modules, self.port))

    def test_code_server(self):
        modules = self.modules("code-server")

        def command(user):
            data = user.home / "data"
            return apps.COMMANDS["code-server"][1](
                modules, self.port, "--app-name", user.word, "--user-data-dir", data)
        # Its log-in page says its name; without a password its manifest does.
        self.run_pages(command, path="manifest.json")

    def test_jupyter_notebook(self):
        self.need("jupyter-notebook")

        def command(user):
            user.put(f"{user.word}.txt", "text")
            return apps.COMMANDS["jupyter"][1](None, self.port)
        self.run_pages(command, path="api/contents", own=lambda user: f"{user.word}.txt")

    def test_jupyter_kernel(self):
        """A kernel and its client talk over ports of 127.0.0.1, which the one chose at random."""
        self.need("jupyter-execute")
        alice, _ = self.users
        made = alice.directory / "made"
        page = alice.put("page.ipynb", json.dumps({
            "nbformat": 4, "nbformat_minor": 4, "metadata": {
                "kernelspec": {"name": "python3", "display_name": "", "language": "python"}},
            "cells": [{"cell_type": "code", "metadata": {}, "execution_count": None,
                       "outputs": [], "source": f"open({str(made)!r}, 'w').write('42')"}]}))
        alice.own()
        done = self.run_proxy("run", "--", "jupyter-execute", page, uid=alice.uid,
                              home=alice.home)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(made.read_text(), "42")

    def test_shiny(self):
        self.need("Rscript")
        self.run_pages(lambda user: ["Rscript", user.put("app.R", SHINY.format(
            word=user.word, port=self.port))])

    def test_nginx(self):
        self.need("nginx")
        self.run_pages(lambda user: ["nginx", "-p", user.directory, "-c", user.put(
            "nginx.conf", NGINX.format(directory=user.directory, port=self.port))])

    def test_java(self):
        if not shutil.which("javac"):
            self.skipTest("no Java compiler here (a JDK takes 200 MB, so no list installs it)")
        self.run_pages(lambda user: ["java", user.put("Server.java", JAVA), user.word, self.port])

    def static_server(self):
        """A Go program without any library: esbuild's own web server."""
        modules = self.modules("heavy")
        return modules / "node_modules/@esbuild/linux-x64/bin/esbuild"

    def static_command(self, program):
        # It ends with its standard input.
        return ["sh", "-c", "tail -f /dev/null | exec \"$@\"", "sh", program,
                f"--serve=127.0.0.1:{self.port}", "--servedir=."]

    def test_static_go_program_stays_where_it_is_and_is_named(self):
        program = self.static_server()
        alice, bob = self.users
        self.start_both(lambda user: self.static_command(program) if user is alice
                        else ["sleep", "1000"])
        self.wait_for(alice)
        self.assertEqual(self.listeners(), {alice.uid: {"127.0.0.1"}})
        harness.wait_until(lambda: "without a private address" in alice.proxy.log, "the warning")
        for words in ("esbuild", f"port {self.port}", "statically linked", "--private netns"):
            self.assertIn(words, alice.proxy.log)
        # Hers is not shown to him.
        self.assertEqual(self.get(bob).status, 403)
        self.assertNotIn(alice.word.encode(), self.get(bob).body)
        self.end_both()

    def test_static_go_program_in_a_network_namespace(self):
        program = self.static_server()
        for user in self.users:
            user.own()
            user.proxy = self.start(
                "run", "--private", "netns", "--", "env", "-C", user.directory,
                *self.static_command(program), uid=user.uid, home=user.home)
        for user in self.users:
            self.wait_for(user)
            self.assertIn(user.word.encode(), self.get(user).body)
        self.assertEqual(self.listeners(), {})
        self.end_both()


if __name__ == "__main__":
    os.umask(0o022)
    harness.main()
