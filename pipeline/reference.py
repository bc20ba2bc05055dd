"""The reference tables of the documentation, written from the declarations: `python -m pipeline.reference`.

A test fails where a page no longer says what the code declares.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from prometheus_client import REGISTRY
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from pipeline import metrics
from pipeline.audit.actions import MEANINGS as AUDITED
from pipeline.audit.breach import MEANINGS as BREACHES
from pipeline.changes.kinds import MEANINGS as TOLD
from pipeline.changes.kinds import ChangeType
from pipeline.changes.wanted import Wanted
from pipeline.codes import EXPLANATIONS
from pipeline.explain.example import excerpt
from pipeline.settings import Settings
from pipeline.store.rights import RIGHTS
from pipeline.store.roles import MEANINGS as ROLES
from pipeline.store.roles import Role
from pipeline.verify.fault import MEANINGS

ROOT = Path(__file__).parent.parent


def settings_table() -> str:
    """Every setting: environment variable, default, meaning."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, declared in Settings.model_fields.items():
        rows.append(f"| `RB_{name.upper()}` | {_default(declared)} | {declared.description} |")
    return "\n".join(rows)


def _default(declared: FieldInfo) -> str:
    value = declared.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return "unset" if value is None or value == "" else f"`{value}`"


def reason_codes_table() -> str:
    """Every reason code and what it means."""
    rows = ["| reason code | meaning |", "|---|---|"]
    rows += [f"| `{code.value}` | {text} |" for code, text in EXPLANATIONS.items()]
    return "\n".join(rows)


def metrics_table() -> str:
    """Every metric of ours: name, type, labels' meaning."""
    assert metrics.EVENTS_RESOLVED  # importing it is what declares them
    rows = ["| metric | type | meaning |", "|---|---|---|"]
    ours = sorted((m for m in REGISTRY.collect() if m.name.startswith("rb_")), key=lambda m: m.name)
    rows += [f"| `{m.name}` | {m.type} | {m.documentation} |" for m in ours]
    return "\n".join(rows)


def changes_table() -> str:
    """Every type of change, the topic that tells it, and what it means."""
    rows = ["| type | topic | meaning |", "|---|---|---|"]
    for kind, text in TOLD.items():
        topics = Wanted(frozenset([kind])).topics if kind is not ChangeType.UNREADABLE else ()
        rows.append(f"| `{kind.value}` | {', '.join(f'`{topic}`' for topic in topics) or 'any'} | {text} |")
    return "\n".join(rows)


def faults_table() -> str:
    """Every fault that `verify` tells and what it means."""
    rows = ["| fault | meaning |", "|---|---|"]
    rows += [f"| `{kind.value}` | {text} |" for kind, text in MEANINGS.items()]
    return "\n".join(rows)


def actions_table() -> str:
    """Every action of the audit log and what it means."""
    rows = ["| action | meaning |", "|---|---|"]
    rows += [f"| `{action.value}` | {text} |" for action, text in AUDITED.items()]
    return "\n".join(rows)


def breaches_table() -> str:
    """Everything that `audit verify` tells and what it means."""
    rows = ["| breach | meaning |", "|---|---|"]
    rows += [f"| `{breach.value}` | {text} |" for breach, text in BREACHES.items()]
    return "\n".join(rows)


def roles_table() -> str:
    """Every database role and what it is for."""
    rows = ["| role | what for |", "|---|---|"]
    rows += [f"| `{role.value}` | {text} |" for role, text in ROLES.items()]
    return "\n".join(rows)


def rights_table() -> str:
    """By table, view or function what each role may do there."""
    rows = ["| where | who may what |", "|---|---|"]
    given: dict[str, list[str]] = {}
    for role in Role:
        for name, what in RIGHTS[role].tables.items():
            given.setdefault(name, []).append(f"`{role.value}` {what}")
        for name in RIGHTS[role].functions:
            given.setdefault(f"{name}()", []).append(f"`{role.value}`")
    rows += [f"| `{name}` | {'; '.join(given[name])} |" for name in sorted(given)]
    return "\n".join(rows)


def explained() -> str:
    """An explanation as stewards read it."""
    return f"```\n{excerpt()}\n```"


PAGES: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "README.md": {"explanation": explained, "settings": settings_table},
    "docs/reference.md": {
        "reason codes": reason_codes_table,
        "metrics": metrics_table,
        "change types": changes_table,
        "faults": faults_table,
        "audit actions": actions_table,
        "audit breaches": breaches_table,
        "database roles": roles_table,
        "database rights": rights_table,
    },
}


def written(page: str) -> str:
    """The page's text with its tables as they should be."""
    text = (ROOT / page).read_text("utf-8")
    for name, table in PAGES[page].items():
        head, rest = text.split(f"<!-- {name} -->\n", 1)
        text = f"{head}<!-- {name} -->\n{table()}\n<!-- end -->{rest.split('<!-- end -->', 1)[1]}"
    return text


def main() -> int:
    """Rewrite the tables in place."""
    for page in PAGES:
        (ROOT / page).write_text(written(page), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
