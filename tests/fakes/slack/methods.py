"""What each method of Slack's Web API does to the world, as its reference says: https://docs.slack.dev/reference/methods"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.fakes.slack.validity import wrong
from tests.fakes.slack.world import APP_TOKEN, BOT, Channel, World

if TYPE_CHECKING:
    from tests.fakes.slack.server import Call, SlackFake

Answer = dict[str, Any]
FORM_ONLY = {"conversations.history", "conversations.replies", "conversations.info", "users.lookupByEmail"}
NEEDS = {
    "chat.postMessage": ("chat:write",),
    "chat.postEphemeral": ("chat:write",),
    "chat.update": ("chat:write",),
    "conversations.history": ("channels:history", "groups:history"),
    "conversations.replies": ("channels:history", "groups:history"),
    "conversations.info": ("channels:read", "groups:read"),
    "conversations.join": ("channels:join",),
    "users.lookupByEmail": ("users:read.email",),
}


class Refused(Exception):
    pass


def answer(fake: SlackFake, call: Call) -> Answer:
    world = fake.world
    try:
        if call.method == "apps.connections.open":
            if call.token != APP_TOKEN:
                raise Refused("invalid_auth")
            return {"ok": True, "url": fake.link}
        if not call.token:
            raise Refused("not_authed")
        if call.token != world.token:
            raise Refused("invalid_auth")
        needed = NEEDS.get(call.method, ())
        if needed and not set(needed) & set(world.scopes):
            return {"ok": False, "error": "missing_scope", "needed": needed[0], "provided": ",".join(world.scopes)}
        method = METHODS.get(call.method)
        if method is None:
            raise Refused("unknown_method")
        return {"ok": True, **method(world, call.arguments)}
    except Refused as error:
        detail = error.args[1:] and {"response_metadata": {"messages": [f"[ERROR] {error.args[1]}"]}}
        return {"ok": False, "error": error.args[0], **(detail or {})}


def _channel(world: World, arguments: dict[str, Any], write: bool) -> Channel:
    channel = world.channels.get(arguments.get("channel", ""))
    if channel is None:
        raise Refused("channel_not_found")
    if write and channel.archived:
        raise Refused("is_archived")
    if not channel.member:
        raise Refused("not_in_channel")
    return channel


def _post(world: World, arguments: dict[str, Any]) -> Answer:
    channel = _channel(world, arguments, write=True)
    error, detail = wrong(arguments)
    if error:
        raise Refused(error, detail)
    now = int(world.clock().timestamp())
    if world.paced and any(one.get("bot_id") and int(one["ts"].split(".")[0]) >= now for one in channel.messages):
        raise Refused("ratelimited")
    thread = arguments.get("thread_ts")
    message = {
        "type": "message",
        "user": "U0000000001",
        "bot_id": BOT,
        "text": arguments.get("text", ""),
        "ts": world.ts(),
        **{name: arguments[name] for name in ("blocks", "metadata") if arguments.get(name)},
    }
    if thread:
        if channel.message(thread) is None:
            raise Refused("thread_not_found")
        message["thread_ts"] = thread
        if arguments.get("reply_broadcast"):
            message["subtype"] = "thread_broadcast"
    channel.messages.append(message)
    return {"channel": channel.id, "ts": message["ts"], "message": message}


def _update(world: World, arguments: dict[str, Any]) -> Answer:
    channel = _channel(world, arguments, write=True)
    error, detail = wrong(arguments)
    if error:
        raise Refused(error, detail)
    message = channel.message(arguments["ts"])
    if message is None or message.get("subtype") == "tombstone":
        raise Refused("message_not_found")
    if message.get("bot_id") != BOT:
        raise Refused("cant_update_message")
    message["text"] = arguments.get("text", "")
    for name in ("blocks", "metadata"):
        if name in arguments:
            message[name] = arguments[name]
    message["edits"] = message.get("edits", 0) + 1
    return {"channel": channel.id, "ts": message["ts"], "text": message["text"]}


def _history(world: World, arguments: dict[str, Any]) -> Answer:
    channel = _channel(world, arguments, write=False)
    listed = [one for one in channel.messages if one.get("thread_ts", one["ts"]) == one["ts"] or "subtype" in one]
    return _page(list(reversed(_within(listed, arguments))), arguments)


def _replies(world: World, arguments: dict[str, Any]) -> Answer:
    channel = _channel(world, arguments, write=False)
    head = channel.message(arguments.get("ts", ""))
    if head is None:
        raise Refused("thread_not_found")
    return _page([head, *_within(channel.replies(head["ts"]), arguments)], arguments)


def _within(messages: list[dict[str, Any]], arguments: dict[str, Any]) -> list[dict[str, Any]]:
    oldest = float(arguments.get("oldest") or 0)
    latest = float(arguments.get("latest") or "inf")
    edges = arguments.get("inclusive") in ("1", True)
    return [
        one
        for one in messages
        if oldest < float(one["ts"]) < latest or (edges and float(one["ts"]) in (oldest, latest))
    ]


def _page(messages: list[dict[str, Any]], arguments: dict[str, Any]) -> Answer:
    size = min(int(arguments.get("limit") or 100), 999)
    cursor = arguments.get("cursor") or ""
    start = int(base64.b64decode(cursor).decode().partition(":")[2]) if cursor else 0
    page = messages[start : start + size]
    if arguments.get("include_all_metadata") not in ("1", True):
        page = [{name: value for name, value in one.items() if name != "metadata"} for one in page]
    more = start + size < len(messages)
    following = base64.b64encode(f"next:{start + size}".encode()).decode() if more else ""
    return {"messages": page, "has_more": more, "response_metadata": {"next_cursor": following}}


def _info(world: World, arguments: dict[str, Any]) -> Answer:
    channel = world.channels.get(arguments.get("channel", ""))
    if channel is None:
        raise Refused("channel_not_found")
    found = {"id": channel.id, "name": channel.name, "is_archived": channel.archived, "is_member": channel.member}
    return {"channel": found}


def _join(world: World, arguments: dict[str, Any]) -> Answer:
    channel = world.channels[arguments["channel"]]
    channel.member = True
    return {"channel": {"id": channel.id}}


def _by_email(world: World, arguments: dict[str, Any]) -> Answer:
    found = world.users.get(arguments.get("email", ""))
    if found is None:
        raise Refused("users_not_found")
    return {"user": {"id": found, "deleted": False}}


def _ephemeral(world: World, arguments: dict[str, Any]) -> Answer:
    _channel(world, arguments, write=True)
    error, detail = wrong(arguments)
    if error:
        raise Refused(error, detail)
    world.ephemeral.append(arguments)
    return {"message_ts": world.ts()}


def _view(world: World, arguments: dict[str, Any]) -> Answer:
    if not arguments.get("trigger_id"):
        raise Refused("invalid_trigger_id")
    view = arguments["view"]
    if view.get("type") != "modal" or not 1 <= len(view["title"]["text"]) <= 24:
        raise Refused("invalid_arguments")
    error, detail = wrong({"text": "", "blocks": view["blocks"]})
    if error:
        raise Refused("invalid_arguments", detail)
    world.views.append(arguments)
    return {"view": {"id": "V1"}}


METHODS: dict[str, Callable[[World, dict[str, Any]], Answer]] = {
    "auth.test": lambda world, arguments: {"bot_id": BOT, "user_id": "U0000000001", "team": "example-org"},
    "chat.postMessage": _post,
    "chat.postEphemeral": _ephemeral,
    "chat.update": _update,
    "conversations.history": _history,
    "conversations.replies": _replies,
    "conversations.info": _info,
    "conversations.join": _join,
    "users.lookupByEmail": _by_email,
    "views.open": _view,
}
