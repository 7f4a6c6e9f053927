"""Packages that only some components need."""

from __future__ import annotations

import importlib.util

from nlcore import NotInstalledError


def is_installed(package: str) -> bool:
    """Tell whether a package is there, without importing it; a folder of its name in the working directory is none."""
    found = importlib.util.find_spec(package)
    return found is not None and found.origin is not None


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
        if not is_installed(package):
            raise NotInstalledError(
                f"{kind} {name}: the package {package} is not installed. Type: pip install 'nlcore[{name}]'"
            )
