"""operations.py HOST PORT USER PASSWORD DIRECTORY CA: Python's ftplib."""

import ftplib
import io
import os
import ssl
import sys

host, port, user, password, directory, ca = sys.argv[1:]


class Resuming(ftplib.FTP_TLS):
    """With RESUME: what many people have written into their programs."""

    def ntransfercmd(self, cmd, rest=None):
        connection, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        return self.context.wrap_socket(connection, server_hostname=self.host, session=self.sock.session), size


kind = Resuming if os.environ.get("RESUME") else ftplib.FTP_TLS
client = kind(context=ssl.create_default_context(cafile=ca), timeout=30)


def report(name, step, *arguments):
    try:
        print(f"{name}: ok {step(*arguments)}")
    except (ftplib.Error, OSError, EOFError) as error:
        print(f"{name}: failed {type(error).__name__} {error}")


def listed(*arguments):
    lines = []
    client.retrlines(" ".join(("NLST", *arguments)), lines.append)
    return sorted(lines)


def got(name):
    parts = []
    client.retrbinary("RETR " + name, parts.append)
    return b"".join(parts)


def put(command):
    return client.storbinary(command, io.BytesIO(b"content"))


def aborted_download():
    connection = client.transfercmd("RETR big")
    connection.recv(1000)
    return abort(connection)


def abort(connection):
    first = client.abort()
    connection.close()
    return sorted((first[:3], client.getmultiline()[:3]))  # ProFTPD answers the other way round


client.connect(host, int(port))
report("login", client.login, user, password)
client.prot_p()
report("pwd", client.pwd)
report("mkd", client.mkd, "made")
report("cwd", client.cwd, "made")
report("cwd missing", client.cwd, "nosuch")
report("stor", put, "STOR file")
report("append", put, "APPE file")
for name, step in (
    ("stor into missing", lambda: put("STOR nosuch/file")),
    ("stor onto directory", lambda: put("STOR .")),
    ("list missing", lambda: listed("nosuch")),
    ("long list missing", lambda: client.retrlines("LIST nosuch", lambda line: None)),
    ("retr missing", lambda: got("nosuch")),
):
    report(name, step)
    report("pwd after " + name, client.pwd)
report("list", listed)
report("retr", got, "file")
report("size", client.size, "file")
report("size missing", client.size, "nosuch")
report("mdtm", lambda: client.voidcmd("MDTM file")[:3])
report("rename", client.rename, "file", "renamed")
report("dele", client.delete, "renamed")
report("dele missing", client.delete, "nosuch")
report("cdup", client.cwd, "..")
report("rmd", client.rmd, "made")
# No abort of an upload: ProFTPD by itself answers it or not, as its reading of the data falls.
report("aborted download", aborted_download)
report("pwd after aborted download", client.pwd)
report("pwd at the end", client.pwd)
report("quit", client.quit)
