"""What is measured: a program at a task, in a process of its own that leaves vectors in a folder."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import processes
from environment import HERE
from instances import Instance


@dataclass(frozen=True)
class Task:
    """T steps of gradient descent; or, where `newton`, at most T steps of Newton's method, ended by a tolerance."""

    name: str
    iterations: int
    estimator: str | None = None
    newton: bool = False

    @property
    def vectors(self) -> list[str]:
        """The vectors in which all sides have to agree."""
        return ["z"] if self.estimator is None else ["z", self.estimator]


@dataclass(frozen=True)
class Cost:
    """Seconds, and resident memory of the process when the work began and at its peak until the end."""

    seconds: float
    before_bytes: int
    peak_bytes: int

    @property
    def extra_bytes(self) -> int:
        return self.peak_bytes - self.before_bytes


@dataclass(frozen=True)
class Runner:
    """What all programs are given alike."""

    threads: int
    limit: float
    scratch: Path

    def run(self, command: processes.Command, **more: str) -> str:
        """What the command writes to stdout, with `more` in its environment."""
        return processes.run(command, self.limit, processes.environment(self.threads) | more)

    def folder(self, name: str) -> Path:
        """An empty folder for a program's vectors."""
        folder = self.scratch / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder


@dataclass(frozen=True)
class Danskin:
    """The command line of danskin. Its variant is the tolerance of Newton's method, else nothing."""

    program: Path
    variant: str = ""
    name: str = "danskin"

    def measure(self, instance: Instance, task: Task, runner: Runner) -> tuple[Cost, Path]:
        folder = runner.folder(self.name)
        # z_T alone comes with g1, which takes no pass over D and is not in the cost of z_T.
        estimator = task.estimator or "analytic"
        data = [
            "--design",
            instance.folder / "design.npz",
            "--targets",
            instance.folder / "y.npy",
            "--problem",
            "logistic",
        ]
        solver = ["--solver", "newton", "--tolerance", self.variant] if task.newton else ["--step", repr(instance.step)]
        rest = ["--lambda", repr(instance.lam), "--iterations", str(task.iterations), "--estimator", estimator]
        output = ["--threads", str(runner.threads), "--quiet", "--output", folder]
        # What reading freed goes back to the system before the work, as peers see to by malloc_trim.
        allocator = {"MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_MMAP_THRESHOLD_": "65536"}
        runner.run([self.program, "gradient", *data, *solver, *rest, *output], **allocator)
        report = json.loads((folder / "report.json").read_text())
        seconds = report["cost"]["seconds"]
        if task.estimator is not None:
            seconds += report["estimators"][task.estimator]["cost"]["seconds"]
        return Cost(seconds, **report["resident"]), folder


@dataclass(frozen=True)
class Peer:
    """A variant of a peer: the file `peer_NAME.py`."""

    python: Path
    name: str
    variant: str

    def measure(self, instance: Instance, task: Task, runner: Runner) -> tuple[Cost, Path]:
        folder = runner.folder(self.name)
        flags = ["--iterations", str(task.iterations), "--variant", self.variant, "--output", folder]
        gradient = [] if task.estimator is None else ["--gradient"]
        script = HERE / f"peer_{self.name}.py"
        return Cost(**json.loads(runner.run([self.python, script, instance.folder, *flags, *gradient]))), folder


Program = Danskin | Peer
