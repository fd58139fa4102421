"""The standard's controls, and the schemas that editors use."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from monitor.errors import ConfigError
from monitor.expected.controls import load_controls
from monitor.expected.document import parse
from monitor.expected.schema import written
from monitor.settings import schemas

CONFIG = Path(__file__).parents[3] / "config"
YAML_FILES = [
    "monitor.yaml",
    "controls.yaml",
    "waivers.yaml",
    *(f"expected/{p.name}" for p in (CONFIG / "expected").glob("*.yaml")),
]


def test_standard_has_all_its_clauses():
    controls = load_controls(CONFIG)

    assert [control.id.removeprefix("PS019-") for control in controls.controls] == [
        *("1.1", "1.2", "1.3", "1.4"),
        *("2.1", "2.2", "2.3"),
        *("3.1", "3.2", "3.3", "3.4"),
        *("4.1", "4.2", "4.3", "4.4", "4.5"),
        *("0.1", "0.2"),
    ]


def test_check_knows_the_controls_it_tests():
    controls = load_controls(CONFIG)

    assert [control.id for control in controls.tested_by("pipeline-session-proof")] == ["PS019-1.1"]
    assert [control.id for control in controls.tested_by("audit-log-integrity")] == ["PS019-0.2"]
    assert controls.tested_by("nothing") == ()
    assert controls.get("PS019-9.9") is None
    found = controls.get("PS019-3.2")
    assert found is not None
    assert found.checks == ("deploy-trust", "deploy-privilege", "deploy-credentials")


def test_mistakes_in_controls_are_told(tmp_path):
    (tmp_path / "controls.yaml").write_text(
        "standard: {id: PS-019, title: T}\ncontrols:\n"
        "- {id: A, title: t, text: x, checks: [Direct_Change]}\n- {id: B, name: t}\n"
    )

    with pytest.raises(ConfigError) as caught:
        load_controls(tmp_path)

    assert caught.value.problems[0] == (
        "controls.yaml:3: controls[0].checks[0]: 'Direct_Change' is not a check's id; "
        "write it as direct-production-change"
    )
    assert len(caught.value.problems) == 5


@pytest.mark.parametrize("name", ["expected", "settings", "controls", "waivers"])
def test_schema_file_is_what_the_models_say(name):
    assert (CONFIG / "schema" / f"{name}.json").read_text() == written(schemas()[name])


@pytest.mark.parametrize("name", ["expected", "settings", "controls", "waivers"])
def test_schema_is_sound_and_describes_every_key(name):
    schema = schemas()[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    objects = [schema, *(one for one in schema["$defs"].values() if "enum" not in one)]

    for one in objects:
        assert one["additionalProperties"] is False
        assert one["description"]
        for key, value in one["properties"].items():
            assert value.get("description"), f"{one['title']}.{key} has no description"


@pytest.mark.parametrize("name", YAML_FILES)
def test_example_file_names_its_schema_and_agrees_with_it(name):
    path = CONFIG / name
    text = path.read_text()
    first = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert first
    schema = json.loads((path.parent / first[1]).read_text())

    # Read as an editor reads it, by YAML 1.2: times stay text.
    jsonschema.Draft202012Validator(schema).validate(parse(path.read_bytes(), name).data)


@pytest.mark.parametrize(
    "wrong",
    [
        {"production": {"aws": {"accounts": [{"id": "12345", "name": "a", "regions": ["us-east-1"]}]}}},
        {"break_glass": [{"id": "a", "principals": ["arn:aws:iam::*:role/a"], "reason": "r"}]},
        {"break_glas": []},
        {"deploy_identities": [{"id": "a", "principals": ["arn:aws:iam::111122223333:role/a"], "proof": {"x": 1}}]},
    ],
)
def test_schema_refuses_what_the_loader_refuses(wrong):
    assert list(jsonschema.Draft202012Validator(schemas()["expected"]).iter_errors(wrong))
