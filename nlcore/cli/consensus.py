"""``nl audit consensus``: from the labels of several annotators to one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from nlcore.cli.output import check_output, output_option, print_table, write
from nlcore.errors import UserError, plural


@click.command()
@click.argument("annotations", type=click.Path(path_type=Path))
@click.option(
    "--audit", "audit_dir", metavar="AUDIT", type=click.Path(path_type=Path), help="whose networks judge, too"
)
@output_option(required=True)
def consensus(annotations: Path, audit_dir: Path | None, output: Path) -> int:
    """
    Write one label for each sample that several people have labelled.

    ANNOTATIONS is a CSV: id and a column label_NAME for each annotator, or id, annotator and label. Each annotator is
    believed as far as the others bear them out (Dawid and Skene 1979). With an audit of the same samples its networks'
    held-out predictions are one more voice; audit the labels that come of this command without it first. FILE is for
    'nl run --labels FILE'; its column worth_another says for which samples one more label is worth most.
    """
    check_output(output, reads=[annotations])
    import numpy as np

    from nlcore.audits.annotations import read_annotations, table_of
    from nlcore.audits.annotators import consensus as agree
    from nlcore.audits.annotators import majority
    from nlcore.audits.predictions import log_softmax

    model = None
    if audit_dir is None:
        read = read_annotations(annotations)
    else:
        ids, classes, probabilities = _predictions(audit_dir)
        read = read_annotations(annotations, classes)
        places = {sample: place for place, sample in enumerate(ids)}
        strange = [sample for sample in read.ids if sample not in places]
        if strange:
            raise UserError(
                f"{annotations}: {plural(len(strange), 'sample')} were not audited in {audit_dir}, such as "
                f"{strange[0]!r}. Audit the same data set, or leave --audit out."
            )
        rows = np.array([places[sample] for sample in read.ids])
        model = log_softmax(np.log(np.maximum(probabilities[rows], 1e-12)))
    found = agree(read.votes, model)
    write(output, table_of(read, found).encode())
    counts = np.bincount(read.votes.annotator, minlength=len(read.annotators))
    quality = [
        (name, f"{count:,}", *([f"{one.value:.1%}", f"{one.low:.1%} to {one.high:.1%}"] if one else ["", ""]))
        for name, count, one in zip(read.annotators, counts, found.quality, strict=True)
    ]
    print_table(("annotator", "labels", "right", "95% interval"), quality, ("labels", "right"))
    other = int((found.labels != majority(read.votes)).sum())
    click.echo(
        f"{plural(len(read.ids), 'sample')}, {plural(other, 'label')} other than the majority's; expected to be right: "
        f"{found.probabilities.max(1).mean():.1%}"
    )
    return 0


def _predictions(audit_dir: Path) -> tuple[list[str], list[str], Any]:
    """Return ids (N,), classes (K,) and probabilities (N, K) of an audit; even ones where it judged nothing."""
    import numpy as np

    from nlcore.audits.result import Audit
    from nlcore.rundir.arrays import read_arrays

    place = Audit.read(audit_dir).audit_dir / "probabilities.npz"
    arrays = read_arrays(place)
    if arrays is None:
        raise UserError(f"{place} is not there or cannot be read. Run the audit again, under another --name.")
    probabilities = arrays["probabilities"].astype(np.float64)
    unknown = ~np.isfinite(probabilities).all(1)
    probabilities[unknown] = 1 / probabilities.shape[1]
    return arrays["ids"].tolist(), arrays["classes"].tolist(), probabilities
