"""The digests as they are read: objects that nobody signed for, and what an altered or unnamed object proves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from monitor.errors import Denied
from monitor.facts.audit_log import LogChain
from monitor.facts.change import TokenExchange
from monitor.facts.log_object import LogObject, RetainedPart
from monitor.facts.remembered import Remembered
from monitor.model import Capture, CoverageStatus, EvidenceRef, ScopeCoverage, Window
from monitor.sources.aws.digests import NAME, DigestReader
from monitor.sources.aws.trail_scopes import Scope
from monitor.sources.objects import FolderObjects, Location
from monitor.sources.ports import Collected
from tests.unit.aws_digest.chain import (
    ACCOUNT,
    FINGERPRINT,
    HOUR,
    REGION,
    SCOPE,
    START,
    Chain,
    log_key,
    public_der,
    window,
)

COMPLETE, PARTIAL = CoverageStatus.COMPLETE, CoverageStatus.PARTIAL
HOURS = 6
UNNAMED = "UnnamedUnnamed00"


class Kept:
    """What earlier sweeps left behind: keys that were read, and their content's digests."""

    def __init__(self, read: Mapping[str, str] | None = None) -> None:
        self.read = dict(read or {})

    def marks(self) -> Mapping[str, datetime]:
        return {}

    def read_keys(self, source: str, scope: str | None = None) -> Collection[str]:
        return list(self.read) if (source, scope) == ("here", SCOPE) else []

    def damaged_keys(self, source: str, scope: str) -> Collection[str]:
        return []

    def content_hashes(self, keys: Collection[str]) -> Mapping[str, str]:
        return {key: self.read[key] for key in keys if key in self.read}

    def parts(self, account: str, day_from: str, day_to: str) -> Sequence[RetainedPart]:
        return []

    def remembered(self, kind: str, subject: str | None = None, since: datetime | None = None) -> Sequence[Remembered]:
        return []

    def latest(self, kind: str) -> Mapping[str, Remembered]:
        return {}


class Delivered:
    """A folder with a chain of digests, and the log objects that a sweep has read."""

    def __init__(self, folder: Path, hours: int = HOURS) -> None:
        self.store = FolderObjects(folder)
        self.chain = Chain(trail="main").hours(hours)
        for digest in self.chain.digests:
            self.store.write(digest.key, digest.body)
            self.store.write(digest.key + ".metadata.json", json.dumps({"signature": digest.signature}).encode())
        self.read: dict[str, str] = {key: str(sha256) for key, sha256 in self.chain.logs.items()}
        self.memory = Kept()
        self.exchanges: list[TokenExchange] = []
        self.marks: dict[str, datetime] = {}
        self.refused = False

    def keys(self, account: str, region: str, span: Window) -> tuple[Mapping[str, bytes], Sequence[Capture]]:
        if self.refused:
            raise Denied("not allowed", permission="cloudtrail:ListPublicKeys")
        return {FINGERPRINT: public_der()}, ()

    def add(self, made: datetime, *, earlier: bool = False) -> str:
        """Put in an object that no digest names, read now or by an earlier sweep."""
        key = log_key(made, UNNAMED)
        (self.memory.read if earlier else self.read)[key] = hashlib.sha256(b"forged").hexdigest()
        return key

    def token(self, key: str) -> TokenExchange:
        """Have a token exchange found in an object."""
        ref = EvidenceRef(kind="log-object", name=key, sha256="ab" * 32)
        one = TokenExchange(id=key, time=START, account=ACCOUNT, kind="web-identity", access_key="ASIA1", evidence=ref)
        self.exchanges.append(one)
        return one

    def sweep(self, over: Window | None = None) -> Collected:
        answer = Collected(
            objects=[LogObject(key=key, scope=SCOPE, content_sha256=sha256) for key, sha256 in self.read.items()],
            exchanges=list(self.exchanges),
        )
        scope = Scope(SCOPE, ACCOUNT, REGION, True, over or window(HOURS))
        reader = DigestReader(Location(folder=str(self.store.root)), None, self.keys, "here")
        reader.collect([scope], self.marks, self.memory, answer, lambda step, done, whole: None)
        return answer


@pytest.fixture
def delivered(tmp_path: Path) -> Delivered:
    return Delivered(tmp_path)


def told(answer: Collected) -> list[tuple[str, str]]:
    """Return kind and name of each problem of the only chain."""
    (chain,) = [fact for fact in answer.facts if isinstance(fact, LogChain)]
    return [(problem.kind, problem.name) for problem in chain.problems]


def coverage(answer: Collected) -> ScopeCoverage:
    (one,) = answer.coverage
    return one


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def test_a_chain_that_names_every_object_is_whole(delivered: Delivered) -> None:
    token = delivered.token(next(iter(delivered.read)))
    answer = delivered.sweep()
    assert (told(answer), coverage(answer).status, answer.distrusted) == ([], COMPLETE, set())
    assert answer.exchanges == [token]
    assert answer.marks[f"{NAME}|{SCOPE}"] > START


@pytest.mark.parametrize("earlier", [False, True], ids=["read now", "read by an earlier sweep"])
@pytest.mark.parametrize("hour", [0, 1.5, 2.9])
def test_an_object_that_no_digest_names_breaks_the_chain(delivered: Delivered, hour: float, earlier: bool) -> None:
    key = delivered.add(at(hour), earlier=earlier)
    answer = delivered.sweep()
    assert told(answer) == [("unnamed-file", key)]
    assert (coverage(answer).status, answer.distrusted) == (PARTIAL, {key})
    assert any(gap.startswith(f"{key}: unnamed-file: ") for gap in coverage(answer).gaps)
    assert (ACCOUNT, at(hour), at(hour)) in [(who, start, end) for who, start, end in answer.blind]


def test_objects_of_another_place_or_scope_are_not_asked_for(delivered: Delivered) -> None:
    delivered.read[log_key(at(1), UNNAMED).replace(REGION, "eu-west-1")] = "ab" * 32
    delivered.read["AWSLogs/notes.txt"] = "ab" * 32
    assert told(delivered.sweep()) == []


@pytest.mark.parametrize("hour", [HOURS - 1.5, HOURS - 0.5, HOURS])
def test_an_object_that_a_later_digest_may_still_name_is_not_reported_yet(delivered: Delivered, hour: float) -> None:
    delivered.add(at(hour))
    answer = delivered.sweep()
    assert (told(answer), coverage(answer).status) == ([], COMPLETE)


def test_it_is_reported_by_the_sweep_that_judges_its_hour(tmp_path: Path) -> None:
    delivered = Delivered(tmp_path, HOURS + 4)
    key = delivered.add(at(HOURS - 0.5))
    first = delivered.sweep()
    assert told(first) == []
    delivered.marks.update(first.marks)
    delivered.memory.read, delivered.read = delivered.read, {}
    assert told(delivered.sweep(window(4, at(HOURS)))) == [("unnamed-file", key)]


@pytest.mark.parametrize("how", ["missing", "unreadable"])
def test_inside_a_gap_the_missing_digest_is_the_problem_and_not_the_files_it_would_have_named(
    delivered: Delivered, how: str
) -> None:
    lost = delivered.chain.digests[2]
    if how == "missing":
        delivered.store.delete(lost.key)
    else:
        delivered.store.write(lost.key, b"x")
    delivered.add(at(2.5))
    kinds = {kind for kind, _ in told(delivered.sweep())}
    assert kinds
    assert "unnamed-file" not in kinds


def test_a_gap_hides_no_file_elsewhere(delivered: Delivered) -> None:
    delivered.store.delete(delivered.chain.digests[3].key)
    key = delivered.add(at(0.5))
    assert ("unnamed-file", key) in told(delivered.sweep())


@pytest.mark.parametrize("kind", ["altered", "unnamed"])
def test_exchanges_of_an_altered_or_unnamed_object_prove_nothing(delivered: Delivered, kind: str) -> None:
    sound, other = list(delivered.read)[:2]
    if kind == "altered":
        delivered.read[other] = hashlib.sha256(b"forged").hexdigest()
    else:
        other = delivered.add(at(1.5))
    kept, _ = delivered.token(sound), delivered.token(other)
    answer = delivered.sweep()
    assert [k for k, _ in told(answer)] == [f"{kind}-file"]
    assert answer.distrusted == {other}
    assert answer.exchanges == [kept]


def test_an_object_that_was_found_out_stays_distrusted_in_the_sweeps_that_follow(delivered: Delivered) -> None:
    other = delivered.add(at(1.5))
    delivered.marks = dict(delivered.sweep().marks)
    delivered.read = {key: digest for key, digest in delivered.read.items() if key != other}

    later = delivered.sweep(window(HOURS))

    assert later.distrusted == {other}


def test_an_object_altered_before_is_still_distrusted_though_it_was_read_earlier(delivered: Delivered) -> None:
    key = next(iter(delivered.read))
    delivered.memory.read = {**delivered.read, key: "00" * 32}
    delivered.read = {}
    assert delivered.sweep().distrusted == {key}


def test_an_object_that_could_not_be_read_is_not_called_altered(delivered: Delivered) -> None:
    key = next(iter(delivered.read))
    delivered.read[key] = ""
    answer = delivered.sweep()
    assert (told(answer), answer.distrusted, coverage(answer).status) == ([], set(), PARTIAL)


def test_without_keys_or_with_a_digest_that_cannot_be_fetched_the_window_stays_owed(delivered: Delivered) -> None:
    delivered.refused = True
    answer = delivered.sweep()
    assert (coverage(answer).status, answer.marks[f"{NAME}|{SCOPE}"]) == (PARTIAL, coverage(answer).window.start)
    delivered.refused = False
    answer = delivered.sweep()
    assert answer.marks[f"{NAME}|{SCOPE}"] > coverage(answer).window.start
    path = delivered.store.root / delivered.chain.digests[1].key
    path.unlink()
    path.symlink_to("nowhere.json.gz")
    answer = delivered.sweep()
    assert (coverage(answer).status, answer.marks[f"{NAME}|{SCOPE}"]) == (PARTIAL, coverage(answer).window.start)


def test_where_no_hour_has_ended_the_coverage_is_complete_and_empty(delivered: Delivered) -> None:
    delivered.add(at(1.5))
    answer = delivered.sweep(Window(at(2), at(2) + HOUR / 2))
    assert (coverage(answer).status, coverage(answer).window) == (COMPLETE, Window(at(2), at(2)))
    assert told(answer) == []
    assert msgspec.structs.asdict(answer)["marks"] == {}
