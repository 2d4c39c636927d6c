"""What a raw ftpd refuses: the client's data end as the server's do, in order, and its reply says so. No client is left one
reply behind, and no reset meets it where nothing was transferred."""

import time

import pytest

SERVERS = ["vsftpd", "proftpd", "pure-ftpd", "inetutils-ftpd"]
DOWNLOADS = ["LIST nosuchdir", "NLST nosuchdir", "RETR nosuchfile", "MLSD nosuchdir"]
UPLOADS = ["STOR nosuchdir/file", "APPE nosuchdir/file", "STOR ."]


def send_in(data, content: bytes) -> None:
    try:
        data.send(content)
        data.close_notify() if data.tls is not None else data.fin()
    except OSError:
        pass  # it was refused meanwhile


def refused(client, line: str, prepare: str) -> list[int]:
    """Says it, ends the data connection as an FTP client does, and gives the codes of its replies. A reset is an exception."""
    data = client.connect_data(client.passive())
    if prepare == "early":  # as curl and basic-ftp: TLS begins before the verb
        data.prepare_tls(client.context, client.tls.session, client.server_name)
        data.client_hello()
    codes = [client.command(line).code]
    if prepare == "early":
        data.handshake()
    elif codes[0] < 200:
        client.protect_data(data)
    else:
        data.fin()
    is_upload = line.startswith(("STOR", "APPE"))
    if codes[0] < 200 and is_upload:
        send_in(data, b"content")
    content = data.receive_all()
    assert content == b"" or b"No such file or directory" in content  # in place of a listing
    if codes[0] < 200:
        codes.append(client.reply().code)
    data.close()
    return codes


@pytest.mark.parametrize("prepare", ["early", "late", "clear"])
@pytest.mark.parametrize("server", SERVERS)
def test_a_refusal_resets_nobody_and_replies_stay_in_step(start_server, start_gateway, each_tls, server, prepare):
    """Each raw ftpd in its own way: 550 at once, or 150, an empty data connection ended in order, and then 450."""
    inetd = start_server(server)
    gateway = start_gateway(inetd, listener={"data_security": "optional"})
    client = gateway.secure(each_tls).login(inetd.server.user, inetd.server.password)
    client.protect("C" if prepare == "clear" else "P")
    lines = DOWNLOADS if inetd.server.has_mlsd and server != "inetutils-ftpd" else DOWNLOADS[:3]
    for line in (lines + UPLOADS) * 2:
        codes = refused(client, line, prepare)
        assert 226 not in codes or line.startswith(("LIST", "NLST")), (line, codes)  # some say that nothing is there by 226
        client.expect("PWD", 257)


@pytest.mark.parametrize("server", ["vsftpd", "proftpd", "pure-ftpd"])
def test_a_refusal_through_safetp_proxy(start_tls_server, start_proxy, server):
    """The mirror: the server's leg is under TLS, the client's plain."""
    inetd = start_tls_server(server)
    client = start_proxy(server=inetd).login(inetd.server)
    lines = DOWNLOADS if server != "vsftpd" else DOWNLOADS[:3]
    for line in (lines + UPLOADS) * 2:
        codes = refused(client, line, "clear")
        assert 226 not in codes or line.startswith(("LIST", "NLST")), (line, codes)
        client.expect("PWD", 257)


@pytest.mark.parametrize("seconds_after", [0.0, 0.001, 0.01])
@pytest.mark.parametrize("verb", ["STOR up", "RETR down"])
@pytest.mark.parametrize("server", SERVERS)
def test_abort_at_once(start_server, start_gateway, tls, server, verb, seconds_after):
    """vsftpd and Pure-FTPd end the session when their data connection is reset before they have taken it. An ABOR, or a client
    that gives up, within milliseconds of the command must not do that."""
    inetd = start_server(server)
    inetd.server.put("down", b"x" * 100_000)
    client = start_gateway(inetd).secure(tls).login(inetd.server.user, inetd.server.password).protect()
    client.expect("TYPE I", 200)
    for number in range(8):
        data = client.connect_data(client.passive())
        client.send_line(verb)
        if seconds_after:
            time.sleep(seconds_after)
        if number % 2 == 0:
            client.send_line("ABOR")
        else:
            data.rst()
        codes = [client.reply().code]
        while codes[-1] < 200:
            codes.append(client.reply().code)
        assert codes[-1] in (425, 426, 451, 522, 226, 550), codes
        if number % 2 == 0:
            client.expect_reply(225, 226)
            data.close()
        client.expect("PWD", 257)
    client.upload("STOR after", b"works")


@pytest.mark.parametrize("seconds_after", [0.0, 0.002, 0.01])
@pytest.mark.parametrize("server", ["vsftpd", "proftpd", "pure-ftpd"])
def test_abort_at_once_through_safetp_proxy(start_tls_server, start_proxy, server, seconds_after):
    """The same where the server's TLS handshake on the data connection is under way."""
    inetd = start_tls_server(server)
    client = start_proxy(server=inetd).login(inetd.server)
    for _ in range(8):
        data = client.connect_data(client.passive())
        client.send_line("STOR up")
        if seconds_after:
            time.sleep(seconds_after)
        client.send_line("ABOR")
        codes = [client.reply().code]
        while codes[-1] < 200:
            codes.append(client.reply().code)
        assert codes[-1] in (425, 426, 451), codes
        client.expect_reply(225, 226)
        data.close()
        client.expect("PWD", 257)
    client.upload("STOR after", b"works")
