"""Lines to paste: how each client is told about a host. `docs/how-to/router.md` has the fields of many more devices."""

from __future__ import annotations

_INTERNAL = """
To try it from this machine or a LAN, whose addresses are not global: homing host set {} --allow-internal
and for the server write the URL that `homing serve` printed, such as http://127.0.0.1:8080
"""


def recipes(hostname: str, secret: str, server: str = "https://YOUR-SERVER", *, is_internal: bool = False) -> str:
    """Return what to give to Homing's own client, curl, ddclient and a router; `server` is the URL that they reach."""
    scheme, _, place = server.partition("://")
    file = (hostname.partition(".")[0].strip("*") or "homing") + ".secret"
    return f"""\
homing        (umask 077; printf %s '{secret}' > {file})
              homing update {hostname} --server {server} --secret-file {file}

curl          curl -u '{hostname}:{secret}' '{server}/nic/update?hostname={hostname}'

ddclient      use=web, web={server}/nic/checkip
              protocol=dyndns2
              server={place}
              ssl={"yes" if scheme == "https" else "no"}
              login={hostname}
              password={secret}
              {hostname}

FRITZ!Box     {server}/nic/update?hostname=<domain>&myip=<ipaddr>,<ip6addr>
router        {server}/nic/update?hostname={hostname}&myip=
              user and host: {hostname}    password: the secret    service: custom, dyndns2
one URL       {scheme}://{hostname}:{secret}@{place}/nic/update?hostname={hostname}

More devices, field by field: docs/how-to/router.md
{"" if is_internal else _INTERNAL.format(hostname)}"""
