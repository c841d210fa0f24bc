"""A stand-in for awslabs v3, written anew: its calls in its order, each with a boto3 client made for it.

A read of DynamoDB, a listing of Route 53 on every poll, and an UPSERT where the two differ.
github.com/awslabs/route53-dynamic-dns-with-lambda, lambda/index.py
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import boto3

TABLE = "awslabs"


def handler(event: dict[str, Any], context: object = None) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Answer one update."""
    asked = json.loads(event["body"])
    source = event["requestContext"]["http"]["sourceIp"]
    hostname = asked["ddns_hostname"]
    row = boto3.client("dynamodb").get_item(TableName=TABLE, Key={"hostname": {"S": hostname}})
    config = json.loads(row["Item"]["data"]["S"])
    wanted = hashlib.sha256((source + hostname + config["shared_secret"]).encode()).hexdigest()
    if wanted != asked["validation_hash"]:
        return _reply(401, "Validation hashes do not match.")
    zone = config["route_53_zone_id"]
    listed = boto3.client("route53").list_resource_record_sets(
        HostedZoneId=zone, StartRecordName=hostname, StartRecordType="A"
    )
    if listed["ResourceRecordSets"][0]["ResourceRecords"][0]["Value"] == source:
        return _reply(200, "Your IP address matches the current Route53 DNS record.")
    rrset = {"Name": hostname, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": source}]}
    batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": rrset}]}
    boto3.client("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)
    return _reply(201, f"{hostname} has been updated to {source}")


def _reply(status: int, message: str) -> dict[str, Any]:
    told = "fail" if status == 401 else "success"
    return {"statusCode": status, "body": json.dumps({"return_message": message, "return_status": told})}
