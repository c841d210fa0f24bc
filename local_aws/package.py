"""The package as Lambda unpacks it: the zip of `homing aws package`, for the Python that runs here."""

from __future__ import annotations

import io
import sys
import zipfile
from typing import TYPE_CHECKING

from homing.stack.package import build_package

if TYPE_CHECKING:
    from pathlib import Path


def unpack_package(folder: Path) -> Path:
    """Build the zip, unpack it into a folder that is made, and return that; nobody can write to it afterwards."""
    package = build_package(f"python{sys.version_info.major}.{sys.version_info.minor}")
    with zipfile.ZipFile(io.BytesIO(package.data)) as archive:
        archive.extractall(folder)
    return folder
