"""The instances: designs from files, from the repository or made by danskin, converted once for all sides."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from environment import HERE, REPOSITORY, WORK
from processes import Failed, Refused, run

SIZE = ("--rows", "100000", "--columns", "20000", "--per-row", "50", "--task", "logistic")
# What `danskin data make` calls them: rows in columns of very different lengths, and in windows of 60; larger than caches.
MADE = {"zipf": "zipf", "banded": "banded:60"}


@dataclass(frozen=True)
class Source:
    """Where an instance comes from; without targets they are the labels in the design's file."""

    name: str
    design: Path
    targets: Path | None = None
    positive: str | None = None

    def stamp(self) -> dict[str, object]:
        """What makes a converted instance out of date when it changes."""
        files = [file for file in (self.design, self.targets) if file is not None]
        states = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
        return {"files": [list(state) for state in states], "positive": self.positive}


@dataclass(frozen=True)
class Instance:
    """A converted instance: `design.npz`, `y.npy` in its folder, lambda and the step."""

    name: str
    folder: Path
    rows: int
    columns: int
    entries: int
    lam: float
    step: float

    def facts(self) -> dict[str, object]:
        return asdict(self) | {"folder": str(self.folder)}


def shipped() -> Source:
    return Source("debian_small", REPOSITORY / "datasets" / "debian_small.svm.xz")


def made(name: str, danskin: Path, say: Callable[[str], None]) -> Source:
    """One of `MADE`."""
    folder = WORK / "instances" / name
    design, targets = folder / "made.npz", folder / "made.targets.npy"
    if not (design.exists() and targets.exists()):
        say(f"making {name}")
        folder.mkdir(parents=True, exist_ok=True)
        run([danskin, "data", "make", MADE[name], *SIZE, "--quiet", "--output", design])
    return Source(name, design, targets)


def convert(source: Source, python: Path, say: Callable[[str], None]) -> Instance:
    """The instance of a source, from an earlier run where nothing changed."""
    folder = WORK / "instances" / source.name / "converted"
    stamp = folder / "stamp.json"
    if not stamp.exists() or json.loads(stamp.read_text()) != source.stamp():
        say(f"converting {source.name}")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        targets = ["--targets", source.targets] if source.targets else []
        # The label may begin with a minus.
        positive = [f"--positive={source.positive}"] if source.positive else []
        try:
            run([python, HERE / "convert.py", source.design, *targets, *positive, "--output", folder])
        except Failed as failure:
            raise Refused(f"{source.name}: {failure}") from None
        stamp.write_text(json.dumps(source.stamp()))
    facts = json.loads((folder / "instance.json").read_text())
    return Instance(
        source.name, folder, facts["rows"], facts["columns"], facts["entries"], facts["lambda"], facts["step"]
    )


def reference(instance: Instance, python: Path, say: Callable[[str], None]) -> Path:
    """g* of an instance."""
    file = instance.folder / "analytic.npy"
    if not file.exists():
        say(f"g* of {instance.name}")
        run([python, HERE / "reference.py", instance.folder])
    return file
