"""Prints what the demo found, for people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import cast

from rich.console import Console
from rich.table import Table

from demo.run import Told
from demo.story import Seen, Story
from demo.stream import records, truth


def tell(console: Console, told: Told, gateway_url: str, api_key: str) -> None:
    """Everything, from counts to where to look next."""
    console.rule("The demo stream", align="left")
    console.print(_counts(told))
    console.print()
    if told.story is None:
        console.print("No merge was undone, so there is no story to tell.")
    else:
        _story(console, told.story)
    _next(console, told, gateway_url, api_key)


def _counts(told: Told) -> Table:
    table = Table(box=None, show_header=False)
    o, a, people = told.outcome, told.accuracy, len(set(truth().values()))
    rate = f"{told.new / told.seconds:,.0f} a second: {told.seconds:.1f} s from sent to committed"
    rows = [
        ("events in", f"{told.events:,}", f"{told.events - told.new:,} of them known from an earlier run"),
        ("stored", f"{o.stored:,}", rate if told.new else "nothing new: event ids deduplicate"),
        ("linked", f"{o.linked:,}", "events that belong to a customer"),
        ("created", f"{o.created:,}", "customers founded on the way"),
        ("merged", f"{o.merges:,}", f"of these into others, {o.merges_undone:,} of them undone"),
        ("customers", f"{o.profiles:,}", f"there are {people:,} people"),
        ("in review", f"{o.in_review:,}", "pairs that wait for a steward"),
        ("refused", f"{told.refused:,}", "by the gateway"),
        ("dead-lettered", f"{told.dead_lettered:,}", "by the pipeline"),
        ("identity records", f"{o.records:,}", "distinct identifiers and traits"),
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


def _story(console: Console, story: Story) -> None:
    console.rule("One customer's story", align="left")
    older, newer = story.before
    console.print(f"\n[bold]1. Two customers[/] stood until {story.merged_at:%H:%M:%S.%f} UTC:")
    console.print(_profiles({"A": older, "B": newer}))
    sure = "" if story.confidence is None else f" with confidence {story.confidence:.4f}"
    console.print(f"\n[bold]2. B was merged into A[/]{sure}. The best evidence, in bits:")
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
    """A line a record: what each source knows of the customer."""
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    for heading in ("", "record", "name", "born", "address", "nat. id", "events"):
        table.add_column(heading, no_wrap=heading not in ("name", "address"), header_style="dim")
    for name, profile in seen.items():
        table.add_row(f"[bold]{name}", f"[bold]version {profile.version}")
        for held in profile.records:
            event = records().get(held.record, {})
            traits = defaultdict(str, cast(Mapping[str, str], event.get("traits", {})))
            table.add_row(
                "",
                held.record.removeprefix("febrl3-"),
                " ".join(traits[t] for t in ("first_name", "last_name") if traits[t]),
                traits["date_of_birth"],
                " ".join(traits[t] for t in ("street_number", "street", "city", "postcode") if traits[t]),
                traits["national_id"],
                str(held.events),
            )
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
    profile = told.story.after[0].profile_id if told.story else "{profile_id}"
    console.rule("Where to look next", align="left")
    lines = (
        f"the API                {url}/docs",
        f"a shell with its key   export RB=(-H 'Authorization: Bearer {api_key}')",
        f'this customer          curl "${{RB[@]}}" {url}/v1/profiles/{profile}',
        "  what they bought     .../events",
        f'  what they may like   curl "${{RB[@]}}" {url}/v1/recommendations/{profile}',
        f'all merges             curl "${{RB[@]}}" {url}/v1/merge-logs',
        f'live windows           curl "${{RB[@]}}" {url}/v1/insights/live',
        "who is whom            retail-brain export --out clusters.csv",
        "your own file          retail-brain ingest FILE --mapping MAPPING.yaml",
        "what runs              retail-brain status; retail-brain down stops it, data is kept",
    )
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
