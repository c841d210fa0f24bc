"""The operator's AWS account: credentials, region, and calls whose errors say what to do. boto3 is imported when used.

Two errors reach the commands: Refused (or CallFailed, with AWS's own code) for what will not work again, and
StoreUnavailable for what is worth another try.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from homing.core.errors import Refused, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

_THROTTLED = frozenset({
    "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestLimitExceeded", "SlowDown",
    "TooManyRequestsException", "ProvisionedThroughputExceededException", "PriorRequestNotComplete",
})  # fmt: skip
_NOT_ALLOWED = frozenset({
    "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "NotAuthorized", "403",
})  # fmt: skip
_NOT_KNOWN = frozenset({
    "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure",
    "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidSignatureException", "RequestExpired",
})  # fmt: skip
_NO_CREDENTIALS = (
    "there are no AWS credentials: run `aws configure` or `aws sso login`, set AWS_PROFILE, or name one with --profile"
)


class CallFailed(Refused):
    """AWS answered with an error. `code` is AWS's own word for it."""

    def __init__(self, text: str, code: str) -> None:
        super().__init__(text)
        self.code = code


class Account:
    """One account in one region, with somebody's credentials."""

    def __init__(self, session: Any, region: str) -> None:
        """Make one of a boto3 session."""
        self._session = session
        self.region = region
        self._clients: dict[str, Any] = {}
        self._identity: dict[str, str] | None = None

    @property
    def id(self) -> str:
        """The account's number. The first look asks AWS who the credentials are."""
        return self.identity["Account"]

    @property
    def identity(self) -> dict[str, str]:
        """Who the credentials are: `Account` and `Arn`."""
        if self._identity is None:
            self._identity = self.call("sts", "get_caller_identity")
        return self._identity

    @property
    def partition(self) -> str:
        """`aws`, or `aws-cn` and the like."""
        return self.identity["Arn"].split(":")[1]

    def client(self, service: str) -> Any:
        """Return boto3's client; its calls raise boto3's errors."""
        if service not in self._clients:
            from botocore.config import Config

            config = Config(connect_timeout=10, read_timeout=60, retries={"mode": "standard", "max_attempts": 5})
            with told_plainly(service):
                self._clients[service] = self._session.client(service, region_name=self.region, config=config)
        return self._clients[service]

    def call(self, service: str, operation: str, **arguments: Any) -> Any:
        """Call AWS. Raises CallFailed, Refused or StoreUnavailable."""
        client = self.client(service)
        with told_plainly(f"{service}:{operation}"):
            return getattr(client, operation)(**arguments)

    def pages(self, service: str, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
        """Yield what stands under `key`, page after page. Raises as `call` does."""
        client = self.client(service)
        with told_plainly(f"{service}:{operation}"):
            for page in client.get_paginator(operation).paginate(**arguments):
                yield from page.get(key, [])

    def frozen_credentials(self) -> Any:
        """Return the key, secret and token as they are now; boto3 renews them when they run out. Raises Refused."""
        with told_plainly("credentials"):
            found = self._session.get_credentials()
            if found is None:
                raise Refused(_NO_CREDENTIALS)
            return found.get_frozen_credentials()


def open_account(region: str | None = None, profile: str | None = None) -> Account:
    """Find the credentials and the region; call nothing yet. Raises Refused, or ModuleNotFoundError without boto3."""
    import boto3

    with told_plainly("credentials"):
        session = boto3.Session(profile_name=profile, region_name=region)
        if session.get_credentials() is None:
            raise Refused(_NO_CREDENTIALS)
    if not session.region_name:
        raise Refused("no AWS region is named: --region eu-central-1, or set AWS_REGION")
    return Account(session, session.region_name)


@contextmanager
def told_plainly(action: str) -> Iterator[None]:
    """Turn botocore's errors into Homing's, each with what to do. `action` is as an IAM policy writes it."""
    from botocore import exceptions

    offline = (exceptions.ConnectionError, exceptions.HTTPClientError)
    try:
        yield
    except exceptions.ClientError as error:
        raise _told(action, error.response.get("Error", {})) from None
    except exceptions.ProfileNotFound as error:
        raise Refused(f"{error}: see `aws configure list-profiles`") from None
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.CredentialRetrievalError):
        raise Refused(_NO_CREDENTIALS) from None
    except offline as error:
        raise StoreUnavailable(f"no answer from AWS to {action}: {_first_line(error)}; try again") from None
    except exceptions.BotoCoreError as error:
        raise Refused(_first_line(error)) from None


def _told(action: str, error: dict[str, str]) -> Exception:
    code, message = error.get("Code", ""), _first_line(error.get("Message", ""))
    if code in _THROTTLED or "Rate exceeded" in message:
        return StoreUnavailable(f"AWS asks to go slower with {action}: try again in a minute")
    if code in _NOT_ALLOWED:
        return CallFailed(f"these credentials may not do {action}: {message or code}", code)
    if code in _NOT_KNOWN:
        return CallFailed(
            f"AWS does not accept these credentials ({code}): `aws sso login`, or other keys in AWS_PROFILE", code
        )
    if code.startswith(("Internal", "ServiceUnavailable", "5")):
        return StoreUnavailable(f"AWS failed at {action} ({code}): try again")
    return CallFailed(f"{action}: {message or code}", code)


def _first_line(text: object) -> str:
    return str(text).strip().partition("\n")[0][:400]
