"""TLS and mutual TLS over gRPC and REST."""

import http.client
import ssl

import grpc
import pytest
import trustme
from kerasrec_testing.served import TIMEOUT, client_of, export_version

from kerasrec.serving import TLS, Server, ServingError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("tls") / "films"
    export_version(path, 1)
    return path


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Files of an authority, of a server and a client that it signed, and of a client of another authority."""
    path, authority, other_authority = tmp_path_factory.mktemp("certificates"), trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(path / "ca.pem"))
    for name, issuer in (("server", authority), ("client", authority), ("foreign", other_authority)):
        issued = issuer.issue_cert("localhost", "127.0.0.1")
        issued.private_key_pem.write_to_path(str(path / f"{name}.key"))
        for pem in issued.cert_chain_pems:
            pem.write_to_path(str(path / f"{name}.pem"), append=True)
    return path


@pytest.fixture
def tls_of(certificates):
    """name → the `TLS` of that certificate, with the authority `ca.pem` unless `trusts` is False."""

    def tls(name, trusts=True):
        ca = certificates / "ca.pem" if trusts else None
        return TLS(certificates / f"{name}.pem", certificates / f"{name}.key", ca)

    return tls


@pytest.fixture
def only_ca(certificates):
    return TLS(ca=certificates / "ca.pem")


def reason_of(server, tls):
    """The message of the client's error, without the address."""
    with client_of(server, tls=tls, retries=0) as client, pytest.raises(ServingError) as rejected:
        client.status()
    return str(rejected.value).removeprefix(f"127.0.0.1:{server.port}: ")


def grpc_works(server, tls):
    with client_of(server, tls=tls, retries=0) as client:
        try:
            return client.status() == {1: "AVAILABLE"}
        except ServingError as error:
            assert error.code == grpc.StatusCode.UNAVAILABLE
            return False


def rest_works(server, tls):
    context = ssl.create_default_context(cafile=tls.ca)
    if tls.cert is not None:
        context.load_cert_chain(tls.cert, tls.key)
    connection = http.client.HTTPSConnection("127.0.0.1", server.rest_port, timeout=TIMEOUT, context=context)
    try:
        connection.request("GET", "/v1/models/films")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def test_a_tls_server_is_reached_by_clients_that_trust_its_authority(folder, tls_of, only_ca):
    with Server(folder, port=0, rest_port=0, tls=tls_of("server", trusts=False)) as server:
        clients = (only_ca, tls_of("client"), None, TLS())
        assert [grpc_works(server, tls) for tls in clients] == [True, True, False, False]
        assert rest_works(server, only_ca)
        assert reason_of(server, None) == "the server requires TLS. Fix: set `tls`"


def test_a_server_of_another_authority_is_named_as_the_reason(folder, tls_of, certificates, tmp_path):
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    with Server(folder, port=0, tls=tls_of("server", trusts=False)) as server:
        reason = reason_of(server, TLS(ca=other))
    assert reason.startswith("the server's certificate is not valid (")
    assert reason.endswith("). Fix: set its authority as `ca` of `tls`")


def test_a_server_without_tls_is_named_as_the_reason(folder, only_ca):
    with Server(folder, port=0) as server:
        assert reason_of(server, only_ca) == "the server does not use TLS. Fix: leave out `tls`"


def test_mutual_tls_requires_a_client_certificate_of_the_authority(folder, tls_of, only_ca):
    with Server(folder, port=0, rest_port=0, tls=tls_of("server")) as server:
        clients = (tls_of("client"), only_ca, tls_of("foreign"))
        assert [grpc_works(server, tls) for tls in clients] == [True, False, False]
        assert [rest_works(server, tls) for tls in clients] == [True, False, False]
        without_certificate = "the server requires a client certificate. Fix: set `cert` and `key` of `tls`"
        assert reason_of(server, only_ca) == without_certificate
        assert reason_of(server, tls_of("foreign")).startswith("the server rejects the client's certificate")


def test_missing_or_unmatched_files_are_rejected(folder, certificates, only_ca):
    with pytest.raises(ValueError, match="expected `cert` and `key` together, got only `cert`. Fix: set `key`"):
        TLS(certificates / "client.pem")
    with pytest.raises(ValueError, match="expected `cert` and `key` for a TLS server"):
        Server(folder, port=0, tls=only_ca)
    with pytest.raises(
        ValueError, match=r"expected a certificate and its private key in PEM, got .*client.pem and .*ca"
    ):
        Server(folder, port=0, tls=TLS(certificates / "client.pem", certificates / "ca.pem"))
