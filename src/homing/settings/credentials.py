"""Files that systemd hands to a service under names of its own: LoadCredential= of systemd.exec(5).

A service that runs as a user made up for it can read neither a settings file that only root may read, nor the secret
files that the settings name. systemd reads them before it drops its rights, and puts copies into one folder. A settings
file in that folder therefore has its secret files beside it, wherever it says that they lie.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = "CREDENTIALS_DIRECTORY"
_OF_SETTINGS = "homing_client_"
"""Names that begin so are settings of all accounts: CREDENTIAL of `client_layers.py`."""


def credential_name(path: Path) -> str:
    """Return what a file is called as a credential: its own name, in characters that systemd and its units take.

    Never one that would be read as the setting of all accounts.
    """
    name = re.sub(r"[^A-Za-z0-9._-]", "_", path.name)
    return f"file-{name}" if name.startswith(_OF_SETTINGS) else name


def place_of_secret(given: str | Path, file: Path | None, environment: Mapping[str, str]) -> Path:
    """Return where a secret file is that a settings file names, or a flag, if `file` is None.

    A relative path starts at the settings file.
    """
    path = Path(given).expanduser()
    if file is None:
        return path
    folder = environment.get(FOLDER)
    if folder and file.parent == Path(folder) and (credential := file.parent / credential_name(path)).is_file():
        return credential
    return file.parent / path
