"""What is made of GitHub's answers, and how its questions are written."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import Denied, Malformed, SourceError, Throttled, Unavailable
from monitor.sources.github.wire import Again, Limited, Question, Rejected, Reply, judge, next_page, question

NOW = datetime(2026, 3, 14, 2, 0, tzinfo=UTC)
SCOPE = "github:example-org/payments"


def ask(path: str = "/repos/example-org/payments", **more) -> Question:
    return question("GET", path, scope=SCOPE, permission="administration:read", **more)


def query() -> Question:
    return question("POST", "/graphql", scope=SCOPE, permission="metadata:read", query="query { viewer }", variables={})


def reply(status: int = 200, body: object = None, **headers: str) -> Reply:
    content = body if isinstance(body, bytes) else msgspec.json.encode(body if body is not None else {})
    return Reply(status=status, body=content, headers={k.replace("_", "-"): v for k, v in headers.items()})


def verdict(asked: Question, got: Reply) -> SourceError | None:
    try:
        judge(asked, got, NOW)
    except SourceError as error:
        return error
    return None


def test_the_same_question_is_written_the_same_however_its_query_is_given():
    one = ask("/x?per_page=100&after=b", params={"phrase": "created:2026-03-10..2026-03-11"})
    other = ask("/x", params={"phrase": "created:2026-03-10..2026-03-11", "after": "b", "per_page": "100"})

    assert one == other
    assert one.path == "/x?after=b&per_page=100&phrase=created%3A2026-03-10..2026-03-11"
    assert one.request == {"method": "GET", "path": one.path}
    assert one.name == "GET /x"


def test_variables_of_a_query_are_written_in_one_order():
    def asked(variables):
        return question("POST", "/graphql", scope="", permission="", query="q", variables=variables).request

    assert asked({"b": 1, "a": {"d": 1, "c": 2}}) == asked({"a": {"c": 2, "d": 1}, "b": 1})
    assert asked({"b": 1, "a": None})["variables"] == '{"a":null,"b":1}'


@pytest.mark.parametrize(
    "path",
    [
        "repos/x",
        "/repos/../orgs",
        "/repos/%2e%2E/orgs",
        "/repos/./x",
        "//other.example/x",
        "/repos//x",
        "/a\\b",
        "",
        "/",
    ],
)
def test_a_name_that_would_lead_elsewhere_is_not_asked_for(path: str):
    with pytest.raises(Malformed, match="cannot be asked for"):
        ask(path)


def test_what_no_address_may_hold_is_quoted_once():
    assert ask("/repos/o/r/branches/ü x%2Fy#z").path == "/repos/o/r/branches/%C3%BC%20x%2Fy%23z"


@pytest.mark.parametrize(
    ("got", "seconds"),
    [
        (reply(429, retry_after="17"), 17),
        (reply(403, retry_after="17", x_ratelimit_remaining="0", x_ratelimit_reset="1773453600"), 17),
        (reply(403, x_ratelimit_remaining="0", x_ratelimit_reset=str(int(NOW.timestamp()) + 411)), 412),
        (reply(403, x_ratelimit_remaining="0", x_ratelimit_reset=str(int(NOW.timestamp()) - 5)), 1),
        (reply(403, x_ratelimit_remaining="0", x_ratelimit_reset="soon"), None),
        (reply(403, {"message": "You have exceeded a secondary rate limit."}), None),
        (reply(429, b"<html>"), None),
        (reply(403, {"message": "API rate limit exceeded"}, retry_after="Sat, 14 Mar 2026 02:00:30 GMT"), 30),
        (reply(429, retry_after="-3"), None),
        (reply(429, retry_after="9" * 400), None),
    ],
)
def test_a_limit_says_how_long_to_wait_or_not(got: Reply, seconds: float | None):
    error = verdict(ask(absent=(403,)), got)

    assert isinstance(error, Limited)
    assert isinstance(error, Throttled)
    assert error.seconds == seconds


def test_the_end_of_a_limit_is_reckoned_by_the_servers_clock():
    reset = str(int(NOW.timestamp()) + 700)
    error = verdict(
        ask(),
        reply(403, x_ratelimit_remaining="0", x_ratelimit_reset=reset, date="Sat, 14 Mar 2026 02:10:00 GMT"),
    )

    assert isinstance(error, Limited)
    assert error.seconds == 101


def test_403_that_is_no_limit_is_denied_with_what_github_says_and_asks_for():
    got = reply(
        403,
        {"message": "Resource not accessible by integration"},
        x_ratelimit_remaining="4999",
        x_accepted_github_permissions="organization_administration=read",
    )
    error = verdict(ask(), got)

    assert isinstance(error, Denied)
    assert "403 Resource not accessible by integration" in error.what
    assert error.permission == "administration:read (GitHub asks for organization_administration=read)"
    assert (error.source, error.scope) == ("github", SCOPE)


def test_404_may_mean_that_we_may_not_look():
    error = verdict(ask(), reply(404, {"message": "Not Found"}, x_accepted_github_permissions="administration=read"))

    assert isinstance(error, Denied)
    assert "not there, or may not be seen" in error.what
    assert error.permission == "administration:read"
    assert verdict(ask(absent=(404,)), reply(404, {"message": "Not Found"})) is None


def test_401_is_a_credential_that_is_refused():
    assert isinstance(verdict(ask(), reply(401, {"message": "Bad credentials"})), Rejected)


def test_single_sign_on_is_named():
    error = verdict(ask(), reply(403, {"message": "Protected by SAML"}, x_github_sso="required; url=https://x.example"))

    assert isinstance(error, Denied)
    assert "single sign-on" in error.todo


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 202])
def test_a_fault_of_the_server_may_be_better_another_time(status: int):
    error = verdict(ask(), reply(status, b"<html>oops", retry_after="9"))

    assert isinstance(error, Again)
    assert error.seconds == 9


@pytest.mark.parametrize("status", [301, 304, 400, 409, 410, 422, 451])
def test_other_refusals_are_unavailable_and_final(status: int):
    error = verdict(ask(), reply(status, {"message": "no"}))

    assert isinstance(error, Unavailable)
    assert not isinstance(error, Again)


@pytest.mark.parametrize("body", [b"", b"<html>", b'[{"id":1},', b"[1]]", b"[" * 100_000])
def test_what_is_no_json_is_malformed_and_not_shown(body: bytes):
    for asked in (ask(), query()):
        error = verdict(asked, reply(200, body))

        assert isinstance(error, Malformed)
        assert "html" not in str(error)
        assert error.__context__ is None


def test_no_content_is_an_answer():
    assert verdict(ask(), reply(204, b"")) is None


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"data": None, "errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}, Limited),
        ({"errors": [{"type": "RATE_LIMIT", "message": "x"}]}, Limited),
        ({"data": {"a": 1}, "errors": [{"type": "RATE_LIMITED", "message": "x"}]}, Limited),
        ({"errors": [{"message": "You have exceeded a secondary rate limit"}]}, Limited),
        ({"data": None, "errors": [{"type": "FORBIDDEN", "message": "no"}]}, Denied),
        ({"errors": [{"type": "INSUFFICIENT_SCOPES", "message": "read:org"}]}, Denied),
        ({"data": None, "errors": [{"type": "NOT_FOUND", "message": "no such organization"}]}, Denied),
        ({"data": None, "errors": [{"message": "Something went wrong while executing your query"}]}, Again),
        ({"errors": [{"message": "Field x", "extensions": {"code": "undefinedField"}}]}, Malformed),
        ({"data": None}, Malformed),
        ({}, Malformed),
        ({"message": "hello"}, Malformed),
        ({"data": {}, "errors": "x"}, Malformed),
        ([], Malformed),
    ],
)
def test_a_query_without_data_is_an_error_of_the_right_kind(body: object, kind: type[SourceError]):
    assert type(verdict(query(), reply(200, body))) is kind


def test_errors_beside_data_are_left_to_the_decoder():
    body = {"data": {"organization": None}, "errors": [{"type": "FORBIDDEN", "message": "no"}]}

    assert verdict(query(), reply(200, body)) is None


def test_github_cannot_write_on_our_terminal():
    error = verdict(ask(), reply(403, {"message": "\x1b[31mno\nreally" + "x" * 1000}))

    assert error
    assert error.what.isprintable()
    assert len(error.what) < 400


@pytest.mark.parametrize(
    ("header", "path"),
    [
        ("", ""),
        ('<https://api.github.com/x?page=1>; rel="prev", <https://api.github.com/x?page=3>; rel="next"', "/x?page=3"),
        ("<https://api.github.com/x?page=3>; rel=next", "/x?page=3"),
        ('<https://api.github.com/x?b=1&a=2>; title="a, b"; rel="last next"', "/x?a=2&b=1"),
        ('<https://api.github.com/x?page=9>; rel="last"', ""),
        ('<https://api.github.com/x?after=MS42%3D%3D&before=>;rel="next"', "/x?after=MS42%3D%3D&before="),
        ('<https://elsewhere.example/x?page=2>; rel="next"', "/x?page=2"),
        ('</x?page=2>; rel="next"', "/x?page=2"),
    ],
)
def test_the_next_page_is_found_in_the_link_header(header: str, path: str):
    assert next_page(ask("/x"), reply(link=header), "") == path


def test_the_next_page_of_an_enterprise_server_is_below_its_api():
    link = '<https://git.example.com/api/v3/x?page=2>; rel="next"'

    assert next_page(ask("/x"), reply(link=link), "/api/v3") == "/x?page=2"


@pytest.mark.parametrize(
    "link",
    [
        '<https://git.example.com/login?page=2>; rel="next"',
        '<https://git.example.com/api/v3/../../x>; rel="next"',
        '<http://[bad>; rel="next"',
        "next page please",
    ],
)
def test_a_next_page_that_cannot_be_asked_for_is_not_taken_for_the_last(link: str):
    with pytest.raises(Malformed):
        next_page(ask("/x"), reply(link=link), "/api/v3")


@given(
    status=st.integers(100, 599),
    body=st.one_of(
        st.binary(max_size=60), st.text(max_size=60).map(lambda text: msgspec.json.encode({"message": text}))
    ),
    headers=st.dictionaries(
        st.sampled_from(["retry-after", "x-ratelimit-remaining", "x-ratelimit-reset", "date", "link", "x-github-sso"]),
        st.text(max_size=40),
    ),
)
def test_whatever_comes_back_is_an_answer_or_a_source_error(status: int, body: bytes, headers: dict[str, str]):
    got = Reply(status=status, body=body, headers=headers)
    for asked in (ask(), query()):
        error = verdict(asked, got)
        assert error is None or error.scope == SCOPE
        assert error or 200 <= status < 300
    try:
        next_page(ask(), got, "/api/v3")
    except Malformed:
        pass


def test_a_day_in_the_calendar_is_not_too_much():
    error = verdict(ask(), reply(429, retry_after=str(int(timedelta(days=1).total_seconds()))))

    assert isinstance(error, Limited)
    assert error.seconds == 86400
