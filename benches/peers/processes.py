"""Running other programs: with a time limit, and with failures that show in one line."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

Command = Sequence[str | Path]


class Refused(Exception):
    """What the user can mend; the message is one line."""


class OverTime(Exception):
    """A program was still running at its time limit, and was ended."""


class Failed(Exception):
    """A program ended with an exit code other than 0; the message is the last line that it wrote to stderr."""


def environment(threads: int) -> dict[str, str]:
    """The environment of a measured program: every library is told the same number of threads, in its own way."""
    # A kernel forced upon OpenBLAS is not the one that it would choose.
    forced = {"OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"}
    ours = {name: value for name, value in os.environ.items() if name not in forced}
    counts = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPROC")  # NPROC is XLA's.
    return ours | {name: str(threads) for name in counts} | {"JAX_PLATFORMS": "cpu"}


def run(command: Command, limit: float | None = None, env: Mapping[str, str] | None = None) -> str:
    """What the program writes to stdout."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, env=env, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise OverTime from None
    except FileNotFoundError:
        raise Refused(f"{command[0]} is not there to be run") from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise Failed(said[-1] if said else f"exit code {done.returncode}")
    return done.stdout
