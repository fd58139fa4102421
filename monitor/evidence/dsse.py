"""DSSE envelopes: a payload signed together with its type. Pure.

https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

import msgspec

from monitor.errors import IntegrityError
from monitor.evidence.note import Signer, Verifier, decode_base64

IN_TOTO = "application/vnd.in-toto+json"


class EnvelopeSignature(msgspec.Struct, frozen=True):
    """One signature: the key's name and id (a hint only), and the signature in base64."""

    keyid: str
    sig: str


class Envelope(msgspec.Struct, frozen=True, rename="camel"):
    """The envelope as JSON has it; `payload` is base64. Nothing in it is verified yet."""

    payload_type: str
    payload: str
    signatures: tuple[EnvelopeSignature, ...]

    @property
    def body(self) -> bytes:
        """Return the payload's bytes; b"" where they are not canonical base64."""
        return decode_base64(self.payload)


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return the pre-authentication encoding: the bytes that are signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(payload: bytes, signer: Signer, payload_type: str = IN_TOTO) -> bytes:
    """Return the envelope as JSON bytes."""
    key = signer.verifier
    made = EnvelopeSignature(
        f"{key.name}+{key.key_id.hex()}", base64.b64encode(signer.sign(pae(payload_type, payload))).decode()
    )
    return msgspec.json.encode(Envelope(payload_type, base64.b64encode(payload).decode(), (made,)))


def parse(data: bytes) -> Envelope:
    """Return the envelope that the bytes hold. Raises IntegrityError when they hold none."""
    try:
        return msgspec.json.decode(data, type=Envelope)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise IntegrityError("not a DSSE envelope") from None


def verify(envelope: Envelope, keys: Sequence[Verifier]) -> bytes:
    """Return the payload. Raises IntegrityError unless one of the keys signed it."""
    payload = envelope.body
    message = pae(envelope.payload_type, payload)
    for made in envelope.signatures:
        raw = decode_base64(made.sig)
        if payload and any(key.holds(message, raw) for key in keys):
            return payload
    raise IntegrityError("the envelope is not signed by a key that was asked for")
