"""Secrets from the system's keyring, by the library `keyring`, which is loaded only when a setting asks for it.

`secret_keyring = "homing:cam.home.example"` is what `keyring set homing cam.home.example` has stored; a name without a
service means the service `homing`. https://keyring.readthedocs.io/
"""

from __future__ import annotations

import importlib
import shlex
import threading
from typing import Any

from homing.core.errors import InvalidInput
from homing.settings import values

SERVICE = "homing"
PATIENCE = 50.0
"""Seconds that a keyring has: time to type a password into its window, and less than the agent waits for settings."""
_ELSEWHERE = "use a file (secret_file) or a systemd credential where nobody is logged in"
_WORDS = {
    "NoKeyringError": f"this machine has no keyring that can be read; {_ELSEWHERE}",
    "KeyringLocked": f"the keyring is locked: unlock it, or {_ELSEWHERE}",
    "InitError": f"the keyring cannot be opened; {_ELSEWHERE}",
}


def parse_entry(value: Any) -> tuple[str, str]:
    """Return service and user of `SERVICE:USER` or `USER`. Raises InvalidInput."""
    text = values.text(value).strip()
    service, colon, user = text.rpartition(":")
    if not user or (colon and not service) or not text.isprintable() or len(text) > 300:
        raise InvalidInput("expected USER or SERVICE:USER, as in `keyring set SERVICE USER`")
    return service or SERVICE, user


def read_keyring(value: Any) -> str:
    """Return the secret of an entry. Raises InvalidInput, never with a text of the keyring's own."""
    service, user = parse_entry(value)
    found = _ask(_library(), service, user)
    if not isinstance(found, str) or not found:
        raise InvalidInput(f"the keyring holds no such entry: {shlex.join(('keyring', 'set', service, user))}")
    return found


def _library() -> Any:
    try:
        return importlib.import_module("keyring")
    except ModuleNotFoundError as error:
        if error.name == "keyring":
            raise InvalidInput("the keyring library is not installed: pip install 'homing[keyring]'") from None
        raise _failed(error) from None
    except Exception as error:  # it loads what an environment variable or a file of its own names
        raise _failed(error) from None


def _ask(library: Any, service: str, user: str) -> object:
    """Ask in a thread of its own, since a keyring may open a window and wait for somebody who is asleep."""
    answers: list[object] = []

    def ask() -> None:
        try:
            answers.append(library.get_password(service, user))
        except Exception as error:  # a keyring raises whatever its system does
            answers.append(_failed(error))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if not answers:
        raise InvalidInput(f"the keyring gave no answer in {PATIENCE:.0f} seconds: is it locked? Or {_ELSEWHERE}")
    if isinstance(answers[0], InvalidInput):
        raise answers[0]
    return answers[0]


def _failed(error: Exception) -> InvalidInput:
    """Tell what happened by the name of the error's class: its text may hold anything."""
    name = type(error).__name__
    return InvalidInput(_WORDS.get(name, f"the keyring cannot be read ({name[:60]}); {_ELSEWHERE}"))
