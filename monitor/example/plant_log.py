"""Cases about the log itself: calls that blind it, and objects that are late, twice, damaged, altered or not vouched for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from monitor.example import calls, cast
from monitor.example.book import (
    COVERAGE,
    DIRECT_CHANGE,
    FAIL,
    LOG_INTEGRITY,
    NOT_APPLICABLE,
    PARTIAL,
    PASS,
    Book,
    on,
)
from monitor.example.calls import Call
from monitor.example.plant_people import INGRESS, STOP, direct
from monitor.example.plant_pipeline import DAMAGED_AT
from monitor.example.records import dump, root_identity, stamp

TRAIL_ARN = f"arn:aws:cloudtrail:{cast.EAST}:{cast.TOOLING}:trail/{cast.TRAIL}"
STOP_LOGGING = Call("cloudtrail", "StopLogging", {"name": TRAIL_ARN})
START_LOGGING = Call("cloudtrail", "StartLogging", {"name": TRAIL_ARN})
SELECTORS = Call(
    "cloudtrail",
    "PutEventSelectors",
    {
        "trailName": "payments-data-events",
        "eventSelectors": [{"readWriteType": "ReadOnly", "includeManagementEvents": False}],
    },
)
GAP = (on(11, 1, 28), on(11, 3, 28))
"""Digests of the data account that end in this span are lost: two of them."""


def blinding(book: Book) -> None:
    """Plant StopLogging by root in the tooling account, and PutEventSelectors by a proven pipeline."""
    root = root_identity(cast.TOOLING, book.chance.access_key(), on(27, 3, 55))
    over: dict[str, Any] = {
        "account": cast.TOOLING,
        "identity": root,
        "agent": cast.BROWSER,
        "sessionCredentialFromConsole": "true",
    }
    stopped = book.act(None, STOP_LOGGING, on(27, 4, 2), **over)
    started = book.act(None, START_LOGGING, on(27, 4, 6), **over)
    why = "Root stopped the organisation's trail for four minutes; critical wherever it comes from"
    book.tell("stop-logging-by-root", FAIL, LOG_INTEGRITY, [stopped], why, severity="critical")
    why = "The tooling account is not production"
    book.tell("stop-logging-by-root", NOT_APPLICABLE, DIRECT_CHANGE, [stopped, started], why)
    at = on(27, 10, 10)
    session = book.deploy(cast.PAYMENTS, "payments-deploy", cast.PAYMENTS_SUBJECT, at)
    ids = [book.act(session, SELECTORS, at + timedelta(minutes=3))]
    why = "The pipeline narrowed what a trail records; critical wherever it comes from"
    book.tell("event-selectors-by-pipeline", FAIL, LOG_INTEGRITY, ids, why, severity="critical")
    book.tell("event-selectors-by-pipeline", PASS, DIRECT_CHANGE, ids, "The session is proven", change_class="normal")


def delivered_oddly(book: Book) -> None:
    """Plant one event in two objects, and one that is delivered two days late."""
    who = book.person(cast.ADA, on(28, 10))
    one = book.act(who, STOP, on(28, 10, 5))
    account, region, moment = book.place(one)
    time, text = next(entry for entry in book.objects[account, region, moment] if one in entry[1])
    later = moment + timedelta(minutes=10)
    book.put(text, account=account, region=region, time=time, event_id=one, delivered=later)
    direct(book, "duplicate-delivery", [one], "The same event id in two objects: one change, told once")
    who = book.person(cast.CHEN, on(5, 15), account=cast.DATA)
    late = book.act(who, calls.UPDATE_CODE, on(5, 15, 9), delivered=on(7, 16, 35))
    direct(book, "late-object", [late], "The event of 5 March stands in an object that was delivered on 7 March")


def damaged(book: Book) -> None:
    """Plant an object that is cut short, and one with a bad record among good ones."""
    place = (cast.PAYMENTS, cast.EAST, DAMAGED_AT)
    book.cut.add(place)
    why = "The object is cut short: what it held is not known, and coverage is not complete"
    book.tell("damaged-object", PARTIAL, COVERAGE, [], why, objects=[book.key(place)])
    at = on(19, 15)
    who = book.person(cast.BEN, at, account=cast.DATA)
    ids = [book.act(who, call, at + timedelta(minutes=4)) for call in (STOP, INGRESS)]
    direct(book, "bad-record", ids, "A bad record beside them does not keep the good ones from being judged")
    place = book.place(ids[0])
    why = "One record of this object cannot be understood, so the object is not read whole"
    book.tell("bad-record", PARTIAL, COVERAGE, [], why, objects=[book.key(place)])
    bad = {
        "eventVersion": 1.11,
        "userIdentity": ["nobody"],
        "eventTime": {"sometime": True},
        "eventName": None,
        "eventID": 7,
    }
    book.objects[place].insert(1, (stamp(at + timedelta(minutes=4)), dump(bad)))


def not_vouched(book: Book) -> None:
    """Plant a gap of two hours between digests, and an object that was altered after it was delivered."""
    book.unlisted.append((cast.DATA, cast.EAST, *GAP))
    worker = book.person(cast.EMIL, on(11, 2), account=cast.DATA, role=cast.SSO_READER)
    event = book.act(worker, calls.READS[1], on(11, 2, 21), read_only=True)
    why = "Two digests are missing, 01:27:30 to 03:27:30; objects delivered between them are not vouched for"
    offset = timedelta(seconds=next(c.offset for c in cast.CHAINS if c.account == cast.DATA))
    first, last = on(11, 1) + offset, on(11, 3) + offset
    lone = [place for place in book.objects if place[:2] == (cast.DATA, cast.EAST) and first <= place[2] < last]
    book.tell("digest-gap", FAIL, LOG_INTEGRITY, [event], why, objects=sorted(map(book.key, lone)))
    who = book.person(cast.DORA, on(30, 20))
    kept = book.act(who, calls.READS[2], on(30, 20, 12, 10), read_only=True)
    gone = book.act(who, calls.WRITES[6], on(30, 20, 12, 40))
    book.dropped[book.place(kept)] = gone
    why = f"A record (event {gone}) was taken out after delivery: the content is not what the digest signed"
    book.tell("altered-log-file", FAIL, LOG_INTEGRITY, [kept], why)


def plant(book: Book) -> None:
    """Plant every case of this file; after all others, as it spoils objects they fill."""
    for part in (blinding, delivered_oddly, damaged, not_vouched):
        part(book)
