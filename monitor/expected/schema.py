"""JSON Schema of the files of the configuration, so that an editor completes and checks them. Pure."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from monitor.expected.controls import Controls
from monitor.expected.models import Sections
from monitor.expected.waivers import WaiverFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(model: type[BaseModel], title: str) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a file that the model describes."""
    schema = model.model_json_schema(mode="validation", by_alias=True)
    return {"$schema": DIALECT, **schema, "title": title}


def schemas() -> dict[str, dict[str, Any]]:
    """Return the schemas of this room's files by the name of their file in `config/schema/`, without `.json`."""
    return {
        "expected": schema_of(Sections, "Expected state: config/expected/*.yaml"),
        "controls": schema_of(Controls, "Controls of the standard: config/controls.yaml"),
        "waivers": schema_of(WaiverFile, "Waivers: config/waivers.yaml"),
    }


def written(schema: dict[str, Any]) -> str:
    """Return a schema as the text of its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
