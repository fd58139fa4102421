"""Known answers for notes, checkpoints, tiles and envelopes; and what is not one of them."""

from __future__ import annotations

import base64

import pytest

from monitor.errors import EvidenceError, IntegrityError
from monitor.evidence import checkpoint, dsse, merkle, note, tiles
from monitor.evidence.checkpoint import Checkpoint
from monitor.evidence.note import Verifier
from tests.unit.evidence.sample import ORIGIN, signer

# The example of https://c2sp.org/signed-note
NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
NOTE_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
# Made by another implementation over the entries rec-0 .. rec-69.
SEVENTY = (
    "evidence.example.com/soc2\n70\niK+VRX+spncz9bL2aYLAHoSN9gh+2sA7m/GRcKYaEuM=\n\n"
    "— evidence.example.com/soc2 "
    "0UhDnKs970m+SCiXtAd5quszEDoG2UUcivJZp7kbkrgkvLqckk0zVzXfFXECmcM53AA8+JdS+FkeHCMZqR8paJlOfAU=\n"
)
SEVENTY_KEY = "evidence.example.com/soc2+d148439c+AX2ZZL+XzITpvz2eCftjVoz876+7wNYouLMOUKT/IqBS"


def test_the_note_of_the_specification_verifies() -> None:
    key = Verifier.parse(NOTE_KEY)
    assert note.verify(note.parse(NOTE.encode()), [key]) == (key,)
    assert key.vkey == NOTE_KEY


def test_the_checkpoint_of_seventy_entries_verifies_and_has_their_root() -> None:
    found = checkpoint.verify(SEVENTY.encode(), [Verifier.parse(SEVENTY_KEY)])
    root = merkle.root_of(merkle.leaf_hash(b"rec-%d" % n) for n in range(70))
    assert found == Checkpoint("evidence.example.com/soc2", 70, root)
    assert SEVENTY.startswith(found.text)


def test_every_flipped_bit_of_a_checkpoint_is_noticed() -> None:
    key = Verifier.parse(SEVENTY_KEY)
    data = SEVENTY.encode()
    for place in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            with pytest.raises(IntegrityError):
                checkpoint.verify(bytes(changed), [key])


def test_a_note_signed_here_verifies_and_keeps_blank_lines() -> None:
    key = signer()
    text = "one\n\ntwo\n"
    parsed = note.parse(note.sign(text, key).encode())
    assert parsed.text == text
    assert note.verify(parsed, [key.verifier]) == (key.verifier,)


def test_a_note_by_an_unknown_key_is_not_verified() -> None:
    parsed = note.parse(note.sign("text\n", signer(2)).encode())
    with pytest.raises(IntegrityError, match="not signed by a key"):
        note.verify(parsed, [signer(1).verifier])


def test_signatures_of_others_are_passed_over() -> None:
    other = note.sign("text\n", signer(2, "witness.example.com")).rpartition("\n\n")[2]
    signed = note.sign("text\n", signer()) + other
    assert note.verify(note.parse(signed.encode()), [signer().verifier]) == (signer().verifier,)


def test_a_checkpoint_signed_in_another_name_is_refused() -> None:
    text = checkpoint.sign(Checkpoint("other.example.com", 0, merkle.EMPTY_ROOT), signer())
    with pytest.raises(IntegrityError, match="own log"):
        checkpoint.verify(text.encode(), [signer().verifier])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text\n",
        b"text\n\n",
        b"text\n\n\xff\n",
        "text\n\n— name AAAA\n".encode(),
        "text\n\n— na+me AAAAAAAA\n".encode(),
        "text\n\n— name AAAAAAB=\n".encode(),
        b"text\n\n- name AAAAAAAA\n",
        "te\x1bxt\n\n— name AAAAAAAA\n".encode(),
        "text\n\n— name AAAAAAAA".encode(),
    ],
)
def test_what_is_no_note_is_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError, match="not a signed note"):
        note.parse(data)


@pytest.mark.parametrize(
    "text",
    ["", "o\n1\n", "o\n01\nAA==\n", "o\n-1\nAA==\n", "\n1\nAA==\n", "o\n1\nAA==\n", "o\n1\n" + "A" * 43 + "=\nmore\n"],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(IntegrityError, match="not a checkpoint"):
        checkpoint.parse(text)


@pytest.mark.parametrize(
    "vkey",
    ["", "name", "name+00000000+AA==", NOTE_KEY.replace("c74f", "c74e"), NOTE_KEY + "=", "a b+c74f20a3+AQ==", "n+0+"],
)
def test_what_is_no_key_is_refused(vkey: str) -> None:
    with pytest.raises(EvidenceError):
        Verifier.parse(vkey)


def test_a_name_with_a_space_names_no_key() -> None:
    with pytest.raises(EvidenceError, match="cannot name a key"):
        signer(1, "my log")


def test_the_tiles_of_seventy_thousand_entries() -> None:
    counts: dict[int, list[int]] = {}
    for tile in tiles.tiles_of(70_000):
        counts.setdefault(tile.level, []).append(tile.width)
    assert {level: (widths.count(256), widths[-1]) for level, widths in counts.items()} == {
        -1: (273, 112),
        0: (273, 112),
        1: (1, 17),
        2: (0, 1),
    }


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (tiles.Tile(0, 1_234_067), "tile/0/x001/x234/067"),
        (tiles.Tile(2, 0, 1), "tile/2/000.p/1"),
        (tiles.Tile(-1, 999, 255), "tile/entries/999.p/255"),
        (tiles.Tile(1, 1000), "tile/1/x001/000"),
    ],
)
def test_paths_of_tiles(tile: tiles.Tile, path: str) -> None:
    assert tile.path == path


@pytest.mark.parametrize(
    ("old", "new"), [(0, 1), (1, 2), (255, 256), (256, 257), (100, 70_000), (65_535, 65_537), (7, 7)]
)
def test_new_tiles_are_those_that_the_old_tree_has_not(old: int, new: int) -> None:
    before, after = set(tiles.tiles_of(old)), set(tiles.tiles_of(new))
    assert set(tiles.tiles_of(new, old)) >= after - before
    assert set(tiles.tiles_of(new, old)) <= after
    assert {tile for tile in after if tile.width < 256} == set(tiles.edge_of(new))


def test_a_bundle_comes_back_and_is_cut_short_nowhere() -> None:
    entries = [b"", b"a", b"b" * 65_535]
    bundle = tiles.pack(entries)
    assert tiles.unpack(bundle) == entries
    for end in (1, 3, 4, len(bundle) - 1):
        with pytest.raises(IntegrityError, match="cut short"):
            tiles.unpack(bundle[:end])


def test_an_entry_above_the_limit_is_refused() -> None:
    with pytest.raises(EvidenceError, match="65536 bytes is above the limit"):
        tiles.pack([b"x" * 65_536])


def test_a_hash_tile_holds_whole_hashes() -> None:
    assert tiles.split_hashes(b"a" * 64) == [b"a" * 32] * 2
    for bad in (b"", b"a" * 33, b"a" * 257 * 32):
        with pytest.raises(IntegrityError):
            tiles.split_hashes(bad)


def test_the_pre_authentication_encoding_of_the_dsse_protocol() -> None:
    assert dsse.pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_an_envelope_verifies_only_under_its_key() -> None:
    envelope = dsse.parse(dsse.sign(b"payload", signer()))
    assert dsse.verify(envelope, [signer(2).verifier, signer().verifier]) == b"payload"
    assert envelope.signatures[0].keyid == f"{ORIGIN}+{signer().verifier.key_id.hex()}"
    with pytest.raises(IntegrityError):
        dsse.verify(envelope, [signer(2).verifier])


@pytest.mark.parametrize("change", [("payload", b"other"), ("payloadType", b"text/plain")])
def test_an_altered_envelope_does_not_verify(change: tuple[str, bytes]) -> None:
    data = dsse.sign(b"payload", signer())
    name, value = change
    new = base64.b64encode(value) if name == "payload" else value
    old = base64.b64encode(b"payload") if name == "payload" else dsse.IN_TOTO.encode()
    with pytest.raises(IntegrityError):
        dsse.verify(dsse.parse(data.replace(old, new)), [signer().verifier])


@pytest.mark.parametrize("data", [b"", b"{}", b"[" * 100_000, b'{"payloadType":1}', b"\xff"])
def test_what_is_no_envelope_is_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError, match="not a DSSE envelope"):
        dsse.parse(data)
