"""What the steps share: the run, the account, the stack as it stands, and the hosts that were made in it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from homing.stack.stacks import find_stack, resources_of
from real_aws import exchange
from real_aws.exchange import FAMILIES, NoRoute
from real_aws.steps import Failed, Skipped, expect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from homing.stack.account import Account
    from homing.stack.stacks import Stack
    from real_aws.exchange import Family, Reply
    from real_aws.names import Run
    from real_aws.steps import Shape


class Stage:
    """Where the steps play. `homing` runs the command line and returns what it printed as JSON."""

    def __init__(
        self,
        run: Run,
        account: Account,
        homing: Callable[[Sequence[str]], Any],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        alarm_email: str | None = None,
    ) -> None:
        self.run, self.account, self.clock, self.sleep = run, account, clock, sleep
        self.alarm_email = alarm_email or f"nobody@{run.zone}"
        self.shape: Shape | None = None
        self.is_deployed = False
        self.shown: dict[tuple[str, str], str] = {}
        """The address that DNS is to show, by hostname (without a final dot) and type."""
        self.secrets: set[str] = set()
        """Everything that must not be in a log."""
        self.requests = 0
        self._homing = homing
        self._hosts: dict[str, str] = {}
        self._stack: Stack | None = None
        self._addresses = iter(range(1, 255))

    # --- the stack

    def deploy(self, *words: str) -> Any:
        """Run `homing aws deploy` for this run's zone, as an operator would."""
        told = self.homing("aws", "deploy", self.run.zone, "--bucket", self.run.bucket, "--yes", *words)
        self._stack, self.is_deployed = None, True
        return told

    def homing(self, *words: str) -> Any:
        """Run a command on the stack; return its JSON. Raises Failed."""
        place = ["--stack", self.run.name, "--region", self.run.region]
        return self._homing([*words, *place, *(["--profile", self.run.profile] if self.run.profile else []), "--json"])

    @property
    def stack(self) -> Stack:
        """The stack as the last deployment left it. Raises Refused."""
        self._stack = self._stack or find_stack(self.account, self.run.name)
        return self._stack

    def output(self, name: str) -> str:
        """Return an output of the stack. Raises Failed."""
        expect(self.stack.outputs.get(name), f"the stack has no output {name}")
        return self.stack.outputs[name]

    def resource(self, logical_id: str) -> str:
        """Return the physical id of something that the stack made. Raises Failed."""
        found = {one.logical_id: one.physical_id for one in resources_of(self.account, self.run.name)}
        expect(found.get(logical_id), f"the stack has no {logical_id}")
        return found[logical_id]

    @property
    def zone_id(self) -> str:
        """The id of the run's zone."""
        return self.output("route53ZoneID")

    @property
    def url(self) -> str:
        """What clients reach, without a last slash."""
        expect(self.stack.endpoint, "the stack has no endpoint")
        return self.stack.endpoint or ""

    def invoke(self, function: str, event: object) -> Any:
        """Call a function by its name, and return what it answers. Raises Failed if it fails."""
        self.requests += 1
        told = self.account.call("lambda", "invoke", FunctionName=function, Payload=json.dumps(event).encode())
        text = told["Payload"].read().decode()
        expect("FunctionError" not in told, f"{function} failed: {text[:200]}")
        return json.loads(text)

    def admin(self, action: str, **more: object) -> Any:
        """Ask the operator's function. Raises Failed."""
        told = self.invoke(self.output("adminFunctionName"), {"action": action, **more})
        expect(told.get("status") == "ok", f"{action}: {told}")
        return told

    # --- hosts and clients

    def host(self, label: str) -> tuple[str, str]:
        """Return name and secret of a host, which is made when it is first asked for. It may hold any address."""
        name = f"{label}.{self.run.zone}"
        if name not in self._hosts:
            told = self.homing("host", "add", name, "--allow-internal")
            self._hosts[name] = told["shared_secret"]
            self.secrets.add(told["shared_secret"])
        return name, self._hosts[name]

    def new_address(self) -> str:
        """Return an address that nobody has (TEST-NET-2, RFC 5737), another each time."""
        return f"198.51.100.{next(self._addresses)}"

    def ask(self, target: str, *, url: str | None = None, **given: Any) -> Reply:
        """Ask the endpoint. Raises NoRoute, OSError, HTTPException."""
        self.requests += 1
        return exchange.ask((url or self.url) + target, **given)

    def family(self) -> Family:
        """Return a family in which this machine reaches the endpoint. Raises Skipped."""
        for family in FAMILIES:
            try:
                self.ask("/ip", family=family)
            except NoRoute:
                continue
            return family
        raise Skipped("this machine reaches the endpoint over neither family")

    def update(self, label: str, *, url: str | None = None) -> tuple[str, str]:
        """Give a host a new address by dyndns2; return its name and the address. Raises Failed."""
        name, secret = self.host(label)
        address = self.new_address()
        reply = self.ask(f"/nic/update?hostname={name}&myip={address}", url=url, basic=(name, secret))
        expect(reply.status == 200 and reply.body == f"good {address}\n", reply)
        self.shown[name, "A"] = address
        return name, address

    # --- DNS, and waiting

    def answer(self, name: str, record_type: str = "A") -> list[str]:
        """Return what Route 53 says that its name servers answer."""
        told = self.account.call(
            "route53", "test_dns_answer", HostedZoneId=self.zone_id, RecordName=name, RecordType=record_type
        )
        return list(told["RecordData"])

    def wait_for_answer(self, name: str, address: str, record_type: str = "A", seconds: float = 60) -> float:
        """Wait until DNS has an address; return how long that took. Raises Failed."""
        return self.wait(lambda: self.answer(name, record_type) == [address], seconds, f"{name} is not {address}")

    def records(self) -> dict[tuple[str, str], list[str]]:
        """Return all that stands in the zone, by name (without a final dot) and type."""
        listed = self.account.pages(
            "route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=self.zone_id
        )
        return {
            (one["Name"].rstrip("."), one["Type"]): [value["Value"] for value in one.get("ResourceRecords", [])]
            for one in listed
        }

    def change(self, action: str, name: str, record_type: str, value: str, ttl: int = 60) -> None:
        """Change a record behind the stack's back, as somebody in the console might."""
        record = {"Name": name, "Type": record_type, "TTL": ttl, "ResourceRecords": [{"Value": value}]}
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
        self.account.call("route53", "change_resource_record_sets", HostedZoneId=self.zone_id, ChangeBatch=batch)

    def remove_records(self, *names: str) -> None:
        """Delete whatever stands at these names besides what a zone needs itself."""
        listed = self.account.pages(
            "route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=self.zone_id
        )
        found = [one for one in listed if one["Name"].rstrip(".") in names and one["Type"] not in ("SOA", "NS")]
        if found:
            batch = {"Changes": [{"Action": "DELETE", "ResourceRecordSet": one} for one in found]}
            self.account.call("route53", "change_resource_record_sets", HostedZoneId=self.zone_id, ChangeBatch=batch)

    def wait(self, holds: Callable[[], object], seconds: float, complaint: str, pause: float = 2.0) -> float:
        """Wait until something holds; return how long it took, in seconds. Raises Failed."""
        began = self.clock()
        while not holds():
            if self.clock() - began > seconds:
                raise Failed(f"{complaint} after {seconds:g} s")
            self.sleep(pause)
        return self.clock() - began
