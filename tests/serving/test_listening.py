"""Addresses that a server listens on."""

import pytest

from kerasrec.serving.listening import host_port, listen_error, listening_socket


@pytest.mark.parametrize("host, expected", [("127.0.0.1", "127.0.0.1:1"), ("::1", "[::1]:1"), ("[::1]", "[::1]:1")])
def test_an_ipv6_address_is_in_brackets(host, expected):
    assert host_port(host, 1) == expected


def test_an_address_of_another_machine_is_reported_with_the_reason():
    with pytest.raises(OSError) as error:
        listening_socket("192.0.2.1", 0)  # reserved for documentation
    message = listen_error("192.0.2.1:0", error.value, "port")
    assert message.startswith("cannot listen on 192.0.2.1:0: Cannot assign requested address. Fix: ")
