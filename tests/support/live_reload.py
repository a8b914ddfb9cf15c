#!/usr/bin/python3
"""live_reload.py URL FILE: shows that Live Server's page and live reload work at URL.

Fetches URL as a browser would, opens the WebSocket that the page asks for, appends a line to
FILE, which Live Server watches, and waits for the reload message. Prints the page and the message.
Exit 0: both came; 1: the reason is on stderr.
"""

import os
import re
import sys
import threading
import time
import urllib.error
import urllib.request

from websocket import WebSocket, WebSocketError

# Live Server needs about 0.3 s to see a change; a loaded machine is given time.
RELOAD_SECONDS = 20
# Node.js needs a second to start, on a busy machine more.
START_SECONDS = 30


def fetch(url):
    """The page; waits, as a browser's waiting page does, while the application starts (503)."""
    # No proxy from the environment: this must be the path that is to be shown.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, headers={
        "Accept": "text/html", "Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document"})
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with opener.open(request, timeout=START_SECONDS) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            if error.code != 503 or time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def edit_until(page, done):
    """Edits the file again and again: a watcher that is still starting misses single edits."""
    while not done.is_set():
        page.write(f"<!-- edited {time.time_ns()} -->\n")
        page.flush()
        done.wait(2)


def reload_message(url, page):
    """The text of the message that Live Server sends when it saw the file change."""
    done = threading.Event()
    # The page's own script asks for its address + "/ws", so the path has two slashes.
    with WebSocket(url + "/ws", headers={"Sec-Fetch-Site": "same-origin",
                                         "Sec-Fetch-Mode": "websocket"}) as socket:
        editor = threading.Thread(target=edit_until, args=(page, done), daemon=True)
        editor.start()
        try:
            message = socket.receive(RELOAD_SECONDS)
            while message != "reload":
                message = socket.receive(RELOAD_SECONDS)
        finally:
            done.set()
            editor.join()
    return message


def show(url, page_file):
    page = fetch(url)
    if "Live reload enabled" not in page:
        print(f"not Live Server's page:\n{page}", file=sys.stderr)
        return 1
    shown = re.sub("(?s)(<script[^>]*>).*?(</script>)", r"\1 ... \2", page).strip()
    print(f"page {url}:\n{shown}\n", flush=True)
    message = reload_message(url, page_file)
    print(f"WebSocket message after editing {os.path.basename(page_file.name)}: {message}")
    return 0


def main():
    url = sys.argv[1]
    try:
        with open(sys.argv[2], "a", encoding="utf-8") as page_file:
            return show(url, page_file)
    except urllib.error.HTTPError as error:
        print(f"{url}: {error}\n{error.read().decode(errors='replace')}", file=sys.stderr)
    except (OSError, WebSocketError) as error:
        print(f"{url}: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
