"""The server's certificate: loaded at start, loaded again when its files change. No sockets here.

A new pair is loaded into a fresh context first, so a half-written one never breaks the one in use. Connections that
are open keep the context they began with.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from typing import TYPE_CHECKING

from homing.core.errors import InvalidSettings

if TYPE_CHECKING:
    from pathlib import Path

_log = logging.getLogger("homing.tls")

_Signature = tuple[tuple[int, int, int], ...]


class Certificate:
    """A certificate chain and its private key, PEM files both.

    Raises InvalidSettings when the pair does not load at the start; later failures are logged, and the old one stays.
    """

    def __init__(self, chain: Path, key: Path) -> None:
        self._chain = chain
        self._key = key
        self._warned: _Signature | None = None
        self._loaded = self._signature()
        self.context = load_context(chain, key)
        """What the next connection uses."""

    def reload_if_changed(self) -> bool:
        """Load the pair again if a file has another time, size or inode. Return True when a new one is in use."""
        signature = self._signature()
        if signature == self._loaded:
            return False
        try:
            context = load_context(self._chain, self._key)
        except InvalidSettings as error:
            if signature != self._warned:
                _log.warning("the changed certificate does not load, the old one stays in use: %s", error)
            self._warned = signature
            return False
        self.context, self._loaded, self._warned = context, signature, None
        _log.info("the changed certificate %s is in use", self._chain)
        return True

    async def watch(self, interval: float) -> None:
        """Look for changes every `interval` seconds, until cancelled."""
        while True:
            await asyncio.sleep(interval)
            try:
                self.reload_if_changed()
            except Exception:
                _log.exception("the certificate could not be looked at")

    def _signature(self) -> _Signature:
        return tuple(_signature_of(path) for path in (self._chain, self._key))


def load_context(chain: Path, key: Path) -> ssl.SSLContext:
    """Return a server's context for the pair: TLS 1.2 (RFC 8996) or later, ALPN http/1.1.

    Raises InvalidSettings that names the file and what is wrong with it.
    """
    problems = [problem for path in (chain, key) if (problem := _problem_of(path))]
    if problems:
        raise InvalidSettings(problems)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    asked: list[bool] = []

    def refuse_password() -> str:  # without it OpenSSL would stop and ask on the terminal
        asked.append(True)
        return ""

    try:
        context.load_cert_chain(chain, key, refuse_password)
    except (OSError, ValueError) as error:
        if asked:
            raise InvalidSettings([f"the TLS key {key} is encrypted; it must have no password"]) from None
        raise InvalidSettings([_explain(chain, key, error)]) from None
    return context


def _explain(chain: Path, key: Path, error: Exception) -> str:
    reason = getattr(error, "reason", None) or ""
    if reason == "KEY_VALUES_MISMATCH":
        return f"the TLS key {key} does not belong to the certificate {chain}"
    return f"the TLS certificate {chain} and key {key} cannot be read as PEM files ({reason or type(error).__name__})"


def _problem_of(path: Path) -> str | None:
    try:
        with path.open("rb"):
            return None
    except OSError as error:
        return f"cannot read the TLS file {path}: {error.strerror}"


def _signature_of(path: Path) -> tuple[int, int, int]:
    # Follows symbolic links, which is how certbot switches to a renewed pair.
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0, 0)
    return (status.st_mtime_ns, status.st_size, status.st_ino)
