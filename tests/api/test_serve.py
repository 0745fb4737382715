"""A port that can't be had is said in a sentence before anything starts."""

import socket

import pytest

from adapters.config import Settings, SettingsError
from api.serve import check_port


@pytest.mark.parametrize("shared", [False, True], ids=["exclusively", "by an instance that would share it"])
def test_a_port_that_another_listens_on_is_refused_in_one_sentence(shared: bool) -> None:
    with socket.socket() as other:
        if shared:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(SettingsError, match=f"Port {port} on 127.0.0.1 can't be listened on") as caught:
            check_port(Settings(port=port))
    assert "\n" not in str(caught.value)
    check_port(Settings(port=port))


def test_an_address_that_is_not_this_machines_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"Port 3000 on 192\.0\.2\.1"):
        check_port(Settings(bind="192.0.2.1"))
