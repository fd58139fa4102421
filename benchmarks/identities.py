"""An account's roles judged, against cloudsplaining on the same file: seconds, memory, and what each finds of what was planted."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.iam_accounts import ACCOUNT, ISSUER, PROVIDER, write

ROOT = Path(__file__).parents[1]
PEER = ROOT / "build/peers/bin/cloudsplaining"
TIMES, MEGABYTES = 10.0, 200
AT = datetime(2026, 4, 1, tzinfo=UTC)


def judged(path: Path) -> None:
    """Judge the roles of a file with all three checks, and print as JSON what was found and what it took. In its own process."""
    began = time.perf_counter()
    from monitor.decode.aws_iam import OidcProvider, authorization
    from monitor.expected.models import DeployIdentity
    from monitor.iam.analysis import analyse
    from monitor.model import Sweep, Window
    from monitor.sources.catalogue import aws_catalogue
    from monitor.sweep import registry

    steps = {"imports": time.perf_counter() - began}
    catalogue = aws_catalogue()
    steps["catalogue"] = time.perf_counter() - began
    import msgspec

    provider = OidcProvider(arn=PROVIDER, issuer=ISSUER, client_ids=("sts.amazonaws.com",))
    identities = authorization(msgspec.json.decode(path.read_bytes()), "111122223333", AT, {PROVIDER: provider})
    steps["decoded"] = time.perf_counter() - began
    accesses = analyse(identities, {"aws": catalogue})
    steps["evaluated"] = time.perf_counter() - began
    checks = registry.chosen(registry.discover(), ("deploy-trust", "deploy-privilege", "deploy-credentials"))
    sweep = Sweep(id="bench", planned_for=AT, at=AT, window=Window(AT, AT))
    declared = {
        "id": "services",
        "principals": [f"arn:aws:iam::{ACCOUNT}:role/svc-*"],
        "proof": {
            "token": {
                "issuer": ISSUER,
                "subjects": ["repo:example-org/*:ref:refs/heads/main"],
                "audience": "sts.amazonaws.com",
            }
        },
    }
    expected = {"deploy_identities": (DeployIdentity.model_validate(declared),)}
    results = [result for check in checks for result in check.evaluate(accesses, check.expects(**expected), sweep)]
    steps["judged"] = time.perf_counter() - began
    escalation, trust = {}, {}
    for access in accesses:
        mine = access.powers if isinstance(access.powers, tuple) else ()
        powers = [one for one in mine if one.kind in ("escalation", "gives-rights", "near-admin", "admin")]
        standing = "closed" if not powers else "conditional" if all(one.conditions for one in powers) else "open"
        escalation[access.identity.short] = standing
    names = {access.identity.subject("trust"): access.identity.short for access in accesses}
    for result in results:
        if result.check == "deploy-trust" and result.subject in names:
            trust[names[result.subject]] = [result.outcome.value, result.reason]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        json.dumps(
            {
                "steps": steps,
                "peak": peak,
                "escalation": escalation,
                "trust": trust,
                "results": len(results),
                "roles": len(accesses),
            }
        )
    )


def ours(path: Path) -> tuple[dict, float]:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.identities", str(path)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout), time.perf_counter() - began


def theirs(path: Path, folder: Path) -> tuple[set[str], float]:
    """Run cloudsplaining; return the roles of which a policy escalates, by it, and the seconds."""
    began = time.perf_counter()
    subprocess.run([PEER, "scan", "-i", path, "-o", folder, "-s"], check=True, capture_output=True)
    took = time.perf_counter() - began
    found = json.loads((folder / f"iam-results-{path.stem}.json").read_text())
    policies = {
        key
        for kind in ("inline_policies", "customer_managed_policies")
        for key, one in found[kind].items()
        if one["PrivilegeEscalation"].get("findings")
    }
    roles = found["roles"].values()
    return {r["name"] for r in roles if policies & {*r["inline_policies"], *r["customer_managed_policies"]}}, took


def tell(who: str, found: set[str], truth: dict[str, dict[str, str]], conditional: set[str]) -> None:
    """Print what a tool found and missed of what was planted, and what it raised falsely."""
    real = {name for name, one in truth.items() if one["escalation"] == "open"}
    maybe = {name for name, one in truth.items() if one["escalation"] == "conditional"}
    false = (found & set(truth)) - real - maybe
    kinds = Counter(truth[name]["kind"] for name in real - found)
    print(
        f"  {who:16} found {len(real & found)} of {len(real)} escalations, missed {dict(kinds) or 0}; raised falsely "
        f"{dict(Counter(truth[name]['kind'] for name in false)) or 0}; conditional ones told apart {len(conditional & maybe)} of {len(maybe)}"
    )


def main() -> None:
    print("\nroles of one account: trust, effective rights, escalation, credentials", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        path = folder / "roles2000.json"
        truth = write(path, 2000)
        mine, whole = min((ours(path) for _ in range(3)), key=lambda run: run[1])
        found, took = theirs(path, folder)
        spans = ", ".join(f"{name} {value:.2f}" for name, value in mine["steps"].items())
        print(
            f"  monitor          {whole:6.2f} s, {mine['peak']} MB, whole process ({spans}); {mine['results']:,} results"
        )
        print(f"  cloudsplaining   {took:6.2f} s, whole process; writes a report too")
        opened = {name for name, standing in mine["escalation"].items() if standing == "open"}
        tell(
            "monitor",
            opened,
            truth,
            {name for name, standing in mine["escalation"].items() if standing == "conditional"},
        )
        tell("cloudsplaining", found, truth, set())
        bad = {name for name, one in truth.items() if one["trust"] == "bad"}
        failed = {name for name, (outcome, _) in mine["trust"].items() if outcome == "fail"}
        sound = {name for name, one in truth.items() if one["trust"] == "good"}
        print(
            f"  monitor          bad trust: found {len(bad & failed)} of {len(bad)}, raised falsely {len(sound & failed)} of "
            f"{len(sound)} (cloudsplaining judges no conditions of trust)"
        )
        ten, long = ours(_big(folder))
        print(f"  monitor          {ten['roles']:,} roles: {long:.2f} s, {ten['peak']} MB")
        for what, good, told in (
            ("against cloudsplaining", took / whole >= TIMES, f"{took / whole:.1f} times as fast (goal {TIMES:.0f})"),
            ("memory, 2,000 roles", mine["peak"] <= MEGABYTES, f"{mine['peak']} MB (goal {MEGABYTES})"),
            ("growth to 20,000", long / whole <= 11, f"{long / whole:.1f} times the time of 2,000 (goal 11: linear)"),
        ):
            print(f"  {what:24} {told}  {'met' if good else 'NOT MET'}")


def _big(folder: Path) -> Path:
    path = folder / "roles20000.json"
    write(path, 20000)
    return path


if __name__ == "__main__":
    if len(sys.argv) == 2:
        judged(Path(sys.argv[1]))
    else:
        main()
