"""A small WebSocket client (RFC 6455), as a browser would speak: text and binary messages.

    with WebSocket("http://127.0.0.1:9000/port/5500/ws") as ws:
        print(ws.receive(timeout=5))
"""

import base64
import hashlib
import os
import socket
import struct
import urllib.parse

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
MESSAGE_BYTES_MAX = 16 * 1024 * 1024
HEAD_BYTES_MAX = 64 * 1024

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class WebSocketError(Exception):
    """The handshake was refused or the connection ended; str() says how."""


class WebSocket:
    def __init__(self, url, headers=None, timeout=10):
        parts = urllib.parse.urlsplit(url)
        self._buffer = b""
        self._socket = socket.create_connection((parts.hostname, parts.port or 80), timeout)
        try:
            self._handshake(parts, headers or {})
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Just goes; who wants to say so sends a CLOSE before."""
        self._socket.close()

    def _handshake(self, parts, headers):
        key = base64.b64encode(os.urandom(16))
        path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        fields = {"Host": parts.netloc, "Upgrade": "websocket", "Connection": "Upgrade",
                  "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key.decode(),
                  # Browsers always send it, and proxies decide by it.
                  "Origin": f"http://{parts.netloc}", **headers}
        head = f"GET {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items())
        self._socket.sendall(head.encode() + b"\r\n")
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > HEAD_BYTES_MAX:
                raise WebSocketError("the answer's head is too long")
            self._fill()
        answer, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        if not answer.startswith(b"HTTP/1.1 101 "):
            raise WebSocketError(answer.decode(errors="replace") + "\n" +
                                 self._buffer.decode(errors="replace"))
        expected = base64.b64encode(hashlib.sha1(key + GUID).digest())
        accepts = [line.split(b":", 1)[1].strip() for line in answer.split(b"\r\n")
                   if line.lower().startswith(b"sec-websocket-accept:")]
        if accepts != [expected]:
            raise WebSocketError(f"wrong Sec-WebSocket-Accept: {accepts}")

    def _fill(self):
        data = self._socket.recv(65536)
        if not data:
            raise WebSocketError("the connection ended")
        self._buffer += data

    def _take(self, count):
        while len(self._buffer) < count:
            self._fill()
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def _frame(self):
        """One frame: (final, opcode, payload)."""
        first, second = self._take(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self._take(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._take(8))
        if length > MESSAGE_BYTES_MAX or second & 0x80:
            raise WebSocketError("a frame that no server may send")
        return bool(first & 0x80), first & 0x0F, self._take(length)

    def receive(self, timeout=10):
        """The next message: str for text, bytes for binary; answers pings on the way."""
        self._socket.settimeout(timeout)
        message, kind = b"", None
        while True:
            final, opcode, payload = self._frame()
            if opcode == PING:
                self.send(payload, PONG)
            elif opcode == CLOSE:
                raise WebSocketError(f"the server closed: {payload!r}")
            elif opcode != PONG:
                kind = kind or opcode
                message += payload
                if final:
                    return message.decode() if kind == TEXT else message

    def send(self, message, opcode=None):
        """Sends str as text, bytes as binary, in one masked frame."""
        payload = message.encode() if isinstance(message, str) else message
        opcode = opcode or (TEXT if isinstance(message, str) else BINARY)
        size = len(payload)
        if size < 126:
            length = bytes([0x80 | size])
        elif size < 65536:
            length = b"\xfe" + struct.pack("!H", size)
        else:
            length = b"\xff" + struct.pack("!Q", size)
        mask = os.urandom(4)
        masked = bytes(b ^ m for b, m in zip(payload, mask * (size // 4 + 1)))
        self._socket.sendall(bytes([0x80 | opcode]) + length + mask + masked)
