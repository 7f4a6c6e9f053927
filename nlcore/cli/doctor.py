"""``nl doctor``: what is installed, what it computes on, which data are there, and what became of each plugin."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from typing import Any

import click

from nlcore.errors import PluginError, plural
from nlcore.host.discovery import Plugin, discover, import_cost, reason
from nlcore.host.plugin_file import plugin_files

_PACKAGES = ("nlcore", "torch", "torchvision", "lightning-fabric", "numpy")
_DATA = ("cifar-10-batches-bin", "cifar-10-batches-py")


@click.command()
@click.option("--traceback", "with_traceback", is_flag=True, help="show the tracebacks of what failed")
@click.option("--json", "as_json", is_flag=True, help="as one line of JSON")
def doctor(with_traceback: bool, as_json: bool) -> int:
    """
    Show what is installed and what became of each plugin.

    That is: versions, devices, the data that are there, and for each plugin its state and what loading it costs every
    command. Ends with 1 where a plugin or torch does not work, with 0 otherwise.
    """
    plugins = discover(os.environ.get("NL_PLUGINS", ""), plugin_files())
    report: dict[str, Any] = {}
    for name, look, show in (
        ("environment", _environment, _print_environment),
        ("hardware", _hardware, _print_hardware),
        ("data", _data, _print_data),
    ):  # one by one, as importing torch takes a while
        report[name] = look()
        if not as_json:
            show(report[name])
            click.echo()
    report["plugins"] = _look_at(plugins, None if as_json else click.echo)
    if as_json:
        click.echo(json.dumps(report))
    else:
        for line in _remarks(report["plugins"]):
            click.echo(f"\n{line}")
        if with_traceback:
            for plugin in plugins:
                if plugin.state == "failed":
                    click.echo(f"\n{_name(_plugin_names(plugin))}:\n{plugin.traceback.rstrip()}")
    failed = any(plugin.state == "failed" for plugin in plugins)
    return 1 if failed or report["hardware"]["reason"] else 0


def _environment() -> dict[str, str | None]:
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def _hardware() -> dict[str, Any]:
    """Return the devices as a run would use them; where torch does not work, the reason."""
    try:
        import torch

        from nlcore.training.hardware import available_cpus, resolve_hardware

        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        found = [resolve_hardware(name, "auto", "1") for name in (*(f"cuda:{n}" for n in range(count)), "cpu")]
        devices = [{"device": str(one.device), "name": one.name, "bf16": one.precision == "bf16"} for one in found]
        return {"processors": available_cpus(), "devices": devices, "reason": ""}
    except Exception as error:  # whatever a broken installation raises: saying so is what this command is for
        return {"processors": os.cpu_count(), "devices": [], "reason": reason(error)}


def _data() -> dict[str, Any]:
    from nlcore.config.settings import data_directory

    directory = data_directory().absolute()
    places = {name: (directory if directory.name == name else directory / name) for name in _DATA}
    return {"directory": str(directory), "found": {name: place.is_dir() for name, place in places.items()}}


def _plugin(plugin: Plugin) -> dict[str, Any]:
    return {
        **_plugin_names(plugin),
        "api": plugin.api if isinstance(plugin.api, (int, str)) else None,
        "state": plugin.state,
        "components": len(plugin.entries),
        "reason": plugin.reason,
        "traceback": plugin.traceback,
        **_cost(plugin),
    }


def _plugin_names(plugin: Plugin) -> dict[str, str]:
    names = ("distribution", "version", "entry_point", "module", "file")
    return {name: getattr(plugin, name) for name in names}


def _cost(plugin: Plugin) -> dict[str, Any]:
    """Return what importing the plugin's hooks takes, None where that cannot be told."""
    nothing = {"import_seconds": None, "imports_torch": None}
    if plugin.state != "ok":
        return nothing
    try:
        seconds, imports_torch = import_cost(plugin)
    except PluginError:
        return nothing
    return {"import_seconds": round(seconds, 3), "imports_torch": imports_torch}


def _print_environment(versions: dict[str, str | None]) -> None:
    from nlcore.cli.output import print_table

    print_table(("environment", ""), [(name, version or "missing") for name, version in versions.items()])


def _print_hardware(hardware: dict[str, Any]) -> None:
    from nlcore.cli.output import print_table

    rows = [(one["device"], f"{one['name']}, {'bf16' if one['bf16'] else 'no bf16'}") for one in hardware["devices"]]
    if hardware["reason"]:
        rows = [("failed", hardware["reason"])]
    print_table(("hardware", ""), [*rows, ("processors", str(hardware["processors"]))])


def _print_data(data: dict[str, Any]) -> None:
    from nlcore.cli.output import print_table

    there = [(name, "there" if found else "not there") for name, found in data["found"].items()]
    print_table(("data", ""), [("directory", data["directory"]), *there])


def _look_at(plugins: Iterable[Plugin], say: Callable[[str], object] | None) -> list[dict[str, Any]]:
    """Return what is known of each plugin, and say it line by line: each import is timed in a process of its own."""
    found = []
    names = [(f"{plugin.distribution} {plugin.version}", plugin.file or plugin.entry_point) for plugin in plugins]
    titles = ("plugin", "entry point", "API", "import", "state")
    widths = [max(map(len, column)) for column in zip(*names, titles[:2], strict=True)]
    if say:
        say(_line(titles, widths))
    for plugin in plugins:
        found.append(_plugin(plugin))
        if say:
            say(_line(_row(found[-1]), widths))
    return found


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    plugin, entry_point, api, seconds, state = cells
    return f"{plugin:<{widths[0]}}  {entry_point:<{widths[1]}}  {api:<3}  {seconds:>9}  {state}"


def _row(plugin: dict[str, Any]) -> tuple[str, ...]:
    states = {
        "ok": f"ok, {plural(plugin['components'], 'component')}",
        "failed": f"failed: {plugin['reason']}",
        "blocked": "blocked by NL_PLUGINS",
    }
    seconds = plugin["import_seconds"]
    return (
        f"{plugin['distribution']} {plugin['version']}",
        plugin["file"] or plugin["entry_point"],
        "" if plugin["api"] is None else str(plugin["api"]),
        "" if seconds is None else f"{seconds:.3f} s",
        states[plugin["state"]],
    )


def _remarks(plugins: Iterable[dict[str, Any]]) -> Iterable[str]:
    for plugin in plugins:
        if plugin["imports_torch"] and not plugin["file"]:  # a file may: it is asked for, not always there
            yield (
                f"{_name(plugin)} imports torch: commands that do without it, such as nl list-plugins, start "
                f"{plugin['import_seconds']:.1f} s slower; move the import into the component's module."
            )


def _name(plugin: dict[str, str]) -> str:
    return f"{plugin['distribution']} {plugin['version']} ({plugin['file'] or plugin['entry_point']})"
