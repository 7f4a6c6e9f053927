"""
What to type where a name is unknown.

The nearest spelling is a poor guess in a field of abbreviations: `ce` is nearer to `sce` than to `cross_entropy`. So
this asks in turn what the field calls it, whether something of another kind has the name, and only then the spelling.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nlcore.errors import did_you_mean

#: Components by the other names that papers, courses and libraries use; spelled without ``-``, ``_`` and spaces.
COMPONENTS: Mapping[str, Mapping[str, str]] = {
    "dataset": {
        **dict.fromkeys(("cifar", "c10"), "cifar10"),
        **dict.fromkeys(("folder", "images"), "image_folder"),
        **dict.fromkeys(("huggingface", "datasets"), "hf"),
        **dict.fromkeys(("webvision", "webvision50"), "mini_webvision"),
        "c100": "cifar100",
        "fmnist": "fashion_mnist",
        "wds": "webdataset",
    },
    "noise": {
        **dict.fromkeys(("sym", "uniform"), "symmetric"),
        **dict.fromkeys(("idn", "instance"), "instance_dependent"),
        **dict.fromkeys(("human", "cifarn"), "cifar10n"),
        "asym": "asymmetric",
        "pair": "pair_flip",
        "clean": "none",
        "matrix": "transition_matrix",
        "file": "stored",
    },
    "architecture": {
        **dict.fromkeys(("preresnet18", "prn18"), "preact_resnet18"),
        "wrn": "wide_resnet",
        "resnet": "resnet18",
    },
    "loss": {
        **dict.fromkeys(("ce", "xent", "nll", "bce", "softmax", "crossentropyloss"), "cross_entropy"),
        **dict.fromkeys(("bootstrap", "bootstrapping", "bootsoft"), "soft_bootstrap"),
        **dict.fromkeys(("js", "jsd"), "jensen_shannon"),
        **dict.fromkeys(("ls", "smoothing"), "label_smoothing"),
        **dict.fromkeys(("lq", "generalizedcrossentropy", "generalisedcrossentropy"), "gce"),
        **dict.fromkeys(("sl", "symmetriccrossentropy"), "sce"),
        **dict.fromkeys(("fl", "focalloss"), "focal"),
        "boothard": "hard_bootstrap",
        "forward": "forward_correction",
        "backward": "backward_correction",
        "l1": "mae",
        "anl": "anl_ce",
        "tce": "taylor_ce",
        "peerloss": "peer",
        "cores2": "cores",
    },
    "strategy": dict.fromkeys(("default", "vanilla", "plain"), "standard"),
}

#: What other tools call it to show each class equally often.
BALANCED = (
    *("class_balanced", "class_balance", "balance_classes", "balanced_classes", "balanced", "balance"),
    *("balanced_sampling", "class_balanced_sampling", "weighted_sampling"),
    *("balanced_sampler", "class_balanced_sampler", "weighted_sampler", "weighted_random_sampler"),
    *("imbalanced_sampler", "balanced_batches", "oversample", "oversampling"),
)

#: Settings, and options of the command line, by the names that other tools use.
SETTINGS: Mapping[str, str] = {
    **dict.fromkeys(("model", "arch", "net", "network", "backbone"), "architecture"),
    **dict.fromkeys(("data", "data_set"), "dataset"),
    **dict.fromkeys(("criterion", "loss_fn", "loss_function", "objective"), "loss"),
    **dict.fromkeys(("method", "algorithm", "trainer"), "strategy"),
    **dict.fromkeys(("rate", "noise_rate", "noise_ratio", "noise_level", "eta"), "noise.rate"),
    **dict.fromkeys(("noise_type", "noise_mode", "noise_model"), "noise"),
    **dict.fromkeys(("learning_rate", "base_lr", "lr0"), "lr"),
    **dict.fromkeys(("gpu", "gpus", "cuda", "gpu_id"), "device"),
    **dict.fromkeys(("batch", "bs", "batchsize", "bsz"), "batch_size"),
    **dict.fromkeys(("n_epochs", "num_epochs", "max_epochs", "nepochs"), "epochs"),
    **dict.fromkeys(("limit_train_batches", "steps_per_epoch", "num_batches"), "epoch_batches"),
    **dict.fromkeys((*BALANCED, "no_class_balanced", "sampler"), "sampling"),
    **dict.fromkeys(("wd", "decay"), "weight_decay"),
    **dict.fromkeys(("opt", "optim"), "optimizer"),
    **dict.fromkeys(("scheduler", "lr_scheduler", "schedule"), "lr_schedule"),
    **dict.fromkeys(("random_seed", "random_state", "manual_seed"), "seed"),
    **dict.fromkeys(("amp", "fp16", "dtype"), "precision"),
    **dict.fromkeys(("val", "val_split", "validation_split", "val_fraction"), "validation"),
    **dict.fromkeys(("root", "data_root", "data_path", "data_folder"), "data_dir"),
    **dict.fromkeys(("output", "out", "output_dir", "out_dir", "save_dir", "log_dir", "logdir"), "runs_dir"),
    **dict.fromkeys(("workers", "num_workers", "num_threads", "jobs", "cpus"), "threads"),
    "width": "architecture.width",
}

#: The value that goes with the setting, where another tool's name says it.
VALUES: Mapping[str, str] = {
    **dict.fromkeys(("gpu", "gpus", "cuda"), "cuda"),
    **dict.fromkeys(BALANCED, "balanced"),
    "no_class_balanced": "shuffled",
}

#: Commands by what they are called elsewhere.
COMMANDS: Mapping[str, str] = {
    **dict.fromkeys(("train", "fit", "start", "experiment"), "run"),
    **dict.fromkeys(("continue", "restart"), "resume"),
    **dict.fromkeys(("list", "ls", "plugins", "losses", "methods", "components"), "list-plugins"),
    **dict.fromkeys(("info", "help", "describe", "cite"), "show"),
    **dict.fromkeys(("infer", "classify"), "predict"),
    **dict.fromkeys(("eval", "test", "score"), "evaluate"),
    **dict.fromkeys(("results", "runs", "compare", "summary"), "table"),
    **dict.fromkeys(("env", "version", "versions"), "doctor"),
    **dict.fromkeys(("new", "init", "create"), "new-plugin"),
    **dict.fromkeys(("corrupt", "labels"), "noise"),
    **dict.fromkeys(("verify", "validate"), "check"),
}


def component(kind: str, name: str, names: Mapping[str, Iterable[str]]) -> str:
    """
    Return what to type instead of an unknown component, as ``" Did you mean 'cross_entropy'?"``, or an empty string.

    Args:
        kind: that was asked for.
        name: that is unknown.
        names: of all components there are, by kind.

    """
    for other, there in {kind: names[kind], **names}.items():
        by_plain = {_plain(full): full for full in there}
        alias = COMPONENTS.get(other, {}).get(_plain(name), name)
        meant = by_plain.get(_plain(alias))
        if meant and other == kind:
            return f" Did you mean {meant!r}?"
        if meant:
            return f" {meant!r} is {'an' if other[0] in 'aeiou' else 'a'} {other}: --{other} {meant}."
    if kind == "noise" and _is_number(name):
        return f" A noise rate is given as --noise.rate {name}."
    return did_you_mean(name, names[kind])


def setting(name: str, settings: Iterable[str], kinds: Iterable[str]) -> str:
    """
    Return the setting or parameter that is meant by an unknown one, as ``noise.rate``, or an empty string.

    Args:
        name: that is unknown, with ``_`` for ``-``.
        settings: the settings there are.
        kinds: the kinds of component: ``loss_q`` is meant for ``loss.q``.

    """
    known = {_plain(one): one for one in (*settings, *kinds)}
    if name.lower() in SETTINGS:
        return SETTINGS[name.lower()]
    if _plain(name) in known:
        return known[_plain(name)]
    kind, _, parameter = name.partition("_")
    return f"{kind}.{parameter}" if kind in kinds and parameter else ""


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "").replace(" ", "")


def _is_number(text: str) -> bool:
    try:
        float(text.removesuffix("%"))
    except ValueError:
        return False
    return True
