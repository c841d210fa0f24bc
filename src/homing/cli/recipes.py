"""Lines to paste: how each client is told about a host. The docs and `homing demo` print the same."""

from __future__ import annotations

_INTERNAL = """
To try it from this machine or a LAN, whose addresses are not global: homing host set {} --allow-internal
"""


def recipes(hostname: str, secret: str, server: str = "https://YOUR-SERVER", *, is_internal: bool = False) -> str:
    """Return what to give to curl, ddclient and a router; `server` is the URL that they reach."""
    return f"""\
curl          curl -u '{hostname}:{secret}' '{server}/nic/update?hostname={hostname}'

ddclient      use=web, web={server}/nic/checkip
              protocol=dyndns2
              server={server.partition("://")[2]}
              ssl={"yes" if server.startswith("https") else "no"}
              login={hostname}
              password={secret}
              {hostname}

router        service: custom dyndns2    server: {server}/nic/update
              user: {hostname}    password: the secret    host: {hostname}
              in one line: {server}/nic/update?hostname={hostname}&myip=<ipaddr>
{"" if is_internal else _INTERNAL.format(hostname)}"""
