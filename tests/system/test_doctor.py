"""`daybook doctor` beside a real instance: nothing is wrong while it runs; once it is stopped, that and the way out."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.system.instance import Instance, free_port

TIMEOUT_S = 60
ASKED_MAX = 20


def asked(data: Path) -> tuple[int, dict[str, Any]]:
    """The exit status, and the findings by what was looked at; nothing is set but where the data are."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}
    kept = {name: value for name, value in kept.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    command = [sys.executable, "-P", "-m", "workers.cli", "doctor", "--json"]
    environ = {**kept, "DAYBOOK_DATA": str(data)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert not done.stderr, done.stderr
    return done.returncode, {one["check"]: one for one in json.loads(done.stdout)["findings"]}


def wrong(found: dict[str, Any]) -> dict[str, str]:
    """What is wrong, but for a full disk, which is not the instance's doing."""
    return {check: one["what"] for check, one in found.items() if one["state"] == "wrong" and check != "disk"}


def test_nothing_is_wrong_with_a_running_instance_and_a_stopped_one_is_told(tmp_path: Path) -> None:
    # Nobody who asks without the environment could guess where it listens.
    instance = Instance(tmp_path, free_port(), DAYBOOK_DOMAIN=f"localhost:{free_port()}").ready()
    try:
        assert instance.status("/livez") == 200
        status, found = asked(tmp_path)
        # The first page is answered before every part behind has begun.
        for _ in range(ASKED_MAX):
            if wrong(found):
                status, found = asked(tmp_path)
    finally:
        instance.end()
    assert wrong(found) == {}
    assert status == 0 or found["disk"]["state"] == "wrong"
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    status, found = asked(tmp_path)
    assert status == 1
    assert found["database"]["state"] == "wrong" and "Start `daybook up`" in found["database"]["todo"]
    assert found["redis"]["state"] == "warning" and found["web server"]["state"] == "wrong"
    assert found["master key"]["state"] == found["media"]["state"] == "ok"
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before
