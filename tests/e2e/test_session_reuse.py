"""Data connections that resume the control connection's TLS session: offered, counted, demanded if so configured."""

import ftplib
import io
import ssl
import time

import pytest

from support.client import Channel, Truncated


class ResumingFtp(ftplib.FTP_TLS):
    """Python's client, made to resume: what the stock one never does."""

    def ntransfercmd(self, cmd, rest=None):
        connection, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        if self._prot_p:
            connection = self.context.wrap_socket(connection, server_hostname=self.host, session=self.sock.session)
            self.resumed = getattr(self, "resumed", []) + [connection.session_reused]
        return connection, size


@pytest.fixture
def reusing(start_server, start_gateway, tls):
    """reusing("require") -> (client, gateway, server)."""

    def start(policy, context=tls, **settings):
        server = start_server()
        gateway = start_gateway(server, listener={"session_reuse": policy}, **settings)
        client = gateway.secure(context).login(server.server.user, server.server.password).protect()
        return client, gateway, server

    return start


@pytest.mark.parametrize("policy", ["prefer", "require"])
def test_a_resumed_data_connection_is_resumed(reusing, each_tls, policy):
    """Guards against tickets or session ids that the gateway gives out and then does not take."""
    client, _, _ = reusing(policy, each_tls)
    for _ in range(5):
        data = client.open_data("NLST")
        assert data.tls.session_reused
        data.receive_all()
        data.end_leniently()
        client.expect_reply(226)


def test_require_refuses_a_full_handshake(reusing, each_tls):
    """522 with a reason, no byte of the file, and the session goes on."""
    client, _, server = reusing("require", each_tls)
    server.server.put("file", b"content")
    data = client.connect_data(client.passive())
    client.expect("RETR file", 150)
    received = b""
    try:
        client.protect_data(data, session=None)
        received = data.receive()
    except (ssl.SSLError, ConnectionError, EOFError, Exception):
        pass
    assert b"content" not in received
    data.close()
    assert "resume" in client.expect_reply(522).text.lower()
    assert client.download("RETR file") == b"content"


def test_require_refuses_a_session_of_another_login(reusing, each_tls):
    """A ticket proves only that the gateway gave it to somebody. Guards against taking one user's for another's data."""
    client, gateway, server = reusing("require", each_tls)
    server.server.put("file", b"content")
    other = gateway.secure(each_tls).login(server.server.user, server.server.password).protect()
    data = client.connect_data(client.passive())
    client.expect("RETR file", 150)
    received = b""
    try:
        client.protect_data(data, session=other.tls.session)
        received = data.receive()
    except Exception:
        pass
    assert b"content" not in received
    data.close()
    client.expect_reply(522)


@pytest.mark.parametrize("policy,verb", [("require", "RETR"), ("require", "STOR"), ("prefer", "RETR"), ("prefer", "STOR")])
@pytest.mark.parametrize("stranger_is", ["silent", "secure", "plain"])
def test_a_stranger_at_the_clients_address_takes_no_transfer(reusing, each_tls, policy, verb, stranger_is):
    """Behind NAT others have the client's address. One who comes first gets nothing, stores nothing, and the client's own
    transfer works: everybody is on trial, and the door stays open until the one who resumes has come."""
    client, _, server = reusing(policy, each_tls)
    server.server.put("file", b"the owner's")
    address = client.passive()
    stranger = client.connect_data(address)
    if stranger_is == "secure":
        stranger.start_tls(each_tls)
    elif stranger_is == "plain":
        stranger.send(b"GET / HTTP/1.0\r\n\r\n")
    data = client.connect_data(address)
    data.prepare_tls(each_tls, client.tls.session, client.server_name)
    data.client_hello()
    client.expect(f"{verb} file", 150)
    data.handshake()
    if verb == "RETR":
        assert data.receive_all() == b"the owner's"
        data.end_leniently()
    else:
        data.send(b"uploaded")
        data.end()
    client.expect_reply(226)
    try:
        assert b"the owner's" not in stranger.receive_all()
    except (OSError, Truncated):
        pass
    if verb == "STOR":
        assert (server.server.home / "file").read_bytes() == b"uploaded"


@pytest.mark.parametrize("policy", ["off", "prefer"])
def test_no_resumption_is_fine_unless_required(reusing, each_tls, policy):
    """Stock ftplib, Net::FTP and others never resume. Guards against demanding it by default."""
    client, _, _ = reusing(policy, each_tls)
    client.upload("STOR file", b"content", session=None)
    assert client.download("RETR file", session=None) == b"content"


def test_no_tickets_on_data_connections(reusing, authority):
    """RFC 8446. A client that only writes and closes with unread tickets in its buffer sends RST, and the tail of its
    upload is lost (seen: vsftpd with curl and lftp under TLS 1.3, now and then). So none may be sent there."""
    context = authority.trusting(minimum=ssl.TLSVersion.TLSv1_3)
    client, _, _ = reusing("prefer", context)
    data = client.connect_data(client.passive())
    client.send_line("STOR file")
    client.expect_reply(150)
    data.prepare_tls(context)
    data.client_hello()
    data.handshake()
    assert data.tls.session is None or not data.tls.session.has_ticket
    assert not data.has_more(1.0)
    data.send(b"content")
    data.end()
    client.expect_reply(226)


def test_an_upload_whose_client_reads_nothing(reusing, each_tls):
    """The same from the other end: write, close_notify, close without a single read. All of it must be stored."""
    client, _, server = reusing("prefer", each_tls)
    content = bytes(range(256)) * 1200
    for number in range(10):
        data = client.open_data(f"STOR unread-{number}")
        data.send(content)
        data.close_notify()
        data.fin()
        client.expect_reply(226)
        data.close()
        assert (server.server.home / f"unread-{number}").read_bytes() == content


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_two_hundred_transfers_all_resumed(start_server, start_gateway, authority, version):
    """Under TLS 1.3 a client uses tickets up. Guards against `works for a few files, then 522` (curl, rclone, cyberduck)."""
    wanted = ssl.TLSVersion.TLSv1_2 if version == "TLSv1.2" else ssl.TLSVersion.TLSv1_3
    server = start_server()
    gateway = start_gateway(server, listener={"session_reuse": "require"})
    client = ResumingFtp(context=authority.trusting(minimum=wanted, maximum=wanted), timeout=60)
    client.connect("127.0.0.1", gateway.port)
    client.login(server.server.user, server.server.password)
    client.prot_p()
    for number in range(100):
        content = f"file {number}".encode() * 300
        client.storbinary("STOR file", io.BytesIO(content))
        parts = []
        client.retrbinary("RETR file", parts.append)
        assert b"".join(parts) == content
    assert client.resumed == [True] * 200
    client.quit()


@pytest.mark.parametrize("transfer", ["EPSV", "PASV", "EPRT", "PORT", "refused"])
def test_a_fresh_ticket_for_each_that_was_used(reusing, authority, transfer):
    """RFC 8446 section C.4: clients use a ticket once (Perl's does). In active mode and after a refusal no other one came, and
    the third transfer was refused."""
    client, _, _ = reusing("require", authority.trusting(minimum=ssl.TLSVersion.TLSv1_3))
    used = set()
    for _ in range(5):
        if transfer == "refused":
            data = client.connect_data(client.passive())
            data.prepare_tls(client.context, client.tls.session, client.server_name)
            used.add(client.tls.session.id)
            data.client_hello()
            client.expect("RETR nothing-of-that-name", 550)
            data.handshake()
            data.receive_all()
            data.close()
        elif transfer in ("EPSV", "PASV"):
            client.download("NLST", transfer)
            used.add(client.tls.session.id)
        else:
            with client.active(transfer) as listener:
                used.add(client.tls.session.id)
                client.send_line("NLST")
                connection, _ = listener.accept()
            data = client.protect_data(Channel(connection))
            client.expect_reply(150)
            data.receive_all()
            data.end_leniently()
            client.expect_reply(226)
    assert len(used) == 5


def test_session_longer_than_the_ticket_lifetime(reusing, authority):
    """A pain of many servers' users: transfers refused, or empty files, once the ticket of the login has run out. What the
    control connection has brought last must still be taken."""
    sessions = []
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = authority.trusting(minimum=version, maximum=version)
        client, _, server = reusing("require", context, tls={"ticket_lifetime": "10s"})
        client.upload("STOR file", b"before")
        sessions.append((client, server))
    deadline = time.monotonic() + 12
    while time.monotonic() < deadline:  # the time must really pass: it is what the test is about
        for client, _ in sessions:
            client.expect("NOOP", 200)
        time.sleep(2)
    for client, server in sessions:
        client.upload("STOR file", b"after")
        assert (server.server.home / "file").read_bytes() == b"after"
