"""What operators start Daybook with: the image, compose.yaml, systemd's units and proxies agree with the code."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from adapters.config import KNOWN, SHARED, load_settings, log_form, log_level
from api.params_uploads import BYTES_MAX
from tests.dockerfile import instructions, only
from workers.background import PARTS
from workers.commands import COMMANDS

ROOT = Path(__file__).parent.parent
UNITS = sorted((ROOT / "deploy/systemd").glob("*.service"))
TIMERS = sorted((ROOT / "deploy/systemd").glob("*.timer"))
HERE = {"postgres", "valkey"}
# May make tables, so they get the owner's address; nothing that answers requests may.
OWNERS = {"migrate", "admin"}
NOT_FROM_ENV = {
    "DAYBOOK_BIND": "the port that is published leads to it, on every address of the container",
    "DAYBOOK_DATA": "the volume's place, which the image names",
    "DAYBOOK_DATABASE_APP_URL": "the service postgres, by APP_PASSWORD",
    "DAYBOOK_NAME_MAP": "for trials on one machine: its addresses are loopback ones, which no other container has",
    "DAYBOOK_PORT": "the port that is published and that the image's health check asks",
    "DATABASE_URL": "the service postgres, by POSTGRES_PASSWORD, for owners alone",
    "REDIS_URL": "the service valkey",
}
# `systemd-analyze security`, from 0 (nothing exposed) to 100.
EXPOSURE_MAX = 25
HARDENED = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "RestrictNamespaces": "yes",
    "SystemCallFilter": "@system-service",
    "UMask": "0077",
}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """compose.yaml's."""
    return YAML(typ="safe").load(ROOT / "compose.yaml")["services"]


def ours(services: dict[str, Any]) -> dict[str, Any]:
    return {name: service for name, service in services.items() if name not in HERE}


def unit(path: Path) -> dict[str, dict[str, list[str]]]:
    """A unit's sections: name → the values it was given, in order."""
    sections: dict[str, dict[str, list[str]]] = {}
    section: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            name, equals, value = line.partition("=")
            assert equals, line
            section.setdefault(name, []).append(value)
    return sections


def named(path: Path) -> str:
    return path.name


def commands() -> set[str]:
    return {name for name, _, _ in COMMANDS}


def test_compose_files_are_what_their_schema_says() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "check_jsonschema",
            "--builtin-schema",
            "vendor.compose-spec",
            str(ROOT / "compose.yaml"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_of_ours_in_compose_is_one_image_and_a_command_that_there_is(services: dict[str, Any]) -> None:
    assert len({service["image"] for service in ours(services).values()}) == 1
    for name, service in ours(services).items():
        daybook, command = service["command"].split()
        assert daybook == "daybook"
        assert command in {*commands(), "--help"}, name


def test_what_runs_without_being_asked_for_is_a_whole_instance_and_its_split_has_every_part(
    services: dict[str, Any],
) -> None:
    running = {name for name, service in services.items() if "profiles" not in service}
    assert running == {*HERE, "migrate", "serve", "behind"}
    assert {name for name, service in services.items() if service.get("profiles") == ["split"]} == set(PARTS)
    assert all(services[name]["command"] == f"daybook {name}" for name in PARTS)


def test_only_what_makes_tables_knows_the_owners_database(services: dict[str, Any]) -> None:
    assert {name for name, one in ours(services).items() if "DATABASE_URL" in one["environment"]} == OWNERS


def test_what_touches_pictures_has_their_volume(services: dict[str, Any]) -> None:
    having = {name for name, one in ours(services).items() if "data:/data" in one.get("volumes", [])}
    assert having == {"migrate", "serve", "behind", "tick", "admin"}


def test_no_secret_stands_in_compose_and_none_has_a_default(services: dict[str, Any]) -> None:
    secret = re.compile(r"PASSWORD|KEY")
    for service in services.values():
        for name, value in service["environment"].items() if "environment" in service else ():
            for variable in re.findall(r"\$\{([^}]+)\}", str(value)):
                assert not secret.search(variable) or ":?" in variable, variable
            if secret.search(name):
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), name


def test_everything_of_ours_in_compose_runs_with_little_power(services: dict[str, Any]) -> None:
    for name, service in ours(services).items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "user" not in service, name


def test_whatever_goes_on_is_started_again_and_what_ends_is_not(services: dict[str, Any]) -> None:
    assert {name for name, service in services.items() if service["restart"] == "no"} == OWNERS
    assert {service["restart"] for name, service in services.items() if name not in OWNERS} == {"unless-stopped"}


def test_what_others_wait_for_says_when_it_is_healthy(services: dict[str, Any]) -> None:
    for service in services.values():
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "test" in services[other]["healthcheck"]
    assert "healthcheck" not in services["serve"], "the image's own"


def test_base_images_are_pinned_to_a_version(services: dict[str, Any]) -> None:
    base = only(instructions(ROOT / "Dockerfile"), "FROM").rest
    for image in (base, *(services[name]["image"] for name in HERE)):
        assert re.search(r":\d+\.\d+(\.\d+)?(-\w+)*$", image), image


def settings_given() -> Iterator[str]:
    """The names of the settings that files here give."""
    for file in (ROOT / "compose.yaml", ROOT / "Dockerfile", *UNITS):
        yield from re.findall(
            r"^\s*(?:Environment=|ENV )?(DAYBOOK_\w+|DATABASE_URL|REDIS_URL)[=:]", file.read_text(), re.M
        )


def test_every_setting_that_is_given_is_one_that_is_read() -> None:
    given = set(settings_given())
    assert {"DAYBOOK_DATA", "DAYBOOK_BIND", "DAYBOOK_DOMAIN", "DATABASE_URL", "REDIS_URL"} <= given
    assert given <= {*KNOWN, *SHARED}


def test_what_compose_gives_is_understood(services: dict[str, Any]) -> None:
    filled = {
        name: re.sub(r"\$\{(\w+):-[^}]*\}", "", re.sub(r"\$\{(\w+):\?[^}]*\}", "abc123", str(value)))
        for name, value in services["migrate"]["environment"].items()
    }
    settings = load_settings(filled)
    assert settings.database_url == "postgresql://daybook:abc123@postgres/daybook"
    assert settings.database_app_url == "postgresql://daybook_app:abc123@postgres/daybook"


def test_every_setting_is_passed_on_by_compose_or_there_is_a_reason_not_to(services: dict[str, Any]) -> None:
    for name, service in ours(services).items():
        passed_on = {key for key, value in service["environment"].items() if str(value).startswith(f"${{{key}:")}
        assert passed_on == {*KNOWN, *SHARED} - NOT_FROM_ENV.keys(), name


def test_what_nobody_sets_is_in_compose_as_it_is_elsewhere(services: dict[str, Any]) -> None:
    for name, service in ours(services).items():
        defaults = {
            key: found[1]
            for key, value in service["environment"].items()
            if (found := re.fullmatch(r"\$\{\w+:-([^}]*)\}", str(value)))
        }
        assert "DAYBOOK_PAGES_MB" in defaults
        assert load_settings(defaults) == load_settings({}), name
        assert (log_form(defaults), log_level(defaults)) == (log_form({}), log_level({})), name


def test_nobody_in_the_image_is_root_and_nothing_secret_is_in_it() -> None:
    found = instructions(ROOT / "Dockerfile")
    assert only(found, "USER").rest == "10001:10001"
    assert found.index(only(found, "USER")) > max(found.index(one) for one in found if one.name == "RUN")
    assert not [one for one in found if one.name in ("ARG", "ADD")]
    assert not re.search(r"PASSWORD|KEY|TOKEN|SECRET|_URL", only(found, "ENV").rest)
    copied = {word for one in found if one.name == "COPY" for word in one.words[:-1]}
    packages = {"domain", "projections", "adapters", "api", "workers"}
    assert copied == {".ci/install", "pyproject.toml", "requirements.lock", "README.md", "LICENSE", *packages}
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert ignored[0] == "*"
    assert {line[1:] for line in ignored if line[0] == "!"} == copied


def test_the_image_is_healthy_while_it_lives() -> None:
    check = only(instructions(ROOT / "Dockerfile"), "HEALTHCHECK").rest
    assert "/livez" in check
    assert check.startswith("CMD [")


@pytest.mark.parametrize("path", UNITS, ids=named)
def test_every_unit_runs_a_command_that_there_is_as_an_ordinary_user_with_little_power(path: Path) -> None:
    service = unit(path)["Service"]
    (line,) = service["ExecStart"]
    program, command, *_ = line.split()
    assert program == "/opt/daybook/.venv/bin/daybook"
    assert command in {*commands(), "%i"}
    assert service["User"] == ["daybook"]
    assert {name: service[name][0] for name in HARDENED} == HARDENED


def test_parts_as_units_never_learn_the_owners_database() -> None:
    files = {path.name: unit(path)["Service"]["EnvironmentFile"] for path in UNITS}
    assert files["daybook@.service"] == ["/etc/daybook.env"]
    assert files["daybook-migrate.service"] == ["/etc/daybook.env", "/etc/daybook-owner.env"]


@pytest.mark.parametrize("path", TIMERS, ids=named)
def test_every_timer_has_its_unit(path: Path) -> None:
    assert path.with_suffix(".service") in UNITS
    assert unit(path)["Timer"]["OnCalendar"]
    assert unit(path)["Install"] == {"WantedBy": ["timers.target"]}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd to ask")
def test_systemd_takes_the_units_and_finds_little_exposed(tmp_path: Path) -> None:
    for path in (*UNITS, *TIMERS):
        text = path.read_text().replace("/opt/daybook/.venv/bin/daybook", "/bin/true")
        (tmp_path / path.name.replace("@.", "@serve.")).write_text(text.replace("/opt/daybook", "/tmp"))
    files = [str(path) for path in sorted(tmp_path.iterdir())]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for file in files:
        if file.endswith(".service"):
            judged = subprocess.run(
                ["systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE_MAX}", "--no-pager", file],
                capture_output=True,
                text=True,
                check=False,
            )
            assert judged.returncode == 0, judged.stdout[-500:] + judged.stderr


def test_proxies_let_the_largest_upload_through_to_where_it_is_judged() -> None:
    for file, size in (("Caddyfile", r"max_size (\d+)MB"), ("nginx.conf", r"client_max_body_size (\d+)m;")):
        found = re.search(size, (ROOT / "deploy/proxy" / file).read_text())
        assert found, file
        assert BYTES_MAX < int(found[1]) * 1_000_000 < 2 * BYTES_MAX, file


def test_a_proxy_hands_on_the_host_and_the_target_as_they_were_signed() -> None:
    nginx = (ROOT / "deploy/proxy/nginx.conf").read_text()
    assert "proxy_set_header Host $http_host;" in nginx
    assert "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;" in nginx
    assert set(re.findall(r"proxy_pass (\S+);", nginx)) == {"http://daybook"}
