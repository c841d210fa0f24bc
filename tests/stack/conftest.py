"""An account of AWS that is moto's, in this process; CloudFormation's own words where moto does not say enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber
from moto import mock_aws

from homing.stack.account import Account, open_account

if TYPE_CHECKING:
    from collections.abc import Iterator

REGION = "eu-central-1"
NUMBER = "123456789012"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing of this machine's own AWS settings, and no network."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with mock_aws():
        yield


@pytest.fixture
def account(aws: None) -> Account:
    return open_account(REGION)


@pytest.fixture
def cloudformation(account: Account) -> Iterator[Any]:
    """Answers that are given beforehand, checked against CloudFormation's own model."""
    with Stubber(account.client("cloudformation")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()
