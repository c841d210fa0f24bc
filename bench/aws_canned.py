"""DynamoDB and Route 53 that have one answer to each question, over HTTP and TLS: what a handler costs, and no more.

python -m bench.aws_canned FOLDER

Every host has the same secret and the address OLD, and stays so whatever is written. Prints the two ports.
"""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_aws.http_server import HttpAnswer, HttpRequest, HttpServer

if TYPE_CHECKING:
    from collections.abc import Iterator

ZONE, ZONE_ID, TABLE = "bench.test", "Z0BENCH", "bench"
OLD, NEW = "203.0.113.1", "203.0.113.2"
SECRET = "a-secret-of-thirty-two-characters"

_JSON = (("Content-Type", "application/x-amz-json-1.0"),)
_XML = (("Content-Type", "text/xml"),)
_HOSTNAME = re.compile(rb'"([a-z0-9]+\.bench\.test\.)"')
_STARTS_AT = re.compile(r"[?&]name=([^&]+)")
_NAMESPACE = 'xmlns="https://route53.amazonaws.com/doc/2013-04-01/"'
_CHANGED = f"""<?xml version="1.0"?>
<ChangeResourceRecordSetsResponse {_NAMESPACE}><ChangeInfo><Id>/change/C0BENCH</Id><Status>PENDING</Status>\
<SubmittedAt>2026-11-21T12:00:00.000Z</SubmittedAt></ChangeInfo></ChangeResourceRecordSetsResponse>"""
_LISTED = f"""<?xml version="1.0"?>
<ListResourceRecordSetsResponse {_NAMESPACE}><ResourceRecordSets><ResourceRecordSet><Name>{{}}</Name><Type>A</Type>\
<TTL>60</TTL><ResourceRecords><ResourceRecord><Value>{OLD}</Value></ResourceRecord></ResourceRecords>\
</ResourceRecordSet></ResourceRecordSets><IsTruncated>false</IsTruncated><MaxItems>300</MaxItems>\
</ListResourceRecordSetsResponse>"""


def item_of(hostname: str) -> dict[str, Any]:
    """Return a row as Homing writes it; documentation addresses are not global, so it allows internal ones."""
    rrset = {"M": {"ttl": {"N": "60"}, "rdata": {"L": [{"S": OLD}]}}}
    return {
        "hostname": {"S": hostname},
        "record_type": {"S": "A"},
        "shared_secret": {"S": SECRET},
        "allow_internal": {"BOOL": True},
        "version": {"N": "3"},
        "desired": rrset,
        "published": rrset,
        "ip_address": {"S": OLD},
        "last_accessed": {"S": OLD},
        "last_checked": {"S": "2096-10-02 07:06:40"},
        "last_updated": {"S": "2026-11-01 12:00:00"},
    }


def answer(request: HttpRequest) -> HttpAnswer:
    """Answer a call of either service."""
    if request.target.startswith("/2013-04-01/"):
        return HttpAnswer(200, _answer_route53(request).encode(), _XML)
    return HttpAnswer(200, json.dumps(_answer_dynamodb(request)).encode(), _JSON)


def _answer_route53(request: HttpRequest) -> str:
    if request.method == "POST":
        return _CHANGED
    found = _STARTS_AT.search(request.target)
    return _LISTED.format(found[1] if found else ZONE)


def _answer_dynamodb(request: HttpRequest) -> dict[str, Any]:
    found = _HOSTNAME.search(request.body)
    hostname = found[1].decode() if found else f"h0.{ZONE}."
    match (request.header("x-amz-target") or "").rpartition(".")[2]:
        case "GetItem" if b'"awslabs"' in request.body:
            config = {"route_53_zone_id": ZONE_ID, "route_53_record_ttl": 60, "shared_secret": SECRET}
            return {"Item": {"hostname": {"S": hostname}, "data": {"S": json.dumps(config)}}}
        case "GetItem":
            return {"Item": item_of(hostname)}
        case "Query":
            return {"Count": 1, "ScannedCount": 1, "Items": [item_of(hostname)]}
        case "BatchGetItem":
            return {"Responses": {TABLE: [item_of(hostname)]}, "UnprocessedKeys": {}}
    return {}


@contextmanager
def canned_aws(folder: Path) -> Iterator[tuple[str, str]]:
    """Run it as a process of its own; yield its http and https URLs. The folder gets `ca.pem`, which vouches for it."""
    command = [sys.executable, "-m", "bench.aws_canned", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        plain, tls = process.stdout.readline().split()
        try:
            yield plain, tls
        finally:
            process.stdin.close()


def _serve(folder: Path) -> None:
    import trustme

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    print(HttpServer(answer).url, HttpServer(answer, tls=context).url, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
