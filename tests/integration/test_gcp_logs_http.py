"""Log entries and objects of Google Cloud, read over HTTP from one of our own: whole, refused, late, damaged on their way."""

from __future__ import annotations

import gzip
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from monitor.errors import ConfigError, Denied, Malformed, SourceError, Throttled, Unavailable
from monitor.model import Window
from monitor.sources.connect import connect
from monitor.sources.gcp import auth, gcs_wire, log_entries
from monitor.sources.gcp.asking import Asking
from monitor.sources.gcp.client import BEGINNINGS, GcpClient
from monitor.sources.gcp.gcs_objects import GcsObjects
from monitor.sources.gcp.limits import Gate
from monitor.sources.gcp.log_entries import Entries, EntryPage, read_entries
from monitor.sources.gcp.transport import Transport
from monitor.sources.objects import GS, FolderObjects, GoogleAccess, Location, ObjectInfo
from tests.fakes.gcp import faults
from tests.fakes.gcp.faults import Fault
from tests.fakes.gcp.logging import entry
from tests.fakes.gcp.server import GcpFake
from tests.fakes.gcp.storage import Stored
from tests.fakes.gcp.sweeping import AT, Time, client
from tests.fakes.gcp.world import PROJECT, example

DAY = timedelta(days=1)
START = datetime(2026, 3, 14, tzinfo=UTC)
TODAY = Window(START, START + DAY)
BUCKET = "example-logs"
PLACE = Location(bucket=BUCKET, prefix="kept/", store=GS)
LIST = "/v2/entries:list"


@pytest.fixture(autouse=True, scope="module")
def nothing_of_the_machine() -> Iterator[None]:
    """A proxy that answers nothing: what is asked of the loopback must not go there."""
    with pytest.MonkeyPatch.context() as patched:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            patched.setenv(name, "http://user:proxy-password@127.0.0.1:9")
        for name in ("no_proxy", "NO_PROXY", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT"):
            patched.delenv(name, raising=False)
        yield


class Google(GcpFake):
    """One server, one credential and one pool of connections for all tests: each takes a tenth of a second to make."""

    def __init__(self, folder: Path) -> None:
        super().__init__(example())
        self.transport = Transport(self.api, timeout=30.0, clock=lambda: AT)
        self.credential = auth.load(self.key(folder), "", self.url, 30.0)

    def fresh(self) -> None:
        """Forget all but the token that was given."""
        self.world = example()
        self.world.buckets[BUCKET] = {}
        self.faults, self.page, self.hollow, self.generation = None, 0, 0, 0
        self.requests.clear()
        self.asked_for_tokens.clear()

    def client(self, time: Time, *, patience: float = 600.0, attempts: int = 5) -> GcpClient:
        """Return a client as `connect` makes it; it is not to be closed."""
        gate = Gate(clock=time.clock, sleep=time.sleep, told=time.told.append, patience=patience)
        asking = Asking(self.transport, gate, clock=time.clock, sleep=time.sleep, attempts=attempts)
        return GcpClient(host="", clock=time.clock, transport=self.transport, asking=asking, credential=self.credential)


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory, nothing_of_the_machine: None) -> Iterator[Google]:
    with Google(tmp_path_factory.mktemp("google")) as server:
        server.fresh()
        server.client(Time()).fetch(gcs_wire.listed(BUCKET, ""))
        yield server


@pytest.fixture
def fake(google: Google) -> Google:
    google.fresh()
    return google


class Reads:
    """Reads the entries of a project, again and again; `time` is that of the last."""

    def __init__(self, fake: Google, **settings: Any) -> None:
        self.fake, self.settings = fake, settings
        self.time = Time()
        self.pages: list[EntryPage] = []

    def __call__(
        self, window: Window = TODAY, *, project: str = PROJECT, overlap: timedelta = timedelta(days=3)
    ) -> Entries:
        self.time, self.pages = Time(), []
        one = self.fake.client(self.time, **self.settings)
        found = read_entries(one, project, window, overlap, self.pages.append)
        assert one.captures == [], "they would hold every page"
        return found

    @property
    def ids(self) -> list[str]:
        return [one["insertId"] for page in self.pages for one in msgspec.json.decode(page.body).get("entries", ())]


@pytest.fixture
def reads(fake: Google) -> Reads:
    return Reads(fake)


@pytest.fixture
def seven(fake: Google) -> list[str]:
    """Seven entries of today, two to a page; the world has them in no order."""
    ids = [f"e{n}" for n in range(7)]
    for n in (3, 0, 6, 2, 5, 1, 4):
        fake.world.entries.append(entry(PROJECT, "activity", f"e{n}", START + timedelta(hours=n), methodName="v1.x"))
    fake.page = 2
    return ids


# Which entries there are.


def test_all_pages_come_in_order_with_the_bytes_that_were_sent(
    fake: Google, reads: Reads, seven: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bytes] = []
    truth = fake.reply

    def heard(*asked: Any) -> Fault:
        found = truth(*asked)
        sent.append(found[2])
        return found

    monkeypatch.setattr(fake, "reply", heard)
    assert reads() == Entries(pages=4)
    assert reads.ids == seven
    assert [page.number for page in reads.pages] == [0, 1, 2, 3]
    assert [page.body for page in reads.pages] == sent
    assert fake.requests == [("POST", f"/logging{LIST}")] * 4


def test_only_the_audit_logs_and_of_data_access_only_token_exchanges(fake: Google, reads: Reads) -> None:
    fake.world.project("example-other", "515104041263", None)
    noon = START + DAY / 2
    wanted = {
        "activity": entry(PROJECT, "activity", "activity", noon, serviceName="run.googleapis.com"),
        "event": entry(PROJECT, "system_event", "event", noon, serviceName="compute.googleapis.com"),
        "policy": entry(PROJECT, "policy", "policy", noon, serviceName="storage.googleapis.com"),
        "sts": entry(PROJECT, "data_access", "sts", noon, serviceName="sts.googleapis.com"),
        "iam": entry(PROJECT, "data_access", "iam", noon, serviceName="iamcredentials.googleapis.com"),
    }
    fake.world.entries += [
        *wanted.values(),
        entry(PROJECT, "data_access", "read", noon, serviceName="storage.googleapis.com"),
        entry(PROJECT, "access_transparency", "other", noon, serviceName="sts.googleapis.com"),
        entry("example-other", "activity", "elsewhere", noon),
        {**entry(PROJECT, "activity", "plain", noon), "logName": f"projects/{PROJECT}/logs/activity"},
    ]
    assert reads().error is None
    assert sorted(reads.ids) == sorted(wanted)


def test_what_comes_late_is_in_exactly_one_window(fake: Google, reads: Reads) -> None:
    noon = START - DAY + timedelta(hours=12)
    for days in range(4):
        fake.world.entries.append(entry(PROJECT, "activity", f"late-{days}", noon, late=days * DAY))
    # At the very edges: the start is inside, the end is not, though the last nanoseconds before it are.
    at_start = entry(PROJECT, "activity", "edge", START - timedelta(hours=1), late=timedelta(hours=1))
    before = {**at_start, "insertId": "before", "receiveTimestamp": "2026-03-13T23:59:59.999999999Z"}
    fake.world.entries += [at_start, before]
    windows = [Window(START + n * DAY, START + (n + 1) * DAY) for n in range(-1, 4)]
    found: list[list[str]] = []
    for window in windows:
        assert reads(window, overlap=timedelta(days=5)).error is None
        found.append(reads.ids)
    assert [sorted(ids) for ids in found] == [["before", "late-0"], ["edge", "late-1"], ["late-2"], ["late-3"], []]


def test_what_comes_later_than_the_overlap_is_not_seen(fake: Google, reads: Reads) -> None:
    fake.world.entries.append(entry(PROJECT, "activity", "old", START - 3 * DAY, late=3 * DAY))
    reads(overlap=3 * DAY)
    assert reads.ids == ["old"]
    reads(overlap=3 * DAY - timedelta(microseconds=1))
    assert reads.ids == []


def test_a_window_in_another_zone_is_the_same_window(fake: Google, reads: Reads, seven: list[str]) -> None:
    from zoneinfo import ZoneInfo

    zone = ZoneInfo("Asia/Tokyo")
    reads(Window(TODAY.start.astimezone(zone), TODAY.end.astimezone(zone)))
    assert reads.ids == seven


def test_empty_pages_are_passed_over_to_the_last(fake: Google, reads: Reads, seven: list[str]) -> None:
    fake.hollow = 3
    assert reads() == Entries(pages=7)
    assert reads.ids == seven
    fake.world.entries.clear()
    assert reads() == Entries(pages=4)
    assert reads.ids == []


# Faults of logs.


@pytest.mark.parametrize(
    ("fault", "slept"), [(faults.spent(17), [17.0]), (faults.spent(), [5.0]), (faults.delayed("9s"), [9.0])]
)
def test_a_spent_quota_is_waited_for(
    fake: Google, reads: Reads, seven: list[str], fault: Fault, slept: list[float]
) -> None:
    fake.faults = lambda method, path, number: fault if number == 2 else None
    assert reads() == Entries(pages=4)
    assert reads.ids == seven
    assert reads.time.slept == slept


def test_a_quota_that_outlasts_the_patience_ends_as_throttled(fake: Google, seven: list[str]) -> None:
    reads = Reads(fake, patience=60.0)
    fake.faults = lambda method, path, number: faults.spent(3600) if number >= 2 else None
    found = reads()
    assert isinstance(found.error, Throttled)
    assert (found.pages, reads.ids) == (1, seven[:2])
    assert reads.time.slept == []


@pytest.mark.parametrize("fault", [faults.broken(503), faults.broken(500), faults.cut()])
def test_what_breaks_once_is_asked_again(fake: Google, reads: Reads, seven: list[str], fault: Fault) -> None:
    fake.faults = lambda method, path, number: fault if number == 3 else None
    assert reads() == Entries(pages=4)
    assert reads.ids == seven
    assert len(reads.time.slept) == 1


@pytest.mark.parametrize("fault", [faults.broken(503), faults.cut()])
def test_what_stays_broken_ends_as_unavailable(fake: Google, seven: list[str], fault: Fault) -> None:
    reads = Reads(fake, attempts=3)
    fake.faults = lambda method, path, number: fault if number > 1 else None
    found = reads()
    assert type(found.error) is Unavailable
    assert (found.error.source, found.error.scope) == (log_entries.SOURCE, f"gcp:{PROJECT}")
    assert (found.pages, len(fake.requests)) == (1, 4)


def test_an_access_token_that_runs_out_is_renewed(fake: Google, reads: Reads, seven: list[str]) -> None:
    fake.faults = lambda method, path, number: fake.tokens.given.clear() if number == 2 else None
    assert reads() == Entries(pages=4)
    assert reads.ids == seven
    assert len(fake.asked_for_tokens) == 1


def test_a_page_token_that_runs_out_begins_the_list_anew(fake: Google, reads: Reads, seven: list[str]) -> None:
    fake.faults = lambda method, path, number: fake.expire() if number == 3 else None
    assert reads() == Entries(pages=4)
    assert [page.number for page in reads.pages] == [0, 1, 0, 1, 2, 3]
    assert list(dict.fromkeys(reads.ids)) == seven


def test_page_tokens_that_always_run_out_are_told(fake: Google, reads: Reads, seven: list[str]) -> None:
    fake.faults = lambda method, path, number: fake.expire() if number % 2 == 0 else None
    found = reads()
    assert type(found.error) is Unavailable
    assert "page_token is not valid" in found.error.what
    assert (found.pages, len(reads.pages)) == (1, BEGINNINGS)


def test_a_bad_request_for_the_first_page_is_not_tried_again(fake: Google, reads: Reads) -> None:
    fake.faults = faults.always(faults.told(400, "Invalid filter"), LIST)
    found = reads()
    assert type(found.error) is Unavailable
    assert len(fake.requests) == 1


def test_a_page_token_that_repeats_does_not_go_on_for_ever(fake: Google, reads: Reads) -> None:
    fake.faults = faults.always(faults.answer({"nextPageToken": "again"}), LIST)
    found = reads()
    assert isinstance(found.error, Malformed)
    assert found.pages == 2


def test_pages_without_end_do_not_go_on_for_ever(fake: Google, reads: Reads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_entries, "MOST_PAGES", 5)
    fake.hollow = 10**6
    found = reads()
    assert isinstance(found.error, Malformed)
    assert found.pages == len(reads.pages) == 5


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"entries": {}}',
        b'{"entries": null}',
        b'{"entries": [], "nextPageToken": 7}',
        b'{"entries": [{"insertId": "\xff"',
        b"\xff\xfe",
        b"[" * 100000,
        b'{"entries": ' + b"[" * 100000,
        faults.html()[2],
    ],
)
def test_what_is_no_page_is_malformed_and_not_given(fake: Google, reads: Reads, body: bytes) -> None:
    fake.faults = faults.always(faults.answer(body), LIST)
    found = reads()
    assert isinstance(found.error, Malformed)
    assert "Sign in" not in found.error.what
    assert reads.pages == []


def test_who_may_not_read_is_told_what_to_grant(fake: Google, reads: Reads, seven: list[str]) -> None:
    fake.world.denied.add(f"logging.logEntries.list on projects/{PROJECT}")
    found = reads()
    assert isinstance(found.error, Denied)
    assert found.error.permission.startswith(f"logging.logEntries.list on projects/{PROJECT} (roles/logging.viewer")
    assert "roles/logging.privateLogViewer" in found.error.permission
    assert (found.error.source, found.error.scope, found.pages) == ("gcp.logs", f"gcp:{PROJECT}", 0)


def test_a_credential_that_stays_refused_is_denied(fake: Google, reads: Reads, store: Store) -> None:
    fake.faults = lambda method, path, number: None if path == "/token" else faults.rejected()
    found = reads()
    # Coverage is told by the very kind.
    assert type(found.error) is Denied
    assert found.error.permission == "a credential that Google Cloud accepts"
    assert len(fake.requests) == 2
    with pytest.raises(Denied) as refused:
        store.read("x")
    assert type(refused.value) is Denied


def test_an_api_that_is_off_says_what_to_enable(fake: Google, reads: Reads) -> None:
    fake.faults = faults.always(faults.disabled("logging.googleapis.com"), LIST)
    found = reads()
    assert isinstance(found.error, Denied)
    assert "enable logging.googleapis.com" in found.error.todo


@pytest.mark.parametrize(
    "project",
    [
        "",
        ".",
        "..",
        "../x",
        "x/../y",
        'x" OR logName:"',
        "x\n",
        "a b",
        "é",
        "x?y#z",
        "projects/x",
        "X",
        ":x",
        "x" * 200,
    ],
)
def test_what_is_no_project_is_never_asked_for(fake: Google, reads: Reads, project: str) -> None:
    found = reads(project=project)
    assert isinstance(found.error, Malformed)
    assert found.pages == 0
    assert fake.requests == []


@pytest.mark.parametrize("project", ["example-prod", "example.com:prod", "415104041262"])
def test_what_is_a_project_is_asked_for(fake: Google, reads: Reads, project: str) -> None:
    fake.world.project(project, "1", None)
    assert reads(project=project).error is None


def test_whoever_takes_a_page_may_stop_the_reading(fake: Google, tmp_path: Path, seven: list[str]) -> None:
    def stop(page: EntryPage) -> None:
        raise SourceError("enough")

    with client(fake, tmp_path) as one, pytest.raises(SourceError, match="enough"):
        read_entries(one, PROJECT, TODAY, DAY, stop)
    assert len(fake.requests) == 1


def test_a_larger_page_than_may_be_held_is_refused(
    fake: Google, reads: Reads, monkeypatch: pytest.MonkeyPatch, seven: list[str]
) -> None:
    from monitor.sources.gcp import transport

    monkeypatch.setattr(transport, "MAX_BODY", 2**20)
    bomb = gzip.compress(b'{"entries": [' + b" " * 2**22 + b"]}")
    fake.faults = faults.always((200, {"Content-Encoding": "gzip"}, bomb), LIST)
    assert isinstance(reads().error, Malformed)


# Objects.


class Store(GcsObjects):
    """A store of the fake, with its clock."""

    def __init__(self, fake: Google, location: Location = PLACE, **settings: Any) -> None:
        self.time = Time()
        super().__init__(location, fake.client(self.time, **settings))


@pytest.fixture
def store(fake: Google) -> Iterator[Store]:
    one = Store(fake)
    yield one
    assert one.client.captures == []


@pytest.fixture
def objects(fake: Google) -> dict[str, Stored]:
    return fake.world.buckets[BUCKET]


HOSTILE = [
    "../x",
    "../../b/other/o/x",
    "a?b#c",
    "a b+c",
    "%2e%2e/x",
    "a%20b",
    "a//b",
    "./x",
    "x/..",
    "日本/é.json",
    "e\u0301",
    "😀",
    "back\\slash",
    "a&b=c;d",
    "line\nfeed",
    "quote\"'",
    "tab\t\x1b[31m",
    "*",
    "x" * 900,
]


def test_a_bucket_does_as_a_folder_does(fake: Google, store: Store, tmp_path: Path) -> None:
    """The same calls on both stores give the same."""
    folder = FolderObjects(tmp_path / "folder")
    folder.root.mkdir()
    names = ["a/1.json", "a/b/2.json", "a/b/c/3.json", "b/4.json", "é/5.json"]
    for one in (folder, store):
        for name in names:
            one.write(name, name.encode())
        one.write("b/4.json", b"anew")
        one.write("gone", b"x")
        one.delete("gone")
        one.delete("gone")
    assert sorted(fake.world.buckets[BUCKET]) == [f"kept/{name}" for name in names]
    for prefix in ("", "a/", "a/b/", "b/", "none/"):
        assert list(store.walk(prefix)) == sorted(folder.walk(prefix), key=lambda one: one.key)
        assert store.folders(prefix) == folder.folders(prefix)
    for name in names:
        assert store.read_with_metadata(name) == folder.read_with_metadata(name)
    assert store.read("b/4.json") == b"anew"


def test_a_list_is_read_over_all_pages(fake: Google, store: Store, objects: dict[str, Stored]) -> None:
    fake.page = 3
    for n in range(10):
        objects[f"kept/{n:02}/x"] = Stored(b"x" * n)
        objects[f"other/{n}"] = Stored(b"")
    objects["kept"] = Stored(b"")
    assert list(store.walk("")) == [ObjectInfo(f"{n:02}/x", n) for n in range(10)]
    assert len(fake.requests) == 4
    assert store.folders("") == [f"{n:02}" for n in range(10)]
    assert store.folders("03/") == []


def test_a_whole_bucket_may_be_the_store(fake: Google, objects: dict[str, Stored]) -> None:
    objects |= {"x": Stored(b"1"), "y/z": Stored(b"2")}
    store = Store(fake, Location.parse(f"gs://{BUCKET}"))
    assert [one.key for one in store.walk("")] == ["x", "y/z"]
    assert store.folders("") == ["y"]
    assert store.read("y/z") == b"2"


@pytest.mark.parametrize("key", HOSTILE)
def test_a_key_from_outside_is_one_step_of_a_path(
    fake: Google, store: Store, objects: dict[str, Stored], key: str
) -> None:
    fake.world.buckets["other"] = {"x": Stored(b"of another bucket")}
    store.write(key, b"what it holds")
    assert list(objects) == [f"kept/{key}"]
    assert [one.key for one in store.walk("")] == [key]
    assert store.read(key) == b"what it holds"
    assert store.read_with_metadata(key) == (b"what it holds", {})
    store.delete(key)
    assert objects == {}
    with pytest.raises(Unavailable) as gone:
        store.read(key)
    assert gone.value.what.isprintable()
    places = {urlsplit(path).path.rpartition("/")[0] for _, path in fake.requests}
    assert places <= {
        f"/storage/storage/v1/b/{BUCKET}",
        f"/storage/storage/v1/b/{BUCKET}/o",
        f"/storage/upload/storage/v1/b/{BUCKET}",
    }


@pytest.mark.parametrize("key", ["", ".", "..", "\ud800"])
def test_what_no_object_is_called_is_never_asked_for(fake: Google, key: str) -> None:
    store = Store(fake, Location(bucket=BUCKET, store=GS))
    for call in (store.read, store.delete, store.read_with_metadata, lambda one: store.write(one, b"")):
        with pytest.raises(Malformed):
            call(key)
    assert fake.requests == []


@pytest.mark.parametrize("body", [b"", b"{}", bytes(range(256)) * 5000, gzip.compress(b"packed", mtime=0)])
def test_bytes_are_stored_and_read_as_they_are(store: Store, objects: dict[str, Stored], body: bytes) -> None:
    store.write("x", body)
    assert objects["kept/x"].body == body
    assert store.read("x") == body


@pytest.mark.parametrize("composite", [False, True])
def test_a_packed_object_is_read_packed(store: Store, objects: dict[str, Stored], composite: bool) -> None:
    body = gzip.compress(b'{"entries": []}' * 1000)
    objects["kept/x"] = Stored(body, encoding="gzip", composite=composite, metadata={"Signature": "ab", "digest": "é"})
    assert store.read("x") == body
    assert store.read_with_metadata("x") == (body, {"signature": "ab", "digest": "é"})


def test_a_packed_object_that_is_damaged_inside_is_read_too(store: Store, objects: dict[str, Stored]) -> None:
    objects["kept/x"] = Stored(b"no gzip at all", encoding="gzip")
    assert store.read("x") == b"no gzip at all"


def test_what_was_packed_for_the_way_alone_is_unpacked(fake: Google, store: Store, objects: dict[str, Stored]) -> None:
    said = {"Content-Encoding": "gzip", "x-goog-stored-content-encoding": "identity"}
    fake.faults = faults.always((200, said, gzip.compress(b"as it is stored")), "alt=media")
    assert store.read("x") == b"as it is stored"


def test_bytes_that_were_damaged_on_the_way_are_read_again(
    fake: Google, store: Store, objects: dict[str, Stored]
) -> None:
    objects["kept/x"] = Stored(b"what it holds")
    known = "crc32c=AAAAAA==, md5=" + gcs_wire.md5(b"what it holds")
    fake.faults = faults.first(1, (200, {"x-goog-hash": known}, b"what it h0lds"), "alt=media")
    assert store.read("x") == b"what it holds"
    fake.faults = faults.always((200, {"x-goog-hash": known}, b"what it h0lds"), "alt=media")
    with pytest.raises(Unavailable, match="not those that are stored"):
        store.read("x")


def test_what_is_stored_otherwise_than_sent_is_told(fake: Google, store: Store) -> None:
    fake.faults = faults.always(faults.answer({"md5Hash": "AAAA"}), "uploadType")
    with pytest.raises(Unavailable, match="not what was sent"):
        store.write("x", b"y")


def test_an_object_that_goes_between_list_and_get_is_told(store: Store, objects: dict[str, Stored]) -> None:
    objects |= {"kept/a": Stored(b"1"), "kept/b": Stored(b"2")}
    listed = list(store.walk(""))
    del objects["kept/a"]
    with pytest.raises(Unavailable, match=f"gs://{BUCKET}/kept/a is gone") as gone:
        store.read(listed[0].key)
    assert gone.value.source == "gcp.storage"
    assert store.read(listed[1].key) == b"2"


def test_metadata_and_bytes_are_of_one_generation(fake: Google, store: Store, objects: dict[str, Stored]) -> None:
    objects["kept/x"] = Stored(b"old", metadata={"signature": "of the old"})

    def hook(method: str, path: str, number: int) -> None:
        if "alt=media" in path:
            objects["kept/x"] = Stored(b"new", metadata={"signature": "of the new"})

    fake.faults = hook
    with pytest.raises(Unavailable, match="is gone"):
        store.read_with_metadata("x")


@pytest.mark.parametrize(
    ("permission", "where"), [("storage.objects.list", "kept/a/"), ("storage.objects.get", "kept/a/x")]
)
def test_who_may_not_read_objects_is_told_what_to_grant(
    fake: Google, store: Store, objects: dict[str, Stored], permission: str, where: str
) -> None:
    objects["kept/a/x"] = Stored(b"x")
    fake.world.denied.add(permission)
    calls = [lambda: list(store.walk("a/")), lambda: store.folders("a/")]
    if permission.endswith("get"):
        calls = [lambda: store.read("a/x"), lambda: store.read_with_metadata("a/x")]
    for call in calls:
        with pytest.raises(Denied) as refused:
            call()
        assert refused.value.permission == f"{permission} on gs://{BUCKET}/{where}"
        assert (refused.value.source, refused.value.scope) == ("gcp.storage", f"gs://{BUCKET}/{where}")


@pytest.mark.parametrize("permission", ["storage.objects.create", "storage.objects.delete"])
def test_who_may_not_write_is_told_what_to_grant(
    fake: Google, store: Store, objects: dict[str, Stored], permission: str
) -> None:
    objects["kept/x"] = Stored(b"x")
    fake.world.denied.add(permission)
    with pytest.raises(Denied, match=r"access") as refused:
        store.write("x", b"y")
    assert permission in refused.value.permission
    assert objects["kept/x"].body == b"x"


def test_a_bucket_that_is_not_there_is_unavailable(fake: Google) -> None:
    store = Store(fake, Location(bucket="not-there", store=GS))
    for call in (lambda: list(store.walk("")), lambda: store.folders(""), lambda: store.write("x", b"")):
        with pytest.raises(Unavailable, match="no bucket gs://not-there"):
            call()


@pytest.mark.parametrize("part", ["/o?", "alt=media", "uploadType"])
@pytest.mark.parametrize(
    "fault",
    [
        faults.spent(17),
        faults.spent(),
        faults.spent_the_old_way(),
        faults.broken(503),
        (403, {"Content-Encoding": "gzip"}, gzip.compress(faults.spent_the_old_way()[2], mtime=0)),
        faults.cut(),
    ],
)
def test_what_breaks_once_is_asked_of_the_store_again(
    fake: Google, store: Store, objects: dict[str, Stored], fault: Fault, part: str
) -> None:
    objects["kept/a"] = Stored(b"1")
    fake.faults = faults.first(1, fault, part)
    assert [one.key for one in store.walk("")] == ["a"]
    assert store.read("a") == b"1"
    store.write("b", b"2")
    assert objects["kept/b"].body == b"2"
    assert len(store.time.slept) == 1


def test_a_store_whose_quota_is_spent_is_throttled(fake: Google) -> None:
    fake.faults = faults.always(faults.spent(3600), "/")
    store = Store(fake, patience=60.0)
    with pytest.raises(Throttled, match="over the quota") as limit:
        store.read("x")
    assert (limit.value.source, store.time.slept) == ("gcp.storage", [])


def test_a_store_that_stays_down_is_unavailable(fake: Google) -> None:
    fake.faults = faults.always(faults.cut(), "/")
    store = Store(fake, attempts=2)
    with pytest.raises(Unavailable, match="2 attempts"):
        store.read("x")


def test_a_token_that_runs_out_is_renewed_for_the_store_too(
    fake: Google, store: Store, objects: dict[str, Stored]
) -> None:
    objects |= {f"kept/{n}": Stored(str(n).encode()) for n in range(4)}
    fake.page = 2
    fake.faults = lambda method, path, number: fake.tokens.given.clear() if number in (2, 4) else None
    assert [store.read(one.key) for one in store.walk("")] == [b"0", b"1", b"2", b"3"]
    assert len(fake.asked_for_tokens) == 2


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{",
        b'{"items": [{"name": "elsewhere/x", "size": "1"}]}',
        b'{"items": [{"name": "kept/x"}]}',
        b'{"items": [{"name": "kept/x", "size": "-1"}]}',
        b'{"items": [{"name": "kept/x", "size": "\xd9\xa1"}]}',
        b'{"items": {}}',
        b'{"nextPageToken": "again"}',
        b"[" * 100000,
        faults.html()[2],
    ],
)
def test_what_is_no_list_is_malformed(fake: Google, store: Store, body: bytes) -> None:
    fake.faults = faults.always(faults.answer(body), "/o?")
    with pytest.raises(Malformed) as broken:
        list(store.walk(""))
    assert "Sign in" not in broken.value.what


def test_folders_that_lie_elsewhere_are_malformed(fake: Google, store: Store) -> None:
    fake.faults = faults.always(faults.answer({"prefixes": ["../x/"]}), "/o?")
    with pytest.raises(Malformed):
        store.folders("")


# Locations.


def test_a_location_names_its_store() -> None:
    google = GoogleAccess(impersonate="reader@example.iam.gserviceaccount.com")
    there = Location.parse("gs://example_logs.example.com/a/b/", google=google, region="unused", role="unused")
    assert there == Location(bucket="example_logs.example.com", prefix="a/b/", store=GS, google=google)
    assert str(there) == "gs://example_logs.example.com/a/b/"
    assert str(Location.parse("gs://example-logs")) == "gs://example-logs/"
    assert Location.parse("s3://example-logs/a", region="eu-west-1") == Location(
        bucket="example-logs", prefix="a/", region="eu-west-1"
    )
    assert str(Location.parse("s3://example-logs/a")) == "s3://example-logs/a/"
    assert Location.parse("/var/logs") == Location(folder="/var/logs")
    assert Location.parse("ftp://x") == Location(folder="ftp://x")
    assert pickle.loads(pickle.dumps(there)) == there
    assert hash(pickle.loads(pickle.dumps(there))) == hash(there)
    assert msgspec.json.decode(msgspec.json.encode(there), type=Location) == there


@pytest.mark.parametrize("text", ["gs://", "gs://X", "gs:///x", "gs://a", "gs://../x", "gs://b ucket", "s3://b_ucket"])
def test_what_names_no_bucket_is_a_mistake_of_the_settings(text: str) -> None:
    with pytest.raises(ConfigError, match="does not name a bucket"):
        Location.parse(text)


def test_a_location_is_all_that_it_takes_to_connect(fake: Google, tmp_path: Path, objects: dict[str, Stored]) -> None:
    objects["kept/x"] = Stored(b"what it holds")
    google = GoogleAccess(api=fake.api, credentials=str(fake.key(tmp_path)))
    store = connect(Location.parse(f"gs://{BUCKET}/kept", google=google))
    assert isinstance(store, GcsObjects)
    with store.client:
        assert [store.read(one.key) for one in store.walk("")] == [b"what it holds"]
    assert connect(store.location) is store
