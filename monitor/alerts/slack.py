"""The Slack sink: one thread a finding, whose head shows how the finding stands now.

The head is edited before the thread is written to. An edit can be repeated without being seen and a post cannot, so that a
post that is found to have arrived is the last thing that was to be done. Every message carries its id as metadata, by which
it is found again (https://docs.slack.dev/messaging/message-metadata).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from monitor.alerts.blocks import Built, blocks, plain, reply
from monitor.alerts.escaping import words
from monitor.alerts.notes import Message, Note
from monitor.alerts.port import Delivered, Thread, Undelivered
from monitor.alerts.slack_calls import API, REFUSED_BODY, SlackCalls, SlackError
from monitor.alerts.words import NoteKind

EVENT = "control_monitor"
SCOPES = (("chat:write",), ("channels:history", "groups:history"))
"""One of each is needed. Without the first nothing is delivered; without the second it may be shown twice."""

_PAGE = 200
_MOST_PAGES = 50
_SKEW = timedelta(minutes=10)
_MOST_KNOWN = 2000
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,190}\.[A-Za-z]{2,24}")
# What to say in the channel too, not in the thread alone: it needs somebody again.
_BROADCAST = frozenset({NoteKind.REOPENED, NoteKind.WAIVER_EXPIRED})
_GONE = frozenset({"thread_not_found", "message_not_found"})
_FIXED = frozenset({"cant_update_message", "edit_window_closed", "update_failed", *_GONE})


class SlackSink:
    """Delivers messages to Slack channels, each named by its id (C…). See the port for what it answers and raises.

    `users` maps actors, owners and e-mail addresses to Slack ids (users U…, groups S…); with `look_up`, an e-mail address in
    an actor that is not among them is looked up (scope users:read.email). `controls` are titles by control id. `buttons` are
    shown only where somebody listens to them (Socket Mode).
    """

    name = "slack"

    def __init__(
        self,
        token: str,
        *,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None],
        base_url: str = API,
        users: Mapping[str, str] | None = None,
        controls: Mapping[str, str] | None = None,
        buttons: bool = False,
        look_up: bool = False,
        timeout: int = 15,
    ) -> None:
        self.calls = SlackCalls(token, base_url=base_url, clock=clock, sleep=sleep, timeout=timeout)
        self._clock = clock
        self._users = dict(users or {})
        self._controls = dict(controls or {})
        self._buttons = buttons
        self._look_up = look_up
        self._found: dict[str, str] = {}
        self._bot: str | None = None

    def deliver(self, message: Message, thread: Thread | None) -> Delivered:
        """Post into the finding's thread and bring its head up to date, or begin the thread. Raises Undelivered."""
        channel, note = _channel(message), message.body
        head = self._head(channel, thread) if thread is not None and thread.target == channel else None
        if thread is None or head is None:
            reference = self._post(channel, message, self._whole(note))
            return Delivered(reference, reference if note.finding is not None else "")
        if note.finding is not None:
            self._edit(channel, thread.reference, head, note)
        reference = self._post(channel, message, reply(note), thread.reference)
        return Delivered(reference, thread.reference)

    def find(self, message: Message, thread: Thread | None) -> Delivered | None:
        """Return the references of a message that has arrived already, or None. Raises Undelivered where looking fails."""
        try:
            return self._sought(message, thread)
        except SlackError as error:
            # A pause that Slack asks for says that a *post* was not accepted. Here it says nothing of the earlier post, and
            # must not be taken for that; until it is over, calls fail without Slack being asked.
            error.retry_after = None
            raise

    def has_reply(self, channel: str, thread: str, identity: str) -> bool:
        """Return whether this app has written a message of that identity into a thread. Raises Undelivered."""
        return any(self._is(one, identity) for one in self._pages("conversations.replies", channel=channel, ts=thread))

    def _sought(self, message: Message, thread: Thread | None) -> Delivered | None:
        channel = _channel(message)
        since = f"{(min(message.created_at, self._clock()) - _SKEW).timestamp():.6f}"
        within = {"channel": channel, "oldest": since}
        if thread is not None and thread.target == channel:
            try:
                for one in self._pages("conversations.replies", ts=thread.reference, **within):
                    if self._is(one, message.id):
                        return Delivered(str(one.get("ts", "")), thread.reference)
            except SlackError as error:
                if error.code not in _GONE:
                    raise
        for one in self._pages("conversations.history", **within):
            if self._is(one, message.id):
                reference = str(one.get("ts", ""))
                # A reply that was broadcast is in the channel's history too.
                head = str(one.get("thread_ts", "")) or reference
                return Delivered(reference, head if message.body.finding is not None else "")
        return None

    def examine(self, channel: str) -> tuple[str, ...]:
        """Return what stands in the way of delivering to a channel, each with what to do; nothing if all is well."""
        try:
            scopes = self.calls.scopes()
            lacking = [" or ".join(any_of) for any_of in SCOPES if not scopes.intersection(any_of)]
            if lacking:
                return (f"the app lacks {', '.join(lacking)}; install it from config/access/slack-app-manifest.yaml",)
            answer = self.calls.call("conversations.info", form=True, channel=_named(channel))
        except Undelivered as error:
            return (f"{error.what}; {error.todo}" if error.todo else error.what,)
        found = answer.get("channel")
        known = found if isinstance(found, dict) else {}
        wrong = []
        if known.get("is_archived"):
            wrong.append(f"channel {channel} is archived; unarchive it, or write another channel's id in the routes")
        if not known.get("is_member"):
            wrong.append(f"the app is not in channel {channel}; invite it there with /invite")
        return tuple(wrong)

    def _is(self, found: Mapping[str, Any], identity: str) -> bool:
        """Return whether a message found in Slack is this one, and posted by this app: anybody's may bear any metadata."""
        if _payload(found).get("id") != identity:
            return False
        if self._bot is None:
            self._bot = str(self.calls.call("auth.test", form=True).get("bot_id", ""))
        return not self._bot or found.get("bot_id") == self._bot

    def _whole(self, note: Note) -> Built:
        return blocks(note, people=self._people(note), controls=self._controls, buttons=self._buttons)

    def _head(self, channel: str, thread: Thread) -> dict[str, Any] | None:
        """Return the thread's head, or None where somebody has deleted it: the thread is begun anew then."""
        try:
            answer = self.calls.call(
                "conversations.replies",
                form=True,
                channel=channel,
                ts=thread.reference,
                limit=1,
                include_all_metadata=True,
            )
        except SlackError as error:
            if error.code in _GONE:
                return None
            raise
        found = answer.get("messages")
        head = found[0] if isinstance(found, list) and found and isinstance(found[0], dict) else None
        return (
            None if head is None or head.get("subtype") == "tombstone" or head.get("ts") != thread.reference else head
        )

    def _edit(self, channel: str, reference: str, head: Mapping[str, Any], note: Note) -> None:
        payload = dict(_payload(head))
        at = _at(note)
        if str(payload.get("at", "")) > at:
            return  # it shows a later standing: this note was held up
        metadata = {"event_type": EVENT, "event_payload": {**payload, "at": at}}
        try:
            # Unlike chat.postMessage, chat.update parses names and addresses unless told not to.
            self._say("chat.update", self._whole(note), note, channel=channel, ts=reference, metadata=metadata)
        except SlackError as error:
            if error.code not in _FIXED:
                raise

    def _post(self, channel: str, message: Message, built: Built, thread: str | None = None) -> str:
        payload = {"id": message.id, "finding": message.finding_id, "at": _at(message.body)}
        answer = self._say(
            "chat.postMessage",
            built,
            message.body,
            paced=channel,
            channel=channel,
            metadata={"event_type": EVENT, "event_payload": payload},
            thread_ts=thread,
            reply_broadcast=True if thread and message.kind in _BROADCAST else None,
            unfurl_links=False,
            unfurl_media=False,
        )
        return str(answer.get("ts", ""))

    def _say(self, method: str, built: Built, note: Note, **arguments: Any) -> dict[str, Any]:
        """Return the answer to a message's body; as text alone where Slack refuses the blocks, rather than not at all."""
        text, shown = built
        try:
            return self.calls.call(method, text=text, blocks=shown, parse="none", link_names=False, **arguments)
        except SlackError as error:
            if error.code not in REFUSED_BODY:
                raise
        bare, none = plain(note)
        return self.calls.call(method, text=bare, blocks=none, parse="none", link_names=False, **arguments)

    def _pages(self, method: str, **arguments: Any) -> Iterator[Mapping[str, Any]]:
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            answer = self.calls.call(
                method, form=True, limit=_PAGE, include_all_metadata=True, inclusive=True, cursor=cursor, **arguments
            )
            found = answer.get("messages")
            yield from (one for one in (found if isinstance(found, list) else ()) if isinstance(one, dict))
            more = answer.get("response_metadata")
            cursor = str(more.get("next_cursor", "")) if isinstance(more, dict) else ""
            if not cursor:
                return

    def _people(self, note: Note) -> dict[str, str]:
        finding = note.finding
        names = (finding.actor, finding.owner) if finding is not None else ()
        return {name: who for name in names if name and (who := self._person(name))}

    def _person(self, name: str) -> str:
        if known := self._users.get(name):
            return known
        address = _EMAIL.search(name[:2000])
        if address is None:
            return ""
        known = self._users.get(address[0], "")
        return known or (self._looked_up(address[0].lower()) if self._look_up else "")

    def _looked_up(self, address: str) -> str:
        if address not in self._found:
            if len(self._found) >= _MOST_KNOWN:
                self._found.clear()
            try:
                answer = self.calls.call("users.lookupByEmail", form=True, email=address)
            except SlackError as error:
                if error.code not in ("users_not_found", "missing_scope"):
                    return ""  # another time: a name is never worth holding an alert up
                answer = {}
            user = answer.get("user")
            known = user if isinstance(user, dict) and not user.get("deleted") else {}
            self._found[address] = str(known.get("id", ""))
        return self._found[address]


def _channel(message: Message) -> str:
    return _named(message.target)


def _named(channel: str) -> str:
    if not re.fullmatch(r"[CGD][A-Z0-9]{6,30}", channel):
        raise SlackError(
            f"{words(channel, 80)} is no Slack channel's id",
            todo="write the id (C…), which a rename does not change: it is at the bottom of the channel's details",
            permanent=True,
        )
    return channel


def _payload(message: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = message.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("event_type") != EVENT:
        return {}
    payload = metadata.get("event_payload")
    return payload if isinstance(payload, dict) else {}


def _at(note: Note) -> str:
    return note.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
