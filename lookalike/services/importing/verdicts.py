"""What an import offers to the intake, and what the intake's answers mean for its items."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from lookalike.services.importing.ledger import Verdict
from lookalike.services.importing.taking import Batch, Taken
from lookalike.services.intake import Accepted, Rejected, Upload
from lookalike.services.labels import MAX_TAGS, Labels
from lookalike.services.models import Import
from lookalike.services.staging import Staged


def upload_of(item: Taken, staged: Staged, row: Import) -> Upload:
    """The item as an upload of its own, with its labels and the import's tags."""
    return Upload(item.name, staged, _labels(item, row))


def verdicts_of(batch: Batch, outcomes: Sequence[Accepted | Rejected]) -> list[Verdict]:
    """What became of each item, from what the intake says of those that were staged."""
    left = iter(outcomes)
    verdicts = []
    for item in batch.items:
        if item.staged is None:
            verdicts.append(Verdict(item.position, item.name, error=item.error))
            continue
        outcome = next(left)
        if isinstance(outcome, Rejected):
            verdicts.append(Verdict(item.position, item.name, error=outcome.error))
        else:
            verdicts.append(
                Verdict(
                    item.position,
                    item.name,
                    item.staged.sha256,
                    item.staged.size,
                    outcome.id,
                    outcome.duplicate,
                )
            )
    return verdicts


def _labels(item: Taken, row: Import) -> Labels:
    tags = dict.fromkeys([*row.tags, *item.labels.tags])
    return item.labels.model_copy(update={"tags": list(islice(tags, MAX_TAGS))})
