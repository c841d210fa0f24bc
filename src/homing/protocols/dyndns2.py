"""dyndns2: `GET|POST /nic/update?hostname=a,b&myip=203.0.113.7[,2001:db8::7]` with HTTP Basic.

Dyn's Remote Access API as its clients really use it. What the words below may be, and what each does to which client,
was measured; the rules that follow:

- one line a hostname, in the order of the request: `good <address>` or `nochg <address>`, the address as it was sent;
- a failure is the bare code and nothing else: inadyn takes any body with "good" or "ok" in it for a success;
- 401 with one challenge for credentials, 200 for what the user must act on, and 503 with `911` for everything that
  will pass: any other status makes some client stop for good;
- a family that is not named keeps its RRset, and an empty parameter names nothing.
"""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network
from typing import TYPE_CHECKING

from homing.core.addresses import Address, parse_address_with_length, record_type_of
from homing.core.credentials import Password
from homing.core.errors import InvalidInput, InvalidName
from homing.core.hosts import RECORD_TYPES, RecordType
from homing.core.names import MAX_U_NAMES, Name, parse_hostname
from homing.core.outcomes import Answer, HostOutcome, Outcome
from homing.core.update import HostUpdate, SetAddress, SetPrefix, UpdateRequest, Wish, Withdraw
from homing.core.values import frozen
from homing.protocols.http import Credentials, Request, Response, text

if TYPE_CHECKING:
    from collections.abc import Mapping

PATHS = ("/nic/update", "/v3/update")
MAX_HOSTNAMES = 20
TOO_MANY = f"more than {MAX_HOSTNAMES} hostnames"
CHALLENGE = (("www-authenticate", 'Basic realm="Homing"'),)

_V4: tuple[RecordType, ...] = ("A",)
_V6: tuple[RecordType, ...] = ("AAAA",)
_ADDRESS_PARAMETERS: Mapping[str, tuple[RecordType, ...]] = {
    "myip": RECORD_TYPES,
    "ip": RECORD_TYPES,
    "myipv4": _V4,
    "ipv4": _V4,
    "myipv6": _V6,
    "ipv6": _V6,
    "myip6": _V6,
    "ip6": _V6,
}
"""Every spelling that some client sends, and the families that `preserve` in it means."""
_CODES = {
    Outcome.NO_SUCH_HOST: "nohost",
    Outcome.LOCKED: "nohost",
    Outcome.ADDRESS_NOT_ALLOWED: "nohost",
    Outcome.NO_READ_PRIVILEGE: "nohost",
    Outcome.NOT_A_FQDN: "notfqdn",
    Outcome.TOO_MANY_HOSTS: "numhost",
}
"""What the user must act on. Everything else that is no success will pass, and is 503 `911`."""
_ONCE = (Outcome.TOO_MANY_HOSTS,)
"""Said once for the whole request, not once a hostname."""


@frozen
class Asked:
    """A request of this protocol: the update, and each family's address as the client wrote it."""

    update: UpdateRequest
    echo: Mapping[RecordType, str]


def parse(request: Request, source: Address) -> Asked | Response:
    """Parse a request. Without credentials it is challenged at once: wget and others send none before that."""
    credentials = find_credentials(request)
    if credentials is None:
        return challenge()
    parameters = request.parameters
    username_as_host = _parse_or_none(credentials.username)
    hostnames = _hostnames(parameters, credentials.username)
    try:
        wishes, echo = _wishes(parameters, source)
        refusal, complaint = (Outcome.TOO_MANY_HOSTS, TOO_MANY) if len(hostnames) > MAX_HOSTNAMES else (None, None)
    except InvalidInput as error:
        wishes, echo, refusal, complaint = {}, {}, Outcome.ADDRESS_NOT_ALLOWED, str(error)
    if sum(not name.isascii() for name in hostnames) > MAX_U_NAMES:
        hostnames, refusal, complaint = (
            ["(too many)"],
            Outcome.TOO_MANY_HOSTS,
            f"more than {MAX_U_NAMES} names outside ASCII",
        )
    updates = tuple(HostUpdate(_parse_or_none(name), name, wishes) for name in hostnames[: MAX_HOSTNAMES + 1])
    identity = username_as_host if credentials.username else next((update.hostname for update in updates), None)
    proof = Password(credentials.username, credentials.password)
    return Asked(UpdateRequest(proof, updates, source, identity, refusal=refusal, complaint=complaint), echo)


def render(asked: Asked, answer: Answer) -> Response:
    """Turn what became of it into return codes."""
    outcome = answer.outcome
    if outcome is Outcome.NOT_AUTHENTICATED:
        return challenge()
    if outcome.is_success:
        return text(200, "".join(_line(host, asked.echo) + "\n" for host in answer.hosts))
    if outcome in _CODES:
        count = 1 if outcome in _ONCE else max(1, len(answer.hosts))
        return text(200, (_CODES[outcome] + "\n") * count)
    return unavailable(answer.retry_after)


def challenge() -> Response:
    """Answer 401: the same bytes whatever was wrong with the credentials."""
    return Response(401, b"badauth\n", headers=CHALLENGE, log={"protocol": "dyndns2", "outcome": "challenged"})


def unavailable(retry_after: int | None) -> Response:
    """Answer 503 `911`: the one temporary failure that no client takes for its last. `retry_after` is in seconds."""
    return Response(503, b"911\n", headers=(("retry-after", str(retry_after or 60)),))


def find_credentials(request: Request) -> Credentials | None:
    """Return what the header says, else the parameters: `username` and `password`, `password` alone, or `token`."""
    if request.credentials is not None:
        return request.credentials
    password = request.parameters.get("password") or request.parameters.get("token")
    return Credentials(request.parameters.get("username", ""), password) if password else None


def _line(host: HostOutcome, echo: Mapping[RecordType, str]) -> str:
    code = "good" if host.outcome is Outcome.UPDATED else "nochg"
    shown = [echo.get(rrset.record_type) or rrset.address for rrset in host.rrsets]
    return f"{code} {','.join(one for one in shown if one)}".rstrip()


def _hostnames(parameters: Mapping[str, str], username: str) -> list[str]:
    """Return the hostnames asked for; where none is, the user name (FRITZ!Box), else one empty text.

    ddclient's easyDNS style puts the name into `host_id` and YES into `hostname`; DD-WRT sends the bare name as query.
    """
    given = parameters.get("hostname", "").strip()
    if given.upper() in ("", "YES"):
        bare = next((name for name, value in parameters.items() if not value and "." in name), "")
        users = (name for name in (username, parameters.get("username", "")) if _parse_or_none(name))
        given = parameters.get("host_id", "").strip() or bare or next(users, "")
    return [name for part in given.split(",") if (name := part.strip())] or [""]


def _parse_or_none(name: str) -> Name | None:
    try:
        return parse_hostname(name, only_to_look_up=True)
    except InvalidName:
        return None


def _wishes(parameters: Mapping[str, str], source: Address) -> tuple[dict[RecordType, Wish], dict[RecordType, str]]:
    """Return what is wished for each family, and how the client wrote it. Raises InvalidInput."""
    sets: dict[RecordType, SetAddress | SetPrefix] = {}
    echo: dict[RecordType, str] = {}
    preserved: set[RecordType] = set()
    has_empty_place = False
    for name, families in _ADDRESS_PARAMETERS.items():
        for part in parameters[name].split(",") if name in parameters else ():
            value = part.strip()
            if value.lower() == "preserve":  # deSEC: leave that family alone
                preserved.update(families)
            elif value:
                record_type, wish = _parse_wish(value)
                if sets.setdefault(record_type, wish) != wish:
                    raise InvalidInput("two addresses of one family")
                echo[record_type] = value
            else:
                has_empty_place = True
    # A router that lacks an address leaves its place empty. By itself that means the source, as at Dyn; beside a word
    # about the other family it means this family, which there is none of.
    is_left_alone = record_type_of(source) in preserved or (bool(preserved) and has_empty_place)
    if not sets and not is_left_alone:
        sets[record_type_of(source)] = SetAddress(source)
        echo[record_type_of(source)] = str(source)
    if parameters.get("offline", "").strip().upper() == "YES":
        return {record_type: Withdraw(sets.get(record_type)) for record_type in RECORD_TYPES}, echo
    return dict(sets), echo


def _parse_wish(value: str) -> tuple[RecordType, SetAddress | SetPrefix]:
    """A length behind an address says that it is a prefix, if its host bits are zero (FRITZ!Box `<ip6lanprefix>`)."""
    address, length = parse_address_with_length(value)
    if isinstance(address, IPv6Address) and length is not None and length < 128:
        prefix = IPv6Network((address, length), strict=False)
        if prefix.network_address == address:
            return "AAAA", SetPrefix(prefix)
    return record_type_of(address), SetAddress(address)
