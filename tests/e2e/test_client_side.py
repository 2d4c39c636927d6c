"""safetp proxy between plain clients and real servers that insist on TLS."""

import ftplib
import io
import os
import random
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from support import ftpds, secure_script
from support.client import FtpClient

SERVERS = ["vsftpd", "proftpd", "pure-ftpd"]
VERSIONS = ["1.2", "1.3"]
MODES = ("EPSV", "PASV", "EPRT", "PORT")


def exercise(client: FtpClient, server, modes=MODES) -> None:
    """An everyday session of an old client: all modes, listing, an empty file, refusals, and more transfers than a TLS 1.3
    server gives tickets."""
    for mode in modes:
        content = random.Random(mode).randbytes(300_000)
        client.upload(f"STOR file-{mode}", content, mode)
        assert (server.home / f"file-{mode}").read_bytes() == content
        assert client.download(f"RETR file-{mode}", mode) == content
        assert f"file-{mode}".encode() in client.download("NLST", mode)
    client.upload("STOR empty", b"")
    assert client.download("RETR empty") == b""
    data = client.connect_data(client.passive())
    client.expect("RETR missing", 550)
    data.close()
    for number in range(6):
        client.upload(f"STOR small-{number}", b"x" * number)
        assert client.download(f"RETR small-{number}") == b"x" * number
    client.expect("QUIT", 221)
    assert client.receive() == b""


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", SERVERS)
def test_old_client_and_secure_server(start_tls_server, start_proxy, name, version):
    """The whole purpose: a client that knows no TLS, a server that refuses everything else, defaults on both ends."""
    inetd = start_tls_server(name, version=version)
    proxy = start_proxy(server=inetd)
    exercise(proxy.login(inetd.server), inetd.server)
    assert "TLSv" in proxy.log()


@pytest.mark.parametrize("name", ["vsftpd", "proftpd"])
def test_implicit_tls(start_tls_server, start_proxy, name):
    """TLS from the first byte, as on port 990."""
    inetd = start_tls_server(name, implicit=True)
    exercise(start_proxy("--implicit", server=inetd).login(inetd.server), inetd.server, ("EPSV",))


def test_in_front_of_safetpd(start_server, start_gateway, start_proxy):
    """Both halves together: an old client, an old server, and nothing changed at either end."""
    inetd = start_server("vsftpd")
    gateway = start_gateway(inetd, listener={"session_reuse": "require"})
    proxy = start_proxy(server=gateway)
    exercise(proxy.login(inetd.server), inetd.server)
    gateway.wait_for_log('"event":"end"')
    assert [event["tls"][:7] for event in gateway.events("end")] == ["TLSv1.3"]


def test_active_towards_the_server(play, certificate, start_proxy):
    """A server without passive modes gets a port of ours, and TLS has its roles all the same (RFC 4217 section 7)."""
    context = secure_script.context_for(certificate)

    def script(session):
        secure_script.secure_login(session, context)
        session.serve_until("RETR", {"EPSV": "500 ?", "PASV": "502 ?"})
        session.say("150 coming")
        data = secure_script.secure_data(session, context)
        data.send(b"content")
        secure_script.end_data(data)
        session.say("226 done")
        session.serve_rest()

    client = start_proxy(server=play(script)).connect().greet().login("anna", "geheim")
    assert client.download("RETR file") == b"content"


def test_tickets_are_used_once(play, certificate, start_proxy):
    """TLS 1.3: the newest ticket goes first and none twice while there is another, also such as came later than the handshake."""
    context = secure_script.context_for(certificate, ssl.TLSVersion.TLSv1_3)
    resumed = []

    def script(session):
        secure_script.secure_login(session, context)
        for _ in range(5):
            session.serve_until("RETR")
            session.say("150 coming")
            data = secure_script.secure_data(session, context)
            resumed.append(data.tls.session_reused)
            data.send(b"content")
            secure_script.end_data(data)
            session.say("226 done")
        session.serve_rest()

    client = start_proxy(server=play(script)).connect().greet().login("anna", "geheim")
    for _ in range(5):
        assert client.download("RETR file") == b"content"
    assert resumed == [True] * 5


def test_client_certificate(start_tls_server, start_proxy, authority, directory):
    """A server that wants to know its clients by certificate is shown one, on both kinds of connection."""
    identity = authority.issue("anna", "anna")
    readable = directory / "anna.pem"
    readable.write_text(identity.certificate.read_text() + identity.key.read_text())
    readable.chmod(0o600)
    ftpds.hand_over(readable)
    wants = f"TLSVerifyClient on\nTLSCACertificateFile {authority.root.certificate}\n"
    inetd = start_tls_server("proftpd", extra=wants)
    exercise(start_proxy("--client-cert", str(readable), server=inetd).login(inetd.server), inetd.server, ("PASV",))
    refused = start_proxy(server=inetd).connect().reply()
    assert refused.code == 421, refused  # why, is in an alert, which the reset that follows may overtake


def test_policy_ca(start_tls_server, start_proxy, authority):
    """The authorities decide, and the name counts."""
    inetd = start_tls_server("proftpd")
    ca = ("--policy", "ca", "--ca", str(authority.root.certificate))
    start_proxy(*ca, server=inetd).login(inetd.server).quit()
    unknown = start_proxy("--policy", "ca", server=inetd).connect().reply()
    assert unknown.code == 421 and "signed by nobody" in unknown.text, unknown
    misnamed = start_tls_server("proftpd", identity=authority.issue("wrong", "ftp.example.org", ["DNS:ftp.example.org"]))
    wrong = start_proxy(*ca, server=misnamed).connect().reply()
    assert wrong.code == 421 and "ftp.example.org" in wrong.text, wrong


def test_strict(start_tls_server, start_proxy):
    inetd = start_tls_server("proftpd")
    unknown = start_proxy("--strict", server=inetd).connect().reply()
    assert unknown.code == 421 and "safetp pin add" in unknown.text, unknown


# ---- clients that name their server


def test_user_at_host(start_tls_server, start_proxy):
    """One proxy for many servers; a second try after a wrong password names the server again."""
    servers = [start_tls_server(name) for name in ("vsftpd", "proftpd")]
    proxy = start_proxy()
    for inetd in servers:
        client = proxy.connect().greet()
        client.expect("NOOP", 200)
        client.expect("SYST", 215)
        client.expect("FEAT", 211)
        client.expect("OPTS UTF8 ON", 200)
        client.expect("PWD", 530)
        client.expect("USER anna", 530)
        at = f"@localhost:{inetd.port}"
        client.expect(f"USER {inetd.server.user}{at}", 331)
        client.expect("PASS wrong", 530)
        client.login(inetd.server.user + at, inetd.server.password)
        client.expect("TYPE I", 200)
        exercise(client, inetd.server, ("EPSV", "PORT"))


def test_user_with_an_at(start_tls_server, start_proxy):
    """As hosting panels name them. The last @ divides, once, whatever stands in front of it; so it does in a second try."""
    inetd = start_tls_server("proftpd")
    at = f"@localhost:{inetd.port}"
    users = inetd.server.home.parent / "users"
    own = users.read_text()
    name = f"{inetd.server.user}@example.com"
    users.write_text(own + own.replace(inetd.server.user, name, 1))
    proxy = start_proxy()
    client = proxy.connect().greet()
    client.expect(f"USER {name}{at}", 331)
    client.expect("PASS wrong", 530)
    client.login(name + at, inetd.server.password).quit()
    client = proxy.connect().greet()
    client.expect(f"USER {inetd.server.user}{at}{at}", 331)  # of whom the server knows nothing
    client.expect(f"PASS {inetd.server.password}", 530)


def test_user_at_another_host(start_tls_server, start_proxy):
    """A session belongs to one server: nothing meant for another goes there."""
    inetd = start_tls_server("proftpd")
    client = start_proxy().connect().greet()
    client.expect(f"USER anna@localhost:{inetd.port}", 331)
    client.expect("PASS wrong", 530)
    assert "another server" in client.expect("USER anna@ftp.example.com", 530).text


@pytest.mark.parametrize("name, words", [
    ("anna", "no server was named"),
    ("anna@", "no server was named"),
    ("@localhost", "no server was named"),
    ("anna@local host", ""),
    ("anna@localhost:99999", ""),
    ("anna@[::1", ""),
])
def test_bad_names(start_proxy, name, words):
    client = start_proxy().connect().greet()
    assert words in client.expect(f"USER {name}", 530).text
    client.expect("NOOP", 200)


def test_unknown_and_absent_servers(start_proxy, running):
    """Said at once and in words: there is no such name, or nobody answers there."""
    proxy = start_proxy()
    unknown = proxy.connect().greet().expect("USER anna@no-such-host.invalid", 421, 530)
    assert "could not be found" in unknown.text
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    assert "cannot be reached" in proxy.connect().greet().expect(f"USER anna@127.0.0.1:{port}", 421).text


# ---- prefer


def test_prefer(play, start_proxy):
    """A server without TLS is spoken to in clear where that was allowed, and it is said in the log."""

    def script(session):
        session.say("220 scripted")
        session.serve_until("RETR", {"USER": "331 ?", "PASS": "230 in", "AUTH": "500 ?"})
        session.say("150 coming")
        with session.data() as data:
            data.sendall(b"content")
        session.say("226 done")
        session.serve_rest()

    proxy = start_proxy("--security", "prefer", server=play(script))
    client = proxy.connect().greet().login("anna", "geheim")
    assert client.download("RETR file") == b"content"
    proxy.wait_for_log("spoken to in clear")


def test_prefer_remembers(play, certificate, start_proxy):
    """Once secure, always secure: the same server is refused when it suddenly knows no TLS."""
    context = secure_script.context_for(certificate)
    is_honest = [True]

    def script(session):
        if is_honest[0]:
            secure_script.secure_login(session, context)
        else:
            session.say("220 scripted")
        session.serve_rest({"AUTH": "500 ?"})

    server = play(script)
    proxy = start_proxy("--security", "prefer", server=server)
    proxy.connect().greet().login("anna", "geheim").quit()
    is_honest[0] = False
    server.seen.clear()
    refused = proxy.connect().reply()
    assert refused.code == 421 and "offers no encryption" in refused.text, refused
    assert not any(line.startswith((b"USER", b"PASS")) for line in server.seen)


# ---- clients with TLS of their own


def test_auth_is_left_alone(start_tls_server, start_proxy, tls):
    """A client that says AUTH talks to the server itself, end to end: its certificate, its tickets, its data connections."""
    inetd = start_tls_server("vsftpd")
    proxy = start_proxy(server=inetd)
    client = proxy.connect().greet().auth(tls)
    client.login(inetd.server.user, inetd.server.password).protect()
    client.expect("TYPE I", 200)
    data = client.connect_data(client.passive("PASV"))
    client.expect("STOR file", 150)
    client.protect_data(data)
    data.send(b"content")
    data.end()
    client.expect_reply(226)
    assert (inetd.server.home / "file").read_bytes() == b"content"
    client.expect("QUIT", 221)
    client.close()
    proxy.wait_for_log("session ended: left alone")


def test_auth_that_is_refused(play, certificate, start_proxy):
    """Whoever strikes out the client's own AUTH has gained nothing: it goes on in clear to us, and safely to the server."""
    context = secure_script.context_for(certificate)
    sessions = []

    def script(session):
        sessions.append(session)
        if len(sessions) == 1:
            secure_script.secure_login(session, context)
            session.serve_rest()
        else:
            session.say("220 scripted")
            session.serve_rest({"AUTH": "500 ?"})

    server = play(script)
    client = start_proxy(server=server).connect().greet()
    client.expect("AUTH TLS", 500)
    client.expect("AUTH GSSAPI", 504)
    client.login("anna", "geheim")
    client.expect("AUTH TLS", 503)
    client.quit()
    assert len(sessions) == 2


def test_clear_text_after_auth(start_tls_server, start_proxy):
    """A client that says AUTH and then its password in clear is not helped to do so."""
    inetd = start_tls_server("proftpd")
    proxy = start_proxy(server=inetd)
    client = proxy.connect().greet()
    client.expect("AUTH TLS", 234)
    client.send(b"USER anna\r\n")
    with pytest.raises((ConnectionResetError, EOFError)):
        client.reply()
    proxy.wait_for_log("nothing of it was passed on")


# ---- clients that people use


def run(*command, **options) -> subprocess.CompletedProcess:
    result = subprocess.run([str(part) for part in command], capture_output=True, timeout=120, **options)
    assert result.returncode == 0, f"{command}\n{result.stdout.decode()[-3000:]}\n{result.stderr.decode()[-3000:]}"
    return result


@pytest.fixture(scope="module")
def old_clients():
    """Clients that are unpacked, since they cannot all be installed beside each other."""
    root = Path(__file__).resolve().parents[2]
    directory = ftpds.ftpds_directory()
    subprocess.run([root / "scripts" / "fetch-ftpds", directory, "inetutils-ftp", "tnftp", "ncftp"], check=True)
    return directory / "bin"


@pytest.fixture
def served(start_tls_server, start_proxy, directory):
    inetd = start_tls_server("vsftpd")
    proxy = start_proxy(server=inetd)
    inetd.server.put("there", CONTENT)
    here = directory / "here"
    here.write_bytes(CONTENT)
    return inetd.server, proxy, here


CONTENT = random.Random(7).randbytes(1_000_000)


def test_curl(served, directory):
    server, proxy, here = served
    url = f"ftp://127.0.0.1:{proxy.port}"
    login = ("--user", f"{server.user}:{server.password}")
    for mode in ((), ("--disable-epsv",), ("--ftp-port", "-"), ("--ftp-port", "-", "--disable-eprt")):
        run("curl", "-sS", *login, *mode, "-o", directory / "got", f"{url}/there")
        assert (directory / "got").read_bytes() == CONTENT
        run("curl", "-sS", *login, *mode, "-T", here, f"{url}/sent")
        assert (server.home / "sent").read_bytes() == CONTENT
    assert b"there" in run("curl", "-sS", *login, f"{url}/").stdout


def test_lftp(served, directory):
    """Without its own TLS, which it would use else."""
    server, proxy, here = served
    got = directory / "got"
    login = f"open -u {server.user},{server.password} -p {proxy.port} 127.0.0.1"
    script = f"set net:max-retries 1; set ftp:ssl-allow no; {login}; get there -o {got}; put {here} -o sent; cls -1; bye"
    assert b"there" in run("lftp", "--norc", "-c", script).stdout
    assert got.read_bytes() == CONTENT and (server.home / "sent").read_bytes() == CONTENT


def test_ftplib(served):
    server, proxy, here = served
    with ftplib.FTP() as ftp:
        ftp.connect("127.0.0.1", proxy.port, 30)
        ftp.login(server.user, server.password)
        received = []
        ftp.retrbinary("RETR there", received.append)
        assert b"".join(received) == CONTENT
        ftp.storbinary("STOR sent", io.BytesIO(CONTENT))
        assert "there" in ftp.nlst()
    assert (server.home / "sent").read_bytes() == CONTENT


@pytest.mark.parametrize("mode", ["passive", "active"])
@pytest.mark.parametrize("name", ["tnftp", "inetutils-ftp"])
def test_ftp(served, old_clients, directory, name, mode):
    """The two programs that are called ftp, driven as a person drives them."""
    server, proxy, here = served
    got = directory / "got"
    options = {"tnftp": ["-n", "-A" if mode == "active" else "-p"], "inetutils-ftp": ["-n"] + (["-p"] if mode == "passive" else [])}
    lines = [f"open 127.0.0.1 {proxy.port}", f"user {server.user} {server.password}", "binary"]
    lines += [f"get there {got}", f"put {here} sent", "bye"]
    result = run(old_clients / name, *options[name], input="\n".join(lines).encode() + b"\n")
    assert got.exists() and got.read_bytes() == CONTENT, result.stdout.decode() + result.stderr.decode()
    assert (server.home / "sent").read_bytes() == CONTENT


def test_ncftp(served, old_clients, directory):
    server, proxy, here = served
    login = ("-u", server.user, "-p", server.password, "-P", proxy.port)
    run(old_clients / "ncftpget", "-V", *login, "127.0.0.1", directory, "there")
    run(old_clients / "ncftpput", "-V", *login, "127.0.0.1", "/", here)
    assert (directory / "there").read_bytes() == CONTENT and (server.home / "here").read_bytes() == CONTENT


# ---- the process


def test_nothing_of_passwords_in_the_log(start_tls_server, start_proxy):
    inetd = start_tls_server("proftpd")
    proxy = start_proxy(server=inetd)
    proxy.login(inetd.server).quit()
    client = proxy.connect().greet()
    client.expect("USER anna", 331)
    client.expect("PASS Other-Secret", 530)
    proxy.wait_for_log("session ended")
    assert inetd.server.password not in proxy.log() and "Other-Secret" not in proxy.log()


def test_xferlog(start_tls_server, start_proxy, directory):
    inetd = start_tls_server("proftpd")
    place = directory / "logs"
    place.mkdir()
    ftpds.hand_over(place)
    proxy = start_proxy("--xferlog", str(place / "xferlog"), server=inetd)
    client = proxy.login(inetd.server)
    client.upload("STOR file", b"12345")
    client.quit()
    fields = (place / "xferlog").read_text().split()
    assert fields[6:9] == ["127.0.0.1", "5", "file"] and fields[-1] == "c"


def test_stops_politely(start_tls_server, start_proxy):
    """SIGTERM: an idle client is told, a transfer is brought to its end."""
    inetd = start_tls_server("proftpd")
    proxy = start_proxy(server=inetd)
    idle, busy = proxy.login(inetd.server), proxy.login(inetd.server)
    data = busy.open_data("STOR file")
    data.send(b"first half, ")
    proxy.process.terminate()
    idle.expect_reply(421)
    data.send(b"second half")
    data.end()
    busy.expect_reply(226)
    busy.expect_reply(421)
    assert proxy.process.wait(30) == 0
    assert (inetd.server.home / "file").read_bytes() == b"first half, second half"


def test_does_not_serve_as_root(start_tls_server, start_proxy):
    """Root opens the port; whoever reads what comes from the network is somebody else."""
    if os.getuid() != 0:
        return  # nothing to give up
    inetd = start_tls_server("proftpd")
    proxy = start_proxy(server=inetd)
    proxy.login(inetd.server).quit()
    status = Path(f"/proc/{proxy.process.pid}/status").read_text()
    assert "\nUid:\t65534\t65534\t65534\t65534" in status and "\nNoNewPrivs:\t1" in status
    assert "\nCapEff:\t0000000000000000" in status and "\nGroups:\t65534" in status


def test_many_at_once(start_tls_server, start_proxy):
    inetd = start_tls_server("proftpd")
    inetd.server.put("there", CONTENT)
    proxy = start_proxy(server=inetd)
    clients = [proxy.login(inetd.server) for _ in range(10)]
    opened = [client.open_data("RETR there") for client in clients]
    assert all(data.receive_all() == CONTENT for data in opened)
    for client in clients:
        client.expect_reply(226)
        client.quit()


# ---- the configuration file


def write(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o644)
    return str(path)


def test_configuration(start_tls_server, start_proxy, directory, authority):
    """Each server as its own section says, others as the top says."""
    strict, usual = start_tls_server("proftpd"), start_tls_server("vsftpd")
    config = write(
        directory / "safetp.toml",
        f'authorities = "{authority.root.certificate}"\n'
        f'[[server]]\nhost = "localhost"\nport = {strict.port}\nrefuse_unknown = true\n'
        f'[[server]]\nhost = "LOCALHOST."\nport = {usual.port}\ntrust = "ca"\n',
    )
    proxy = start_proxy("-c", config)
    refused = proxy.connect().greet().expect(f"USER anna@localhost:{strict.port}", 530)
    assert "safetp pin add" in refused.text
    proxy.login(usual.server, f"@localhost:{usual.port}").quit()


def test_pin_in_the_configuration(start_tls_server, start_proxy, directory, certificate, authority):
    """The key that is written there counts, whatever is remembered."""
    inetd = start_tls_server("proftpd")
    fingerprint = "SHA256:" + certificate.public_key_pin().removeprefix("sha256//").rstrip("=")
    entry = f'[[server]]\nhost = "localhost"\nport = {inetd.port}\npin = ["{{}}"]\n'
    good = write(directory / "good.toml", entry.format(fingerprint))
    start_proxy("-c", good, server=inetd).login(inetd.server).quit()
    bad = write(directory / "bad.toml", entry.format("SHA256:" + "A" * 43))
    assert "HAS CHANGED" in start_proxy("-c", bad, server=inetd).connect().reply().text


@pytest.mark.parametrize("text, complaint", [
    ("sekurity = 1\n", 'unknown key "sekurity"'),
    ("[[server]]\nport = 21\n", '"host" is missing'),
    ('[[server]]\nhost = "x"\nsecurity = "maybe"\n', "security"),
    ('[[server]]\nhost = "x"\npin = ["abc"]\n', "no fingerprint"),
    ('[[server]]\nhost = "no such name"\n', "host"),
    ("[timeouts]\nhandshake = -1\n", "handshake"),
    ("[[server\n", "syntax"),
])
def test_mistakes_in_the_configuration(directory, text, complaint):
    """78, and every problem with its line; nothing is started."""
    from support.proxy import binary

    config = write(directory / "safetp.toml", text)
    command = [str(binary()), "proxy", "--listen", "127.0.0.1:0", "-c", config, "--user", "nobody"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 78 and complaint in result.stderr, result


@pytest.mark.parametrize("step", ["greeting", "AUTH", "handshake", "PBSZ", "PROT"])
def test_silence(play, start_proxy, certificate, directory, step):
    """A server, or somebody on the way, that falls silent at any step: one reply within the time that was set."""
    context = secure_script.context_for(certificate)

    def script(session):
        if step == "greeting":
            return session.read()
        session.say("220 scripted")
        session.expect("AUTH")
        if step == "AUTH":
            return session.read()
        session.say("234 go on")
        if step == "handshake":
            return session.socket.recv(100_000) and session.socket.recv(100_000)
        secure_script.begin_tls(session, context)
        session.serve_until("PBSZ")
        if step == "PROT":
            session.say("200 ok")
            session.expect("PROT")
        session.read()

    config = write(directory / "safetp.toml", '[timeouts]\nserver_greeting = "1s"\nhandshake = "1s"\n')
    reply = start_proxy("-c", config, server=play(script)).connect().reply()
    assert reply.code == 421 and "does not answer" in reply.text, reply


@pytest.mark.parametrize("when", ["at the reception", "on the way", "asking for AUTH"])
def test_stops_in_the_middle(play, start_proxy, certificate, when):
    """SIGTERM ends also sessions that have no server yet, and a second one everything."""
    context = secure_script.context_for(certificate)
    sessions = []

    def script(session):
        sessions.append(session)
        if when == "on the way" or len(sessions) == 2:
            return session.read()  # never greets
        secure_script.secure_login(session, context) if when != "asking for AUTH" else secure_script.secure(session, context)
        session.serve_rest()

    server = play(script)
    proxy = start_proxy() if when == "at the reception" else start_proxy(server=server)
    client = proxy.connect()
    if when == "at the reception":
        client.greet()
    elif when == "on the way":
        proxy.wait_for_log("connected server=")
    else:
        client.greet().send_line("AUTH TLS")
    if when == "asking for AUTH":
        while len(sessions) < 2:
            time.sleep(0.01)
        client.close()
        proxy.wait_for_log("session ended: client closed")
    proxy.process.terminate()
    proxy.wait_for_log("stopping")
    if when == "on the way":
        proxy.process.terminate()
    elif when == "at the reception":
        client.expect_reply(421)
    assert proxy.process.wait(30) == 0


@pytest.mark.parametrize("client_address, server_address", [("[::1]", "127.0.0.1"), ("127.0.0.1", "::1"), ("[::1]", "::1")])
def test_ipv6(start_tls_server, start_proxy, client_address, server_address):
    """Each leg has its own family, and whatever one end says of data connections fits the other."""
    inetd = start_tls_server("vsftpd", address=server_address, listen_ipv6="NO")
    name = f"[{server_address}]" if ":" in server_address else server_address
    proxy = start_proxy(server=inetd, name=name, at=client_address)
    exercise(proxy.login(inetd.server), inetd.server, ("EPSV", "EPRT") if ":" in client_address else MODES)
