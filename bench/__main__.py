"""The command: one benchmark, or `all` of them and RESULTS.md."""

import argparse
import importlib
import sys
from pathlib import Path

import msgspec

from bench.measuring import ROUNDS, Row
from bench.report import run_all, table
from bench.services import BenchError

# In the order of the report.
BENCHES = (
    *("append", "inbox", "timelines", "documents", "posting", "deliveries"),
    *("fanout", "homes", "repairs", "replay", "memory"),
)


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", choices=[*BENCHES, "all"])
    parser.add_argument("--scale", type=float, default=1.0, help="of how much is done; 1 is a minute at most each")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", type=Path, help="write the rows there too")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).with_name("RESULTS.md"), help="where `all` reports to"
    )
    asked = parser.parse_args()
    if asked.name == "all":
        sys.exit(run_all(BENCHES, asked.scale, asked.rounds, asked.out))
    try:
        rows: list[Row] = importlib.import_module(f"bench.{asked.name}").run(asked.scale, asked.rounds)
    except BenchError as error:
        sys.exit(f"bench {asked.name}: {error}")
    if asked.json:
        asked.json.write_bytes(msgspec.json.encode(rows))
    print(table(rows))


if __name__ == "__main__":
    main()
