"""Settings: paths, addresses, the environment, and mistakes reported together with those of expected state."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.errors import ConfigError
from monitor.settings import load_config, load_settings

CONFIG = Path(__file__).parents[3] / "config"
LEAST = """
organisation: Example
evidence: {origin: evidence.example.com/controls}
aws:
  trail_logs: {location: s3://example-org-trail/logs/}
  start: 2026-03-01T01:00:00+01:00
"""


def written(tmp_path: Path, text: str) -> Path:
    (tmp_path / "monitor.yaml").write_text(text)
    return tmp_path


def problems(tmp_path: Path, text: str, env: dict[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load_settings(written(tmp_path, text), env or {})
    return caught.value.problems


def test_defaults_are_absolute_and_within_the_state_folder(tmp_path):
    config = tmp_path / "config"
    config.mkdir()

    settings = load_settings(written(config, LEAST), {})

    assert settings.state == tmp_path / "var"
    assert settings.database == f"sqlite:///{tmp_path}/var/monitor.db"
    assert settings.evidence.folder == tmp_path / "var/evidence"
    assert settings.evidence.signing_key == tmp_path / "var/keys/evidence.pem"
    assert settings.retained == f"{tmp_path}/var/evidence/events"
    assert settings.aws is not None
    assert settings.aws.trail_logs.location == "s3://example-org-trail/logs"
    assert settings.aws.trail_settings is None
    assert settings.aws.start == datetime(2026, 3, 1, tzinfo=UTC)
    assert settings.workers == 0
    assert settings.warnings == ()


def test_state_is_expanded_and_paths_are_relative_to_the_configuration(tmp_path):
    text = LEAST + "state: data\nretained: '{state}/kept'\ndatabase: sqlite:///db/x.db?timeout=5\n"

    settings = load_settings(written(tmp_path, text), {})

    assert settings.state == tmp_path / "data"
    assert settings.retained == f"{tmp_path}/data/kept"
    assert settings.database == f"sqlite:///{tmp_path}/db/x.db?timeout=5"


def test_environment_wins_for_the_database(tmp_path):
    env = {"MONITOR_DATABASE": "postgresql://monitor:secret@db.example.com/monitor"}

    settings = load_settings(written(tmp_path, LEAST + "database: sqlite:///x.db\n"), env)

    assert settings.database == env["MONITOR_DATABASE"]
    assert "secret" not in repr(settings)


def test_mistake_in_the_environment_is_told_without_its_value(tmp_path):
    found = problems(tmp_path, LEAST, {"MONITOR_DATABASE": "postgres://monitor:secret@db.example.com/monitor"})

    assert found == ("MONITOR_DATABASE: begins with postgres://; write postgresql://",)


def test_unknown_names_of_the_environment_are_warned_of(tmp_path):
    settings = load_settings(written(tmp_path, LEAST), {"MONITOR_DATABSE": "x", "HOME": "/", "MONITOR_DATABASE": ""})

    assert settings.warnings == ("MONITOR_DATABSE of the environment is not read; did you mean 'MONITOR_DATABASE'?",)


def test_password_in_the_file_is_warned_of(tmp_path):
    settings = load_settings(written(tmp_path, LEAST + "database: postgresql://m:secret@db.example.com/m\n"), {})

    assert settings.warnings == (
        "monitor.yaml:7: database: holds a password; give the address in MONITOR_DATABASE instead",
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("stat: x", "monitor.yaml:7: stat: is not a key here; did you mean 'state'?"),
        (
            "state: '{home}/x'",
            "monitor.yaml:7: state: '{home}/x' has '{home}'; only {state}, the state folder, is known",
        ),
        ("state: s3://bucket/x", "monitor.yaml:7: state: 's3://bucket/x' is no path"),
        ("retained: https://x.example.com", "is neither a folder nor a bucket; write a path, or s3://bucket/prefix"),
        ("retained: s3://Bucket_1/x", "names the bucket 'Bucket_1', which is not the name of a bucket"),
        ("retained: '{state/x'", "has '{state/x'; only {state}"),
        ("database: 'sqlite:///:memory:'", "is a database in memory, which forgets"),
        ("database: mysql://x/y", "is no database; write sqlite:///"),
        ("workers: two", "monitor.yaml:7: workers: 'two' is not a whole number"),
        ("workers: true", "True is not a whole number"),
        ("workers: -1", "-1 is too small; write at least 0"),
        ("workers: 1.5", "1.5 is not a whole number"),
        ("workers: 9999", "9999 is too large; write at most 1024"),
        ("workers: 010", "begins with 0"),
        ("organisation: again", "monitor.yaml:7: organisation: is given twice, first in line 2; keep one"),
    ],
)
def test_mistakes_are_told_with_what_would_be_right(tmp_path, line, said):
    found = problems(tmp_path, LEAST + line + "\n")

    assert len(found) == 1
    assert said in found[0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("origin: evidence.example.com/controls", "origin: https://evidence.example.com", "is no origin"),
        ("2026-03-01T01:00:00+01:00", "2026-03-01", "monitor.yaml:6: aws.start: '2026-03-01' is not a date and time"),
        (
            "  start",
            "  end: 2026-03-01T00:00:00Z\n  start",
            "monitor.yaml:6: aws.end: 2026-03-01T00:00:00+00:00 is not after",
        ),
        ("  start", "  trail_settings: {}\n  start", "write 'replay:' or 'role:', one of the two"),
        (
            "  start",
            "  trail_settings: {role: arn:aws:iam::111122223333:role/x}\n  start",
            "is not the name of a role; write the name alone",
        ),
        ("location: s3://example-org-trail/logs/", "location: ' '", "is blank"),
        ("organisation: Example\n", "", "organisation: is missing; write it: Your organisation's name"),
    ],
)
def test_mistakes_in_parts_are_told_with_their_place(tmp_path, old, new, said):
    found = problems(tmp_path, LEAST.replace(old, new))

    assert len(found) == 1
    assert said in found[0]


def test_mistakes_of_all_files_are_reported_together(tmp_path):
    config = tmp_path / "config"
    shutil.copytree(CONFIG, config)
    for name, old, new in (
        ("monitor.yaml", "workers: 0", "workers: many"),
        ("expected/production.yaml", '"111122223333"', "111122223333"),
        ("controls.yaml", "PS019-1.2", "PS019-1.1"),
    ):
        text = (config / name).read_text()
        (config / name).write_text(text.replace(old, new))

    with pytest.raises(ConfigError) as caught:
        load_config(config, {})

    assert caught.value.what == f"3 mistakes in the configuration in {config}"
    assert [line.split(":")[0] for line in caught.value.problems] == [
        "controls.yaml",
        "expected/production.yaml",
        "monitor.yaml",
    ]


def test_example_configuration_is_whole():
    config = load_config(CONFIG, {})

    assert config.warnings == ()
    assert config.settings.organisation == "Example Organisation"
    assert config.controls is not None
    assert sorted(config.files) == [
        "controls.yaml",
        "expected/audit-logs.yaml",
        "expected/changes.yaml",
        "expected/identities.yaml",
        "expected/production.yaml",
        "expected/repositories.yaml",
        "monitor.yaml",
        "waivers.yaml",
    ]
    assert len(config.sha256) == 64


def test_configuration_without_controls_is_read(tmp_path):
    shutil.copytree(CONFIG, tmp_path / "config")
    (tmp_path / "config/controls.yaml").unlink()

    assert load_config(tmp_path / "config", {}).controls is None


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_missing_configuration_is_told_with_what_to_do(tmp_path, name):
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / name, {})

    assert "run `monitor init`" in caught.value.todo


def test_settings_that_are_no_mapping_are_told(tmp_path):
    assert problems(tmp_path, "- a\n")[0].startswith("monitor.yaml: is a list; write keys")
