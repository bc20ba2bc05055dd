"""`python -m schemas.freeze`: keeps each changed schema as a version, so that its messages stay readable.

Run it with every change of schemas/avro/*.avsc; tests fail until it was. Versions are never edited.
"""

from __future__ import annotations

import sys
from pathlib import Path

from schemas.catalog import catalog, unfrozen

FOLDER = Path(__file__).parent / "avro"


def freeze(folder: Path = FOLDER) -> list[Path]:
    """Copy each schema that differs from its last version into history/<name>/<n>.avsc; returns the new files."""
    made: list[Path] = []
    for schema in unfrozen():
        file = folder / "history" / schema.name / f"{schema.version}.avsc"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes((folder / f"{schema.name}.avsc").read_bytes())
        made.append(file)
    catalog.cache_clear()
    return made


if __name__ == "__main__":
    for made_file in freeze():
        sys.stdout.write(f"{made_file}\n")
