"""An SMTP server on the loopback, of a few lines: it keeps what it takes, and refuses what it is told to.

https://www.rfc-editor.org/rfc/rfc5321
"""

from __future__ import annotations

import base64
import socketserver
import ssl
import threading
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Self


class Mailbox:
    """Serves until it is left. `answers` gives, by verb (MAIL, RCPT, DATA, END, AUTH), what is answered instead, one after
    another; an answer of `cut` ends the connection without one. `taken` are the raw mails, `senders` and `to` envelopes.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, implicit: bool = False) -> None:
        self.answers: dict[str, list[str]] = {}
        self.taken: list[bytes] = []
        self.to: list[str] = []
        self.signed_in: list[tuple[str, str]] = []
        self.in_clear: list[str] = []
        self.tls, self.implicit = tls, implicit
        box = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                session: _Session | None = None
                try:
                    session = _Session(box, self.request)
                    session.run()
                except (OSError, EOFError):
                    pass
                finally:
                    if session is not None:
                        session.close()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def mails(self) -> list[EmailMessage]:
        """Return what was taken, parsed."""
        return [message_from_bytes(one, policy=policy.default) for one in self.taken]  # type: ignore[misc]


class _Session:
    def __init__(self, box: Mailbox, connection: Any) -> None:
        self.box, self.connection = box, connection
        self.encrypted = False
        if box.implicit and box.tls:
            self._encrypt()
        self.file = self.connection.makefile("rb")

    def close(self) -> None:
        self.file.close()
        self.connection.close()

    def run(self) -> None:
        self._say("220 mail.example.com")
        while line := self.file.readline():
            text = line.decode("ascii", "replace").strip()
            verb = text[:4].upper()
            if not self.encrypted:
                self.box.in_clear.append(verb)
            if verb == "QUIT":
                self._say("221 bye")
                return
            if verb == "STAR" and self.box.tls and not self.box.implicit:
                self._say("220 go on")
                self.file.close()
                self._encrypt()
                self.file = self.connection.makefile("rb")
                continue
            self._answer(verb, text)

    def _answer(self, verb: str, text: str) -> None:
        if verb == "EHLO":
            more = ["STARTTLS"] if self.box.tls and not self.encrypted else ["AUTH PLAIN"]
            self._say("250-mail.example.com\r\n250-8BITMIME\r\n250 " + more[0])
        elif verb == "AUTH":
            _, user, password = base64.b64decode(text.split()[2]).decode().split("\0")
            if self._say(self._told("AUTH", "235 welcome")):
                self.box.signed_in.append((user, password))
        elif verb == "RCPT":
            if self._say(self._told("RCPT", "250 ok")):
                self.box.to.append(text.partition(":")[2])
        elif verb == "DATA":
            if self._say(self._told("DATA", "354 go on")):
                body = b""
                while (line := self.file.readline()) not in (b".\r\n", b""):
                    body += line[1:] if line.startswith(b"..") else line
                answer = self._told("END", "250 taken")
                if answer.startswith("2") or answer == "cut":
                    self.box.taken.append(body)
                self._say(answer)
        else:
            self._say(self._told(verb, "250 ok"))

    def _told(self, verb: str, otherwise: str) -> str:
        waiting = self.box.answers.get(verb)
        return waiting.pop(0) if waiting else otherwise

    def _say(self, answer: str) -> bool:
        if answer == "cut":
            self.connection.close()
            raise EOFError
        self.connection.sendall(answer.encode() + b"\r\n")
        return answer[0] in "23"

    def _encrypt(self) -> None:
        assert self.box.tls is not None
        self.connection = self.box.tls.wrap_socket(self.connection, server_side=True)
        self.encrypted = True
