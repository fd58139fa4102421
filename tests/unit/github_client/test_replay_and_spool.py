"""Captures that answer, and answers that outlive a sweep that was cut off."""

import stat
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from monitor.errors import Denied, Malformed, SourceError, Unavailable
from monitor.model import Capture
from monitor.sources.github.client import Access
from monitor.sources.github.seam import Replay, access_request, capture, in_order
from monitor.sources.github.spool import Spool
from monitor.sources.github.wire import question
from tests.unit.github_client.forge import AT, ORG, SCOPE, Time, client

AUDIT = f"/orgs/{ORG}/audit-log"


def captured(
    path: str, body: bytes = b"[]", *, minutes: int = 0, status: int = 200, following: str = "", **params: str
):
    asked = question("GET", path, scope=SCOPE, permission="p", params=params)
    at = AT + timedelta(minutes=minutes)
    return capture(asked, host="api.github.com", status=status, body=body, following=following, at=at)


def replayed(*captures: Capture):
    return client("https://git.example.com/api/v3", replay=list(captures), token="")


def get(forge, path: str, **more):
    return forge.get(path, scope=SCOPE, permission="administration:read", **more)


def test_the_newest_capture_of_the_same_request_answers_whatever_host_it_came_from():
    old, new = captured("/x", b"[1]"), captured("/x", b"[2]", minutes=1)

    with replayed(new, captured("/y", b"[3]", minutes=2), old) as forge:
        answer = get(forge, "/x")

    assert (answer.body, answer.at, answer.evidence) == (b"[2]", new.at, (new.ref,))
    assert forge.captures == [new]
    assert forge.requests == 0


def test_pages_are_replayed_to_the_last():
    first = captured("/x", b"[1]", following="/x?after=b", per_page="100")
    last = captured("/x?after=b", b"[2]")

    with replayed(last, first) as forge:
        pages = list(forge.pages("/x", scope=SCOPE, permission="p", params={"per_page": "100"}))

    assert [page.body for page in pages] == [b"[1]", b"[2]"]
    assert [page.next for page in pages] == ["/x?after=b", ""]


def test_what_is_not_among_the_captures_is_unavailable():
    with replayed(captured("/x")) as forge, pytest.raises(Unavailable, match="not among the captures") as error:
        get(forge, "/z", params={"a": "b"})

    assert "/z?a=b" in str(error.value)
    assert error.value.scope == SCOPE
    assert "live sweep" in error.value.todo


@pytest.mark.parametrize(
    ("held", "asked", "found"),
    [
        ("created:2026-03-10..2026-03-14", "created:2026-03-11T00:00:00Z..2026-03-14T23:59:59Z", True),
        ("created:2026-03-10..2026-03-14", "created:2026-03-10..2026-03-14", True),
        ("created:2026-03-10..2026-03-14", "created:2026-03-09T23:59:59Z..2026-03-11", False),
        ("created:2026-03-10..2026-03-14", "created:2026-03-11..2026-03-15T00:00:01Z", False),
        ("created:2026-03-10T02:00:00+02:00..2026-03-11", "created:2026-03-10T00:00:00Z..2026-03-11", True),
        ("action:a created:2026-03-10..2026-03-14", "created:2026-03-11..2026-03-12 action:a", True),
        ("action:a created:2026-03-10..2026-03-14", "action:b created:2026-03-11..2026-03-12", False),
        ("created:2026-03-10..2026-03-14", "created:>=2026-03-11", False),
        ("created:2026-03-10..soon", "created:2026-03-11..2026-03-12", False),
        ("created:2026-03-10..9999-12-31", "created:2026-03-11..2026-03-12", False),
    ],
)
def test_a_wider_window_of_the_audit_log_answers_for_a_narrower_one(held: str, asked: str, found: bool):
    with replayed(captured(AUDIT, b"[7]", phrase=held, include="all")) as forge:
        if found:
            assert get(forge, AUDIT, params={"phrase": asked, "include": "all"}).body == b"[7]"
            with pytest.raises(Unavailable):
                get(forge, AUDIT, params={"phrase": asked, "include": "web"})
        else:
            with pytest.raises(Unavailable):
                get(forge, AUDIT, params={"phrase": asked, "include": "all"})


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (403, b'{"message":"no"}', Denied),
        (404, b"{}", Denied),
        (401, b"{}", Denied),
        (200, b"<html>", Malformed),
        (502, b"", Unavailable),
        (429, b"{}", Unavailable),
        (403, b'{"message":"secondary rate limit"}', Unavailable),
    ],
)
def test_an_error_that_was_captured_is_the_same_error_again_without_waiting(
    status: int, body: bytes, kind: type[SourceError]
):
    with replayed(captured("/x", body, status=status)) as forge, pytest.raises(kind) as error:
        get(forge, "/x")

    assert isinstance(error.value, kind)
    assert len(forge.captures) == 1


def test_what_the_credential_may_see_is_replayed_without_any():
    access = Access(kind="app", permissions={"administration": "read"}, selected=True, login="monitor")
    kept = Capture(
        source="github",
        name="access",
        scope=f"github:{ORG}",
        request=access_request("api.github.com", ORG),
        status=200,
        at=AT,
        body=msgspec.json.encode(access),
    )

    with replayed(kept) as forge:
        assert forge.access() == access
        assert forge.access() == access
    assert forge.captures == [kept]
    with replayed() as forge, pytest.raises(Unavailable):
        forge.access()
    with replayed(msgspec.structs.replace(kept, body=b'{"kind":7}')) as forge, pytest.raises(Malformed):
        forge.access()


def test_captures_of_other_sources_do_not_answer():
    with pytest.raises(Unavailable):
        Replay([msgspec.structs.replace(captured("/x"), source="aws")]).find({"method": "GET", "path": "/x"}, "s")


def test_captures_are_in_one_order_whichever_thread_was_first():
    some = [captured("/b"), captured("/a", page="2"), captured("/a", page="1"), captured("/a", b"[1]", page="1")]

    assert in_order(some) == in_order(some[::-1])
    assert [one.request["path"] for one in in_order(some)] == ["/a?page=1", "/a?page=1", "/a?page=2", "/b"]


REQUEST = {"host": "api.github.com", "method": "GET", "path": "/x"}


def spool(folder: Path, time: Time, organisation: str = ORG) -> Spool:
    return Spool(folder, host="api.github.com", organisation=organisation, clock=time.clock, told=time.told.append)


def test_an_answer_is_found_again_as_it_was(tmp_path: Path):
    kept = captured("/x", b"\x00[\xff]", following="/x?page=2")
    spool(tmp_path / "a/b", Time()).keep(REQUEST, b"access", kept)

    assert spool(tmp_path / "a/b", Time()).find(REQUEST, b"access") == kept


def test_an_answer_is_good_for_six_hours_for_the_same_rights_and_the_same_organisation(tmp_path: Path):
    time = Time()
    spool(tmp_path, time).keep(REQUEST, b"access", captured("/x"))

    assert spool(tmp_path, time).find(REQUEST, b"other rights") is None
    assert spool(tmp_path, time).find({**REQUEST, "path": "/y"}, b"access") is None
    assert spool(tmp_path, time, "other-org").find(REQUEST, b"access") is None
    time.now = AT + timedelta(hours=6, seconds=-1)
    assert spool(tmp_path, time).find(REQUEST, b"access")
    time.now = AT + timedelta(hours=6)
    assert spool(tmp_path, time).find(REQUEST, b"access") is None
    time.now = AT - timedelta(seconds=1)
    assert spool(tmp_path, time).find(REQUEST, b"access") is None


def test_only_the_owner_can_read_what_is_kept(tmp_path: Path):
    spool(tmp_path / "spool", Time()).keep(REQUEST, b"access", captured("/x"))
    paths = list((tmp_path / "spool").rglob("*"))

    assert [stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_file()] == [0o600]
    assert [stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_dir()] == [0o700]


def test_no_byte_of_an_answer_can_be_lost_or_changed_unnoticed(tmp_path: Path):
    one = spool(tmp_path, Time())
    one.keep(REQUEST, b"access", captured("/x", b"[1]"))
    path = next(path for path in tmp_path.rglob("*") if path.is_file())
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert one.find(REQUEST, b"access") is None
        path.write_bytes(whole[:at])
        assert one.find(REQUEST, b"access") is None
    path.write_bytes(whole)
    assert one.find(REQUEST, b"access")


def test_a_spool_that_is_emptied_leaves_what_is_not_its_own(tmp_path: Path):
    one, other = spool(tmp_path, Time()), spool(tmp_path, Time(), "other-org")
    one.keep(REQUEST, b"access", captured("/x"))
    other.keep(REQUEST, b"access", captured("/x"))

    one.empty()
    one.empty()

    assert one.find(REQUEST, b"access") is None
    assert other.find(REQUEST, b"access")
    other.empty()
    assert list(tmp_path.iterdir()) == []


def test_a_spool_that_cannot_be_written_is_told_of_once_and_fails_nothing(tmp_path: Path):
    time = Time()
    (tmp_path / "file").write_text("in the way")
    one = spool(tmp_path / "file", time)

    one.keep(REQUEST, b"access", captured("/x"))
    one.keep(REQUEST, b"access", captured("/x"))

    assert one.find(REQUEST, b"access") is None
    assert len(time.told) == 1
    one.empty()
