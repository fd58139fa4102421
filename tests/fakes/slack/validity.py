"""What Slack refuses of a message's body, written from its reference and not from our code.

https://docs.slack.dev/reference/block-kit/blocks and https://docs.slack.dev/reference/block-kit/block-elements/button-element
"""

from __future__ import annotations

from typing import Any

KINDS = {"header", "section", "context", "actions", "divider", "rich_text"}


def size(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def wrong(body: dict[str, Any]) -> tuple[str, str]:
    """Return Slack's error and its detail; two empty texts if it would take the body."""
    blocks = body.get("blocks") or []
    text = body.get("text", "")
    if not blocks and not text:
        return "no_text", ""
    if size(text) > 40_000:
        return "msg_too_long", ""
    if not isinstance(blocks, list):
        return "invalid_blocks_format", ""
    for detail in _blocks(blocks):
        return "invalid_blocks", detail
    metadata = body.get("metadata")
    if metadata is not None and set(metadata) != {"event_type", "event_payload"}:
        return "invalid_metadata_format", ""
    return "", ""


def _blocks(blocks: list[Any]) -> Any:
    if len(blocks) > 50:
        yield "no more than 50 items allowed [json-pointer:/blocks]"
    for number, block in enumerate(blocks):
        where = f"[json-pointer:/blocks/{number}]"
        kind = block.get("type")
        if kind not in KINDS:
            yield f"unsupported type: {kind} {where}"
        if kind == "header":
            yield from _text(block.get("text"), where, 150, plain=True)
        if kind == "section":
            if not block.get("text") and not block.get("fields"):
                yield f"missing text or fields {where}"
            if "text" in block:
                yield from _text(block["text"], where, 3000)
            fields = block.get("fields", [None] if "fields" in block else [])
            if "fields" in block and not 1 <= len(fields) <= 10:
                yield f"1 to 10 fields {where}"
            for field in fields:
                yield from _text(field, where, 2000)
        if kind == "context":
            if not 1 <= len(block.get("elements", [])) <= 10:
                yield f"1 to 10 elements {where}"
            for element in block.get("elements", []):
                yield from _text(element, where, 3000)
        if kind == "actions":
            if not 1 <= len(block.get("elements", [])) <= 25:
                yield f"1 to 25 elements {where}"
            for element in block.get("elements", []):
                yield from _button(element, where)


def _text(text: Any, where: str, most: int, plain: bool = False) -> Any:
    if not isinstance(text, dict) or text.get("type") not in ({"plain_text"} if plain else {"plain_text", "mrkdwn"}):
        yield f"must be a text object {where}"
        return
    if not 1 <= size(text.get("text", "")) <= most:
        yield f"must be 1 to {most} characters {where}"
    allowed = {"type", "text", "emoji"} if text["type"] == "plain_text" else {"type", "text", "verbatim"}
    if set(text) - allowed:
        yield f"additional properties {where}"


def _button(button: Any, where: str) -> Any:
    yield from _text(button.get("text"), where, 75, plain=True)
    if (
        size(button.get("value", "")) > 2000
        or size(button.get("action_id", "")) > 255
        or size(button.get("url", "")) > 3000
    ):
        yield f"too long {where}"
