"""The e-mail sink: each message as plain text and as HTML, over an encrypted connection.

Its Message-ID is made of the message's id, so that what is sent again after a crash is the same mail to programs and lists
that fold by it (https://www.rfc-editor.org/rfc/rfc5322#section-3.6.4); what belongs to a finding refers to the first of it.
Everything from outside goes into headers as one line without control characters, and into HTML escaped.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Callable
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from html import escape
from typing import Literal

import msgspec

from monitor.alerts.notes import FindingView, Message, Note
from monitor.alerts.port import Delivered, Thread, Undelivered
from monitor.alerts.telling import cut

Security = Literal["starttls", "tls", "none"]
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?", re.ASCII)
_REFERENCE = re.compile(r"<[0-9a-f]{40}@[A-Za-z0-9.-]+>", re.ASCII)
_ID = 40
_LONGEST_SUBJECT = 180
_LONGEST_LINE = 2000
_TODO = "see alerts.smtp in monitor.yaml; then: monitor alerts retry"


class MailServer(msgspec.Struct, frozen=True, kw_only=True):
    """The server that takes mail. `none` is for this machine alone: all else would show the mail on the way."""

    host: str
    port: int
    security: Security = "starttls"
    sender: str
    user: str = ""
    password: str = ""
    timeout: float = 20.0

    def __repr__(self) -> str:
        return f"MailServer({self.host}:{self.port})"


class SmtpSink:
    """Delivers messages to e-mail addresses, a connection each."""

    name = "smtp"

    def __init__(
        self, server: MailServer, *, context: Callable[[], ssl.SSLContext] = ssl.create_default_context
    ) -> None:
        self._server = server
        self._context = context

    def find(self, message: Message, thread: Thread | None) -> Delivered | None:
        """Return None: a mailbox cannot be asked. What is sent again bears the same Message-ID."""
        return None

    def deliver(self, message: Message, thread: Thread | None) -> Delivered:
        """Hand it to the server, and return its Message-ID. Raises Undelivered."""
        mail = build(message, self._server.sender, thread.reference if thread else "")
        reference = str(mail["Message-ID"])
        try:
            server = self._connected()
            try:
                server.send_message(mail, from_addr=self._server.sender, to_addrs=[message.target])
            finally:
                server.close()  # Without QUIT: what it answers to that no longer matters, and could look like a refusal.
        except (smtplib.SMTPException, OSError) as error:
            raise self._refused(error) from None
        return Delivered(reference, reference if message.finding_id else "")

    def _connected(self) -> smtplib.SMTP:
        server = self._server
        if server.security == "tls":
            made: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=server.timeout, context=self._context()
            )
        else:
            made = smtplib.SMTP(server.host, server.port, timeout=server.timeout)
        try:
            if server.security == "starttls":
                made.starttls(context=self._context())  # It raises where the server cannot: nothing goes in the clear.
            if server.user:
                made.login(server.user, server.password)
        except BaseException:
            made.close()
            raise
        return made

    def _refused(self, error: Exception) -> Undelivered:
        # What the server says in words is not told: it may repeat what it was given.
        codes: list[int] = []
        if isinstance(error, smtplib.SMTPRecipientsRefused):
            codes = [code for code, _ in error.recipients.values()]
        elif isinstance(error, smtplib.SMTPResponseException):
            codes = [error.smtp_code]
        # Signing in, and the sender's address, are for an operator to mend.
        final = isinstance(error, smtplib.SMTPRecipientsRefused | smtplib.SMTPDataError)
        told = " ".join([type(error).__name__, *map(str, codes)])
        permanent = final and bool(codes) and min(codes) >= 500
        return Undelivered(f"{self._server.host}: {told}", todo=_TODO, permanent=permanent)


def build(message: Message, sender: str, thread: str = "") -> EmailMessage:
    """Return the mail of a message: the same each time. Raises Undelivered if its target is no address."""
    if not ADDRESS.fullmatch(message.target):
        raise Undelivered(
            f"{line(message.target, 100)} is no e-mail address", todo="write it in the routes", permanent=True
        )
    note = message.body
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address("Control monitor", addr_spec=sender)
    mail["To"] = Address(addr_spec=message.target)
    mail["Subject"] = line(f"[{note.severity.value}] {note.title}", _LONGEST_SUBJECT)
    mail["Date"] = message.created_at
    mail["Message-ID"] = f"<{message.id[:_ID]}@{sender.rpartition('@')[2]}>"
    if thread and _REFERENCE.fullmatch(thread):
        mail["In-Reply-To"] = thread
        mail["References"] = thread
    # No program answers an alert: https://www.rfc-editor.org/rfc/rfc3834#section-5
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Monitor-Id"] = message.id
    mail.set_content(plain(note), cte="quoted-printable")
    mail.add_alternative(markup(note), subtype="html", cte="quoted-printable")
    return mail


def plain(note: Note) -> str:
    """Return the note as text, a fact a line."""
    facts = [*_facts(note.finding), *note.lines]
    told = [line(note.title, _LONGEST_LINE), "", *(f"{line(label, 60)}: {line(text)}" for label, text in facts)]
    told += [f"{line(label, 60)}: {line(address)}" for label, address in note.links]
    return "\n".join([*told, "", f"As of {note.at:%Y-%m-%d %H:%M} UTC"]) + "\n"


def markup(note: Note) -> str:
    """Return the note as HTML. Only links to http and https are made; all text is escaped."""
    rows = "".join(
        f"<tr><th align=left valign=top>{_safe(label)}</th><td>{_safe(text)}</td></tr>"
        for label, text in [*_facts(note.finding), *note.lines]
    )
    links = " · ".join(
        f'<a href="{escape(line(address), quote=True)}">{_safe(label)}</a>'
        for label, address in note.links
        if re.match(r"https?://", address)
    )
    return (
        f"<!doctype html><html><body><h3>{_safe(note.title)}</h3><table>{rows}</table>"
        f"<p>{links}</p><p>As of {note.at:%Y-%m-%d %H:%M} UTC</p></body></html>\n"
    )


def line(text: str, longest: int = _LONGEST_LINE) -> str:
    """Return text from outside as one line that holds nothing but what can be shown."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text[: longest + 1])
    return cut(" ".join(shown.split()), longest)


def _safe(text: str) -> str:
    return escape(line(text), quote=True)


def _facts(finding: FindingView | None) -> list[tuple[str, str]]:
    if finding is None:
        return []
    since = f"{finding.first_seen:%Y-%m-%d %H:%M} UTC, seen in {finding.times_seen} sweeps"
    facts = [
        ("What", finding.reason),
        ("Where", finding.place or finding.scope),
        ("Who", finding.actor),
        ("Since", since),
        ("Standing", finding.standing),
        ("Owner", finding.owner),
        ("Waiver", finding.waiver),
        ("Would fix it", finding.remedy),
        ("Check", finding.check),
        ("Controls", ", ".join(finding.controls)),
        ("Subject", finding.subject),
        ("Finding", finding.id),
    ]
    return [(label, text) for label, text in facts if text]
