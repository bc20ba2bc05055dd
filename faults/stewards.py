"""Stewards at work while events flow: they answer reviews, undo merges and take back what was said, over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import cast

import httpx

from faults.acts import Act, ActKind
from faults.plan import Round
from faults.writers import History

_PATIENCE_S = 30.0
_LISTS = {
    ActKind.APPROVE: ("/v1/reviews", "review_id", {"kind": "merge"}),
    ActKind.REJECT: ("/v1/reviews", "review_id", {}),
    ActKind.ROLLBACK: ("/v1/merge-logs", "merge_log_id", {"kind": "merged", "rolled_back": "false"}),
    ActKind.REVOKE: ("/v1/constraints", "constraint_id", {"revoked": "false"}),
}
Item = dict[str, object]


def stewards(plan: Round, url: str, api_key: str, history: History) -> list[Callable[[], None]]:
    """The stewards of a round, to be run at a time. What they do when, and on which item of a list, is drawn."""
    return [partial(_work, n, plan, url, api_key, history) for n in range(plan.stewards)]


def _work(n: int, plan: Round, url: str, api_key: str, history: History) -> None:
    draw, started = Random(f"{plan}: steward {n}"), time.monotonic()
    times = sorted(draw.uniform(0.0, plan.load_s) for _ in range(plan.acts))
    drawn = [(at, draw.choice(tuple(ActKind)), draw.random()) for at in times]
    headers = {"Authorization": f"Bearer {api_key}"}
    with httpx.Client(base_url=url, headers=headers, timeout=_PATIENCE_S, trust_env=False) as http:
        for number, (at, kind, which) in enumerate(drawn):
            time.sleep(max(0.0, started + at - time.monotonic()))
            _act(http, kind, which, f"act {number} of steward {n} in round {plan.number}", history)


def _act(http: httpx.Client, kind: ActKind, which: float, reason: str, history: History) -> None:
    """One act on one of the first hundred there are, and no second try: without an answer it may be done or not."""
    path, id_field, chosen = _LISTS[kind]
    listed = _asked(http, "GET", path, history, params={**chosen, "limit": "100"})
    items = cast(list[Item], listed["data"]) if listed else []
    if not items:
        return
    subject = str(items[int(which * len(items))][id_field])
    done = _asked(
        http, "POST", f"{path}/{subject}/{kind}", history, json={"reason": reason, "actor": "steward"}
    )
    if done is not None:
        history.acts.append(Act(kind, subject, reason, tuple(_logged(done))))


def _logged(done: Item) -> Iterator[str]:
    for merge in cast(list[Item], done.get("merges", [])):
        yield str(merge["rollback_log_id"])
    yield from map(str, cast(list[object], done.get("merge_log_ids", [])))


def _asked(http: httpx.Client, method: str, path: str, history: History, **given: object) -> Item | None:
    """The body of a good answer. None: it was refused, as things may have changed since they were listed, or there was
    none. Any other status is noted as broken."""
    try:
        answer = http.request(method, path, **given)  # type: ignore[arg-type]
    except httpx.TransportError:
        return None
    if answer.status_code == httpx.codes.CONFLICT:
        history.refused.append(path)
    elif not answer.is_success and answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
        history.broken.append(f"{method} {path} was answered {answer.status_code}")
    return cast(Item, answer.json()) if answer.is_success else None
