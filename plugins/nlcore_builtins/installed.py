"""Packages that only some components need."""

from __future__ import annotations

import importlib.util

from nlcore import NotInstalledError


def require(kind: str, name: str, *packages: str) -> None:
    """
    Check that packages are there, without importing them.

    Args:
        kind: of the component whose they are.
        name: of the component; also the extra that brings them.
        packages: by the names that they are imported by.

    Raises:
        NotInstalledError: one is not installed.

    """
    for package in packages:
        found = importlib.util.find_spec(package)
        if found is None or found.origin is None:  # a folder of this name in the working directory is none
            raise NotInstalledError(
                f"{kind} {name}: the package {package} is not installed. Type: pip install 'nlcore[{name}]'"
            )
