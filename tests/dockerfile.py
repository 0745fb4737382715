"""A Dockerfile as far as ours goes: its instructions in order, lines that go on put together."""

import json
import re
from pathlib import Path
from typing import NamedTuple

_FLAG = re.compile(r"^--\S+\s+")


class Instruction(NamedTuple):
    """One of them: its name in capitals, and the rest without flags such as --mount."""

    name: str
    rest: str

    @property
    def words(self) -> list[str]:
        """Of CMD and the like in their exec form, else what spaces divide."""
        return json.loads(self.rest) if self.rest.startswith("[") else self.rest.split()


def instructions(path: Path) -> list[Instruction]:
    """All of a file's."""
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    found: list[Instruction] = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        while flag := _FLAG.match(rest):
            rest = rest[flag.end() :]
        found.append(Instruction(name.upper(), re.sub(r"\s+", " ", rest)))
    return found


def only(found: list[Instruction], name: str) -> Instruction:
    """The one instruction of this name."""
    (one,) = [instruction for instruction in found if instruction.name == name]
    return one
