"""Asking one name server directly, since the run's zone is delegated nowhere."""

from __future__ import annotations

import dns.exception
import dns.flags
import dns.message
import dns.query

from real_aws.exchange import addresses_of, has_route

TIMEOUT = 5.0


def ask(server: str, name: str, record_type: str) -> list[str]:
    """Return the addresses that a server answers, of the first of its addresses that answers. Raises OSError."""
    query = dns.message.make_query(name, record_type)
    query.flags &= ~dns.flags.RD
    failure: Exception = OSError(f"{server} has no address that this machine can reach")
    for address in addresses_of(server, 53, None):
        if not has_route(address):
            continue
        try:
            reply, _ = dns.query.udp_with_fallback(query, address, timeout=TIMEOUT)
        except (dns.exception.DNSException, OSError) as error:
            failure = OSError(f"{server} does not answer: {type(error).__name__}")
            continue
        return sorted(str(rdata) for rrset in reply.answer for rdata in rrset)
    raise failure
