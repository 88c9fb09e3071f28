"""Asking the hub: against hosts that misbehave. Each answers, or doesn't, on this machine."""

import socket
import threading

import pytest

from reference.lesson.data import hub
from tests.helpers.refusal import refusal, says
from tests.helpers.waiting import LIMIT


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "*")


@pytest.mark.parametrize("endpoint", ["", "nix", "http://127.0.0.1:port", "ftp://", "http://"])
def test_an_endpoint_that_is_no_address(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    says(refusal(hub.check_hub), "the hub can't be reached")


@pytest.mark.parametrize(
    ("answer", "reached"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\n", True),
        (b"HTTP/1.0 404 Not Found\r\n\r\n", True),
        (b"no HTTP at all\r\n\r\n", False),
        (b"", False),
    ],
)
def test_answers(answer: bytes, reached: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(9999)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        if reached:
            hub.check_hub()
        else:
            says(refusal(hub.check_hub), "the hub can't be reached", "--recipe embedded")
        thread.join(LIMIT)


def test_a_name_that_isnt_looked_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """urllib's own timeout doesn't count that, and a resolver may take half a minute."""
    done = threading.Event()

    def stall(*_args: object, **_options: object) -> None:
        done.wait(LIMIT)
        raise OSError("never")

    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(hub, "HUB_TIMEOUT", 0.2)
    monkeypatch.setattr(socket, "getaddrinfo", stall)
    says(refusal(hub.check_hub), "no answer in 0.2 s")  # and not "never": nobody waited for it
    done.set()


def test_offline_by_wish_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """`datasets` then looks into its cache, and says so itself where there is nothing."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert hub.offline_by() is None
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hub.check_hub()
    assert hub.offline_by() == "HF_HUB_OFFLINE"
