"""The least that can do it: own Signature Version 4 over http.client, one file, one read, and two calls to change."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
import ssl
import time
from functools import cache
from typing import Any
from urllib.parse import urlsplit

_CHANGE = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<ChangeResourceRecordSetsRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><ChangeBatch><Changes>'
    "<Change><Action>UPSERT</Action><ResourceRecordSet><Name>{}</Name><Type>A</Type><TTL>60</TTL><ResourceRecords>"
    "<ResourceRecord><Value>{}</Value></ResourceRecord></ResourceRecords></ResourceRecordSet></Change>"
    "</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"
)


def handler(event: dict[str, Any], context: object = None) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Answer one update."""
    asked = json.loads(event["body"])
    source = event["requestContext"]["http"]["sourceIp"]
    hostname = asked["ddns_hostname"]
    key = {"hostname": {"S": hostname}, "record_type": {"S": "A"}}
    item = _dynamodb("GetItem", {"Key": key, "ConsistentRead": True}).get("Item", {})
    wanted = hashlib.sha256((source + hostname + item["shared_secret"]["S"]).encode()).hexdigest()
    if not hmac.compare_digest(wanted, asked["validation_hash"]):
        return _reply(401, "Validation hashes do not match.")
    if item["ip_address"]["S"] == source:
        return _reply(200, "Your IP address matches the current Route53 DNS record.")
    zone = os.environ["HOMING_ZONE_IDS"]
    _call("route53", "POST", f"/2013-04-01/hostedzone/{zone}/rrset/", {}, _CHANGE.format(hostname, source).encode())
    expression = {"UpdateExpression": "SET ip_address = :a", "ExpressionAttributeValues": {":a": {"S": source}}}
    _dynamodb("UpdateItem", {"Key": key} | expression)
    return _reply(201, f"{hostname} has been updated to {source}")


def sign(
    method: str, host: str, path: str, headers: dict[str, str], body: bytes, service: str, region: str, at: float
) -> dict[str, str]:
    """Return the headers with their signature, by the credentials in the environment."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
    sent = {"host": host, "x-amz-date": moment} | {name.lower(): value for name, value in headers.items()}
    if token := os.environ.get("AWS_SESSION_TOKEN"):
        sent["x-amz-security-token"] = token
    names = sorted(sent)
    canonical = "".join(f"{name}:{sent[name]}\n" for name in names)
    digest = hashlib.sha256(body).hexdigest()
    request = f"{method}\n{path}\n\n{canonical}\n{';'.join(names)}\n{digest}"
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = _signing_key(os.environ["AWS_SECRET_ACCESS_KEY"], moment[:8], region, service)
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    sent["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}, "
        f"SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    return sent


@cache
def _signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    key = ("AWS4" + secret).encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


@cache
def _connection(service: str) -> http.client.HTTPConnection:
    """One kept connection to each service."""
    parts = urlsplit(os.environ["AWS_ENDPOINT_URL_" + {"dynamodb": "DYNAMODB", "route53": "ROUTE_53"}[service]])
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.netloc, timeout=5)
    return http.client.HTTPSConnection(parts.netloc, timeout=5, context=_tls())


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])


def _dynamodb(operation: str, payload: dict[str, Any]) -> dict[str, Any]:
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB_20120810." + operation}
    body = json.dumps({"TableName": os.environ["HOMING_TABLE"], **payload}).encode()
    answer: dict[str, Any] = json.loads(_call("dynamodb", "POST", "/", headers, body))
    return answer


def _call(service: str, method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
    connection = _connection(service)
    region = "us-east-1" if service == "route53" else os.environ["AWS_REGION"]
    host = f"{connection.host}:{connection.port}"
    connection.request(method, path, body, sign(method, host, path, headers, body, service, region, time.time()))
    answer = connection.getresponse()
    read = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{service}: {answer.status}")
    return read


def _reply(status: int, message: str) -> dict[str, Any]:
    told = "fail" if status == 401 else "success"
    return {"statusCode": status, "body": json.dumps({"return_message": message, "return_status": told})}
