"""What devices do with the fields that their owner fills in: the bytes that they send, and how they read the answer.

Each is told again from what is known of it (the pages in `docs/how-to` say from where). A device takes its fields, the
addresses of its line and something that sends bytes, and returns whether it takes the outcome for a success. What a
page says stays in the page: nothing here repeats it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode


@dataclass(frozen=True)
class Line:
    """What the provider gives to a household; a family that it lacks is empty, as devices put it into a URL."""

    ipv4: str = "203.0.113.7"
    ipv6: str = "2001:db8:1::1"
    prefix: str = "2001:db8:1::/64"


@dataclass(frozen=True)
class Answer:
    """An answer, taken apart."""

    status: int
    headers: Mapping[str, str]
    body: str


Send = Callable[[bytes], Answer]
Fields = Mapping[str, str]
Device = Callable[[Fields, Line, Send], bool]
"""Returns whether the device takes it for a success."""

_ACCEPTED = re.compile("good|nochg", re.IGNORECASE)


# --- HTTP


def get(target: str, host: str, *headers: str, version: str = "1.1") -> bytes:
    return "\r\n".join([f"GET {target} HTTP/{version}", f"Host: {host}", *headers, "", ""]).encode()


def basic(username: str, password: str) -> str:
    return "Authorization: Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def take_apart(url: str) -> tuple[str, str, str]:
    """Return target, host and user information of a URL, as they stand in it."""
    scheme, _, rest = url.partition("://")
    assert scheme in ("http", "https"), url
    place, slash, target = rest.partition("/")
    who, _, host = place.rpartition("@")
    return slash + target, host, who


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put values into a template, as they are."""
    for word, value in values.items():
        template = template.replace(word, value)
    return template


def url_with_user(url: str, send: Send, agent: str, *, waits: bool = False) -> Answer:
    """Fetch a URL with user information in it: at once, or once the server has asked for it."""
    target, host, who = take_apart(url)
    username, _, password = who.partition(":")
    if waits:
        answer = send(get(target, host, f"User-Agent: {agent}", "Accept: */*"))
        challenge = answer.headers.get("www-authenticate", "")
        if answer.status != 401 or not challenge.lower().startswith("basic") or not who:
            return answer
    proof = (basic(username, password),) if who else ()
    return send(get(target, host, f"User-Agent: {agent}", *proof, "Accept: */*"))


# --- devices


def generic(fields: Fields, line: Line, send: Send) -> bool:
    """A device with fields for a URL, a user and a password."""
    target, host, _ = take_apart(fields["URL, if the device wants one"] + line.ipv4)
    answer = send(get(target, host, basic(fields["user"].split(",")[0].strip("` "), fields["password"])))
    return answer.status == 200 and bool(_ACCEPTED.match(answer.body))


def fritzbox(fields: Fields, line: Line, send: Send) -> bool:
    """Nothing is encoded; two URLs with a blank between them are two requests."""
    values = {"<ipaddr>": line.ipv4, "<ip6addr>": line.ipv6, "<ip6lanprefix>": line.prefix,
              "<username>": fields["User name"], "<pass>": fields["Password"],
              "<domain>": fields["Domain name"]}  # fmt: skip
    proof = basic(fields["User name"], fields["Password"])
    answers = []
    for template in fields["Update URL"].split(" "):
        target, host, _ = take_apart(fill(template, values))
        answers.append(send(get(target, host, "User-Agent: Fritz!Box DDNS/1.0.1", "Connection: close", proof)))
    return all(answer.status == 200 and _ACCEPTED.match(answer.body) for answer in answers)


def unifi(fields: Fields, line: Line, send: Send) -> bool:
    host, _, path = fields["Server"].partition("/")
    path = fill("/" + path, {"%h": fields["Hostname"], "%i": line.ipv4})
    return _inadyn(host, path, fields["Username"], fields["Password"], send)


def dd_wrt(fields: Fields, line: Line, send: Send) -> bool:
    """A path without %h and %i has the host name put behind it."""
    path = fields["URL"] + fields["Hostname"]
    return _inadyn(fields["DYNDNS Server"], path, fields["Username"], fields["Password"], send)


def _inadyn(host: str, path: str, username: str, password: str, send: Send) -> bool:
    """inadyn's `custom`: HTTP/1.0, lower-case encoding, and any of six words anywhere in a 200."""
    target = re.sub("%..", lambda found: found[0].lower(), quote(path, safe="/?&="))
    agent = "User-Agent: inadyn/2.10.0 https://github.com/troglobit/inadyn/issues"
    answer = send(get(target, host, basic(username, password), agent, version="1.0"))
    words = ("ok", "good", "true", "updated", "success", "nochg")
    return answer.status == 200 and any(word in answer.body.lower() for word in words)


def pfsense(fields: Fields, line: Line, send: Send, address: str = "") -> bool:
    """The whole body is compared, the status is not looked at."""
    values = {"%IP%": address or line.ipv4}
    target, host, _ = take_apart(fill(fields["Update URL"], values))
    proof = basic(fields["Username"], fields["Password"])
    answer = send(get(target, host, proof, "User-Agent: phpDynDNS/0.7", "Accept: */*"))
    return answer.body.strip("\t\n\r\0\x0b") in fill(fields["Result Match"], values).split("|")


def pfsense_v6(fields: Fields, line: Line, send: Send) -> bool:
    return pfsense(fields, line, send, line.ipv6)


def opnsense(fields: Fields, line: Line, send: Send) -> bool:
    """The native way of os-ddclient, for service Custom and protocol DynDNS2: any 2xx is a success."""
    assert (fields["Service"], fields["Protocol"]) == ("Custom", "DynDNS2")
    query = urlencode({"hostname": fields["Hostname(s)"], "myip": line.ipv4, "system": "dyndns", "wildcard": "NOCHG"})
    proof = basic(fields["Username"], fields["Password"])
    answer = send(get(f"/nic/update?{query}", fields["Server"], "User-Agent: OPNsense-dyndns",
                      "Accept-Encoding: gzip, deflate", "Accept: */*", "Connection: keep-alive", proof))  # fmt: skip
    return 200 <= answer.status < 300


def openwrt(fields: Fields, line: Line, send: Send) -> bool:
    """ddns-scripts with uclient-fetch, which waits to be asked. User and password are encoded, the rest is not."""
    values = {"[USERNAME]": quote(fields["username"], safe=""), "[PASSWORD]": quote(fields["password"], safe=""),
              "[DOMAIN]": fields["domain"], "[IP]": line.ipv4}  # fmt: skip
    url = fill(fields["update_url"], values)
    return bool(_ACCEPTED.search(url_with_user(url, send, "uclient-fetch", waits=True).body))


def omada(fields: Fields, line: Line, send: Send) -> bool:
    values = {"[USERNAME]": fields["Username"], "[PASSWORD]": fields["Password"],
              "[DOMAIN]": fields["Domain name"], "[IP]": line.ipv4}  # fmt: skip
    answer = url_with_user(fill(fields["Update URL"], values), send, "Mozilla/4.0")
    return answer.status == 200 and bool(_ACCEPTED.match(answer.body))


def draytek(fields: Fields, line: Line, send: Send) -> bool:
    target = fill(fields["Service API"], {"###IP###": line.ipv4})
    answer = send(get(target, fields["Provider Host"], basic(fields["Login Name"], fields["Password"])))
    return answer.status == 200 and bool(_ACCEPTED.match(answer.body))


def cisco(fields: Fields, line: Line, send: Send) -> bool:
    """`fields` are the words of its configuration. The HTTP status alone is looked at."""
    url = fill(fields["add"], {"<h>": fields["hostname"], "<a>": line.ipv4})
    return url_with_user(url, send, "cisco-IOS").status == 200


def synology(fields: Fields, line: Line, send: Send) -> bool:
    """The answer must begin with a word that it knows."""
    values = {"__HOSTNAME__": fields["Hostname"], "__MYIP__": line.ipv4,
              "__USERNAME__": fields["Username/Email"], "__PASSWORD__": fields["Password/Key"]}  # fmt: skip
    target, host, _ = take_apart(fill(fields["Query URL"], values))
    answer = send(get(target, host, "User-Agent: Synology DDNS Update Client", "Accept: */*"))
    known = re.match("good|nochg|nohost|abuse|notfqdn|badauth|911|badagent|badresolv|badconn", answer.body)
    assert known, answer
    return known[0] in ("good", "nochg")


def qnap(fields: Fields, line: Line, send: Send) -> bool:
    values = {"%HOST%": fields["Host name"], "%IP%": line.ipv4, "%USER%": fields["User name"],
              "%PASS%": fields["Password"]}  # fmt: skip
    target, host, _ = take_apart(fill(fields["URL"], values))
    return bool(_ACCEPTED.search(send(get(target, host, "User-Agent: QNAP")).body))


def mikrotik(fields: Fields, line: Line, send: Send) -> bool:
    """`fields` are the script's variables and its one `fetch`. A status that is no success is an error."""
    values = {f"${name}": fields[name] for name in ("url", "name", "secret")}
    url = fill(fields["fetch"].replace("\\?", "?"), values | {"$four": line.ipv4, "$six": line.ipv6})
    target, host, _ = take_apart(url)
    proof = basic(fill(fields["user"], values), fill(fields["password"], values))
    answer = send(get(target, host, proof, "User-Agent: Mikrotik/7.x Fetch"))
    return answer.status == 200 and bool(_ACCEPTED.match(answer.body))


def home_assistant(fields: Fields, line: Line, send: Send) -> bool:
    """One RESTful Command: Basic at once, by aiohttp. `fields["failed"]` is what its automation looks for."""
    target, host, _ = take_apart(fields["url"])
    answer = send(get(target, host, "User-Agent: HomeAssistant/2025.11.0 aiohttp/3.13 Python/3.13", "Accept: */*",
                      "Accept-Encoding: gzip, deflate", basic(fields["username"], fields["password"])))  # fmt: skip
    return re.match(fields["success"], answer.body) is not None
