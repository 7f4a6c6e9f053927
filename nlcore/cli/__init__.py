"""The command line; one small file a command."""

from nlcore.cli.main import main

__all__ = ["main"]
