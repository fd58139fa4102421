"""The WebSocket that Socket Mode talks over: what the test sends, and what the client answers (RFC 6455, text frames)."""

from __future__ import annotations

import base64
import hashlib
import json
import queue
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Socket:
    """One connection at a time. `send` gives the client an envelope; `received` holds what it answers."""

    def __init__(self) -> None:
        self.received: queue.Queue[dict[str, Any]] = queue.Queue()
        self.connected = threading.Event()
        self._handler: BaseHTTPRequestHandler | None = None
        self._lock = threading.Lock()

    def send(self, envelope: dict[str, Any]) -> None:
        self._write(json.dumps(envelope).encode(), 0x1)

    def close(self) -> None:
        if self._handler is not None:
            try:
                self._write(b"", 0x8)
                self._handler.connection.shutdown(2)
            except OSError:
                pass

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        key = handler.headers.get("Sec-WebSocket-Key", "").encode()
        handler.send_response(101)
        handler.send_header("Upgrade", "websocket")
        handler.send_header("Connection", "Upgrade")
        handler.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key + _MAGIC).digest()).decode())
        handler.end_headers()
        self._handler = handler
        self.send({"type": "hello", "num_connections": 1})
        self.connected.set()
        try:
            while self._read():
                pass
        except OSError:
            pass

    def _write(self, data: bytes, code: int) -> None:
        assert self._handler is not None
        size = len(data)
        head = bytes([0x80 | code]) + (bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big"))
        with self._lock:
            self._handler.connection.sendall(head + data)

    def _read(self) -> bool:
        assert self._handler is not None
        head = self._exactly(2)
        if len(head) < 2 or head[0] & 0x0F == 0x8:
            return False
        size = head[1] & 0x7F
        if size == 126:
            size = int.from_bytes(self._exactly(2), "big")
        elif size == 127:
            size = int.from_bytes(self._exactly(8), "big")
        mask = self._exactly(4) if head[1] & 0x80 else bytes(4)
        data = bytes(byte ^ mask[place % 4] for place, byte in enumerate(self._exactly(size)))
        if head[0] & 0x0F == 0x9:
            self._write(data, 0xA)
        elif head[0] & 0x0F == 0x1:
            self.received.put(json.loads(data))
        return True

    def _exactly(self, size: int) -> bytes:
        assert self._handler is not None
        return self._handler.rfile.read(size) if size else b""
