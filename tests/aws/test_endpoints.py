"""Where the services are, with botocore's endpoint rules as the oracle."""

from __future__ import annotations

import botocore.session
import pytest

from homing.aws.connection import AMAZON_ROOTS
from homing.aws.transport import Endpoint, endpoint_for
from homing.core.errors import InvalidSettings

REGIONS = ("us-east-1", "eu-central-1", "ap-southeast-7", "mx-central-1", "cn-north-1", "us-gov-east-1")
SERVICES = ("dynamodb", "route53", "sns")


@pytest.fixture(scope="module")
def session() -> botocore.session.Session:
    found = botocore.session.Session()
    found.set_credentials("a", "b")
    return found


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("service", SERVICES)
def test_endpoint_and_signing_region_are_botocores(
    session: botocore.session.Session, service: str, region: str
) -> None:
    client = session.create_client(service, region_name=region)
    ours = endpoint_for(service, region, {})
    assert (ours.url, ours.region) == (client.meta.endpoint_url, client._request_signer._region_name)


def test_amazons_roots_are_trusted_alone_but_in_the_partitions_that_have_others() -> None:
    assert endpoint_for("sns", "eu-central-1", {}).ca_file == AMAZON_ROOTS
    assert endpoint_for("sns", "cn-north-1", {}).ca_file is None
    assert endpoint_for("sns", "us-gov-west-1", {}).ca_file is None
    assert endpoint_for("sns", "cn-north-1", {"AWS_CA_BUNDLE": "/b.pem"}).ca_file == "/b.pem"


def test_the_environment_names_other_endpoints_and_the_nearest_name_wins() -> None:
    environment = {
        "AWS_ENDPOINT_URL": "http://all",
        "AWS_ENDPOINT_URL_DYNAMODB": "http://dynamodb",
        "AWS_ENDPOINT_URL_ROUTE_53": "http://route53",
    }
    assert endpoint_for("dynamodb", "eu-central-1", environment).url == "http://dynamodb"
    assert endpoint_for("route53", "eu-central-1", environment) == Endpoint("http://route53", "us-east-1")
    assert endpoint_for("sns", "eu-central-1", environment).url == "http://all"
    assert endpoint_for("sns", "eu-central-1", {"AWS_ENDPOINT_URL": ""}).url == "https://sns.eu-central-1.amazonaws.com"


@pytest.mark.parametrize(
    "region",
    [
        *(
            "",
            "us",
            "us-east",
            "us--1",
            "ü-east-1",
            "12-east-1",
            "us-east-1\n",
            "us-east-1/x",
            "us-east-1.evil.example",
        ),
        *("us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "eusc-de-east-1"),
    ],
)
def test_a_region_that_is_none_or_not_served_is_refused(region: str) -> None:
    with pytest.raises(InvalidSettings):
        endpoint_for("dynamodb", region, {})
