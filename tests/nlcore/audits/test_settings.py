"""What an audit's networks are told: no noise, all samples, and what suits how many there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from nlcore_builtins.presets import photos

from nlcore import UserError
from nlcore.audits.settings import AuditSettings, layers_of_runs, read_settings
from nlcore.config.experiment import resolve


def test_the_labels_are_the_users_unless_noise_is_asked_for() -> None:
    usual = resolve(*layers_of_runs([{"dataset": "cifar10"}], AuditSettings()))
    assert (usual["noise"].name, usual["loss"].name, usual.preset) == ("none", "gce", "audit")
    asked = resolve(*layers_of_runs([{"dataset": "cifar10", "noise.rate": 0.1}], AuditSettings()))
    assert (asked["noise"].name, asked["noise"].params["rate"]) == ("symmetric", 0.1)
    preset = resolve(*layers_of_runs([{"preset": "ce-cifar10n-aggre"}], AuditSettings()))
    assert (preset["noise"].name, preset.preset) == ("cifar10n", "ce-cifar10n-aggre")


@pytest.mark.parametrize("preset", ["photos", "photos_gpu"])
def test_classes_are_balanced_for_the_user_alone(preset: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A preset balances them for a model; an audit would learn what a small class holds by mistake."""
    monkeypatch.setenv("NL_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(photos, "_of_package", lambda name: [])

    def balanced(*given: dict[str, object], **settings: Any) -> bool:
        return resolve(*layers_of_runs(given, AuditSettings(**settings))).settings.sampling == "balanced"

    assert resolve({"preset": preset}).settings.sampling == "balanced"
    assert not balanced({"preset": preset})
    assert balanced({"preset": preset, "sampling": "balanced"})
    assert balanced({"sampling": "balanced"}, {"preset": preset})
    assert balanced({"sampling": "balanced"})
    assert not balanced({"dataset": "digits"})


def test_the_data_set_is_the_users_though_a_preset_names_another() -> None:
    """What the one takes and the other does not, an audit gives to the one that is used."""
    own = resolve(*layers_of_runs([{"preset": "photos", "dataset": "csv"}], AuditSettings()))["dataset"]
    assert (own.name, own.params["test_fraction"], own.params["skip_unreadable"]) == ("csv", 0, True)
    assert (
        resolve(*layers_of_runs([{"preset": "photos", "dataset": "digits"}], AuditSettings()))["dataset"].params == {}
    )


def test_the_epochs_are_the_users_though_a_preset_names_others() -> None:
    """Eight checkpoints are kept of as many epochs as there are: of 40 every fifth."""
    found = resolve(*layers_of_runs([{"preset": "quick", "epochs": 40}], AuditSettings(), 1_600))
    assert (found.settings.epochs, found.storage.checkpoint_every) == (40, 5)


def test_own_images_are_audited_whole_and_broken_files_are_left_out() -> None:
    layers = layers_of_runs([{"dataset": "image_folder", "dataset.test_fraction": 0.5}], AuditSettings())
    found = resolve(*layers)["dataset"].params
    assert found["test_fraction"] == 0
    assert found["skip_unreadable"] is True
    strict = [{"dataset": "image_folder", "dataset.skip_unreadable": False}]
    assert resolve(*layers_of_runs(strict, AuditSettings()))["dataset"].params["skip_unreadable"] is False


def test_small_sets_are_learnt_in_as_many_steps_and_what_is_said_holds() -> None:
    def settings(given: dict[str, object], trained: int) -> tuple[int, int, float]:
        found = resolve(*layers_of_runs([{"dataset": "digits", **given}], AuditSettings(), trained))
        return found.settings.epochs, found.settings.batch_size, found["loss"].params["q"]

    assert settings({}, 25_000) == (8, 128, 0.7)
    assert settings({}, 1_600) == (16, 64, 0.3)
    assert settings({}, 20) == (100, 20, 0.3)
    assert settings({"epoch_batches": 10}, 25_000) == (40, 128, 0.7)  # 400 steps
    assert settings({"epoch_batches": 10}, 1_600) == (40, 64, 0.3)
    for none in (None, "none", "None"):
        assert settings({"epoch_batches": none}, 1_600) == (16, 64, 0.3)
    assert settings({"epochs": 3, "batch_size": 32, "loss": "gce", "loss.q": 0.5}, 1_600) == (3, 32, 0.5)


def test_words_are_checked() -> None:
    assert read_settings({"detector": ["margin", "noise_model", "margin"]}).detectors == ("margin", "noise_model")
    for given, said in (
        ({"fold": 3}, "Did you mean 'folds'"),
        ({"repeats": 0}, "repeats = 0"),
        ({"run": "r", "features": "f.npz"}, "one of them"),
        ({"detector": ","}, "name one"),
    ):
        with pytest.raises(UserError, match=said):
            read_settings(given)
