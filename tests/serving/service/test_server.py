"""The socket of a service."""

import socket

import asking
import pytest

from recbole_dsl.common.errors import UsageError

asking.service_or_skip()

from recbole_dsl.serving.service import server  # noqa: E402


def test_a_free_port_of_this_machine_is_bound_and_nobody_listens_yet():
    with server.bound_socket("127.0.0.1", 0) as bound:
        host, port = bound.getsockname()
        assert server.address_of(bound) == f"http://127.0.0.1:{port}" and port > 0
        assert server.is_loopback(bound)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, port), timeout=5)


def test_asyncio_will_set_nodelay():
    with server.bound_socket("127.0.0.1", 0) as bound:
        assert bound.proto == socket.IPPROTO_TCP


@pytest.mark.parametrize(("host", "loopback"), [("0.0.0.0", False), ("127.1.2.3", True)])
def test_other_machines_reach_it_or_not(host, loopback):
    with server.bound_socket(host, 0) as bound:
        assert server.is_loopback(bound) is loopback


def test_an_address_of_ipv6_is_in_brackets():
    try:
        bound = server.bound_socket("::1", 0)
    except UsageError:
        pytest.skip("no IPv6")
    with bound:
        assert server.address_of(bound) == f"http://[::1]:{bound.getsockname()[1]}"
        assert server.is_loopback(bound)


def test_a_port_that_is_taken_is_one_line():
    with server.bound_socket("127.0.0.1", 0) as bound:
        bound.listen()
        port = bound.getsockname()[1]
        with pytest.raises(UsageError) as error:
            server.bound_socket("127.0.0.1", port)
    assert str(error.value) == (
        f"--host=127.0.0.1 --port={port} cannot be listened on: Address already in use"
    )


@pytest.mark.parametrize("host", ["no.such.host.invalid", "256.1.1.1", "a" * 70, "é" * 300, ""])
def test_a_host_that_is_none_is_one_line(host):
    with pytest.raises(UsageError, match="^--host=") as error:
        server.bound_socket(host, 0)
    assert "\n" not in str(error.value)
