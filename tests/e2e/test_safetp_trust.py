"""Whom safetp trusts: servers that are known, new, changed, expired, stripped of TLS, cut short."""

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import threading
import warnings

import pytest

from support import safetp
from support.certificates import Certificate
from support.client import SAFETY_NET
from support.safetp import Safetp
from support.scripted_server import ScriptedServer, Session
from support.scripted_tls import LOGIN_REPLIES, begin_tls, fingerprint, server_context, serving, url_of


@pytest.fixture
def client(directory) -> Safetp:
    return Safetp(directory / "user")


@pytest.fixture
def make_certificate(authority):
    """make_certificate("name", days=3, ...) -> Certificate: self-signed."""

    def make(name: str, *extra: str) -> Certificate:
        return authority._make(name, f"/CN={name}", ["-addext", "subjectAltName=IP:127.0.0.1", *extra])

    return make


def test_first_use_is_remembered_and_said_once(play, client, certificate):
    server = play(serving(server_context(certificate)))
    client.run("get", url_of(server) + "/file").expect(safetp.OK, "first time", fingerprint(certificate))
    assert client.run("get", url_of(server) + "/file").expect(safetp.OK).err == ""
    [line] = client.lines()
    assert line[0] == f"127.0.0.1:{server.port}" and line[1] == fingerprint(certificate)
    assert line[3] == "first-use" and line[5] == "secure"
    assert client.pins.stat().st_mode & 0o777 == 0o600


def test_changed_key_stops_everything(play, client, certificate, make_certificate):
    """Nothing is sent, what is known stays, and the message says what to do: which then works."""
    other = make_certificate("other")
    first = play(serving(server_context(certificate)))
    client.run("get", url_of(first) + "/file", "-o", "first").expect(safetp.OK)
    server = play(serving(server_context(other)))
    client.pins.write_text(client.pins.read_text().replace(f":{first.port} ", f":{server.port} "))
    before = client.pins.read_bytes()
    finished = client.run("get", url_of(server) + "/file")
    command = f"safetp pin add --pins {client.pins} 127.0.0.1:{server.port} {fingerprint(other)}"
    finished.expect(safetp.NOT_TRUSTED, "HAS CHANGED", "nothing was sent", command)
    assert finished.err.count("\n") == 1
    assert server.seen == [b"AUTH TLS"]
    assert client.pins.read_bytes() == before
    assert sorted(os.listdir(client.directory)) == ["first", "known_servers", "known_servers.lock"]
    subprocess.run([safetp.binary(), *command.split()[1:]], check=True, capture_output=True, timeout=SAFETY_NET)
    client.run("get", url_of(server) + "/file").expect(safetp.OK)


def test_strict_refuses_unknown(play, client, certificate):
    server = play(serving(server_context(certificate)))
    client.run("get", "--strict", url_of(server) + "/file").expect(safetp.NOT_TRUSTED, "not known yet", "safetp pin add")
    assert server.seen == [b"AUTH TLS"] and not client.pins.exists()


def test_key_given_beforehand(play, client, certificate, make_certificate):
    """It wins over what is remembered, in both directions."""
    server = play(serving(server_context(certificate)))
    wrong = fingerprint(make_certificate("wrong"))
    client.run("get", "--key", wrong, url_of(server) + "/file").expect(safetp.NOT_TRUSTED, "HAS CHANGED", "configuration")
    client.run("pin", "add", f"127.0.0.1:{server.port}", wrong).expect(safetp.OK)
    client.run("get", url_of(server) + "/file").expect(safetp.NOT_TRUSTED)
    client.run("get", "--key", wrong, "--key", certificate.public_key_pin(), url_of(server) + "/file").expect(safetp.OK)
    client.run("get", "--key", "SHA256:short", url_of(server) + "/file").expect(safetp.USAGE, "43 characters")


def test_configuration(play, client, authority, certificate, make_certificate):
    """safetp.toml is about servers, whoever speaks with them: a key that is written there is not passed over by get."""
    server = play(serving(server_context(certificate, maximum=ssl.TLSVersion.TLSv1_2)))
    config = client.directory / "safetp.toml"

    def get(text: str):
        config.write_text(text)
        return client.run("get", "--config", config, url_of(server) + "/file")

    entry = f'[[server]]\nhost = "127.0.0.1"\nport = {server.port}\n'
    wrong = fingerprint(make_certificate("wrong"))
    get(f'{entry}pin = ["{wrong}"]\n').expect(safetp.NOT_TRUSTED, "HAS CHANGED", "configuration")
    get(f"{entry}refuse_unknown = true\n").expect(safetp.NOT_TRUSTED, "not known yet")
    get('minimum_tls = "1.3"\n').expect(safetp.NOT_TRUSTED, "nothing was sent")
    get('trust = "ca"\n').expect(safetp.NOT_TRUSTED, "signed by nobody")
    assert not client.pins.exists() and set(server.seen) == {b"AUTH TLS"}
    get(f'trust = "ca"\nauthorities = "{authority.root.certificate}"\n').expect(safetp.OK)
    get(f'{entry}pin = ["{fingerprint(certificate)}"]\n').expect(safetp.OK)
    given = client.run("get", "--config", config, "--key", wrong, url_of(server) + "/file")
    given.expect(safetp.NOT_TRUSTED, "HAS CHANGED")
    get("sekurity = 1\n").expect(78, "sekurity")


def test_truncation_that_is_allowed_by_name(play, client, certificate):
    server = play(serving(server_context(certificate), b"a part", end=lambda data: None, size="502 ?"))
    config = client.directory / "safetp.toml"
    config.write_text(f'[[server]]\nhost = "127.0.0.1"\nport = {server.port}\nunsafe_missing_close_notify = true\n')
    client.run("get", "--config", config, url_of(server) + "/file").expect(safetp.OK)


@pytest.mark.parametrize("policy", ["ca", "ca+pin"])
def test_authorities(play, client, authority, certificate, make_certificate, policy):
    trusting = Safetp(client.directory, SSL_CERT_FILE=str(authority.root.certificate))
    server = play(serving(server_context(certificate)))
    client.run("get", "--policy", policy, url_of(server) + "/file").expect(safetp.NOT_TRUSTED, "signed by nobody", "Test CA")
    assert not client.pins.exists()
    trusting.run("get", "--policy", policy, url_of(server) + "/file").expect(safetp.OK)
    [line] = trusting.lines()
    assert line[5] == "secure" and line[1] == ("-" if policy == "ca" else fingerprint(certificate))

    elsewhere = play(serving(server_context(authority.issue("elsewhere", "elsewhere", ["DNS:ftp.example.com"]))))
    refused = trusting.run("get", "--policy", policy, url_of(elsewhere) + "/file")
    refused.expect(safetp.NOT_TRUSTED, "is for ftp.example.com and not for 127.0.0.1")
    own = play(serving(server_context(make_certificate("own"))))
    trusting.run("get", "--policy", policy, url_of(own) + "/file").expect(safetp.NOT_TRUSTED, "made its certificate itself")
    assert len(trusting.lines()) == 1


def test_policy_ca_lets_keys_change_and_ca_and_pin_does_not(play, client, authority, certificate):
    client.environment["SSL_CERT_FILE"] = str(authority.root.certificate)
    renewed = authority.issue("renewed", "localhost", ["IP:127.0.0.1"])
    first = play(serving(server_context(certificate)))
    client.run("get", "--policy", "ca+pin", url_of(first) + "/file").expect(safetp.OK)
    server = play(serving(server_context(renewed)))
    client.pins.write_text(client.pins.read_text().replace(f":{first.port} ", f":{server.port} "))
    client.run("get", "--policy", "ca+pin", url_of(server) + "/file").expect(safetp.NOT_TRUSTED, "probably renewed")
    client.run("get", "--policy", "pin", url_of(server) + "/file").expect(safetp.NOT_TRUSTED, "probably renewed")
    client.run("get", "--policy", "ca", url_of(server) + "/file").expect(safetp.OK)


def expired_certificate(authority) -> Certificate:
    """openssl req cannot make one of the past, but `openssl x509` can sign one that ended before it began."""
    made = authority._make("expired", "/CN=expired", ["-addext", "subjectAltName=IP:127.0.0.1"])
    request = subprocess.check_output(
        ["openssl", "x509", "-x509toreq", "-in", made.certificate, "-signkey", made.key, "-copy_extensions", "copyall"]
    )
    extensions = authority.directory / "expired.cnf"
    extensions.write_text("subjectAltName=IP:127.0.0.1\n")
    command = ["openssl", "x509", "-req", "-days", "-1", "-extfile", extensions, "-out", made.certificate]
    subprocess.run(
        command + ["-CA", authority.root.certificate, "-CAkey", authority.root.key], input=request, check=True, capture_output=True
    )
    return made


def test_expired(play, client, authority):
    """By policy ca an end; by policy pin a known key goes on, but no unknown one begins."""
    client.environment["SSL_CERT_FILE"] = str(authority.root.certificate)
    old = expired_certificate(authority)
    server = play(serving(server_context(old)))
    client.run("get", "--policy", "ca", url_of(server) + "/file").expect(safetp.NOT_TRUSTED, "has expired on 20")
    client.run("get", url_of(server) + "/file").expect(safetp.NOT_TRUSTED, "has expired on 20", "safetp pin add")
    assert not client.pins.exists()
    client.run("pin", "add", f"127.0.0.1:{server.port}", fingerprint(old)).expect(safetp.OK)
    client.run("get", url_of(server) + "/file").expect(safetp.OK)


@pytest.mark.parametrize("reply", ["500 what?", "502 no", "534 policy"])
def test_server_without_tls(play, client, reply):
    """As a man in the middle does it who strips AUTH: neither name nor password is sent."""

    def script(session: Session) -> None:
        session.say("220 scripted")
        session.serve_rest({"AUTH": reply, "USER": "331 password?", "PASS": "230 in"})

    server = play(script)
    refused = client.run("ls", url_of(server)).expect(safetp.NOT_TRUSTED, "no TLS", "nothing was sent", reply, "administrators")
    assert "SSL level" not in refused.err, "libcurl's words for it tell nobody anything"
    assert {line.split()[0] for line in server.seen} <= {b"AUTH", b"QUIT"}
    assert not client.pins.exists()


def test_busy_server(play, client):
    """421 is no refusal of TLS, but nothing is sent then either."""

    def script(session: Session) -> None:
        session.say("220 scripted")
        session.serve_rest({"AUTH": "421 too many"})

    server = play(script)
    client.run("ls", url_of(server)).expect(safetp.TRY_AGAIN, "421 too many")
    assert {line.split()[0] for line in server.seen} <= {b"AUTH", b"QUIT"}


def test_server_with_old_tls(play, client, certificate):
    context = server_context(certificate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # deprecated it is
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")

    def script(session: Session) -> None:
        begin_tls(session, context)

    server = play(script)
    client.run("ls", url_of(server)).expect(safetp.NOT_TRUSTED, "nothing was sent", "too old", "TLS 1.2")
    assert server.seen == [b"AUTH TLS"]


def test_server_that_does_not_speak_tls_at_once(play, client):
    server = play(lambda session: (session.say("220 scripted"), session.socket.recv(65536)))
    url = url_of(server).replace("ftp://", "ftps://")
    client.run("ls", url).expect(safetp.NOT_TRUSTED, "nothing was sent", "ftp:// instead of ftps://")


def test_server_that_does_not_protect_data(play, client, certificate):
    context = server_context(certificate)

    def script(session: Session) -> None:
        begin_tls(session, context)
        session.serve_rest(LOGIN_REPLIES | {"PROT": "536 no"})

    server = play(script)
    client.run("get", url_of(server) + "/file").expect(safetp.NOT_TRUSTED, "does not protect its data")
    assert b"RETR" not in b" ".join(server.seen)


@pytest.mark.parametrize("is_one_packet", [True, False])
def test_plain_text_before_tls_is_not_believed(play, client, certificate, is_one_packet):
    """What a man in the middle sends behind the 234 must not become a reply under TLS."""
    context = server_context(certificate)

    def script(session: Session) -> None:
        session.say("220 scripted")
        session.expect("AUTH")
        if is_one_packet:
            session.raw(b"234 go on\r\n230 you are in\r\n")
            with contextlib.suppress(ssl.SSLError):
                session.socket = context.wrap_socket(session.socket, server_side=True)
                session.serve_until("RETR", LOGIN_REPLIES)
        else:
            session.raw(b"234 go on\r\n")
            session.socket.recv(65536)  # the ClientHello
            session.say("230 you are in")
            session.serve_rest()

    server = play(script)
    client.run("get", url_of(server) + "/file").expect(safetp.NOT_TRUSTED, "nothing was sent")
    assert server.seen == [b"AUTH TLS"]


@pytest.mark.parametrize("maximum", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLSv1.2", "TLSv1.3"])
def test_truncated_download(play, client, certificate, maximum):
    """A FIN without close_notify, and a server that says 226 all the same: it may be another's FIN."""
    context = server_context(certificate, maximum=maximum)
    server = play(serving(context, b"a part", end=lambda data: None, size="502 ?"))
    client.run("get", url_of(server) + "/file").expect(safetp.TRY_AGAIN, "broke off")
    assert not (client.directory / "file").exists()
    client.run("get", url_of(server) + "/file", "-o", "-").expect(safetp.TRY_AGAIN)
    listing = play(serving(context, b"-rw-r--r-- 1 a a 1 Jan 1 2024 name\r\n", end=lambda data: None, verb="LIST"))
    client.run("ls", url_of(listing)).expect(safetp.TRY_AGAIN, "broke off")


def test_download_shorter_than_announced(play, client, certificate):
    server = play(serving(server_context(certificate), b"a part", size="213 1000"))
    client.run("get", url_of(server) + "/file").expect(safetp.TRY_AGAIN)
    assert not (client.directory / "file").exists()
    assert (client.directory / "file.part").read_bytes() == b"a part"


@pytest.mark.parametrize("ending", ["426 aborted", "451 disk", None])
def test_download_without_success_at_its_end(play, client, certificate, ending):
    """All bytes came under TLS, but the server does not say that they were all."""
    context = server_context(certificate)

    def script(session: Session) -> None:
        begin_tls(session, context)
        session.serve_until("RETR", LOGIN_REPLIES | {"SIZE": "502 ?"})
        session.say("150 here it comes")
        data = context.wrap_socket(session.data(), server_side=True)
        data.sendall(b"a part")
        data.unwrap()
        data.close()
        if ending is not None:
            session.say(ending)
            session.serve_rest()

    server = play(script)
    client.run("get", url_of(server) + "/file").expect(safetp.TRY_AGAIN)
    assert not (client.directory / "file").exists()


def test_data_connection_with_another_key(play, client, certificate, make_certificate):
    other = server_context(make_certificate("intruder"))
    server = play(serving(server_context(certificate), data_context=other))
    client.run("get", url_of(server) + "/file").expect(safetp.NOT_TRUSTED, "data connection", "another key")
    assert not (client.directory / "file").exists()


def test_a_lie_about_the_data_connections_address_changes_nothing(play, client, certificate):
    context = server_context(certificate)

    def script(session: Session) -> None:
        begin_tls(session, context)
        port = session.listen()
        lie = f"227 Entering Passive Mode (192,0,2,1,{port >> 8},{port & 255})"
        session.serve_until("RETR", LOGIN_REPLIES | {"EPSV": "500 ?", "PASV": lie})
        session.say("150 here it comes")
        data = context.wrap_socket(session.data(), server_side=True)
        data.sendall(b"content")
        data.unwrap()
        data.close()
        session.say("226 done")
        session.serve_rest()

    server = play(script)
    client.run("get", url_of(server) + "/file").expect(safetp.OK)
    assert b"PASV" in server.seen and (client.directory / "file").read_bytes() == b"content"


def test_stalled_server(play, client, certificate):
    """Nothing moves: an end after the limit, and what came is kept."""
    context = server_context(certificate)
    part = client.directory / "file.part"

    def script(session: Session) -> None:
        begin_tls(session, context)
        session.serve_until("RETR", LOGIN_REPLIES)
        session.say("150 here it comes")
        data = context.wrap_socket(session.data(), server_side=True)
        data.sendall(b"a part")
        try:
            data.recv(1)
        except OSError:
            pass

    for limit in (1, 4, 16, 64):  # on a machine that stands still, the limit can be over before the part has come
        server = play(script)
        stalled = client.run("get", "--stall-timeout", str(limit), url_of(server) + "/file")
        stalled.expect(safetp.TRY_AGAIN, f"nothing moved for {limit} seconds")
        if part.exists():
            break
    assert part.read_bytes() == b"a part"


def test_hostile_texts_do_not_reach_the_terminal(play, client, certificate):
    def script(session: Session) -> None:
        begin_tls(session, server_context(certificate))
        session.serve_rest(LOGIN_REPLIES | {"PASS": "530 \x1b[2J\x1b]0;mine\x07 no"})

    server = play(script)
    finished = client.run("get", url_of(server) + "/file").expect(safetp.LOGIN_FAILED)
    assert "\x1b" not in finished.err and "\x07" not in finished.err


def receiving(context: ssl.SSLContext, ends: list[str]):
    """A script that takes one STOR, and notes how its data connection ended."""

    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # Python's default takes any end for one in order

    def script(session: Session) -> None:
        begin_tls(session, context)
        session.serve_until("STOR", LOGIN_REPLIES)
        session.say("150 go on")
        data = context.wrap_socket(session.data(), server_side=True, suppress_ragged_eofs=False)
        try:
            while data.recv(65536):
                pass
            ends.append("close_notify")
            data.unwrap()
            data.close()
            session.say("226 done")
            session.serve_rest()
        except OSError:
            ends.append("cut") if not ends else None
        finally:
            data.close()

    return script


@pytest.mark.parametrize("maximum", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLSv1.2", "TLSv1.3"])
def test_upload_that_breaks_off_here_does_not_look_whole_there(play, client, certificate, maximum):
    """The server can know by close_notify alone, so a transfer that failed must not send one; a whole one must."""
    ends: list[str] = []
    server = play(receiving(server_context(certificate, maximum), ends))
    client.run("put", "-", url_of(server) + "/whole", input=bytes(100_000)).expect(safetp.OK)
    assert ends == ["close_notify"]
    ends.clear()
    process = client.start("put", "-v", "-", url_of(server) + "/half", stdin=subprocess.PIPE)
    process.stdin.write(bytes(100_000))
    process.stdin.flush()
    said = b""
    while b"< 150" not in said:
        said += os.read(process.stderr.fileno(), 65536)
    process.send_signal(signal.SIGTERM)
    _, rest = process.communicate(timeout=SAFETY_NET)
    assert process.returncode == safetp.TRY_AGAIN, said + rest
    server.close()  # waits for the script
    assert ends == ["cut"]


def test_upload_whose_control_connection_breaks(play, client, certificate):
    """It was cut for the server, too: nothing is not an empty file."""
    context = server_context(certificate)
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    ends: list[str] = []

    def script(session: Session) -> None:
        begin_tls(session, context)
        session.serve_until("STOR", LOGIN_REPLIES)
        data = context.wrap_socket(session.data(), server_side=True, suppress_ragged_eofs=False)
        session.socket.shutdown(socket.SHUT_RDWR)
        try:
            while data.recv(65536):
                pass
            ends.append("close_notify")
        except OSError:
            ends.append("cut")
        finally:
            data.close()

    server = play(script)
    client.run("put", "-", url_of(server) + "/file", input=b"content").expect(safetp.TRY_AGAIN)
    server.close()  # waits for the script
    assert ends == ["cut"]


def test_client_certificate(play, client, authority, certificate):
    context = server_context(certificate, ssl.TLSVersion.TLSv1_2)  # with TLS 1.3 a refusal comes later, in any reply's place
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.root.certificate)
    server = play(serving(context))
    ours = authority.issue("our-client", "our client")
    client.run("get", url_of(server) + "/file").expect(safetp.NOT_TRUSTED, "client certificate", "nothing was sent")
    options = ["--client-cert", ours.certificate, "--client-key", ours.key]
    client.run("get", *options, url_of(server) + "/file").expect(safetp.OK)
    client.run("get", "--client-cert", "no-such-file", url_of(server) + "/file").expect(safetp.NO_INPUT, "no-such-file")
    encrypted = client.directory / "encrypted.key"
    command = ["openssl", "pkey", "-in", ours.key, "-aes128", "-passout", "pass:secret", "-out", encrypted]
    subprocess.run(command, check=True, capture_output=True)
    for key, words in {encrypted: "the key is encrypted", authority.root.key: "is not the key of"}.items():
        options = ["--client-cert", ours.certificate, "--client-key", key]
        client.run("get", *options, url_of(server) + "/file").expect(safetp.NO_INPUT, words)


def test_ipv6(running, client, certificate):
    server = running.add(ScriptedServer(serving(server_context(certificate)), "::1"))
    client.run("pin", "add", "--yes", f"[::1]:{server.port}").expect(safetp.OK)
    assert client.lines()[0][0] == f"[::1]:{server.port}"


# -- at a terminal ------------------------------------------------------------------------------------------------------------
def test_question_at_a_terminal(play, client, certificate):
    server = play(serving(server_context(certificate)))
    code, seen = client.run_at_terminal("get", url_of(server) + "/file", answers=[("(yes/no)", "maybe"), ("type yes", "no")])
    assert code == safetp.NOT_TRUSTED and fingerprint(certificate) in seen and "not accepted" in seen
    assert server.seen == [b"AUTH TLS"] and not client.pins.exists()
    code, seen = client.run_at_terminal("get", url_of(server) + "/file", answers=[("(yes/no)", "yes")])
    assert code == safetp.OK, seen
    assert (client.directory / "file").read_bytes() == b"content"
    [line] = client.lines()
    assert line[1] == fingerprint(certificate) and line[5] == "secure"


def test_password_at_a_terminal(play, client, certificate):
    del client.environment["SAFETP_PASSWORD"]
    server = play(serving(server_context(certificate)))
    client.run("pin", "add", f"127.0.0.1:{server.port}", fingerprint(certificate)).expect(safetp.OK)
    code, seen = client.run_at_terminal("get", url_of(server) + "/file", answers=[("Password of user", "quiet-word")])
    assert code == safetp.OK, seen
    assert "quiet-word" not in seen
    assert b"PASS quiet-word" in server.seen


def test_progress_at_a_terminal(play, client, certificate):
    """It is drawn while the transfer is under way, and gone at its end; without a terminal there is none (other tests)."""
    context = server_context(certificate)
    is_seen = threading.Event()

    def script(session: Session) -> None:
        begin_tls(session, context)
        session.serve_until("RETR", LOGIN_REPLIES | {"SIZE": "213 200000"})
        session.say("150 here it comes")
        data = context.wrap_socket(session.data(), server_side=True)
        data.sendall(bytes(100_000))
        assert is_seen.wait(SAFETY_NET)
        data.sendall(bytes(100_000))
        data.unwrap()
        data.close()
        session.say("226 done")
        session.serve_rest()

    server = play(script)
    client.run("pin", "add", f"127.0.0.1:{server.port}", fingerprint(certificate)).expect(safetp.OK)
    code, seen = client.run_at_terminal("get", url_of(server) + "/file", answers=[(" 50% 97.7 KiB", is_seen.set)])
    assert code == safetp.OK, seen
    assert seen.endswith("\r\x1b[K")


# -- pin ----------------------------------------------------------------------------------------------------------------------
def test_pin_add_from_the_server(play, client, certificate):
    server = play(serving(server_context(certificate)))
    name = f"127.0.0.1:{server.port}"
    client.run("pin", "add", name).expect(safetp.USAGE, "nobody can be asked")
    assert not client.pins.exists()
    finished = client.run("pin", "add", "--yes", name).expect(safetp.OK)
    assert f"256 {fingerprint(certificate)} {name} (ECDSA)" in finished.out.decode()
    assert client.lines()[0][3:] == ["by-hand", client.lines()[0][4], "not-yet"]
    client.run("get", "--strict", url_of(server) + "/file").expect(safetp.OK)
    assert client.lines()[0][5] == "secure"
    assert b"USER" not in b" ".join(server.seen[:2])
    other = "SHA256:" + "A" * 43
    assert b"2 keys" in client.run("pin", "add", name, other).expect(safetp.OK).out
    client.run("pin", "add", "--yes", name).expect(safetp.OK, "had ANOTHER KEY until now", other)
    assert client.run("pin", "show", name).expect(safetp.OK).out.count(b"SHA256:") == 2
    client.run("pin", "remove", name, other).expect(safetp.OK)
    client.run("pin", "remove", name, other).expect(safetp.FAILURE, "no such key")
    exported = client.run("pin", "export", "--toml").expect(safetp.OK).out.decode()
    assert f'host = "127.0.0.1"\nport = {server.port}\npin = ["{fingerprint(certificate)}"]' in exported
    client.run("pin", "remove", name).expect(safetp.OK)
    client.run("pin", "show", name).expect(safetp.FAILURE, "not known")


def test_pin_add_at_a_terminal(play, client, certificate):
    server = play(serving(server_context(certificate)))
    code, _ = client.run_at_terminal("pin", "add", f"127.0.0.1:{server.port}", answers=[("(yes/no)", "no")])
    assert code == safetp.FAILURE and not client.pins.exists()
    code, seen = client.run_at_terminal("pin", "add", f"127.0.0.1:{server.port}", answers=[("(yes/no)", "yes")])
    assert code == safetp.OK, seen
