"""The `daybook` command as a process: how it ends when somebody changes their mind at once."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest


def test_ctrl_c_during_the_first_imports_ends_it_quietly(tmp_path: Path) -> None:
    (tmp_path / "cyclopts.py").write_text("import os, signal\nos.write(1, b'importing')\nsignal.pause()\n")
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "workers.cli", "up"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(root)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.read(9) == b"importing"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30) == (b"", b"")
    assert process.returncode == 130


@pytest.mark.parametrize("command", ["repair", "log"])
def test_a_command_for_the_database_alone_loads_no_other_driver(command: str) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", f"import sys, workers.commands_{command}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert "psycopg" in loaded
    assert not {"redis", "dramatiq", "httpx", "httpcore", "litestar", "prometheus_client"}.intersection(loaded)
