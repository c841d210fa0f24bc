"""A strict fake of Amazon Route 53 for tests: hosted zones, atomic batches, limits, faults, a journal: README.md."""

from local_aws.route53.api import Reply
from local_aws.route53.batch import Quotas
from local_aws.route53.errors import ApiError, Unanswered
from local_aws.route53.fake import Route53Fake
from local_aws.route53.faults import Call, Fault, Faults, Hold, Holds
from local_aws.route53.journal import ApiCall, Entry, Journal
from local_aws.route53.limits import Limits, Rate
from local_aws.route53.records import Alias, Change, RecordSet
from local_aws.route53.server import Route53Server
from local_aws.route53.zones import Vpc

__all__ = [
    "Alias",
    "ApiCall",
    "ApiError",
    "Call",
    "Change",
    "Entry",
    "Fault",
    "Faults",
    "Hold",
    "Holds",
    "Journal",
    "Limits",
    "Quotas",
    "Rate",
    "RecordSet",
    "Reply",
    "Route53Fake",
    "Route53Server",
    "Unanswered",
    "Vpc",
]
