"""What people use today, asked the same question over the same files, each answer written as Parquet.

The question: of all records, keep management writes in production that no AWS service made, failed ones apart, and every
issuing of credentials. One run a process: `python benchmarks/peers.py NAME FOLDER THREADS` prints a line of JSON.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

PRODUCTION = ("111122223333", "444455556666")
ISSUING = (
    "AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot", "CreateSession",
    "GetFederationToken", "GetSessionToken",
)  # fmt: skip
TELEMETRY = (
    "UpdateInstanceInformation", "UpdateInstanceAssociationStatus", "PutInventory", "PutComplianceItems",
    "SubmitTaskStateChange", "SubmitContainerStateChange", "DiscoverPollEndpoint", "PutConfigurePackageResult",
)  # fmt: skip
_QUOTED = ", ".join(f"'{name}'" for name in ISSUING)
_AGENTS = ", ".join(f"'{name}'" for name in TELEMETRY)
_WHERE = f"""
    (eventName IN ({_QUOTED}) AND eventSource = 'sts.amazonaws.com')
    OR (coalesce(readOnly, false) = false AND coalesce(managementEvent, true) AND coalesce(errorCode, '') = ''
        AND recipientAccountId IN {PRODUCTION} AND eventName NOT IN ({_AGENTS})
        AND coalesce(eventType, '') <> 'AwsServiceEvent'
        AND position('"type":"AWSService"' in userIdentity) = 0
        AND position(':role/aws-service-role/' in userIdentity) = 0)
"""


def duckdb(folder: Path, threads: int, out: Path) -> int:
    """Its fastest form: whole objects as JSON, one typed transform, unnest."""
    import duckdb as engine

    fields = {
        "userIdentity": "JSON", "eventTime": "VARCHAR", "eventSource": "VARCHAR", "eventName": "VARCHAR",
        "awsRegion": "VARCHAR", "sourceIPAddress": "VARCHAR", "errorCode": "VARCHAR", "requestParameters": "JSON",
        "responseElements": "JSON", "eventID": "VARCHAR", "readOnly": "BOOLEAN", "managementEvent": "BOOLEAN",
        "recipientAccountId": "VARCHAR", "eventType": "VARCHAR",
    }  # fmt: skip
    shape = json.dumps({"Records": [fields]})
    where = _WHERE.replace("in userIdentity", "IN CAST(userIdentity AS VARCHAR)")
    link = engine.connect()
    link.execute(f"SET threads = {threads}")
    link.execute("SET enable_progress_bar = false")
    link.execute(
        f"""COPY (SELECT * FROM (
                SELECT unnest(from_json(json, '{shape}').Records, recursive := true)
                FROM read_json_objects('{folder}/**/*.json.gz', format = 'unstructured', maximum_object_size = 83886080)
            ) WHERE {where}) TO '{out}' (FORMAT parquet, COMPRESSION zstd)"""
    )
    return int(link.execute(f"SELECT count(*) FROM '{out}'").fetchall()[0][0])


def chdb(folder: Path, threads: int, out: Path) -> int:
    """Its fastest form: a typed structure, bodies as strings, ARRAY JOIN."""
    import chdb as engine

    fields = {
        "userIdentity": "String", "eventTime": "String", "eventSource": "LowCardinality(String)",
        "eventName": "LowCardinality(String)", "awsRegion": "LowCardinality(String)", "sourceIPAddress": "String",
        "errorCode": "Nullable(String)", "requestParameters": "String", "responseElements": "String",
        "eventID": "String", "readOnly": "Nullable(Bool)", "managementEvent": "Nullable(Bool)",
        "recipientAccountId": "LowCardinality(String)", "eventType": "LowCardinality(String)",
    }  # fmt: skip
    shape = "Records Array(Tuple(" + ", ".join(f"{name} {kind}" for name, kind in fields.items()) + "))"
    where = re.sub(r"position\(('[^']*') in userIdentity\)", r"position(userIdentity, \1)", _WHERE)
    names = ", ".join(f"r.{name} AS {name}" for name in fields)
    engine.query(
        f"""INSERT INTO FUNCTION file('{out}', 'Parquet')
            SELECT * FROM (SELECT {names} FROM file('{folder}/**/*.json.gz', 'JSONEachRow', '{shape}') ARRAY JOIN Records AS r)
            WHERE {where}
            SETTINGS max_threads = {threads}, input_format_json_read_objects_as_strings = 1,
                input_format_skip_unknown_fields = 1, output_format_parquet_compression_method = 'zstd',
                engine_file_truncate_on_insert = 1"""
    )
    return int(str(engine.query(f"SELECT count() FROM file('{out}', 'Parquet')", "CSV")).strip())


def rule_loop(folder: Path, threads: int, out: Path) -> int:
    """The usual engine: json.loads, and each rule a function over one dict."""
    import gzip

    rules: list[Callable[[dict], bool]] = [
        lambda e: e.get("eventName") in ISSUING and e.get("eventSource") == "sts.amazonaws.com",
        lambda e: (
            not e.get("readOnly", False)
            and e.get("managementEvent", True)
            and not e.get("errorCode")
            and e.get("recipientAccountId") in PRODUCTION
            and e.get("eventName") not in TELEMETRY
            and e.get("eventType") != "AwsServiceEvent"
            and (e.get("userIdentity") or {}).get("type") != "AWSService"
            and ":role/aws-service-role/"
            not in str(((e.get("userIdentity") or {}).get("sessionContext") or {}).get("sessionIssuer"))
        ),
        lambda e: e.get("eventName") in ("StopLogging", "DeleteTrail", "PutEventSelectors", "UpdateTrail"),
        lambda e: (e.get("userIdentity") or {}).get("type") == "Root" and not e.get("readOnly", False),
    ]
    kept = 0
    with out.open("w") as file:
        for path in sorted(folder.rglob("*.json.gz")):
            for event in json.loads(gzip.decompress(path.read_bytes()))["Records"]:
                hits = [rule(event) for rule in rules]
                if any(hits):
                    kept += 1
                    file.write(json.dumps(event) + "\n")
    return kept


PEERS: dict[str, Callable[[Path, int, Path], int]] = {"duckdb": duckdb, "chdb": chdb, "rule-loop": rule_loop}


def main(arguments: Iterable[str]) -> None:
    name, folder, threads = arguments
    with tempfile.TemporaryDirectory() as scratch:
        began = time.perf_counter()
        kept = PEERS[name](Path(folder), int(threads), Path(scratch) / "kept.parquet")
        wall = time.perf_counter() - began
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps({"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "rss": usage.ru_maxrss * 1024, "kept": kept})
    )


if __name__ == "__main__":
    main(sys.argv[1:])
