"""What is deployed: the files parse, name what exists, pin what they take, and ask for no more than they need."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
DEPLOYMENT = (ROOT / "docs/deployment.md").read_text()
PINNED = re.compile(r"[\w./-]+:\d+\.\d+[\w.-]*")
OURS = sorted(name for name, one in SERVICES.items() if "build" in one)


def mounts(service: dict[str, Any]) -> list[tuple[str, str]]:
    return [tuple(one.split(":")[:2]) for one in service.get("volumes", ())]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_names_only_what_exists(name: str) -> None:
    service = SERVICES[name]
    for source, _ in mounts(service):
        if source == "./mine":  # what the guide lets the reader make
            assert "monitor init mine " in DEPLOYMENT
            assert "/mine/" in (ROOT / ".gitignore").read_text().split()
            assert "mine" in (ROOT / ".dockerignore").read_text().split()
        elif source.startswith("./"):
            assert (ROOT / source).exists(), source
        else:
            assert source in COMPOSE["volumes"]
    assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
    assert set(service.get("networks", ())) <= set(COMPOSE["networks"])
    for other, how in service.get("depends_on", {}).items():
        assert other in SERVICES
        assert how["condition"] in ("service_healthy", "service_completed_successfully")
        if how["condition"] == "service_healthy":
            assert "test" in SERVICES[other]["healthcheck"]
    named = set(re.findall(r"/run/secrets/(\w+)", yaml.safe_dump(service)))
    assert named <= set(service.get("secrets", ())), named


def test_each_secret_is_a_file_that_the_guide_makes_and_git_ignores() -> None:
    for name, secret in COMPOSE["secrets"].items():
        assert secret == {"file": f"./secrets/{name}"}
        told = name.replace("_password", "")
        if name.endswith("_pgpass"):
            assert "> secrets/${role}_pgpass" in DEPLOYMENT
            assert f" {name.removesuffix('_pgpass')}" in DEPLOYMENT.partition("_pgpass")[0]
            continue
        assert (
            f"secrets/{name}" in DEPLOYMENT
            or f" {told}" in DEPLOYMENT.partition("openssl")[0].rpartition("for role in")[2]
        )
    assert "/secrets/" in (ROOT / ".gitignore").read_text().split()
    assert "secrets" in (ROOT / ".dockerignore").read_text().split()
    whole = (ROOT / "docker-compose.yml").read_text()
    assert not re.search(r"password\s*:\s*['\"]?[A-Za-z0-9]", whole, re.IGNORECASE)


def test_no_service_holds_the_password_of_another_role() -> None:
    for name, service in SERVICES.items():
        held = {secret for secret in service.get("secrets", ()) if secret.endswith("_pgpass")}
        named = set(re.findall(r"monitor_(\w+)@database", yaml.safe_dump(service)))
        assert held == {f"{role}_pgpass" for role in named}, name
        assert len(held) <= 1, name


def test_the_guide_closes_the_secrets_before_it_gives_them_away() -> None:
    assert DEPLOYMENT.index("chmod 600 secrets/*") < DEPLOYMENT.index("sudo chown 10001")


@pytest.mark.parametrize("content", [None, ""])
def test_a_role_without_a_password_ends_the_first_start(tmp_path: Path, content: str | None) -> None:
    script = (ROOT / "deploy/postgres/passwords.sh").read_text().replace("/run/secrets", str(tmp_path))
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "psql").write_text(f'#!/bin/sh\ncat > /dev/null\necho "$@" >> {tmp_path}/asked\n')
    (tools / "psql").chmod(0o755)
    for role in ("owner", "run", "prune"):
        (tmp_path / f"{role}_password").write_text("an-example-of-a-password\n")
    environment = {"PATH": f"{tools}:/usr/bin:/bin", "POSTGRES_USER": "postgres", "POSTGRES_DB": "monitor"}
    ran = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "asked").read_text().count("an-example-of-a-password") == 3
    (tmp_path / "run_password").unlink()
    if content is not None:
        (tmp_path / "run_password").write_text(content)
    ran = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode != 0


def test_images_are_pinned_by_version() -> None:
    for name, service in SERVICES.items():
        assert PINNED.fullmatch(service["image"]), name
    (python,) = re.findall(r"^ARG PYTHON=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert PINNED.fullmatch(python)
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${PYTHON}"}
    assert "--require-hashes" in DOCKERFILE


@pytest.mark.parametrize("name", [*OURS, "grant"])
def test_what_we_run_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    assert "ports" not in service


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_limits(name: str) -> None:
    limits = SERVICES[name]["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory"}


def test_the_database_is_reached_from_inside_only() -> None:
    assert SERVICES["database"]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert "ports" not in SERVICES["database"]


def test_each_role_of_the_database_serves_one_purpose() -> None:
    roles = {
        name: re.findall(r"//(\w+)@", service["environment"]["MONITOR_DATABASE"])[0]
        for name, service in SERVICES.items()
        if "MONITOR_DATABASE" in service.get("environment", {})
    }
    assert roles == {
        "migrate": "monitor_owner",
        "scheduler": "monitor_run",
        "command": "monitor_run",
        "prune": "monitor_prune",
    }
    sql = (ROOT / "deploy/postgres/roles.sql").read_text()
    assert all(role in sql for role in roles.values())


def test_the_scheduler_runs_twice_after_migration_and_grants() -> None:
    scheduler = SERVICES["scheduler"]
    assert scheduler["command"][0] == "schedule"
    assert scheduler["deploy"]["replicas"] == 2
    assert scheduler["depends_on"] == {"grant": {"condition": "service_completed_successfully"}}
    assert SERVICES["grant"]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert "/healthz" in str(scheduler["healthcheck"]["test"])


def test_the_image_runs_as_nobody_in_particular_and_has_no_tools_to_build_with() -> None:
    last = DOCKERFILE.rpartition("FROM ")[2]
    assert "USER 10001:10001" in last
    assert "HEALTHCHECK" in last
    assert not re.search(r"\b(gcc|apt-get|pip install|build-essential)\b", last)
    assert 'ENTRYPOINT ["/entrypoint.sh"]' in last
    for copied in re.findall(r"^COPY (?!--from)(?:--\S+ )?(\S+) \S+$", DOCKERFILE, re.MULTILINE):
        assert (ROOT / copied).exists(), copied


def test_what_the_wheel_is_built_from_is_not_kept_from_the_image() -> None:
    ignored = {line for line in (ROOT / ".dockerignore").read_text().split() if line}
    for needed in (
        "monitor",
        "checks",
        "alembic",
        "config",
        "deploy",
        "pyproject.toml",
        "README.md",
        "requirements.lock",
    ):
        assert needed not in ignored
        assert (ROOT / needed).exists()


@pytest.mark.parametrize("script", ["deploy/entrypoint.sh", "deploy/postgres/passwords.sh"])
def test_scripts_are_plain_sh_and_may_be_run(script: str) -> None:
    path = ROOT / script
    assert path.read_text().startswith("#!/bin/sh\n")
    assert os.access(path, os.X_OK)
    assert subprocess.run(["sh", "-n", str(path)], check=False).returncode == 0


def test_secrets_are_taken_from_files_and_never_printed(tmp_path: Path) -> None:
    script = tmp_path / "entrypoint.sh"
    fake = tmp_path / "monitor"
    fake.write_text('#!/bin/sh\nenv | sort | grep ^MONITOR_\necho "$@"\n')
    fake.chmod(0o755)
    script.write_text((ROOT / "deploy/entrypoint.sh").read_text().replace("/app/bin/monitor", str(fake)))
    key = tmp_path / "key.pem"
    hostile = '-----BEGIN-----\n$(touch hacked) `id` "quoted"\n-----END-----'
    key.write_text(hostile + "\n")
    env = {"PATH": os.environ["PATH"], "MONITOR_GITHUB_APP_KEY_FILE": str(key), "MONITOR_DATABASE": "as it is"}
    ran = subprocess.run(
        ["sh", str(script), "sweep", "--config", "a b"],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (
        ran.stdout
        == f"MONITOR_DATABASE=as it is\nMONITOR_GITHUB_APP_KEY={hostile.splitlines()[0]}\nsweep --config a b\n"
    )
    assert not (tmp_path / "hacked").exists()
    env["MONITOR_GITHUB_TOKEN_FILE"] = str(tmp_path / "missing")
    ran = subprocess.run(["sh", str(script), "sweep"], env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "MONITOR_GITHUB_TOKEN_FILE" in ran.stderr
    assert "BEGIN" not in ran.stdout + ran.stderr


# Kubernetes.

BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "docs/kubernetes.md").read_text(), re.MULTILINE | re.DOTALL)
OBJECTS = [one for block in BLOCKS for one in yaml.safe_load_all(block)]
PODS = {
    one["metadata"]["name"]: one["spec"].get("jobTemplate", one)["spec"]["template"]["spec"]
    for one in OBJECTS
    if one["kind"] in ("Job", "CronJob", "Deployment")
}


def test_the_examples_are_the_objects_that_the_page_speaks_of() -> None:
    kinds = [one["kind"] for one in OBJECTS]
    assert sorted(kinds) == sorted(
        ["Namespace", "ServiceAccount", "PersistentVolumeClaim", "Secret", "Job", "CronJob", "Deployment"]
    )
    assert all(one["metadata"].get("namespace", "control-monitor") == "control-monitor" for one in OBJECTS)


@pytest.mark.parametrize("name", PODS)
def test_a_pod_meets_the_restricted_standard_and_names_what_exists(name: str) -> None:
    pod = PODS[name]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    secret = next(one for one in OBJECTS if one["kind"] == "Secret")
    volumes = {one["name"]: one for one in pod["volumes"]}
    for container in pod["containers"]:
        rights = container["securityContext"]
        assert rights["readOnlyRootFilesystem"] is True
        assert rights["allowPrivilegeEscalation"] is False
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
        assert PINNED.fullmatch(container["image"])
        assert {one["name"] for one in container["volumeMounts"]} == set(volumes)
        for one in container["env"]:
            wanted = one["valueFrom"]["secretKeyRef"]
            assert wanted["name"] == secret["metadata"]["name"]
            assert wanted["key"] in secret["stringData"]
    claims = {one["metadata"]["name"] for one in OBJECTS if one["kind"] == "PersistentVolumeClaim"}
    used = {one["persistentVolumeClaim"]["claimName"] for one in volumes.values() if "persistentVolumeClaim" in one}
    assert used <= claims


def test_the_deployment_is_probed_and_the_cron_job_runs_once() -> None:
    (scheduler,) = PODS["scheduler"]["containers"]
    ports = {one["name"] for one in scheduler["ports"]}
    for probe, path in (("livenessProbe", "/healthz"), ("readinessProbe", "/readyz"), ("startupProbe", "/healthz")):
        assert scheduler[probe]["httpGet"]["path"] == path
        assert scheduler[probe]["httpGet"]["port"] in ports
    (sweep,) = PODS["nightly"]["containers"]
    assert sweep["args"][:2] == ["schedule", "--once"]
    cron = next(one for one in OBJECTS if one["kind"] == "CronJob")["spec"]
    assert (cron["concurrencyPolicy"], cron["timeZone"]) == ("Forbid", "Etc/UTC")
