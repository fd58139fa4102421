"""The e-mail sink against a real SMTP server: encrypted, harmless, threaded, and what each answer comes to."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from monitor.alerts.notes import Message, Note, Target, message
from monitor.alerts.port import Thread, Undelivered
from monitor.alerts.smtp import MailServer, SmtpSink, build, markup
from monitor.alerts.words import NoteKind
from tests.fakes.mailbox import Mailbox
from tests.integration.alerts.world import START
from tests.unit.alerts.material import HOSTILE, finding

ONCALL = Target("smtp", "oncall@example.com")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as found:
        yield found


def served(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def server(box: Mailbox, **more: object) -> MailServer:
    given = {"host": "localhost", "port": box.port, "security": "none", "sender": "monitor@example.com", "timeout": 5.0}
    return MailServer(**(given | more))  # type: ignore[arg-type]


def told(text: str = "nobody must review", key: str = "k", to: Target = ONCALL) -> Message:
    view = finding(
        reason=text, actor=text, place=text, links=(("commit", "https://example.com/c"), ("x", "javascript:1"))
    )
    note = Note(
        kind=NoteKind.OPENED, key=key, at=START, title=text, finding=view, lines=((text, text),), links=view.links
    )
    return message(note, to, START)


def test_a_mail_says_all_in_text_and_in_html(mailbox: Mailbox):
    sent = told()
    delivered = SmtpSink(server(mailbox)).deliver(sent, None)
    (mail,) = mailbox.mails

    assert mail["To"] == "oncall@example.com"
    assert mail["From"] == "Control monitor <monitor@example.com>"
    assert mail["Subject"] == "[low] nobody must review"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"] == delivered.reference == delivered.thread_reference == f"<{sent.id[:40]}@example.com>"
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert "Finding: F-AAAAAAAAAA" in text.get_content()
    assert html is not None
    assert '<a href="https://example.com/c">commit</a>' in html.get_content()
    assert "javascript" not in html.get_content()
    assert mailbox.to == ["<oncall@example.com>"]


def test_the_same_message_is_the_same_mail_and_what_follows_refers_to_the_first(mailbox: Mailbox):
    sink = SmtpSink(server(mailbox))
    head = sink.deliver(told(), None)
    sink.deliver(told(), None)
    sink.deliver(told(key="later"), Thread(ONCALL.target, head.thread_reference))
    first, again, later = mailbox.mails

    assert first["Message-ID"] == again["Message-ID"] != later["Message-ID"]
    assert first["Date"] == again["Date"]
    assert later["In-Reply-To"] == later["References"] == head.reference


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_can_add_a_header_an_address_or_markup(mailbox: Mailbox, text: str):
    SmtpSink(server(mailbox)).deliver(told(text), None)
    (mail,) = mailbox.mails

    assert "Bcc" not in mail
    assert sorted(set(mail.keys())) == sorted(
        [
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "Auto-Submitted",
            "X-Monitor-Id",
            "MIME-Version",
            "Content-Type",
        ]
    )
    assert mailbox.to == ["<oncall@example.com>"]
    assert len(mail["Subject"]) <= 200
    html = mail.get_body(("html",))
    assert html is not None
    assert "<script>" not in html.get_content()
    assert all(len(line) < 999 for line in mailbox.taken[0].split(b"\r\n"))


@pytest.mark.parametrize(
    "target",
    ["nobody", "a@example.com\r\nBcc: b@example.com", "a@example.com, b@example.com", "<a@example.com>", "a b@c"],
)
def test_a_target_that_is_no_address_is_refused_before_anything_is_sent(mailbox: Mailbox, target: str):
    with pytest.raises(Undelivered, match="is no e-mail address") as raised:
        SmtpSink(server(mailbox)).deliver(told(to=Target("smtp", target)), None)

    assert raised.value.permanent
    assert mailbox.in_clear == []


def test_a_reference_that_is_none_of_ours_is_left_out():
    mail = build(told(), "monitor@example.com", "<x@example.com>\r\nBcc: b@example.com")

    assert "In-Reply-To" not in mail


@pytest.mark.parametrize(
    ("verb", "answer", "permanent"),
    [
        ("RCPT", "550 no such mailbox", True),
        ("RCPT", "450 later", False),
        ("END", "554 looks like spam", True),
        ("END", "452 full", False),
        ("DATA", "451 later", False),
        ("MAIL", "550 not from you", False),
        ("MAIL", "cut", False),
        ("END", "cut", False),
    ],
)
def test_each_answer_comes_to_what_it_means(mailbox: Mailbox, verb: str, answer: str, permanent: bool):
    mailbox.answers[verb] = [answer]
    with pytest.raises(Undelivered) as raised:
        SmtpSink(server(mailbox)).deliver(told(), None)

    assert raised.value.permanent is permanent
    assert "spam" not in str(raised.value)


def test_it_signs_in_and_sends_over_starttls(certificate: Path):
    with Mailbox(tls=served(certificate)) as box:
        trust = lambda: ssl.create_default_context(cafile=str(certificate))  # noqa: E731
        SmtpSink(server(box, security="starttls", user="monitor", password="a secret"), context=trust).deliver(
            told(), None
        )

        assert box.signed_in == [("monitor", "a secret")]
        assert box.in_clear == ["EHLO", "STAR"]
        assert len(box.mails) == 1


def test_it_sends_over_tls_from_the_start(certificate: Path):
    with Mailbox(tls=served(certificate), implicit=True) as box:
        trust = lambda: ssl.create_default_context(cafile=str(certificate))  # noqa: E731
        SmtpSink(server(box, security="tls"), context=trust).deliver(told(), None)

        assert box.in_clear == []
        assert len(box.mails) == 1


def test_nothing_goes_in_the_clear_or_to_a_server_that_is_not_who_it_says(certificate: Path, mailbox: Mailbox):
    with pytest.raises(Undelivered, match="SMTPNotSupportedError"):
        SmtpSink(server(mailbox, security="starttls", user="monitor", password="a secret")).deliver(told(), None)
    assert set(mailbox.in_clear) == {"EHLO"}
    assert mailbox.signed_in == []
    with Mailbox(tls=served(certificate)) as box:
        with pytest.raises(Undelivered, match="SSLCertVerificationError"):
            SmtpSink(server(box, security="starttls", user="monitor", password="a secret")).deliver(told(), None)
        assert box.signed_in == []


def test_a_password_that_is_refused_is_for_an_operator_to_mend(certificate: Path):
    with Mailbox(tls=served(certificate)) as box:
        box.answers["AUTH"] = ["535 no", "535 no"]
        trust = lambda: ssl.create_default_context(cafile=str(certificate))  # noqa: E731
        sink = SmtpSink(server(box, security="starttls", user="monitor", password="a secret"), context=trust)
        with pytest.raises(Undelivered) as raised:
            sink.deliver(told(), None)

    assert not raised.value.permanent
    assert "a secret" not in str(raised.value) + repr(server(box, password="a secret"))


def test_a_server_that_is_not_there_is_tried_again():
    sink = SmtpSink(MailServer(host="127.0.0.1", port=9, security="none", sender="monitor@example.com", timeout=1.0))
    with pytest.raises(Undelivered) as raised:
        sink.deliver(told(), None)

    assert not raised.value.permanent


def test_html_escapes_what_comes_from_outside():
    note = Note(
        kind=NoteKind.TEST, key="k", at=START, title='<b>"x"</b>', links=(('"><script>', 'https://e.com/"><script>'),)
    )

    assert "<script>" not in markup(note)
    assert "<b>" not in markup(note)
