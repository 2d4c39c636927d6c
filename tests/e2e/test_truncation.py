"""A transfer that was cut is never taken for whole, on either side."""

import os
import queue
import signal
import ssl
import subprocess
import threading

import pytest

from support.client import Truncated
from support.ftpds import default_name


def cut(data, how: str) -> None:
    if how == "fin":
        data.fin()
    else:
        data.rst()


def take_upload(session, started: threading.Event | None = None) -> str:
    """As a raw ftpd: a reset is no end of the file. Says nothing of it yet."""
    session.login()
    session.serve_until("STOR")
    session.say("150 go")
    try:
        with session.data() as data:
            if started:
                started.set()
            while data.recv(65536):
                pass
        return "whole"
    except ConnectionResetError:
        return "broken"


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("size", [0, 1, 300_000])
def test_cut_upload_is_refused(front, each_tls, how, size):
    """No close_notify: 426 or 451, never 226 (seen: four of five servers say 226 on FIN, two on RST). The session goes on."""
    client = front.login(tls=each_tls)
    data = client.open_data("STOR cut")
    data.send(b"x" * size)
    cut(data, how)
    client.expect_reply(426, 451)
    client.upload("STOR whole", b"whole")


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_the_raw_ftpd_sees_a_cut_upload_as_broken(play, start_gateway, tls, how):
    """Plain FTP knows a cut only by RST. Guards against a clean FIN, which the raw ftpd would take for the end of the file."""
    endings = queue.Queue()

    def script(session):
        endings.put(ending := take_upload(session))
        session.say("226 stored" if ending == "whole" else "426 broken")
        session.serve_rest()

    client = start_gateway(play(script)).secure(tls).login("u", "p").protect()
    data = client.open_data("STOR file")
    data.send(b"half of the content")
    cut(data, how)
    client.expect_reply(426, 451)
    client.expect("NOOP", 200)
    assert endings.get(timeout=60) == "broken"


@pytest.mark.parametrize("end", ["TERM", "INT", "crash"])
def test_the_end_of_the_gateway_is_no_end_of_an_upload(play, start_gateway, tls, end):
    """Whatever ends the process under an upload, its kernel must not tell the raw ftpd that this was all. After TERM, which waits for
    the transfer and then no longer, the client is told too."""
    endings, started = queue.Queue(), threading.Event()
    server = play(lambda session: endings.put(take_upload(session, started)))
    gateway = start_gateway(server, timeouts={"drain": "1s"}, process={"workers": 1})
    client = gateway.secure(tls).login("u", "p").protect()
    data = client.open_data("STOR file")
    data.send(b"half of the content")
    assert started.wait(60)
    (worker,) = gateway.workers()
    process, number = {
        "TERM": (gateway.process.pid, signal.SIGTERM),
        "INT": (gateway.process.pid, signal.SIGINT),
        "crash": (worker, signal.SIGKILL),
    }[end]
    os.kill(process, number)
    assert endings.get(timeout=60) == "broken"
    if end == "TERM":
        client.expect_reply(421)


def test_upload_cut_in_the_middle_of_a_record(front, each_tls):
    """Half a TLS record, then FIN."""
    client = front.login(tls=each_tls)
    data = client.open_data("STOR half-record")
    data.tls.write(b"y" * 10_000)
    data.socket.sendall(data.outgoing.read()[:5000])
    data.fin()
    client.expect_reply(426, 451)
    client.expect("NOOP", 200)


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_control_connection_cut_during_an_upload(play, start_gateway, tls, how):
    """The client is gone: what came so far must not be filed as whole."""
    endings = queue.Queue()
    client = start_gateway(play(lambda session: endings.put(take_upload(session)))).secure(tls).login("u", "p").protect()
    data = client.open_data("STOR file")
    data.send(b"z" * 100_000)
    cut(client, how)
    try:
        data.receive_all()
    except (Truncated, ConnectionError):
        pass
    assert endings.get(timeout=60) == "broken"


def test_killed_backend_is_no_clean_end_of_a_download(start_server, start_gateway, each_tls):
    """The raw ftpd is killed in the middle: the client must see neither close_notify nor 226."""
    server = start_server()
    server.server.put("long", b"")
    with open(server.server.home / "long", "r+b") as file:
        file.truncate(1 << 30)
    client = start_gateway(server).secure(each_tls).login(server.server.user, server.server.password).protect()
    client.expect("TYPE I", 200)
    data = client.open_data("RETR long")
    data.receive()
    server.kill_sessions()
    with pytest.raises((Truncated, ConnectionError)):
        data.receive_all()
    assert client.reply().code in (421, 426, 451)


def test_reset_by_the_raw_ftpd_is_no_clean_end_of_a_download(play, start_gateway, each_tls):
    """RST from the raw ftpd, and then a 226 all the same: its word does not count."""
    from support.scripted_server import reset

    def script(session):
        session.login()
        session.serve_until("RETR")
        session.say("150 here it comes")
        data = session.data()
        data.sendall(b"d" * 50_000)
        reset(data)
        session.say("226 all sent")
        session.serve_rest()

    client = start_gateway(play(script)).secure(each_tls).login("u", "p").protect()
    data = client.connect_data(client.passive())
    client.expect("RETR file", 150)
    with pytest.raises((Truncated, ConnectionError, ssl.SSLError)):
        client.protect_data(data).receive_all()
    client.expect_reply(426, 451)
    client.expect("NOOP", 200)


def half_a_download(session):
    """As a raw ftpd: its data end in order and are not all. It has not said so yet."""
    session.login()
    session.serve_until("RETR")
    session.say("150 here it comes")
    with session.data() as data:
        data.sendall(b"the first half")


def test_a_download_that_is_disowned_ends_in_order_and_its_reply_says_so(play, start_gateway, each_tls):
    """The raw ftpd ends its data in order and then says 451: the client sees the same, as from a server with TLS of its own
    (docs/adr/0028). No 226 follows, and the next command has its own reply."""

    def script(session):
        half_a_download(session)
        session.say("451 read error")
        session.serve_rest()

    client = start_gateway(play(script)).secure(each_tls).login("u", "p").protect()
    data = client.connect_data(client.passive())
    client.expect("RETR file", 150)
    assert client.protect_data(data).receive_all() == b"the first half"
    data.end_leniently()
    client.expect_reply(451)
    client.expect("NOOP", 200)


def test_without_a_final_reply_there_is_no_clean_end_of_a_download(play, start_gateway, each_tls):
    """The raw ftpd ends its data in order and then dies: nothing says what they are worth, so no close_notify does."""
    client = start_gateway(play(half_a_download)).secure(each_tls).login("u", "p").protect()
    data = client.connect_data(client.passive())
    client.expect("RETR file", 150)
    with pytest.raises((Truncated, ConnectionError, ssl.SSLError)):
        client.protect_data(data).receive_all()
    client.expect_reply(421, 426, 451)


@pytest.mark.parametrize("program", ["curl", "lftp", "wget", "ftplib"])
def test_clients_take_no_disowned_download_for_whole(play, start_gateway, authority, directory, program):
    """Clients that people use, before a server that ends half a file in order and says 451: each must fail."""

    def script(session):
        session.login()
        replies = {"SIZE": "213 28", "MDTM": "550 no", "CWD": "250 ok", "LIST": "502 no", "MLST": "502 no"}
        session.serve_until("RETR", replies)
        session.say("150 here it comes")
        with session.data() as data:
            data.sendall(b"the first half")
        session.say("451 read error")
        session.serve_rest(replies)

    gateway = start_gateway(play(script))
    url = f"ftp://127.0.0.1:{gateway.port}/file"
    down = directory / "down"
    root = authority.root.certificate
    settings = f"set ssl:ca-file {root}; set ssl:check-hostname no; set ftp:ssl-force yes; set net:max-retries 1;"
    python = (
        "import ftplib, ssl\n"
        f"c = ftplib.FTP_TLS(context=ssl.create_default_context(cafile={str(root)!r}), timeout=60)\n"
        f"c.connect('127.0.0.1', {gateway.port}); c.login('u', 'p'); c.prot_p()\n"
        f"c.retrbinary('RETR file', open({str(down)!r}, 'wb').write)\n"
    )
    command = {
        "curl": ["curl", "-sS", "--ssl-reqd", "--cacert", root, "-u", "u:p", "-o", down, url],
        "lftp": ["lftp", "--norc", "-c", f"{settings} open -u u,p ftp://127.0.0.1:{gateway.port}; get file -o {down}"],
        "wget": ["wget", "-t", "1", "--no-check-certificate", "-O", down, "--ftp-user=u", "--ftp-password=p", "ftps" + url[3:]],
        "ftplib": ["/usr/bin/python3", "-c", python],
    }[program]
    result = subprocess.run([str(word) for word in command], capture_output=True, timeout=120)
    assert result.returncode != 0, result.stdout + result.stderr


def test_226_comes_after_the_last_byte(front, each_tls):
    """Guards against the raw ftpd's 226 overtaking data still in the gateway, after which clients close."""
    content = bytes(range(256)) * 8192
    front.server.put("slow", content)
    client = front.login(tls=each_tls)
    data = client.open_data("RETR slow")
    assert not client.has_more(0.5)  # nothing was read from the data connection yet: it cannot be over
    assert data.receive_all() == content
    data.end_leniently()
    client.expect_reply(226)


def test_a_client_that_resets_a_download(front, each_tls):
    """The client gives up with RST: 426 or 451 (or 226 if all was out already), one reply, and the session goes on."""
    path = front.server.put("long", b"")
    with open(path, "r+b") as file:
        file.truncate(200 << 20)
    client = front.login(tls=each_tls)
    data = client.open_data("RETR long")
    data.receive()
    data.rst()
    client.expect_reply(426, 451)
    client.expect("NOOP", 200)


def test_a_cut_plain_upload(front):
    """PROT C: only RST can be told from the end of the file there; it must be."""
    client = front.login(level="C")
    data = client.open_data("STOR plain-cut")
    data.send(b"p" * 100_000)
    data.rst()
    client.expect_reply(426, 451)
    client.expect("NOOP", 200)


def test_the_partial_file_is_logged(start_server, start_gateway, tls):
    """The raw ftpd may keep what came: the administrator must find out which file."""
    server = start_server(default_name())
    gateway = start_gateway(server)
    client = gateway.secure(tls).login(server.server.user, server.server.password).protect()
    data = client.open_data("STOR partial")
    data.send(b"x" * 1000)
    data.fin()
    client.expect_reply(426, 451)
    gateway.wait_for_log("partial")
