"""Whom a client believes over TLS: the authorities that the system trusts, and those in a file of the owner's.

OpenSSL reads the system's file of certificates whole, one and a half hundred of them, which is a megabyte of an agent
that needs one of them. Where the system keeps a directory of them as well, under the hashes of their names, only the
one that is asked for is read (SSL_CTX_load_verify_locations(3)). A server that the directory does not vouch for is
looked for in the file then: what is trusted is the same, and every check is made either way.
"""

from __future__ import annotations

import os
import re
import ssl
import time
from typing import TYPE_CHECKING

from homing.core.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]{1,3}")
_ISSUER_UNKNOWN = (2, 18, 19, 20, 21)
"""X509_V_ERR_*: nobody that we know has signed it. Anything else is wrong whoever has."""
_NAMES = (62, 64)
"""X509_V_ERR_HOSTNAME_MISMATCH and _IP_ADDRESS_MISMATCH."""
_NOT_NOW = (9, 10)
"""X509_V_ERR_CERT_NOT_YET_VALID and _HAS_EXPIRED: for a machine without a clock it is 1970."""


class Trust:
    """The system's authorities, and those in `ca_file`. Makes contexts that are let go after one exchange."""

    def __init__(self, ca_file: Path | None = None) -> None:
        self._ca_file = ca_file
        self._directory = find_directory()

    def first(self) -> ssl.SSLContext:
        """Return the context to begin with."""
        return self._with_own(ssl.create_default_context(capath=self._directory))

    def second(self, error: ssl.SSLCertVerificationError) -> ssl.SSLContext | None:
        """Return the context to try after the first has failed with `error`; None if it would say the same."""
        if self._directory is None or error.verify_code not in _ISSUER_UNKNOWN:
            return None
        return self._with_own(ssl.create_default_context())

    def _with_own(self, context: ssl.SSLContext) -> ssl.SSLContext:
        if self._ca_file is not None:
            _load(context, self._ca_file)
        return context


def trust(ca_file: Path | None) -> Trust:
    """Return what is trusted. Raises InvalidInput for a file that holds no certificates."""
    if ca_file is not None:
        _load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ca_file)
    return Trust(ca_file)


def explain(error: ssl.SSLCertVerificationError) -> str:
    """Return in words why a certificate is not believed, and what to look at."""
    if error.verify_code in _NOT_NOW:
        today = time.strftime("%Y-%m-%d", time.gmtime())
        return f"{error.verify_message}; this machine's clock says that it is {today}: if that is wrong, set it"
    if error.verify_code in _ISSUER_UNKNOWN:
        return f"{error.verify_message}; if it is the right server, trust who signed for it: --ca-file FILE (ca_file)"
    told = error.verify_message.rstrip(".")
    return f"{told}: the URL has to name the server as its certificate does" if error.verify_code in _NAMES else told


def find_directory() -> str | None:
    """Return the system's directory of hashed certificates; None where there is none, or a file was asked for."""
    paths = ssl.get_default_verify_paths()
    if not paths.capath or os.environ.get(paths.openssl_cafile_env):
        return None
    try:
        names = os.listdir(paths.capath)
    except OSError:
        return None
    return paths.capath if any(map(_HASHED.fullmatch, names)) else None


def _load(context: ssl.SSLContext, ca_file: Path) -> None:
    try:
        context.load_verify_locations(ca_file)
    except OSError:  # ssl.SSLError is one
        raise InvalidInput(f"{ca_file}: cannot be read as PEM certificates") from None
