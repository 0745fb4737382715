"""Where the `daybook` command begins: a Ctrl-C ends it quietly, also while the rest of it is still being imported."""

import sys

ENDED_BY_CTRL_C = 130  # 128 + SIGINT, as shells have it


def main() -> None:
    """Run the command that the command line names; exits 1 with one sentence for what an operator can mend."""
    try:
        from workers.commands import run  # noqa: PLC0415 (takes long enough to be interrupted)

        run()
    except KeyboardInterrupt:
        sys.exit(ENDED_BY_CTRL_C)


if __name__ == "__main__":
    main()
