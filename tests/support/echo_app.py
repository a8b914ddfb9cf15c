#!/usr/bin/python3
"""echo_app.py PORT: a web application on 127.0.0.1:PORT for many clients at once.

    GET /          a page that keeps a WebSocket and the manager's event stream open by itself; its
                   script notes in window.seen what came
    GET /where     {"user", "pid", "prefix"}: who answers, and the prefix that the browser used
    GET /ws        WebSocket: echoes each message
    PUT            takes the body, and answers {"bytes"}
"""

import asyncio
import base64
import hashlib
import json
import os
import pwd
import struct
import sys

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
CLOSE, PING, PONG = 8, 9, 10
BLOCK_BYTES = 65536

PAGE = b"""<!DOCTYPE html>
<html><head><title>echo</title></head>
<body><h1>waiting</h1>
<script>
window.seen = {sockets: 0, echoes: 0, events: [], gaps: 0};
function connect() {
  const socket = new WebSocket('ws');
  socket.onopen = () => { seen.sockets += 1; socket.send('hello'); };
  socket.onmessage = ({data}) => {
    seen.echoes += 1;
    document.querySelector('h1').textContent = data + ' ' + seen.sockets;
  };
  socket.onclose = () => setTimeout(connect, 300);
}
connect();
// The number in the address counts once: later ones come from the browser, in Last-Event-ID.
const events = new EventSource('/api/v1/events?last-event-id=0');
for (const kind of ['state', 'progress']) {
  events.addEventListener(kind, ({lastEventId}) => seen.events.push(Number(lastEventId)));
}
events.addEventListener('gap', () => seen.gaps += 1);
</script></body></html>
"""


async def read_head(reader):
    """(method, path, {lower-case name: value}) of the next request; None at the end."""
    try:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    method, path, _ = lines[0].split(" ")
    fields = (line.split(": ", 1) for line in lines[1:] if line)
    return method, path, {name.lower(): value for name, value in fields}


async def take_body(reader, fields):
    """Reads the body to its end: how many bytes it had."""
    total = left = int(fields.get("content-length", "0"))
    while left:
        data = await reader.read(min(left, BLOCK_BYTES))
        if not data:
            raise ConnectionResetError
        left -= len(data)
    return total


async def echo(reader, writer, fields):
    accept = base64.b64encode(hashlib.sha1(fields["sec-websocket-key"].encode() + GUID).digest())
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                 b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")
    while True:
        first, size = await reader.readexactly(2)
        size &= 0x7F
        if size >= 126:
            wide = await reader.readexactly(2 if size == 126 else 8)
            size = int.from_bytes(wide, "big")
        mask = await reader.readexactly(4)
        data = await reader.readexactly(size)
        data = bytes(a ^ b for a, b in zip(data, mask * (size // 4 + 1)))
        if first & 15 == PONG:
            continue
        opcode = PONG if first & 15 == PING else first & 15
        length = bytes([size]) if size < 126 else b"\x7f" + struct.pack("!Q", size)
        writer.write(bytes([0x80 | opcode]) + length + data)
        await writer.drain()
        if opcode == CLOSE:
            return


async def serve(reader, writer):
    while head := await read_head(reader):
        method, path, fields = head
        if fields.get("upgrade", "").lower() == "websocket":
            return await echo(reader, writer, fields)
        total, kind = await take_body(reader, fields), "application/json"
        if method == "PUT":
            body = json.dumps({"bytes": total}).encode()
        elif path == "/where":
            body = json.dumps({"user": pwd.getpwuid(os.getuid()).pw_name, "pid": os.getpid(),
                               "prefix": fields.get("x-forwarded-prefix")}).encode()
        else:
            body, kind = PAGE, "text/html"
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n"
                     f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()


async def on_connection(reader, writer):
    try:
        await serve(reader, writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the other side has gone
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(on_connection, "127.0.0.1", int(sys.argv[1]), backlog=512)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
