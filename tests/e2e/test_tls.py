"""The TLS of the control connection: versions, ciphers, names, client certificates, and how it begins and ends."""

import signal
import ssl
import subprocess
import time

import pytest

from support.certificates import Certificate
from support.client import SAFETY_NET
from support.gateway import binary


def context_of(authority, **versions) -> ssl.SSLContext:
    context = authority.trusting(**versions)
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def refuses(gateway, context) -> bool:
    client = gateway.connect().greet()
    client.expect("AUTH TLS", 234)
    try:
        client.start_tls(context)
    except (ssl.SSLError, ConnectionError):
        return True
    return False


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_modern_versions_are_spoken(front, authority, version):
    """Guards against losing one of the two."""
    wanted = ssl.TLSVersion.TLSv1_2 if version == "TLSv1.2" else ssl.TLSVersion.TLSv1_3
    client = front.secure(tls=authority.trusting(minimum=wanted, maximum=wanted))
    assert client.tls.version() == version


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_are_refused(front, authority, version):
    """Guards against TLS 1.0 and 1.1, broken and withdrawn (RFC 8996)."""
    with pytest.warns(DeprecationWarning):
        context = context_of(authority, minimum=version, maximum=version)
    assert refuses(front.gateway, context)


@pytest.mark.parametrize("cipher", ["AES128-GCM-SHA256", "AES256-SHA", "ECDHE-ECDSA-AES128-SHA", "NULL", "aNULL"])
def test_weak_ciphers_are_refused(front, authority, cipher):
    """Guards against key exchange without forward secrecy, CBC modes, no encryption, no authentication."""
    context = context_of(authority, maximum=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    assert refuses(front.gateway, context)


def test_minimum_version_1_3(play, start_gateway, authority):
    """Guards against the setting being read and not obeyed."""
    server = play(lambda session: (session.say("220 hello"), session.serve_rest()))
    gateway = start_gateway(server, tls={"minimum_version": "1.3"})
    assert refuses(gateway, authority.trusting(maximum=ssl.TLSVersion.TLSv1_2))
    assert gateway.secure(authority.trusting()).tls.version() == "TLSv1.3"


@pytest.mark.parametrize("mechanism", ["TLS", "tls", "TLS-C", "SSL"])
def test_names_of_tls(front, mechanism):
    """RFC 4217 section 4 and the drafts before it. Guards against shutting out older clients."""
    client = front.gateway.connect().greet().auth(front.tls, mechanism)
    client.expect("NOOP", 200, 530)


@pytest.mark.parametrize(
    "line,codes", [("AUTH", (501,)), ("AUTH KERBEROS_V4", (504,)), ("AUTH GSSAPI", (504,)), ("AUTH TLS TLS", (501, 504))]
)
def test_other_mechanisms_are_refused(play, start_gateway, line, codes):
    """RFC 2228. Guards against AUTH reaching the raw ftpd, which might take up a mechanism of its own."""
    server = play(lambda session: (session.say("220 hello"), session.serve_rest({"AUTH": "334 send ADAT"})))
    start_gateway(server).connect().greet().expect(line, *codes)
    assert not server.seen


def test_auth_twice_is_refused(front):
    """Guards against TLS within TLS, or a second handshake that resets what the first has fixed."""
    front.secure().expect("AUTH TLS", 503, 534)


def test_a_failed_handshake_does_not_fall_back_to_clear(front):
    """Guards against a command after a failed handshake being answered in the clear."""
    client = front.gateway.connect().greet()
    client.expect("AUTH TLS", 234)
    client.send(b"NOOP\r\nNOOP\r\nUSER x\r\n")
    received = b""
    try:
        while part := client.receive():
            received += part
    except ConnectionResetError:
        pass
    assert b"\r\n" not in received, f"answered in the clear: {received!r}"


def test_quit_ends_with_close_notify(front, each_tls):
    """Guards against an end that the client cannot tell from a cut (`GnuTLS error -110` in lftp and FileZilla)."""
    client = front.secure(tls=each_tls)
    client.expect("QUIT", 221)
    assert client.receive() == b""  # Truncated would be raised without close_notify


def test_implicit_tls(start_server, start_gateway, tls):
    """Port 990's way: TLS before the greeting, PROT P from the start. Guards against waiting for AUTH."""
    server = start_server()
    server.server.put("file", b"content")
    gateway = start_gateway(server, listener={"implicit_tls": True})
    client = gateway.connect()
    client.context = tls
    client.start_tls(tls)
    client.greet().login(server.server.user, server.server.password)
    client.protected = True
    assert client.download("RETR file") == b"content"
    client.expect("AUTH TLS", 503, 534)


def test_implicit_tls_says_nothing_in_the_clear(start_server, start_gateway):
    """Guards against a greeting before the handshake, and against an answer to plain text."""
    client = start_gateway(start_server(), listener={"implicit_tls": True}).connect()
    client.send(b"USER x\r\n")
    received = b""
    try:
        while part := client.receive():
            received += part
    except ConnectionResetError:
        pass
    assert b"220" not in received and b"530" not in received


@pytest.mark.parametrize(
    "protocols,accepted",
    [(["ftp"], True), (["http/1.1", "ftp"], True), (None, True), (["http/1.1"], False), (["h2", "imap"], False)],
)
def test_alpn(front, authority, protocols, accepted):
    """ALPACA. Guards against a browser's TLS connection being led to the FTP server."""
    context = authority.trusting()
    if protocols:
        context.set_alpn_protocols(protocols)
    assert refuses(front.gateway, context) is not accepted
    if accepted and protocols:
        assert front.secure(tls=context).tls.selected_alpn_protocol() == "ftp"


def common_name(client) -> str:
    return dict(pair[0] for pair in client.tls.getpeercert()["subject"])["commonName"]


@pytest.fixture
def two_names(start_server, start_gateway, authority, certificate):
    other = authority.issue("other", "ftp.other.example", ["DNS:ftp.other.example", "DNS:*.wild.example"])
    server = start_server()
    return lambda **tls: start_gateway(server, tls={"certificates": [certificate.toml, other.toml]} | tls)


@pytest.mark.parametrize(
    "name,shown",
    [
        (None, "localhost"),
        ("localhost", "localhost"),
        ("ftp.other.example", "ftp.other.example"),
        ("FTP.Other.Example", "ftp.other.example"),
        ("a.wild.example", "ftp.other.example"),
        ("a.b.wild.example", "localhost"),
        ("nobody.example", "localhost"),
    ],
)
def test_server_name_chooses_the_certificate(two_names, tls, name, shown):
    """SNI. Guards against always showing the first certificate, and against a wildcard that matches too much."""
    assert common_name(two_names().secure(tls, server_name=name)) == shown


def test_unknown_names_can_be_refused(two_names, authority):
    """Unrecognized_name (RFC 6066). Guards against serving whoever points a foreign name here."""
    gateway = two_names(refuse_unknown_names=True)
    context = authority.trusting()
    client = gateway.connect().greet()
    client.expect("AUTH TLS", 234)
    with pytest.raises(ssl.SSLError, match="(?i)unrecognized.name"):
        client.start_tls(context, server_name="nobody.example")
    assert common_name(gateway.secure(context, server_name="ftp.other.example")) == "ftp.other.example"
    gateway.secure(context)  # no name at all is no unknown name


@pytest.fixture
def client_certificates(authority):
    def contexts(certificate=None, **versions):
        context = authority.trusting(**versions)
        if certificate:
            context.load_cert_chain(certificate.certificate, certificate.key)
        return context

    return contexts


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_client_certificate_required(start_server, start_gateway, authority, client_certificates, version):
    """Guards against a session without a certificate, or with one that nobody vouches for; and against taking a good one
    for a login: USER and PASS are still asked for."""
    server = start_server()
    server.server.put("file", b"content")
    gateway = start_gateway(
        server, listener={"client_certificate": "require"}, tls={"client_ca": str(authority.root.certificate)}
    )
    alice = authority.issue("alice", "alice")
    stranger = type(authority)(server.server.home.parent).root

    for certificate in (None, stranger):
        client = gateway.connect().greet()
        client.expect("AUTH TLS", 234)
        with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
            client.start_tls(client_certificates(certificate, maximum=version))
            client.command("NOOP")  # under TLS 1.3 the refusal comes after the client has finished

    client = gateway.secure(client_certificates(alice, maximum=version))
    client.expect("PWD", 530)
    client.login(server.server.user, server.server.password).protect()
    assert client.download("RETR file") == b"content"


def test_client_certificate_requested(start_server, start_gateway, authority, client_certificates):
    """`request`: those without one are served too, a bad one is still refused."""
    server = start_server()
    gateway = start_gateway(
        server, listener={"client_certificate": "request"}, tls={"client_ca": str(authority.root.certificate)}
    )
    gateway.secure(client_certificates()).login(server.server.user, server.server.password)
    gateway.secure(client_certificates(authority.issue("bob", "bob"))).login(server.server.user, server.server.password)


def is_let_in(gateway, context) -> bool:
    """Under TLS 1.3 a refusal comes after the client has finished."""
    client = gateway.connect().greet()
    client.expect("AUTH TLS", 234)
    try:
        client.start_tls(context)
        client.expect("NOOP", 200, 530)
        return True
    except (ssl.SSLError, ConnectionError, EOFError):
        return False
    finally:
        client.close()


def check(gateway) -> subprocess.CompletedProcess:
    return subprocess.run([binary(), "check", "-c", gateway.config_path], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("place", ["client_ca", "client_crl"])
def test_revoked_client_certificate(start_server, start_gateway, authority, client_certificates, directory, place):
    """Guards against a list that is loaded and never looked at."""
    alice, mallory = authority.issue("good-alice", "alice"), authority.issue("bad-mallory", "mallory")
    lists = directory / "lists.pem"
    lists.write_text((authority.root.certificate.read_text() if place == "client_ca" else "") + authority.revocation_list(mallory))
    tls = {"client_ca": str(authority.root.certificate)} | {place: str(lists)}
    gateway = start_gateway(start_server(), listener={"client_certificate": "require"}, tls=tls)
    assert check(gateway).returncode == 0
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        assert is_let_in(gateway, client_certificates(alice, maximum=version))
        assert not is_let_in(gateway, client_certificates(mallory, maximum=version))
    gateway.wait_for_log("certificate revoked")


def test_changed_revocation_list_counts_at_once(start_server, start_gateway, authority, client_certificates, directory):
    """Like a renewed certificate: without a signal, and nothing is resumed past it."""
    mallory = authority.issue("late-mallory", "mallory")
    lists = directory / "lists.pem"
    lists.write_text(authority.revocation_list())
    tls = {"client_ca": str(authority.root.certificate), "client_crl": str(lists)}
    gateway = start_gateway(start_server(), listener={"client_certificate": "require"}, tls=tls)
    context = client_certificates(mallory)
    first = gateway.secure(context)
    first.expect("NOOP", 200, 530)
    session = first.tls.session
    new = directory / "lists.new"
    new.write_text(authority.revocation_list(mallory))
    new.replace(lists)
    deadline = time.monotonic() + SAFETY_NET
    while is_let_in(gateway, context):
        assert time.monotonic() < deadline, "the new list is not read"
        time.sleep(0.5)
    with pytest.raises((ssl.SSLError, ConnectionError, EOFError, AssertionError)):
        gateway.secure(context, session=session).expect("NOOP", 200, 530)


def test_revocation_list_that_is_out_of_date(start_server, start_gateway, authority, client_certificates, directory):
    lists = directory / "lists.pem"
    lists.write_text(authority.revocation_list(days=-1))
    tls = {"client_ca": str(authority.root.certificate), "client_crl": str(lists)}
    gateway = start_gateway(start_server(), listener={"client_certificate": "require"}, tls=tls)
    checked = check(gateway)
    assert checked.returncode == 0 and "revocation list of CN=Test CA is out of date" in checked.stdout
    assert not is_let_in(gateway, client_certificates(authority.issue("in-vain", "alice")))
    gateway.wait_for_log("CRL has expired")


def make_strange_key(authority) -> Certificate:
    """On a curve that no client's list has."""
    made = Certificate(authority.directory / "strange.pem", authority.directory / "strange.key")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1", "-nodes", "-days", "3"]
    command += ["-subj", "/CN=strange", "-addext", "subjectAltName=DNS:strange.example", "-out", made.certificate]
    subprocess.run([*command, "-keyout", made.key], check=True, capture_output=True)
    made.key.chmod(0o600)
    return made


@pytest.mark.parametrize("what", ["ciphers", "key", "key behind the default"])
def test_settings_that_can_never_work(start_server, start_gateway, authority, certificate, tls, what):
    """Guards against a gateway that starts and serves nobody. check, the start and a reload refuse, and say what to write."""
    strange = make_strange_key(authority).toml
    settings, words = {
        "ciphers": ({"ciphers": "DHE+AESGCM"}, ['ciphers = "DHE+AESGCM"', "TLS 1.2", "ECDHE+AESGCM"]),
        "key": ({"certificates": [strange]}, ["secp256k1", "no TLS client", "P-256"]),
        "key behind the default": ({"certificates": [certificate.toml, strange]}, ["secp256k1", "strange.pem"]),
    }[what]
    server = start_server()
    never = start_gateway(server, start=False, tls=settings)
    checked = check(never)
    assert checked.returncode == 78 and all(word in checked.stdout for word in words), checked.stdout
    with pytest.raises(AssertionError, match="ended with 78"):
        never.start()
    gateway = start_gateway(server)
    gateway.change(tls=settings)
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_for_log(words[0].replace('"', '\\\\"').replace("+", r"\+"))
    gateway.secure(tls)


def test_encrypted_key(start_gateway, start_server, certificate, directory):
    """A daemon has nobody to ask; the message says so, and what to do."""
    encrypted = directory / "encrypted.key"
    command = ["openssl", "pkey", "-in", certificate.key, "-aes128", "-passout", "pass:secret", "-out", encrypted]
    subprocess.run(command, check=True, capture_output=True)
    encrypted.chmod(0o600)
    gateway = start_gateway(start_server(), start=False, tls={"certificates": [certificate.toml | {"key": str(encrypted)}]})
    said = check(gateway).stdout
    assert "the key is encrypted" in said and "openssl pkey" in said and "interrupted" not in said
    with pytest.raises(AssertionError, match="the key is encrypted"):
        gateway.start()


def test_data_connection_with_another_client_certificate_is_refused(
    start_server, start_gateway, authority, client_certificates
):
    """Guards against a second client of the same address, with its own valid certificate, taking over a transfer."""
    server = start_server()
    server.server.put("file", b"content")
    gateway = start_gateway(
        server, listener={"client_certificate": "require"}, tls={"client_ca": str(authority.root.certificate)}
    )
    client = gateway.secure(client_certificates(authority.issue("carol", "carol")))
    client.login(server.server.user, server.server.password).protect()
    data = client.connect_data(client.passive())
    client.expect("RETR file", 150)
    try:
        data.start_tls(client_certificates(authority.issue("mallory", "mallory")))
        assert data.receive() != b"content"
    except (ssl.SSLError, ConnectionError):
        pass
    data.close()
    client.expect_reply(522)
    assert client.download("RETR file") == b"content"


def test_ccc_is_refused_by_default(front):
    """Guards against dropping encryption and injecting commands afterwards."""
    client = front.login()
    client.expect("CCC", 534)
    client.expect("NOOP", 200)
    front.gateway.connect().greet().expect("CCC", 533, 530)


def test_ccc_where_allowed(start_server, start_gateway, tls):
    """For clients behind firewalls that read PORT. Guards against a lost byte at the change to clear, and against USER or PASS
    in the clear afterwards."""
    server = start_server()
    server.server.put("file", b"content")
    gateway = start_gateway(server, listener={"allow_ccc": True})
    client = gateway.secure(tls)
    client.expect("CCC", 503, 530, 533, 534)
    client.login(server.server.user, server.server.password).protect()
    session = client.tls.session
    client.expect("CCC", 200)
    client.end_tls()
    client.expect("PWD", 257)
    assert client.download("RETR file", session=session) == b"content"
    client.expect("PROT C", 503, 534)
    client.expect(f"USER {server.server.user}", 530, 503)
    client.expect("QUIT", 221)


def test_renegotiation_is_refused(front):
    """Client-initiated renegotiation is cheap for the client, dear for the server."""
    run = subprocess.run(
        [
            "openssl",
            "s_client",
            "-connect",
            f"127.0.0.1:{front.gateway.port}",
            "-starttls",
            "ftp",
            "-tls1_2",
            "-legacy_renegotiation",
        ],
        input=b"R\n",
        capture_output=True,
        timeout=60,
    )
    assert b"no renegotiation" in run.stderr or b"handshake failure" in run.stderr, run.stderr.decode()


def test_key_updates_do_not_hurt(front):
    """TLS 1.3 lets a client ask for new keys as often as it likes: the session goes on, or ends, but the worker lives."""
    workers = front.gateway.workers()
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{front.gateway.port}", "-starttls", "ftp", "-tls1_3", "-crlf"]
    run = subprocess.run(command, input=b"K\n" * 200 + b"NOOP\nQUIT\n", capture_output=True, timeout=60)
    assert b"KEYUPDATE" in run.stderr
    front.login().expect("NOOP", 200)
    assert front.gateway.workers() == workers


def test_no_compression(front, authority):
    """CRIME."""
    client = front.secure(tls=authority.trusting(maximum=ssl.TLSVersion.TLSv1_2))
    assert client.tls.compression() is None


def test_one_byte_records(front, each_tls):
    """Guards against a parser that wants a command line in one TLS record (seen: proftpd, its proxy)."""
    client = front.secure(tls=each_tls)
    for byte in f"USER {front.server.user}\r\n".encode():
        client.send(bytes([byte]))
    client.expect_reply(331)


def test_a_ticket_is_no_login(front, each_tls):
    """A session that has ended leaves nothing to resume, and nobody logged in."""
    first = front.login(tls=each_tls)
    session = first.tls.session
    first.expect("QUIT", 221)
    second = front.secure(tls=each_tls, session=session)
    assert not second.tls.session_reused
    second.expect("PWD", 530)
    second.login(front.server.user, front.server.password)


def test_self_made_certificate(start_server, start_gateway, authority, directory):
    """No certificate in the configuration: one is made, kept, and the same after a restart, so that it can be pinned."""
    server = start_server()
    keys = directory / "keys"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    gateways = [start_gateway(server, tls={"certificates": None, "key_directory": str(keys)}) for _ in range(2)]
    shown = [gateway.secure(context).tls.getpeercert(binary_form=True) for gateway in gateways]
    assert shown[0] == shown[1]
    assert all(path.stat().st_mode & 0o077 == 0 for path in keys.iterdir() if b"PRIVATE KEY" in path.read_bytes())
