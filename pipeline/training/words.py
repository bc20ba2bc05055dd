"""What a training says to people, in the terminal and on the page alike."""

from __future__ import annotations

from pipeline.identity.training import em
from pipeline.training.judge import FOLDS
from pipeline.training.learn import ENOUGH
from pipeline.training.training import JudgedBy, Training

HOW = (
    "Rates were learnt by expectation maximisation over all pairs of records, without labels: m and the priors from "
    "the pairs that blocking brought together, u from pairs drawn at random. How members of a household differ is "
    f"taken from the model at the start, which also counts as {em.SEEN_MATCHES:,.0f} pairs of one person more for each "
    "attribute. What stewards decided counts for its pair, and speaks for the pairs that look like it."
)
JUDGED = {
    JudgedBy.TRUTH: (
        "Judged by the truth column, cross-fitted by entity: the entities were dealt to two halves, and the candidate "
        "pairs of either half were judged by a model that had learnt from the other half's records alone. So no model "
        "was judged on pairs it was fitted on. Pairs that blocking never brought together are not in it."
    ),
    JudgedBy.LABELS: (
        f"Judged by stewards' decisions, cross-fitted by entity in at most {FOLDS} folds: each pair was judged by a "
        "model that learnt neither from it nor from any decision on its records. Stewards are asked about doubtful "
        "pairs, so this tells how far confidence holds for those, not for all. The pairs of one decision count as one."
    ),
    JudgedBy.NOTHING: (
        "Nothing says which pairs are true: no steward has decided on any, and no truth column was named. So how far "
        "confidence holds is not known; the distribution of scores is all there is to show."
    ),
}


def headline(found: Training) -> str:
    """What came of it in a sentence."""
    learnt = found.learnt
    return (
        f"{learnt.matches:,.0f} pairs of one person expected among {learnt.compared:,} compared, "
        f"of {len(found.seen.sides):,} identity records of {found.material.what}."
    )


def notes(found: Training) -> list[str]:
    """What must not be missed."""
    said = []
    if not found.learnt.is_enough:
        said.append(
            f"Too little to learn from: {int(found.learnt.matches):,} pairs of one person are expected, and at least "
            f"{ENOUGH:,.0f} should be. The model at the start counts as {em.SEEN_MATCHES:,.0f}, so what pairs of one "
            "person look like is still what it says; names and strangers move a little. There is little reason to "
            "prefer this model."
        )
    if found.bins and (sure := found.automatic()).pairs and not _holds(found):
        low, high = sure.interval()
        said.append(
            f"Confidence promises more than it keeps: of the pairs to be merged without asking {sure.share:.2%} are "
            f"one person ({low:.2%} to {high:.2%}), where {sure.confidence:.2%} were promised."
        )
    return said


def _holds(found: Training) -> bool:
    sure = found.automatic()
    return sure.interval()[1] >= min(sure.confidence, 0.98)


def judgement(found: Training) -> str:
    """How right the pairs are that would be merged without asking."""
    if not found.bins:
        return JUDGED[JudgedBy.NOTHING]
    sure = found.automatic()
    low, high = sure.interval()
    return (
        f"Of {sure.pairs:,.0f} judged pairs of at least {sure.low:g}, {sure.share:.2%} are one person "
        f"(95 % interval {low:.2%} to {high:.2%})."
        if sure.pairs
        else f"No judged pair reaches {sure.low:g}."
    )
