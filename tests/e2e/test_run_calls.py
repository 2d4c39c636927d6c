"""safetp run and the system calls that connect: none is a way round, and none that does not connect suffers."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from support.safetp import Safetp
from support.watched import python, words

SUPPORT = Path(__file__).resolve().parent / "support"


@pytest.fixture
def run(directory):
    return Safetp(directory / "run")


class Ear:
    """A server that nothing may reach in clear: it says no word of FTP, and tells whether somebody has connected."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.udp = socket.socket(type=socket.SOCK_DGRAM)
        self.udp.bind(self.listener.getsockname())
        self.port = self.listener.getsockname()[1]

    def was_reached(self) -> bool:
        self.listener.settimeout(0)
        try:
            self.listener.accept()[0].close()
            return True
        except BlockingIOError:
            return False

    def close(self) -> None:
        self.listener.close()
        self.udp.close()


@pytest.fixture
def ear(running):
    return running.add(Ear())


# ---- connect(2)


@pytest.mark.parametrize("way", ["mapped", "bound", "dissolved"])
def test_other_ways_to_connect(start_tls_server, run, way):
    """IPv4 by way of IPv6; from an address of its own choice; again, after an association was dissolved."""
    code = """
        import ctypes, socket, sys
        port, way = int(sys.argv[1]), sys.argv[2]
        s = socket.socket(socket.AF_INET6 if way == "mapped" else socket.AF_INET)
        if way == "bound":
            s.bind(("127.0.0.1", 0))
            here = s.getsockname()
        s.connect(("::ffff:127.0.0.1" if way == "mapped" else "127.0.0.1", port))
        if way == "dissolved":
            assert ctypes.CDLL(None).connect(s.fileno(), bytes(16), 16) == 0  # AF_UNSPEC
            s.connect(("127.0.0.1", port))
        assert s.recv(3) == b"220"
        assert way != "bound" or s.getsockname() == here
    """
    inetd = start_tls_server("vsftpd")
    run.run(*words(inetd, *python(code, inetd.port, way))).expect(0)
    assert [line[0] for line in run.lines()] == [f"127.0.0.1:{inetd.port}"]


# ---- TCP Fast Open


NATIVE = """
    import ctypes, errno, os, socket, sys
    port, way = int(sys.argv[1]), sys.argv[2]
    class Part(ctypes.Structure):
        _fields_ = [("bytes", ctypes.c_char_p), ("count", ctypes.c_size_t)]
    class Message(ctypes.Structure):
        _fields_ = [("name", ctypes.c_char_p), ("name_length", ctypes.c_uint), ("parts", ctypes.POINTER(Part)),
                    ("part_count", ctypes.c_size_t), ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t),
                    ("flags", ctypes.c_int)]
    class Counted(ctypes.Structure):
        _fields_ = [("message", Message), ("sent", ctypes.c_uint)]
    libc = ctypes.CDLL(None, use_errno=True)
    text = b"USER anna\\r\\n"
    to = socket.AF_INET.to_bytes(2, sys.byteorder) + port.to_bytes(2, "big") + socket.inet_aton("127.0.0.1") + bytes(8)
    one = Counted(Message(to, len(to), ctypes.pointer(Part(text, len(text))), 1, None, 0, 0), 0)
    s = socket.socket()
    if way == "sendto":
        result = libc.sendto(s.fileno(), text, len(text), socket.MSG_FASTOPEN, to, len(to))
    elif way == "sendmsg":
        result = libc.sendmsg(s.fileno(), ctypes.byref(one), socket.MSG_FASTOPEN)
    else:
        result = libc.sendmmsg(s.fileno(), ctypes.byref(one), 1, socket.MSG_FASTOPEN)
    sys.exit(result != -1 or ctypes.get_errno() != errno.EOPNOTSUPP)
"""


@pytest.mark.parametrize("way", ["sendto", "sendmsg", "sendmmsg"])
def test_fast_open_is_no_way_round(ear, run, way):
    """MSG_FASTOPEN connects without connect(2)."""
    run.run(*words(ear, *python(NATIVE, ear.port, way))).expect(0)
    assert not ear.was_reached()


def test_fast_open_by_an_option(start_tls_server, run):
    """TCP_FASTOPEN_CONNECT puts connect(2) off until the first byte is sent: it has been led here by then."""
    code = """
        import socket, sys
        s = socket.socket()
        s.setsockopt(socket.IPPROTO_TCP, 30, 1)  # TCP_FASTOPEN_CONNECT
        s.connect(("127.0.0.1", int(sys.argv[1])))
        assert s.recv(3) == b"220"
    """
    inetd = start_tls_server("vsftpd")
    run.run(*words(inetd, *python(code, inetd.port))).expect(0)
    assert [line[0] for line in run.lines()] == [f"127.0.0.1:{inetd.port}"]


def test_io_uring_is_no_way_round(run):
    """It connects where no filter sees it."""
    code = """
        import ctypes, errno, sys
        libc = ctypes.CDLL(None, use_errno=True)
        for number in (425, 426):  # io_uring_setup and io_uring_enter, on every architecture
            assert libc.syscall(number, 1, ctypes.create_string_buffer(120), 0, 0, None, 0) == -1
            assert ctypes.get_errno() == errno.ENOSYS
    """
    run.run("run", "--", *python(code)).expect(0)


# ---- old programs of 32 bits


if os.uname().machine == "x86_64":

    @pytest.fixture(scope="module")
    def old(base_directory):
        """A real program of 32 bits. It has no C library, since Debian's for 32 bits cannot be installed beside all else."""
        program = base_directory / "old-calls"
        options = ["-m32", "-nostdlib", "-static", "-fno-pie", "-no-pie", "-fno-stack-protector", "-O1"]
        subprocess.run(["gcc", *options, "-o", program, SUPPORT / "old_calls.c"], check=True)
        return program

    def test_old_programs_connect(start_tls_server, run, old):
        """socketcall(2) is led here as connect(2) is."""
        inetd = start_tls_server("vsftpd")
        run.run(*words(inetd, old, inetd.port, "connect")).expect(0)
        assert [line[0] for line in run.lines()] == [f"127.0.0.1:{inetd.port}"]

    @pytest.mark.parametrize("way", ["old-sendto", "old-sendmsg", "old-sendmmsg", "sendto", "sendmsg", "sendmmsg"])
    def test_fast_open_of_old_programs(ear, run, old, way):
        """By socketcall(2), whose arguments lie in memory, and by calls of their own."""
        run.run(*words(ear, old, ear.port, way)).expect(0)
        assert not ear.was_reached()

    def test_innocent_datagrams_of_old_programs(ear, run, old):
        """Whatever happens to lie in registers that mean nothing."""
        run.run(*words(ear, old, ear.port, "udp")).expect(0)
        assert [ear.udp.recv(100) for _ in range(3)] == [b"USER anna\r\n"] * 3
