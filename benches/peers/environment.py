"""The two sides as they are to be run: a Python with the pinned peers, and danskin built for release."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from processes import Command, Failed, Refused, run

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
WORK = REPOSITORY / "target" / "peers"


def build(say: Callable[[str], None]) -> Path:
    """The program `danskin`."""
    return built(["--package", "danskin-cli"], say)


def example(name: str, say: Callable[[str], None]) -> Path:
    """The program of an example of the library."""
    return built(["--package", "danskin", "--example", name], say)


def built(what: Command, say: Callable[[str], None]) -> Path:
    if shutil.which("cargo") is None:
        raise Refused("cargo is not there to build danskin: install Rust")
    say("cargo build --release")
    manifest = REPOSITORY / "Cargo.toml"
    command = ["cargo", "build", "--release", "--locked", *what, "--message-format", "json"]
    messages = attempt([*command, "--manifest-path", manifest], "danskin does not build")
    programs = [json.loads(line).get("executable") for line in messages.splitlines() if line.startswith("{")]
    return Path(next(program for program in reversed(programs) if program))


def python(with_torch: bool, say: Callable[[str], None]) -> Path:
    """A Python of its own in which the peers are installed, made or completed where it has to be."""
    folder = WORK / "venv"
    interpreter = folder / "bin" / "python"
    if not interpreter.exists():
        say(f"making {folder}")
        # A half-made one is of no use.
        make = [sys.executable, "-m", "venv", "--clear", folder]
        attempt(make, "python3 -m venv does not work (on Debian it is the package python3-venv)")
    install(interpreter, "requirements.txt", say)
    if with_torch:
        install(interpreter, "requirements-torch.txt", say)
        if not loads(interpreter, "torch"):
            install(interpreter, "requirements-torch-cuda.txt", say)
        if not loads(interpreter, "torch"):
            raise Refused("PyTorch is installed and does not load: --only scipy,jax,sklearn does without")
    return interpreter


def install(interpreter: Path, requirements: str, say: Callable[[str], None]) -> None:
    """Installs a list of packages, unless that very list was installed before."""
    wanted = (HERE / requirements).read_text()
    installed = interpreter.parent.parent / requirements
    if installed.exists() and installed.read_text() == wanted:
        return
    say(f"installing {requirements}")
    command = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    attempt([*command, "--requirement", HERE / requirements], f"{requirements} cannot be installed")
    installed.write_text(wanted)


def loads(interpreter: Path, module: str) -> bool:
    try:
        run([interpreter, "-c", f"import {module}"])
    except Failed:
        return False
    return True


def attempt(command: Command, refusal: str) -> str:
    try:
        return run(command)
    except Failed as failure:
        raise Refused(f"{refusal}: {failure}") from None
