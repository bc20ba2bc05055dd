"""A training as files: the model, its report, and the report's charts. None is ever overwritten."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pipeline.errors import BadInput
from pipeline.training.pictures import drawn
from pipeline.training.report import page
from pipeline.training.training import Training


def write(found: Training, folder: Path, made_at: datetime) -> list[Path]:
    """Write `<version>.model.json` and beside it `.report.html` and the charts; the model's path comes first.

    Raises BadInput where one of them exists already or cannot be written: then none was.
    """
    pictures = drawn(found)
    contents = {
        "model.json": found.learnt.text,
        "report.html": page(found, pictures, made_at),
        **{f"{name}.svg": picture for name, picture in pictures.items()},
    }
    files = {folder / f"{found.learnt.model.version}.{kind}": text for kind, text in contents.items()}
    if there := [file for file in files if file.exists()]:
        raise BadInput(str(there[0]), "is there already and is not overwritten: name another --out or --name")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            with file.open("x", encoding="utf-8") as opened:
                opened.write(text)
    except OSError as exc:
        raise BadInput(str(folder), f"cannot be written to: {exc.strerror}") from exc
    return list(files)
