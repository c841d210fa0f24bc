"""A local network of namespaces: a switch, and machines on it with a veth link each, deleted at the end.

Machines make their IPv6 addresses themselves, of router advertisements that a test sends (RFC 4861 section 4.2).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from tests.e2e.programs import lack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_numbers = count()

ADVERTISE = """
import socket, struct, sys
interface, *prefixes = sys.argv[1:]
body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
for text in prefixes:
    network, valid, preferred = text.split(",")
    body += struct.pack("!BBBBIII", 3, 4, 64, 0xC0, int(valid), int(preferred), 0)
    body += socket.inet_pton(socket.AF_INET6, network)
sender = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
index = socket.if_nametoindex(interface)
sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
sender.sendto(body, ("ff02::1", 0, 0, index))
"""


@dataclass(frozen=True)
class Machine:
    """One machine; its link is called eth0."""

    name: str
    mac: str

    @property
    def prefix(self) -> tuple[str, ...]:
        """What stands before a command that is to run on it."""
        return ("ip", "netns", "exec", self.name)

    def ip(self, *arguments: str) -> str:
        return ip("-n", self.name, *arguments)

    def sysctl(self, name: str, value: int) -> None:
        path = "/proc/sys/" + name.replace(".", "/")
        done = subprocess.run([*self.prefix, "sh", "-c", f"echo {value} > {path}"], capture_output=True, timeout=20,
                              check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr

    def identifier(self) -> str:
        """Return the modified EUI-64 of its MAC address (RFC 4291 appendix A), as the end of an address."""
        raw = bytes.fromhex(self.mac.replace(":", ""))
        whole = bytes([raw[0] ^ 2]) + raw[1:3] + b"\xff\xfe" + raw[3:]
        return ":".join(whole[at : at + 2].hex().lstrip("0") or "0" for at in range(0, 8, 2))

    def advertise(self, *prefixes: str) -> None:
        """Send a router advertisement; a prefix is `2001:db8:1::,VALID,PREFERRED`."""
        command = [*self.prefix, sys.executable, "-c", ADVERTISE, "eth0", *prefixes]
        subprocess.run(command, check=True, timeout=20, capture_output=True)


@dataclass
class Lan:
    """A switch and its machines."""

    name: str
    machines: list[Machine] = field(default_factory=list)

    def add(self, address: str = "", mac: str | None = None) -> Machine:
        """Plug a machine in."""
        number = len(self.machines) + 1
        name, mac = f"{self.name}-{number}", mac or f"02:00:5e:10:00:{number:02x}"
        machine = Machine(name, mac)
        ip("netns", "add", name)
        self.machines.append(machine)
        machine.sysctl("net.ipv6.conf.default.accept_dad", 0)  # which takes a second or two
        port = f"p{number}"
        ip("-n", self.name, "link", "add", port, "type", "veth", "peer", "name", "eth0", "address", mac, "netns", name)
        ip("-n", self.name, "link", "set", port, "master", "switch", "up")
        machine.ip("link", "set", "lo", "up")
        machine.ip("link", "set", "eth0", "up")
        if address:
            machine.ip("addr", "add", address, "dev", "eth0")
        return machine

    def unplug(self, machine: Machine) -> None:
        ip("-n", self.name, "link", "set", f"p{self.machines.index(machine) + 1}", "down")


@contextmanager
def lan() -> Iterator[Lan]:
    """Have a switch for a while. Skips where that is not possible."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        lack("network namespaces need root and the program ip")
    name = f"homing-lan-{os.getpid()}-{next(_numbers)}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, timeout=20, check=False)
    if made.returncode != 0:
        lack(f"no network namespace can be made: {made.stderr.strip()}")
    network = Lan(name)
    try:
        ip("-n", name, "link", "add", "switch", "type", "bridge", "mcast_snooping", "0")
        ip("-n", name, "link", "set", "switch", "up")
        yield network
    finally:
        for one in (*(machine.name for machine in network.machines), name):
            subprocess.run(["ip", "netns", "delete", one], capture_output=True, timeout=20, check=False)


def ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout


def ip_batch(name: str, lines: Sequence[str]) -> None:
    """Run many commands of `ip` in a namespace at once."""
    done = subprocess.run(["ip", "-n", name, "-batch", "-"], input="\n".join(lines), capture_output=True, text=True,
                          timeout=60, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[:2000]
