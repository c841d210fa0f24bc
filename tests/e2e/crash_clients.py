"""The clients of the crash test: each sets its two hosts in one request, to an address that counts up."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import http.client

ZONE = "crash.test."
_FIRST = int(IPv4Address("10.0.0.0"))


def address_of(count: int) -> str:
    return str(IPv4Address(_FIRST + count))


def count_of(address: str | None) -> int:
    return int(IPv4Address(address)) - _FIRST if address else 0


@dataclass
class Owner:
    """One client, and what it knows: the last update that it sent, and the last that was acknowledged."""

    names: tuple[str, str]
    login: str
    secret: str
    is_signed: bool
    sent: int = 0
    acknowledged: int = 0
    acknowledgements: int = 0
    signed_at: int = 0
    refusals: list[str] = field(default_factory=list)

    def update(self, connection: http.client.HTTPConnection) -> None:
        """Send the next update and wait for its answer. Raises OSError or HTTPException if none comes."""
        count = self.sent = self.sent + 1
        if self.is_signed:
            self._send_signed(connection, address_of(count))
        else:
            self._send_dyndns2(connection, address_of(count))
        answer = connection.getresponse()
        body = answer.read().decode()
        if answer.status == 200 and self._is_success(body, address_of(count)):
            self.acknowledged = count
            self.acknowledgements += 1
        else:
            self.refusals.append(f"{answer.status} {body!r}")

    def _send_dyndns2(self, connection: http.client.HTTPConnection, address: str) -> None:
        basic = base64.b64encode(f"{self.login}:{self.secret}".encode()).decode()
        target = f"/nic/update?hostname={','.join(self.names)}&myip={address}"
        connection.request("GET", target, headers={"Authorization": f"Basic {basic}"})

    def _send_signed(self, connection: http.client.HTTPConnection, address: str) -> None:
        updates = [{"hostname": name, "addresses": [address]} for name in self.names]
        body = json.dumps({"as": self.names[0], "updates": updates}).encode()
        self.signed_at = max(self.signed_at + 1, int(time.time() * 1000))
        digest = hmac.new(self.secret.encode(), b"%d." % self.signed_at + body, hashlib.sha256).hexdigest()
        headers = {"Homing-Signature": f"t={self.signed_at},v1={digest}"}
        connection.request("POST", "/v1/update", body, headers)

    def _is_success(self, body: str, address: str) -> bool:
        if not self.is_signed:
            return body == f"good {address}\n" * 2
        outcomes = json.loads(body)["outcomes"]
        return [one["outcome"] for one in outcomes] == ["updated"] * 2
