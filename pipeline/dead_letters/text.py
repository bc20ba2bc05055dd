"""Dead letters as text for people; JSON of the same is `as_data`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import orjson

from pipeline.codes import EXPLANATIONS, ReasonCode
from pipeline.dead_letters.bulk import Done
from pipeline.dead_letters.desk import ShownLetter, ShownMessage
from pipeline.store.dead_letters import DROPPED, WAITING, LetterPage, StoredLetter

_WIDTH = 110


def listed(page: LetterPage, status: str | None) -> str:
    """A few lines a letter, ending with a line break."""
    if not page.letters:
        return f"No dead letter is {status}.\n" if status else "No dead letter is so.\n"
    lines = [line for letter in page.letters for line in (*_short(letter), "")]
    if more := page.total - len(page.letters):
        lines.append(f"{more} more: raise --limit to see them.")
    elif status == WAITING:
        lines.append("`retail-brain dlq show ID` shows one; `edit ID`, `replay ID` and `drop ID` act on it.")
    return "\n".join(lines).rstrip() + "\n"


def told(shown: ShownLetter) -> str:
    """All of a letter, ending with a line break."""
    letter = shown.letter
    lines = [*_short(letter), *_explained(letter.reason), ""]
    if shown.message is not None:
        lines += _message(shown.message, edited=letter.edited)
    elif shown.unread is not None:
        lines += _wrapped(f"Its message cannot be shown: {shown.unread}.")
    lines += [
        f"  {a.at:%Y-%m-%d %H:%M} {a.action} by {a.actor}"
        + (f" ({', '.join(a.fields)})" if a.fields else "")
        + (f': "{a.reason}"' if a.reason else "")
        for a in shown.actions
    ]
    lines += _next(shown)
    return "\n".join(lines) + "\n"


def done(result: Done) -> str:
    """What came of replaying or dropping, ending with a line break."""
    would = "would be " if result.dry_run else ""
    lines = [f"{result.done} {would}{result.action}, {result.unchanged} unchanged, {result.refused} refused."]
    lines += [line for u in result.untouched for line in _wrapped(f"{u.dead_letter_id}: {u.detail}")]
    if (more := result.unchanged + result.refused - len(result.untouched)) > 0:
        lines.append(f"  and {more} more")
    if result.action == DROPPED and result.dry_run and result.done:
        lines.append(
            "Their data keys would be destroyed: nobody could read or replay their messages any more."
        )
    return "\n".join(lines) + "\n"


def _short(letter: StoredLetter) -> Iterator[str]:
    edited = ", edited" if letter.edited else ""
    yield f"{letter.dead_letter_id}  {letter.reason} in {letter.stage}, {letter.status}{edited}"
    yield from _wrapped(letter.detail)
    place = f"{letter.topic}, partition {letter.partition}, offset {letter.offset}"
    yield f"  {place}, failed {letter.failed_at:%Y-%m-%d %H:%M:%S} UTC"
    if letter.replay_of is not None:
        yield f"  It is the replay of {letter.replay_of}, failed again."


def _explained(reason: str) -> list[str]:
    known = reason in ReasonCode._value2member_map_
    return _wrapped(EXPLANATIONS[ReasonCode(reason)]) if known else []


def _message(message: ShownMessage, *, edited: bool) -> Iterator[str]:
    yield f"  {'Mended' if edited else 'As it came'}, {message.size:,} bytes of {message.form}; values masked:"
    if message.fields is not None:
        text = orjson.dumps(message.fields, option=orjson.OPT_INDENT_2).decode()
        yield textwrap.indent(text, "    ")
    else:
        yield from _wrapped(f"It cannot be read: {message.problem}. It begins:")
        yield f"    {message.look}"


def _next(shown: ShownLetter) -> Iterator[str]:
    if shown.letter.status != WAITING:
        return
    if shown.unreplayable is None:
        yield "It would be taken now: `retail-brain dlq replay ID`."
    else:
        yield from textwrap.wrap(f"It cannot be replayed as it stands. {shown.unreplayable}.", _WIDTH)


def _wrapped(said: str) -> list[str]:
    return textwrap.wrap(said, _WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
