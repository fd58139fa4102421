"""The example organisation: a month of log objects, digests and answers on disk, and the truth about them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from monitor.example import background, cast, plant_log, plant_people, plant_pipeline, plant_quiet
from monitor.example.book import Book, Place
from monitor.example.captures import write_captures
from monitor.example.chance import Chance
from monitor.example.digest import ALGORITHM, Delivered, Digest, SigningKey, chain_of_digests
from monitor.example.layout import day, gzipped, prefix, write
from monitor.example.records import Record, body, dump

LEVEL = 9


@dataclass(frozen=True)
class LogFile:
    """A log object: what was delivered (and signed), and the bytes that are stored now."""

    place: Place
    delivered: Delivered
    stored: bytes


@dataclass(frozen=True)
class Written:
    """What was written: numbers of events, log objects and digests, and the bytes of all files."""

    events: int
    objects: int
    digests: int
    size: int


def compose(seed: int) -> Book:
    """Return the month as a book, nothing written yet: the same for the same seed."""
    book = Book(seed, Chance(seed, "organisation"))
    background.quiet(book)
    background.deployments(book)
    payments = cast.CHAINS[0]
    minute = int((plant_pipeline.DAMAGED_AT - cast.MONTH_START).total_seconds() // 60)
    background.burst(book, payments, minute, Chance(seed, "damaged"), Counter(), size=14)
    for part in (plant_quiet, plant_pipeline, plant_people, plant_log):
        part.plant(book)
    return book


def log_files(book: Book) -> list[LogFile]:
    """Return every log object in the order of keys."""
    files = []
    for place, entries in book.objects.items():
        entries = sorted(entries, key=lambda entry: entry[0])
        content = body([text for _, text in entries])
        gone = book.dropped.get(place)
        kept = [text for _, text in entries if gone is None or gone not in text]
        stored = gzipped(body(kept), LEVEL)
        if place in book.cut:
            stored = stored[: len(stored) * 3 // 5]
        key = book.key(place)
        delivered = Delivered(key, hashlib.sha256(content).hexdigest(), place[2], entries[0][0], entries[-1][0])
        files.append(LogFile(place, delivered, stored))
    return sorted(files, key=lambda file: file.delivered.key)


def strangers(book: Book) -> dict[str, bytes]:
    """Return objects of the bucket that are no trail logs: Insights, Config, and a note."""
    account, region = cast.PAYMENTS, cast.EAST
    own = Chance(book.seed, "strangers")
    moment = cast.MONTH_START.replace(day=12, hour=10)
    insight = {
        "eventVersion": "1.09",
        "eventTime": "2026-03-12T10:05:00Z",
        "awsRegion": region,
        "eventID": own.uuid(),
        "eventType": "AwsCloudTrailInsight",
        "recipientAccountId": account,
        "sharedEventID": own.uuid(),
        "insightDetails": {"state": "Start", "eventSource": "ec2.amazonaws.com", "eventName": "StopInstances"},
        "eventCategory": "Insight",
    }
    config = {"fileVersion": "1.0", "configSnapshotId": own.uuid(), "configurationItems": []}
    name = f"{account}_CloudTrail-Insight_{region}_20260312T1015Z_{own.text(16)}.json.gz"
    snapshot = f"{account}_Config_{region}_ConfigSnapshot_20260312T120000Z_{own.uuid()}.json.gz"
    owner = f"AWSLogs/{cast.ORGANISATION}/{account}"
    note = b"Logs of the example organisation. Ask the platform team before you delete anything here.\n"
    return {
        f"{prefix(account, 'CloudTrail-Insight', region)}/{day(moment)}/{name}": gzipped(body([dump(insight)]), LEVEL),
        f"{owner}/Config/{region}/2026/3/12/ConfigSnapshot/{snapshot}": gzipped(dump(config).encode(), LEVEL),
        f"{prefix(account, 'CloudTrail', region)}/{day(moment)}/read-me-first.txt": note,
    }


def digests(book: Book, files: list[LogFile], chain: cast.Chain, key: SigningKey) -> list[Digest]:
    """Return the digests of one chain, those that the book loses taken out."""
    own = [file.delivered for file in files if file.place[:2] == (chain.account, chain.region)]
    made = chain_of_digests(chain, cast.MONTH_START, cast.MONTH_END, own, key)
    lost = [
        (start, end)
        for account, region, start, end in book.unlisted
        if (account, region) == (chain.account, chain.region)
    ]
    return [digest for digest in made if not any(start <= digest.end < end for start, end in lost)]


def sidecars(chain: list[Digest]) -> dict[str, bytes]:
    """Return the metadata of each digest whose signature no later one carries: the last, and those before a gap.

    The last that ends within the month has its own too, so that a sweep of just the month can verify it.
    """
    out = {}
    for number, digest in enumerate(chain):
        after = chain[number + 1] if number + 1 < len(chain) else None
        if after is None or after.start != digest.end or digest.end <= cast.MONTH_END < after.end:
            metadata = {"signature": digest.signature, "signature-algorithm": ALGORITHM}
            out[f"{digest.key}.metadata.json"] = dump(metadata).encode()
    return out


def truth(book: Book) -> list[Record]:
    """Return what is true of the month: planted cases, and the background as counts."""
    stranger = {
        "case": "strangers",
        "outcome": "not-applicable",
        "check": "",
        "class": None,
        "event_ids": [],
        "events": 0,
        "objects": sorted(strangers(book)),
        "why": "These objects are no trail logs, and are left alone",
    }
    return [*book.truth, stranger]


def write_organisation(out: Path, seed: int) -> Written:
    """Write `logs/`, `api/` and `truth.json` under `out`. Log objects and truth are the same for the same seed; keys are new."""
    book = compose(seed)
    files = log_files(book)
    keys = {region: SigningKey() for region in sorted({chain.region for chain in cast.CHAINS})}
    logs = out / "logs"
    size = sum(write(logs, file.delivered.key, file.stored) for file in files)
    size += sum(write(logs, key, content) for key, content in strangers(book).items())
    number = 0
    for chain in cast.CHAINS:
        made = digests(book, files, chain, keys[chain.region])
        number += len(made)
        size += sum(write(logs, digest.key, gzipped(digest.content, LEVEL)) for digest in made)
        size += sum(write(logs, key, content) for key, content in sidecars(made).items())
    write_captures(out / "api", keys)
    text = json.dumps(truth(book), indent=1, ensure_ascii=False) + "\n"
    size += write(out, "truth.json", text.encode())
    return Written(sum(map(len, book.objects.values())), len(files), number, size)
