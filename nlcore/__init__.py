"""
nlcore: learning with noisy labels.

    import nlcore

    result = nlcore.run(dataset="digits", loss="gce", **{"loss.q": 0.7})
    model = nlcore.load(result.run_dir)
    loss = nlcore.create("loss", "gce", q=0.7)
    digits = nlcore.dataset("digits")

Importing nlcore does not import torch.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nlcore.api import audit, create, dataset, load, resume, run, samples, sweep, use_plugin
from nlcore.errors import ComponentError, NotInstalledError, ParameterError, PluginError, RunError, UserError
from nlcore.host.hookspecs import NLCORE_API, Component, hookimpl
from nlcore.parameters import parameter
from nlcore.rundir.result import Result
from nlcore.studies.several import frame, plot
from nlcore.version import __version__

if TYPE_CHECKING:
    from nlcore.audits.label_issues import LabelIssues, label_issues
else:

    def __getattr__(name: str) -> object:
        if name not in ("LabelIssues", "label_issues"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from nlcore.audits import label_issues  # imports numpy, which no command line needs

        return getattr(label_issues, name)


# Where another program needs a core, too, a thread that waits for its team spins for about a millisecond, on the core
# that the team's last thread needs, thousands of times a step. libgomp reads this when torch is imported; what the user
# says of it stays.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__all__ = [
    "NLCORE_API",
    "Component",
    "ComponentError",
    "LabelIssues",
    "NotInstalledError",
    "ParameterError",
    "PluginError",
    "Result",
    "RunError",
    "UserError",
    "__version__",
    "audit",
    "create",
    "dataset",
    "frame",
    "hookimpl",
    "label_issues",
    "load",
    "parameter",
    "plot",
    "resume",
    "run",
    "samples",
    "sweep",
    "use_plugin",
]
