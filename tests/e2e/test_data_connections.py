"""Data connections: every way the client can ask for one, over every way the raw ftpd can be asked, IPv4 and IPv6."""

import os
import signal
import socket

import pytest

MODES = ["EPSV", "PASV", "EPRT", "PORT"]


@pytest.mark.parametrize("server_mode", ["epsv", "pasv", "active"])
@pytest.mark.parametrize("mode", MODES)
def test_each_mode_over_each_server_mode(start_server, start_gateway, tls, mode, server_mode):
    """Guards against the client's way being tied to the raw ftpd's: both must be free."""
    server = start_server()
    gateway = start_gateway(server, server={"data_mode": server_mode})
    client = gateway.secure(tls).login(server.server.user, server.server.password).protect()
    client.expect("TYPE I", 200)
    for number in range(3):
        content = f"{mode} over {server_mode} {number}".encode() * 5000
        client.upload("STOR file", content, mode)
        assert client.download("RETR file", mode) == content
    assert b"file" in client.download("NLST", mode)


@pytest.mark.parametrize("server_address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("mode", ["EPSV", "EPRT"])
def test_ipv6_clients(start_server, start_gateway, tls, mode, server_address):
    """RFC 2428. Guards against `Address family not supported` when the two sides speak different families."""
    server = start_server(address=server_address)
    gateway = start_gateway(server, listener={"address": "::1"})
    client = gateway.secure(tls, host="::1").login(server.server.user, server.server.password).protect()
    client.upload("STOR six", b"over IPv6", mode)
    assert client.download("RETR six", mode) == b"over IPv6"


@pytest.mark.parametrize("mode", MODES)
def test_ipv4_client_before_an_ipv6_server(start_server, start_gateway, tls, mode):
    """Guards against handing the client an address of the other family."""
    server = start_server(address="::1")
    client = start_gateway(server).secure(tls).login(server.server.user, server.server.password).protect()
    client.upload("STOR four", b"content", mode)
    assert client.download("RETR four", mode) == b"content"


def test_dual_stack_listener_counts_mapped_clients_as_ipv4(start_server, start_gateway, tls):
    """A client seen as ::ffff:127.0.0.1 is 127.0.0.1: PASV works and PORT may name it."""
    server = start_server()
    gateway = start_gateway(server, listener={"address": None})
    for host, modes in (("127.0.0.1", MODES), ("::1", ["EPSV", "EPRT"])):
        client = gateway.secure(tls, host=host).login(server.server.user, server.server.password).protect()
        for mode in modes:
            client.upload(f"STOR {mode}", mode.encode(), mode)


def test_pasv_on_ipv6_is_refused(start_server, start_gateway, tls):
    """227 has no room for an IPv6 address. Guards against an invented one."""
    server = start_server()
    gateway = start_gateway(server, listener={"address": "::1"})
    client = gateway.secure(tls, host="::1").login(server.server.user, server.server.password).protect()
    client.expect("PASV", 425, 500, 502, 522)
    client.expect("PORT 127,0,0,1,200,10", 500, 501, 522)


def test_announced_name_is_looked_up_again(start_server, start_gateway, directory, tls):
    """Guards against a gateway that was started before its name had an address, or whose address has changed, and that sends clients
    to the wrong place until somebody reloads it."""
    server = start_server()
    hosts = directory / "hosts"
    hosts.write_text("127.0.0.1 localhost\n")
    (directory / "nsswitch.conf").write_text("hosts: files\n")
    gateway = start_gateway(server, start=False, data={"announce": "gateway.test"}, process={"workers": 1})
    mounts = "".join(f"mount --bind {directory}/{name} /etc/{name}; " for name in ("hosts", "nsswitch.conf"))
    gateway.prefix = ["unshare", "--mount", "sh", "-ec", mounts + 'exec "$@"', "sh"]
    gateway.start()

    def login():
        return gateway.secure(tls).login(server.server.user, server.server.password)

    client = login()
    assert "(127,0,0,1," in client.expect("PASV", 227).text
    with hosts.open("a") as file:
        file.write("192.0.2.9 gateway.test\n")
    gateway.wait_for_log("announced name has a new address")
    while "(192,0,2,9," not in client.expect("PASV", 227).text:
        pass  # its worker is told a moment later
    (worker,) = gateway.workers()
    os.kill(worker, signal.SIGKILL)
    gateway.wait_for_log("its sessions are lost")
    assert "(192,0,2,9," in login().expect("PASV", 227).text


def test_pasv_names_the_address_that_the_client_dialled(start_server, start_gateway, tls):
    """Guards against the raw ftpd's address, or the first of the machine's, in the 227."""
    server = start_server()
    gateway = start_gateway(server, listener={"address": "127.0.0.9"})
    client = gateway.secure(tls, host="127.0.0.9").login(server.server.user, server.server.password).protect()
    assert client.passive("PASV")[0] == "127.0.0.9"


def test_epsv_all(front):
    """RFC 2428 section 4. Afterwards everything but EPSV is refused (seen: vsftpd takes EPRT, pyftpdlib answers 220)."""
    client = front.login()
    client.expect("EPSV ALL", 200)
    client.expect("PASV", 500, 501, 503)
    client.expect("PORT 127,0,0,1,200,10", 500, 501, 503)
    client.expect("EPRT |1|127.0.0.1|51210|", 500, 501, 503)
    client.upload("STOR all", b"still works")
    assert client.download("RETR all") == b"still works"


@pytest.mark.parametrize(
    "line,code,text",
    [("EPSV 1", 229, ""), ("EPSV 2", 522, "(1)"), ("EPSV 3", 522, "(1)"), ("EPSV x", 501, ""), ("EPSV 1 2", 501, "")],
)
def test_epsv_argument(front, line, code, text):
    """RFC 2428 section 3: 522 with the list of what is supported."""
    assert text in front.login().expect(line, code).text


@pytest.mark.parametrize(
    "argument,code",
    [
        ("|2|::1|51000|", 522),
        ("|3|x|51000|", 522),
        ("|1|127.0.0.1|51000", 501),
        ("|1|127.0.0.1|0|", 501),
        ("|1|127.0.0.1|65536|", 501),
        ("|1|127.0.0.1|-1|", 501),
        ("|1|localhost|51000|", 501),
        ("|1|127.1|51000|", 501),
        ("|1|0x7f.0.0.1|51000|", 501),
        ("", 501),
        ("|1||51000|", 501),
        ("|1|127.0.0.1|51000|x", 501),
        ("|1|127.0.0.1|51 000|", 501),
        ("|1|0177.0.0.1|51000|", 501),
    ],
)
def test_bad_eprt_arguments(front, argument, code):
    """Guards against short, octal, hex and host name forms of an address, which parsers read differently."""
    client = front.login()
    client.expect(f"EPRT {argument}".rstrip(), code)
    client.expect("NOOP", 200)


@pytest.mark.parametrize(
    "argument",
    [
        "127,0,0,1,200",
        "127,0,0,1,200,10,1",
        "127,0,0,1,256,1",
        "127,0,0,1,-1,1",
        "a,b,c,d,e,f",
        "",
        "127.0.0.1,200,10",
        "127,0,0,1,200,",
    ],
)
def test_bad_port_arguments(front, argument):
    """RFC 959: six decimal numbers of a byte each (seen: proftpd takes seven)."""
    client = front.login()
    client.expect(f"PORT {argument}".rstrip(), 501)
    client.expect("NOOP", 200)


@pytest.mark.parametrize(
    "line",
    [
        "PORT 127,0,0,2,200,10",
        "PORT 192,0,2,1,200,10",
        "PORT 0,0,0,0,200,10",
        "PORT 255,255,255,255,200,10",
        "PORT 224,0,0,1,200,10",
        "EPRT |1|127.0.0.2|51210|",
        "EPRT |1|0.0.0.0|51210|",
        "PORT 127,0,0,1,0,25",
        "EPRT |1|127.0.0.1|1023|",
        "EPRT |2|::ffff:127.0.0.2|51210|",
    ],
)
def test_bounce_is_refused(front, line):
    """Guards against the gateway being sent to a third host or to a privileged port."""
    client = front.login()
    assert 500 <= client.command(line).code < 560
    assert client.command("LIST").code in (425, 503)


def test_a_stranger_cannot_take_a_download(front):
    """Data connection theft (seen: a proxy hands out the file). The stranger gets nothing, and the owner's transfer still works."""
    front.server.put("mine", b"for the owner only")
    client = front.login()
    address = client.passive()
    stranger = socket.create_connection(address, 10, ("127.0.0.2", 0))
    stranger.settimeout(10)
    try:
        assert stranger.recv(100) == b""
    except ConnectionResetError:
        pass
    data = client.connect_data(address)
    client.expect("RETR mine", 150)
    client.protect_data(data)
    assert data.receive_all() == b"for the owner only"
    data.end_leniently()
    client.expect_reply(226)


def test_a_stranger_cannot_replace_an_upload(front):
    """The mirror: what the stranger sends is not stored. Here without TLS on the data connection, where it would be
    easy."""
    client = front.login(level="C")
    address = client.passive()
    stranger = socket.create_connection(address, 10, ("127.0.0.2", 0))
    client.send_line("STOR mine-up")
    try:
        stranger.sendall(b"the stranger's")
        stranger.close()
    except ConnectionError:
        pass
    data = client.connect_data(address)
    client.expect_reply(150)
    data.send(b"the owner's")
    data.end()
    client.expect_reply(226)
    assert (front.server.home / "mine-up").read_bytes() == b"the owner's"


@pytest.mark.parametrize(
    "peer,reuse,source,served",
    [
        ("same-address", "prefer", "127.0.0.9", False),
        ("same-network", "prefer", "127.0.0.9", True),
        ("same-network", "prefer", "127.0.1.9", False),
        ("any", "require", "127.0.1.9", True),
    ],
)
def test_data_peer_policy(start_server, start_gateway, tls, peer, reuse, source, served):
    """Clients behind a pool of addresses. Guards against `any` without proof by TLS, and a /24 that is wider than that."""
    server = start_server()
    server.server.put("file", b"content")
    gateway = start_gateway(server, data={"peer": peer}, listener={"session_reuse": reuse}, timeouts={"data_connection": "3s"})
    client = gateway.secure(tls).login(server.server.user, server.server.password).protect()
    address = client.passive()
    client.source = source
    data = client.connect_data(address)
    client.send_line("RETR file")
    if served:
        client.expect_reply(150)
        assert client.protect_data(data).receive_all() == b"content"
        data.end_leniently()
        client.expect_reply(226)
    else:
        assert client.reply().code == 150
        client.expect_reply(425)


def test_peer_any_needs_session_reuse(start_server, start_gateway, tls):
    """`any` lets every address in: without a required TLS session of the control connection that is theft made easy."""
    with pytest.raises(AssertionError, match="ended with"):
        start_gateway(start_server(), data={"peer": "any"})


def test_passive_ports_stay_in_the_range(start_server, start_gateway, tls):
    """Guards against falling out of the range, where a firewall drops the connection (seen: proftpd when the range is full)."""
    server = start_server()
    gateway = start_gateway(server)
    client = gateway.secure(tls).login(server.server.user, server.server.password).protect()
    for _ in range(60):
        assert client.passive()[1] in gateway.ports[1:]


def test_passive_ports_are_not_predictable(start_server, start_gateway, tls):
    """Guards against next-free numbering, which tells a stranger where to connect."""
    server = start_server()
    client = start_gateway(server).secure(tls).login(server.server.user, server.server.password).protect()
    ports = [client.passive()[1] for _ in range(30)]
    steps = {second - first for first, second in zip(ports, ports[1:])}
    assert len(steps) > 10, ports


def test_full_port_range_is_refused_and_recovers(start_server, start_gateway, tls):
    """Two ports, three sessions: 425, and the port is free again when its owner leaves."""
    server = start_server()
    gateway = start_gateway(server)
    gateway.change(data={"passive_ports": f"{gateway.ports[1]}-{gateway.ports[2]}"})
    gateway.reload()
    clients = [gateway.secure(tls).login(server.server.user, server.server.password).protect() for _ in range(3)]
    ports = {client.passive()[1] for client in clients[:2]}
    assert ports == set(gateway.ports[1:3])
    clients[2].expect("EPSV", 421, 425)
    clients[0].expect("QUIT", 221)
    assert clients[0].receive() == b""
    for _ in range(50):  # the listener goes with its session, which ends a moment after its QUIT
        reply = clients[2].command("EPSV")
        if reply.code == 229:
            break
    assert reply.code == 229


def test_two_hundred_epsv_leak_nothing(front):
    """Guards against a listener or a connection to the raw ftpd left over from each."""
    client = front.login()
    for _ in range(200):
        client.passive()
    client.upload("STOR after", b"works")


def test_a_used_port_is_closed(front):
    """Guards against a listener that stays after its transfer (seen: pure-ftpd)."""
    client = front.login()
    address = client.passive()
    data = client.connect_data(address)
    client.expect("NLST", 150)
    client.protect_data(data).receive_all()
    data.end_leniently()
    client.expect_reply(226)
    with pytest.raises(ConnectionRefusedError):
        client.connect_data(address)


def test_the_last_data_command_wins(front):
    """RFC 959. EPSV, then EPRT: the passive port is closed and the connection goes out."""
    front.server.put("file", b"content")
    client = front.login()
    address = client.passive()
    assert client.download("RETR file", "EPRT") == b"content"
    with pytest.raises(ConnectionRefusedError):
        client.connect_data(address)
    with client.active():
        assert client.download("RETR file", "EPSV") == b"content"


def test_transfer_without_a_data_command(front):
    """Guards against guessing: RFC 959's default port is the client's control port, which no client uses."""
    client = front.login()
    client.expect("LIST", 425, 503)
    client.expect("NOOP", 200)


@pytest.mark.parametrize(
    "announce,shown",
    [
        ({"announce": "192.0.2.33"}, "192.0.2.33"),
        ({"announce": "192.0.2.33", "announce_for": [{"clients": "127.0.0.0/8", "address": "192.0.2.44"}]}, "192.0.2.44"),
        ({"announce": "192.0.2.33", "announce_for": [{"clients": "10.0.0.0/8", "address": "192.0.2.44"}]}, "192.0.2.33"),
    ],
)
def test_announced_address(start_server, start_gateway, tls, announce, shown):
    """Behind NAT the client must be told the outer address. Guards against announcing it to the inner clients too."""
    server = start_server()
    client = start_gateway(server, data=announce).secure(tls).login(server.server.user, server.server.password).protect()
    assert client.passive("PASV")[0] == shown


def test_refusal_before_150_does_not_wait_for_the_client(front):
    """RETR of a missing file: 550 at once although the client has connected and waits for TLS (seen: a proxy hangs for
    minutes)."""
    client = front.login()
    data = client.connect_data(client.passive())
    client.expect("RETR no-such-file", 550)
    try:
        assert data.receive() == b""
    except ConnectionResetError:
        pass
    client.upload("STOR after-refusal", b"x")


def test_nobody_connects(start_server, start_gateway, tls):
    """Guards against waiting for ever: 425 after data_connection, and the session goes on."""
    server = start_server()
    gateway = start_gateway(server, timeouts={"data_connection": "1s"})
    client = gateway.secure(tls).login(server.server.user, server.server.password).protect()
    client.passive()
    reply = client.command("STOR never")
    if reply.code == 150:
        reply = client.reply()
    assert reply.code == 425, reply
    client.upload("STOR later", b"x")


def test_active_port_that_refuses(front):
    """EPRT to a closed port of the client's: 425, and the session goes on."""
    client = front.login()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client.expect(f"EPRT |1|127.0.0.1|{port}|", 200)
    codes = [client.command("NLST").code]
    if codes[0] == 150:
        codes.append(client.reply().code)
    assert codes[-1] == 425
    client.upload("STOR afterwards", b"x")
