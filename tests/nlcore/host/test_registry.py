"""Finding plugins: every row of the table of what can happen to one, and looking components up."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import install_plugin, plugin_source

import nlcore
from nlcore.host.hookspecs import KINDS
from nlcore.host.registry import Plugin, Registry, registry

Install = Callable[..., None]

HEAD = "from nlcore import Component, hookimpl\nNLCORE_API = 1\n"

#: A plugin of one loss that works, in one module.
WORKS = (
    HEAD
    + """
class Half:
    def __init__(self, factor: float = 0.5) -> None:
        self.factor = factor

    def __call__(self, logits, targets, index=None):
        return self.factor

@hookimpl
def nl_losses():
    return [Component("half", __name__ + ":Half", "Half a loss.")]
"""
)


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Install:
    """Return a function that installs a distribution for this test: name, source, version."""

    def do(distribution: str, source: str, version: str = "1.0") -> None:
        install_plugin(monkeypatch, tmp_path, distribution, source, version)

    return do


def the_failure() -> Plugin:
    """Return the one plugin that failed; everything else works."""
    found = registry()
    assert len(found.failures) == 1
    assert found.find("loss", "gce").builtin
    return found.failures[0]


# ------------------------------------------------------------------------------------------------- one that works


def test_a_plugin_brings_its_components_under_their_bare_names(install: Install) -> None:
    install("half-plugin", WORKS, version="2.3")
    entry = registry().find("loss", "half")
    assert (entry.distribution, entry.version, entry.full_name) == ("half-plugin", "2.3", "half-plugin/half")
    assert not entry.builtin
    assert registry().display_name(entry) == "half"
    assert nlcore.create("loss", "half", factor="0.25").factor == 0.25
    assert nlcore.create("loss", "half-plugin/half").factor == 0.5


def test_each_hook_yields_its_kind(install: Install) -> None:
    install("every-kind", plugin_source(**{kind.hook: {"mine": "every_kind:Target"} for kind in KINDS.values()}))
    found = registry()
    assert found.failures == ()
    assert [kind for kind in KINDS if found.find(kind, "mine").distribution == "every-kind"] == list(KINDS)


def test_the_target_is_not_imported_until_it_is_used(install: Install, tmp_path: Path) -> None:
    install("lazy-plugin", plugin_source(nl_losses={"lazy": "lazy_target:Loss"}))
    (tmp_path / "site-packages" / "lazy_target.py").write_text(
        "class Loss:\n    def __call__(self, logits, targets, index=None):\n        return 0\n"
    )
    assert [entry.name for entry in registry().of_kind("loss")].count("lazy") == 1
    assert "lazy_target" not in sys.modules
    try:
        assert type(nlcore.create("loss", "lazy")).__name__ == "Loss"
    finally:
        del sys.modules["lazy_target"]


def test_listing_is_sorted_with_the_built_ins_first(install: Install) -> None:
    install("zz-plugin", plugin_source(nl_losses={"aaa": "m:C", "zzz": "m:C"}))
    entries = registry().of_kind("loss")
    builtin = [entry.name for entry in entries if entry.builtin]
    assert builtin == sorted(builtin)
    assert [entry.name for entry in entries] == [*builtin, "aaa", "zzz"]


def test_the_registry_is_found_once(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install("fails-once", "raise RuntimeError('no')")
    assert registry() is registry()
    assert capsys.readouterr().err.count("fails-once") == 1


# ------------------------------------------------------------------------------------------------ plugins that fail

FAILING = {
    "import error": ("import no_such_module_anywhere", "ModuleNotFoundError", "no_such_module_anywhere"),
    "syntax error": ("def broken(:\n", "SyntaxError", "line 1"),
    "exit": ("raise SystemExit('needs a licence')", "SystemExit", "needs a licence"),
    "any error": ("1 / 0", "ZeroDivisionError", "division"),
    "error of several lines": ("raise RuntimeError('one\\ntwo')", "RuntimeError: one two", ""),
    "hook raises": (HEAD + "@hookimpl\ndef nl_losses():\n    raise KeyError('gone')\n", "KeyError", "gone"),
    "hook exits": (HEAD + "@hookimpl\ndef nl_losses():\n    raise SystemExit(3)\n", "SystemExit", "3"),
    "misspelt hook": (HEAD + "@hookimpl\ndef nl_loses():\n    return []\n", "'nl_loses'", "Did you mean 'nl_losses'"),
    "unmarked hook": (HEAD + "def nl_losses():\n    return []\n", "@hookimpl", "nl_losses"),
    "one of two unmarked": (
        HEAD + "@hookimpl\ndef nl_losses():\n    return []\ndef nl_datasets():\n    return []\n",
        "@hookimpl",
        "nl_datasets",
    ),
    "no hook": (HEAD, "no hook", "@hookimpl"),
    "hook with an argument": (HEAD + "@hookimpl\ndef nl_losses(registry):\n    return []\n", "registry", "nl_losses"),
    "returns nothing": (HEAD + "@hookimpl\ndef nl_losses():\n    [Component('a', 'm:C', 's')]\n", "None", "nl_losses"),
    "returns no list": (
        HEAD + "@hookimpl\ndef nl_losses():\n    return Component('a', 'm:C', 's')\n",
        "list of Component",
        "nl_losses",
    ),
    "returns a tuple": (
        HEAD + "@hookimpl\ndef nl_losses():\n    return (Component('a', 'm:C', 's'),)\n",
        "list of Component",
        "nl_losses",
    ),
    "yields": (
        HEAD + "@hookimpl\ndef nl_losses():\n    yield Component('a', 'm:C', 's')\n",
        "list of Component",
        "nl_losses",
    ),
    "returns no component": (
        HEAD + "@hookimpl\ndef nl_losses():\n    return [Component('a', 'm:C', 's'), 'm:D']\n",
        "list of Component",
        "nl_losses",
    ),
    "wrong component": (HEAD + "@hookimpl\ndef nl_losses():\n    return [Component('A b', 'm:C', 's')]\n", "'A b'", ""),
    "one name twice": (
        HEAD + "@hookimpl\ndef nl_losses():\n    return [Component('a', 'm:C', 's'), Component('a', 'm:D', 's')]\n",
        "'a'",
        "loss",
    ),
    "no version of the hooks": (WORKS.replace("NLCORE_API = 1\n", ""), "does not state NLCORE_API", "NLCORE_API = 1"),
    "another version of the hooks": (WORKS.replace("API = 1", "API = 2"), "NLCORE_API = 2", "NLCORE_API = 1"),
}


@pytest.mark.parametrize("case", FAILING)
def test_a_plugin_that_fails_is_skipped_with_one_line(
    case: str, install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    source, *reasons = FAILING[case]
    install("good-plugin", WORKS)
    install("bad-plugin", source, version="4.5.6")
    failure = the_failure()
    assert (failure.distribution, failure.version) == ("bad-plugin", "4.5.6")
    assert all(reason in failure.reason for reason in reasons)
    assert "Traceback" in failure.traceback
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert all(part in lines[0] for part in ("bad-plugin 4.5.6", failure.reason, "nl doctor --traceback"))
    assert [entry.distribution for entry in registry().entries if not entry.builtin] == ["good-plugin"]


@pytest.mark.parametrize("case", FAILING)
def test_a_plugin_that_fails_raises_where_it_is_asked_to(
    case: str, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("strict-plugin", FAILING[case][0])
    monkeypatch.setenv("NL_STRICT", "1")
    with pytest.raises((Exception, SystemExit)):
        registry()


def test_being_interrupted_is_not_a_failure(install: Install) -> None:
    install("ctrl-c", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        registry()


def test_an_entry_point_must_be_a_module(install: Install, tmp_path: Path) -> None:
    install("points-at-class", WORKS)
    points = tmp_path / "site-packages" / "points_at_class-1.0.dist-info" / "entry_points.txt"
    points.write_text("[nlcore]\nmine = points_at_class:Half\n")
    assert "no module" in the_failure().reason


def test_what_an_interrupted_installation_left_behind_takes_nothing_down(install: Install, tmp_path: Path) -> None:
    install("half-removed", WORKS)
    site = tmp_path / "site-packages"
    (site / "half_removed-1.0.dist-info" / "METADATA").unlink()
    (site / "half_removed.py").unlink()
    assert registry().find("loss", "gce").builtin


def test_a_built_in_that_fails_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    from nlcore_builtins import losses

    monkeypatch.setattr(losses, "NLCORE_API", 99)
    monkeypatch.setenv("NL_PLUGINS", "nlcore,nobody")  # another key, so that it is looked for again
    with pytest.raises(nlcore.PluginError, match="NLCORE_API = 99"):
        registry()


# ----------------------------------------------------------------------------------------------- names that collide


def test_two_distributions_may_have_one_entry_point_name(install: Install, tmp_path: Path) -> None:
    for name, loss in (("first-dist", "one"), ("second-dist", "two")):
        module = name.replace("-", "_")
        install(name, plugin_source(nl_losses={loss: "m:C"}))
        info = tmp_path / "site-packages" / f"{module}-1.0.dist-info"
        (info / "entry_points.txt").write_text(f"[nlcore]\nlosses = {module}\n")  # ours is called losses, too
    found = registry()
    assert found.failures == ()
    assert {found.find("loss", name).full_name for name in ("one", "two")} == {"first-dist/one", "second-dist/two"}
    assert found.find("loss", "gce").builtin


def test_a_built_ins_name_stays_ours(install: Install) -> None:
    install("other-gce", plugin_source(nl_losses={"gce": "other_gce:Mine"}))
    found = registry()
    assert found.find("loss", "gce").full_name == "nlcore/gce"
    theirs = found.find("loss", "other-gce/gce")
    assert theirs.component.target == "other_gce:Mine"
    assert found.display_name(theirs) == "other-gce/gce"
    assert found.display_name(found.find("loss", "nlcore/gce")) == "gce"
    assert [entry.full_name for entry in found.of_kind("loss") if entry.name == "gce"] == [
        "nlcore/gce",
        "other-gce/gce",
    ]


def test_a_name_that_two_third_parties_share_must_be_said_in_full(install: Install) -> None:
    install("dist-a", plugin_source(nl_losses={"same": "dist_a:A"}))
    install("dist-b", plugin_source(nl_losses={"same": "dist_b:B"}))
    found = registry()
    shown = [found.display_name(entry) for entry in found.of_kind("loss") if entry.name == "same"]
    assert shown == ["dist-a/same", "dist-b/same"]
    with pytest.raises(nlcore.UserError) as caught:
        found.find("loss", "same")
    assert "dist-a/same" in str(caught.value)
    assert "dist-b/same" in str(caught.value)
    assert found.find("loss", "dist-b/same").component.target == "dist_b:B"


def test_kinds_have_names_of_their_own(install: Install) -> None:
    install("cross-kind", plugin_source(nl_strategies={"gce": "cross_kind:S"}))
    assert registry().find("strategy", "gce").distribution == "cross-kind"
    assert registry().find("loss", "gce").builtin


# ------------------------------------------------------------------------------------------------------ unknown names


def test_an_unknown_name_comes_with_the_nearest_and_how_to_list_them() -> None:
    with pytest.raises(nlcore.UserError) as caught:
        registry().find("loss", "soft_bootsrap")
    message = str(caught.value)
    assert "'soft_bootsrap'" in message
    assert "Did you mean 'soft_bootstrap'" in message
    assert "nl list-plugins --kind loss" in message
    assert "failed to load" not in message


@pytest.mark.parametrize(("broken", "said"), [(1, "1 plugin failed to load"), (2, "2 plugins failed to load")])
def test_an_unknown_name_may_be_that_of_a_plugin_that_failed(broken: int, said: str, install: Install) -> None:
    for number in range(broken):
        install(f"broken-{number}", "1 / 0")
    with pytest.raises(nlcore.UserError, match=said):
        registry().find("loss", "theirs")


def test_an_unknown_name_of_a_distribution(install: Install) -> None:
    install("dist-c", plugin_source(nl_losses={"gce": "m:C"}))
    with pytest.raises(nlcore.UserError, match="Did you mean 'dist-c/gce'"):
        registry().find("loss", "dist-d/gce")


def test_an_unknown_kind() -> None:
    with pytest.raises(nlcore.UserError, match=r"'losses'.*Did you mean 'loss'.*dataset, noise, augmentation"):
        nlcore.create("losses", "gce")


# ------------------------------------------------------------------------------------------- targets that do not work

TARGETS = {
    "no such module": ("no_such_module_at_all:Loss", "", "ModuleNotFoundError"),
    "no such class": ("bad_target:Missing", "", "Missing"),
    "module exits": ("bad_target_exits:Loss", "", "SystemExit"),
    "no class": ("bad_target:make", "def make():\n    return 1\n", "no class"),
    "an instance": ("bad_target:thing", "thing = object()\n", "no class"),
    "lacks the method": ("bad_target:Empty", "class Empty:\n    pass\n", "__call__"),
    "annotation that is not there": (
        "bad_target:Hinted",
        "class Hinted:\n    def __init__(self, q: 'Missing' = 1): ...\n    def __call__(self, l, t, i=None): ...\n",
        "'Missing' is not defined",
    ),
    "parameter without default": (
        "bad_target:Needs",
        "class Needs:\n    def __init__(self, q: float): ...\n    def __call__(self, l, t, i=None): ...\n",
        "q has no default",
    ),
}


@pytest.mark.parametrize("case", TARGETS)
def test_a_target_that_does_not_work_is_an_error_that_names_it(case: str, install: Install, tmp_path: Path) -> None:
    target, code, reason = TARGETS[case]
    install("bad-target", plugin_source(nl_losses={"bad": target}) + code, version="0.7")
    (tmp_path / "site-packages" / "bad_target_exits.py").write_text("import sys\nsys.exit(5)\n")
    assert registry().failures == ()  # listing does not look at targets
    with pytest.raises(nlcore.PluginError) as caught:
        nlcore.create("loss", "bad")
    message = str(caught.value)
    assert "bad-target/bad" in message
    assert reason in message
    if "declares its parameters" not in message:
        assert target in message
        assert "0.7" in message


@pytest.mark.parametrize(
    ("kind", "hook", "lacking"),
    [
        ("dataset", "nl_datasets", "load"),
        ("noise", "nl_noise_models", "corrupt"),
        ("augmentation", "nl_augmentations", "draw, apply"),
        ("architecture", "nl_architectures", "build"),
        ("optimizer", "nl_optimizers", "make"),
        ("strategy", "nl_strategies", "setup, step, predict"),
        ("tracker", "nl_trackers", "start, epoch, end"),
    ],
)
def test_what_a_kind_requires(kind: str, hook: str, lacking: str, install: Install) -> None:
    install("lacking-all", plugin_source(**{hook: {"lacking": "lacking_all:Empty"}}) + "class Empty:\n    pass\n")
    with pytest.raises(nlcore.PluginError, match=f"no method {lacking}"):
        nlcore.create(kind, "lacking")


def test_a_components_own_check_across_parameters(install: Install) -> None:
    source = WORKS.replace("self.factor = factor", "raise ValueError('factor and phase of the moon')")
    install("own-check", source)
    with pytest.raises(nlcore.UserError, match="loss half: factor and phase of the moon"):
        nlcore.create("loss", "half")


# ------------------------------------------------------------------------------------------------------- NL_PLUGINS


@pytest.mark.parametrize(
    ("choice", "loaded"),
    [
        ("", {"aa-touch", "bb-touch"}),
        ("aa-touch", {"aa-touch"}),
        (" AA_touch , bb.touch ", {"aa-touch", "bb-touch"}),
        ("-aa-touch", {"bb-touch"}),
        ("-aa-touch,-bb-touch", set()),
        ("aa-touch,bb-touch,-bb-touch", {"aa-touch"}),
        ("nlcore", set()),
        ("nobody", set()),
        ("-nlcore,-aa-touch", {"bb-touch"}),  # the built-ins always load
    ],
)
def test_distributions_are_chosen_before_anything_of_them_is_imported(
    choice: str, loaded: set[str], install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("aa-touch", "bb-touch")
    for name in names:
        touch = f"import pathlib\npathlib.Path({str(tmp_path / name)!r}).touch()\n"
        install(name, touch + plugin_source(nl_losses={name.replace("-", "_"): "m:C"}))
    monkeypatch.setenv("NL_PLUGINS", choice)
    found = registry()
    others = {entry.distribution for entry in found.entries if entry.distribution in names}
    assert others == loaded
    assert {name for name in names if (tmp_path / name).exists()} == loaded
    assert found.find("loss", "gce").builtin


def test_what_is_blocked_is_known_with_its_version(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("blocked-one", "raise RuntimeError('imported')", version="3.1")
    monkeypatch.setenv("NL_PLUGINS", "-blocked-one")
    (blocked,) = (plugin for plugin in registry().plugins if plugin.distribution == "blocked-one")
    assert (blocked.state, blocked.version, blocked.module, blocked.reason) == ("blocked", "3.1", "blocked_one", "")


# ----------------------------------------------------------------------------------------------------- single files


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str, str], Path]:
    """Return a function that writes a file and asks for it, for this test."""

    def do(name: str, source: str) -> Path:
        path = tmp_path / name
        path.write_text(source, encoding="utf-8")
        before = os.environ.get("NL_PLUGIN_PATH", "")
        monkeypatch.setenv("NL_PLUGIN_PATH", os.pathsep.join(filter(None, (before, str(path)))))
        if path.stem not in sys.modules:  # forget the module when the test ends
            monkeypatch.setitem(sys.modules, path.stem, types.ModuleType(path.stem))
            del sys.modules[path.stem]
        return path

    return do


File = Callable[[str, str], Path]


def test_a_single_file_is_a_plugin_whatever_NL_PLUGINS_says(file: File, tmp_path: Path) -> None:  # noqa: N802
    file("half_file.py", WORKS)
    file("Other_File.py", plugin_source(nl_losses={"gce": "Other_File:Mine"}) + "class Mine: ...\n")
    assert os.environ["NL_PLUGINS"] == "nlcore"
    found = registry()
    entry = found.find("loss", "half")
    assert (entry.full_name, entry.version) == ("half-file/half", "file")
    assert nlcore.create("loss", "half", factor=0.25).factor == 0.25
    assert [one.full_name for one in found.of_kind("loss") if one.name == "gce"] == ["nlcore/gce", "other-file/gce"]
    assert [plugin.file for plugin in found.plugins if plugin.file] == [
        str(tmp_path / "half_file.py"),
        str(tmp_path / "Other_File.py"),
    ]
    assert not (tmp_path / "__pycache__").exists()


def test_a_files_classes_stay_the_same_within_a_process(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    file("half_kept.py", WORKS)
    before = registry().load(registry().find("loss", "half"))
    monkeypatch.setenv("NL_PLUGINS", "nlcore,nobody")  # another key, so that it is looked for again
    assert registry().load(registry().find("loss", "half")) is before


def test_a_file_may_be_given_relative_to_the_working_directory(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file("half_near.py", WORKS)
    monkeypatch.setenv("NL_PLUGIN_PATH", f"{path.name}{os.pathsep}{path}")  # the same one twice
    assert [plugin.file for plugin in registry().plugins if plugin.file] == [str(path)]


@pytest.mark.parametrize("case", FAILING)
def test_a_file_that_fails_is_an_error_until_it_is_corrected(case: str, file: File) -> None:
    source, *reasons = FAILING[case]
    path = file("bad_file.py", source)
    for _ in range(2):
        with pytest.raises(nlcore.PluginError) as caught:
            registry()
        assert str(path) in str(caught.value)
        assert all(reason in str(caught.value) for reason in reasons)
    path.write_text(WORKS, encoding="utf-8")
    assert registry().find("loss", "half").distribution == "bad-file"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("json.py", "another module 'json'"),
        ("pytest.py", "another module 'pytest'"),
        ("wave.py", "another module 'wave'"),  # importable, not imported yet
        ("nlcore.py", "another module 'nlcore'"),
        ("NLCORE.py", "another module 'NLCORE'"),  # its distribution would be the built-ins'
        ("half-loss.py", "letters, digits and _"),
        ("2half.py", "letters, digits and _"),
        ("half.txt", "letters, digits and _"),
    ],
)
def test_a_files_name_becomes_a_modules(name: str, reason: str, file: File) -> None:
    file(name, WORKS)
    with pytest.raises(nlcore.PluginError, match=reason):
        registry()


def test_a_second_file_of_one_name_is_refused(file: File, tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    file("half_twice.py", WORKS)
    file("below/half_twice.py", WORKS)
    with pytest.raises(nlcore.PluginError, match=r"below.half_twice\.py cannot be loaded: there is another module"):
        registry()


def test_a_file_and_an_installed_module_of_one_name(file: File, install: Install) -> None:
    install("half-both", WORKS)
    file("half_both.py", WORKS)
    with pytest.raises(nlcore.PluginError, match=r"another module 'half_both' \(.*site-packages"):
        registry()


@pytest.mark.parametrize("name", ["no_such_file.py", "a_folder"])
def test_a_file_that_is_not_there(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_folder").mkdir()
    monkeypatch.setenv("NL_PLUGIN_PATH", str(tmp_path / name))
    with pytest.raises(nlcore.PluginError, match=rf"{name} cannot be loaded: there is no such file"):
        registry()


def test_an_edited_file_is_another_method_in_the_next_process(file: File) -> None:
    path = file("half_edited.py", WORKS)
    stamp = path.stat().st_mtime
    program = "import nlcore; print(nlcore.create('loss', 'half').factor)"
    seen = []
    for factor in ("0.5", "0.7"):
        path.write_text(WORKS.replace("0.5", factor))  # of the same size and, below, of the same time
        os.utime(path, (stamp, stamp))
        seen.append(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)
    assert seen == ["0.5\n", "0.7\n"]


# ----------------------------------------------------------------------------------------------------- the built-ins


def test_the_built_ins_fit_their_kinds() -> None:
    found: Registry = registry()
    assert {entry.kind for entry in found.entries} == set(KINDS)
    for entry in found.entries:
        assert entry.builtin
        assert entry.kind == "preset" or isinstance(found.load(entry), type)
