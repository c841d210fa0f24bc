"""The same as `own_sigv4`, with boto3 and one client for each service, made when the module is imported."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from typing import Any

import boto3

_dynamodb = boto3.client("dynamodb")
_route53 = boto3.client("route53")


def handler(event: dict[str, Any], context: object = None) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Answer one update."""
    asked = json.loads(event["body"])
    source = event["requestContext"]["http"]["sourceIp"]
    hostname = asked["ddns_hostname"]
    key = {"hostname": {"S": hostname}, "record_type": {"S": "A"}}
    table = os.environ["HOMING_TABLE"]
    item = _dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {})
    wanted = hashlib.sha256((source + hostname + item["shared_secret"]["S"]).encode()).hexdigest()
    if not hmac.compare_digest(wanted, asked["validation_hash"]):
        return _reply(401, "Validation hashes do not match.")
    if item["ip_address"]["S"] == source:
        return _reply(200, "Your IP address matches the current Route53 DNS record.")
    rrset = {"Name": hostname, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": source}]}
    batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": rrset}]}
    _route53.change_resource_record_sets(HostedZoneId=os.environ["HOMING_ZONE_IDS"], ChangeBatch=batch)
    values = {":a": {"S": source}}
    _dynamodb.update_item(
        TableName=table, Key=key, UpdateExpression="SET ip_address = :a", ExpressionAttributeValues=values
    )
    return _reply(201, f"{hostname} has been updated to {source}")


def _reply(status: int, message: str) -> dict[str, Any]:
    told = "fail" if status == 401 else "success"
    return {"statusCode": status, "body": json.dumps({"return_message": message, "return_status": told})}
