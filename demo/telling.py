"""Prints what the demo found, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from rich.console import Console
from rich.table import Table

from demo.run import Told
from demo.story import Seen, Story
from demo.stream import records

_SHOWN = ("first_name", "last_name", "date_of_birth", "street", "city", "postcode", "national_id")


def tell(console: Console, told: Told, gateway_url: str, api_key: str) -> None:
    """Everything, from counts to where to look next."""
    console.print(_counts(told))
    if told.story is None:
        console.print("No merge of two standing customers happened, so there is no story to tell.")
    else:
        _story(console, told.story)
    _next(console, told, gateway_url, api_key)


def _counts(told: Told) -> Table:
    table = Table(title="The demo stream", show_header=False, title_justify="left")
    o, a = told.outcome, told.accuracy
    rate = f"{told.new / told.seconds:,.0f} a second, {told.seconds:.1f} s from first sent to last committed"
    rows = [
        ("events in", f"{told.events:,}", f"{told.events - told.new:,} of them known from an earlier run"),
        ("stored", f"{o.stored:,}", rate if told.new else "nothing new: event ids deduplicate"),
        ("linked", f"{o.linked:,}", "events that joined a customer that stood"),
        ("created", f"{o.created:,}", "events that founded a customer"),
        (
            "merged",
            f"{o.merged:,}",
            f"events that joined customers: {o.merges:,} merges, {o.merges_undone:,} undone",
        ),
        ("in review", f"{o.in_review:,}", "pairs of customers that wait for a steward"),
        ("refused", f"{told.refused:,}", "by the gateway"),
        ("dead-lettered", f"{told.dead_lettered:,}", "by the pipeline"),
        ("identity records", f"{o.records:,}", "distinct combinations of identifiers and traits"),
        ("customers", f"{o.profiles:,}", f"there are {len(set(_people())):,} people"),
        (
            "pairwise F1",
            f"{a.pairwise_f1:.4f}",
            f"precision {a.pairwise_precision:.4f}, recall {a.pairwise_recall:.4f}",
        ),
        ("B-cubed F1", f"{a.b_cubed_f1:.4f}", f"over {a.records:,} records"),
    ]
    for name, value, remark in rows:
        table.add_row(name, f"[bold]{value}", f"[dim]{remark}")
    return table


def _people() -> list[str]:
    from demo.stream import truth

    return list(truth().values())


def _story(console: Console, story: Story) -> None:
    console.rule("One customer's story", align="left")
    older, newer = story.before
    console.print(f"\n[bold]1. Two customers[/] stood until {story.merged_at:%H:%M:%S.%f} UTC:")
    console.print(_profiles({"A": older, "B": newer}))
    sure = "" if story.confidence is None else f" with confidence {story.confidence:.4f}"
    console.print(f"\n[bold]2. B was merged into A[/]{sure}. The strongest evidence, in bits (log2):")
    console.print(_evidence(story))
    console.print("\n[bold]   One customer:[/]")
    console.print(_profiles({"A": story.merged}))
    right = "The truth says it was right" if story.is_true else "The truth says these are two people"
    console.print(
        f"\n[bold]3. The merge was undone[/] at {story.undone_at:%H:%M:%S} UTC by "
        f"POST /v1/merge-logs/{story.merge_log_id}/rollback. ({right}; it is undone to show how.)"
    )
    console.print(_profiles({"A": story.after[0], "B": story.after[1]}))
    console.print(
        "   B is back under its old id, every event with its own record. A cannot-link constraint stays between "
        "the two, so no later event merges them again.\n"
    )


def _profiles(seen: Mapping[str, Seen]) -> Table:
    table = Table()
    for heading in ("customer", "record", "source", *(name.replace("_", " ") for name in _SHOWN), "events"):
        table.add_column(heading, overflow="fold")
    for name, profile in seen.items():
        label = f"{name} {str(profile.profile_id)[-12:]}\nversion {profile.version}"
        for held in profile.records:
            event = records().get(held.record, {})
            traits = cast(Mapping[str, str], event.get("traits", {}))
            values = (traits.get(trait, "") for trait in _SHOWN)
            table.add_row(label, held.record, str(event.get("source", "")), *values, str(held.events))
            label = ""
        table.add_section()
    return table


def _evidence(story: Story) -> Table:
    table = Table("attribute", "level", "weight")
    for attribute, level, weight in story.levels:
        table.add_row(attribute.replace("_", " "), level.replace("_", " "), f"{weight:+.1f}")
    if story.weight is not None:
        table.add_section()
        table.add_row("sum, the prior included", "", f"{story.weight:+.1f}")
    return table


def _next(console: Console, told: Told, url: str, api_key: str) -> None:
    header = f"-H 'Authorization: Bearer {api_key}'"
    profile = told.story.after[0].profile_id if told.story else "{profile_id}"
    console.rule("Where to look next", align="left")
    lines = (
        f"the API              {url}/docs",
        f"this customer        curl {header} {url}/v1/profiles/{profile}",
        f"their events         curl {header} {url}/v1/profiles/{profile}/events",
        f"all merges           curl {header} {url}/v1/merge-logs",
        f"what they may like   curl {header} {url}/v1/recommendations/{profile}",
        f"live windows         curl {header} {url}/v1/insights/live",
        "who is whom          retail-brain export --out clusters.csv",
        "your own file        retail-brain ingest FILE --mapping MAPPING.yaml",
        "what runs            retail-brain status; retail-brain down stops it (data is kept)",
    )
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)
