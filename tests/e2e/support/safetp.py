"""Runs safetp(1) as a script does: no terminal, an environment of its own, a file of known servers of its own. And the FTP
servers with their own TLS that it talks to."""

from __future__ import annotations

import os
import pty
import select
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import ftpds
from .certificates import Certificate
from .client import SAFETY_NET
from .gateway import binary as safetpd_binary

OK, FAILURE, USAGE, NO_INPUT, UNREACHABLE, CANNOT_CREATE, TRY_AGAIN, NOT_TRUSTED, LOGIN_FAILED = 0, 1, 64, 66, 69, 73, 75, 76, 77


def binary() -> Path:
    """Beside the safetpd under test."""
    return Path(os.environ.get("SAFETP", safetpd_binary().parent / "safetp")).absolute()


@dataclass
class Finished:
    code: int
    out: bytes
    err: str

    def expect(self, code: int, *words: str) -> Finished:
        assert self.code == code, f"ended with {self.code}, expected {code}:\n{self.err}\n{self.out!r}"
        for word in words:
            assert word in self.err, f"does not say {word!r}:\n{self.err}"
        return self


class Safetp:
    def __init__(self, directory: Path, **environment: str):
        self.directory = directory
        directory.mkdir(exist_ok=True)
        self.pins = directory / "known_servers"
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "SAFETP_PASSWORD": ftpds.PASSWORD} | environment
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LD_LIBRARY_PATH"):
            if name in os.environ:
                self.environment[name] = os.environ[name]

    def command(self, *words) -> list[str]:
        """The verb's own words, and our file of known servers."""
        verb_words = 2 if words[0] == "pin" else 1
        return [str(binary()), *map(str, words[:verb_words]), "--pins", str(self.pins), *map(str, words[verb_words:])]

    def start(self, *words, **options) -> subprocess.Popen:
        defaults = {
            "cwd": self.directory,
            "env": self.environment,
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "start_new_session": True,  # so that no terminal is there to ask
        }
        return subprocess.Popen(self.command(*words), **(defaults | options))

    def run(self, *words, input: bytes | None = None, **options) -> Finished:
        if input is not None:
            options["stdin"] = subprocess.PIPE
        process = self.start(*words, **options)
        try:
            out, err = process.communicate(input, timeout=SAFETY_NET)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return Finished(process.returncode, out, err.decode("utf-8", "replace"))

    def run_lftp(self, *words) -> Finished:
        """lftp's helper for names ends with a signal. On a busy machine that may end its connect(2) in EINTR before safetp has
        taken the call (docs/adr/0024), and lftp goes on without a connection: then it is run again."""
        for _ in range(20):
            finished = self.run(*words)
            if "Transport endpoint is not connected" not in finished.err:
                break
        return finished

    def lines(self) -> list[list[str]]:
        """The pins, as words."""
        text = self.pins.read_text() if self.pins.exists() else ""
        return [line.split() for line in text.splitlines() if line and not line.startswith("#")]

    def run_at_terminal(self, *words, answers: list) -> tuple[int, str]:
        """With a terminal of its own: each answer is typed (bytes: without Return), or called, when its question stands there."""
        return self.at_terminal(self.command(*words), answers)

    def at_terminal(self, command: list[str], answers: list) -> tuple[int, str]:
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(self.directory)
            os.execve(command[0], command, self.environment)
        seen = ""
        try:
            for question, answer in answers:
                while question not in seen:
                    part = read_terminal(terminal)
                    assert part, f"no {question!r} at the terminal:\n{seen}"
                    seen += part
                if callable(answer):
                    answer()
                elif isinstance(answer, bytes):
                    os.write(terminal, answer)
                else:
                    os.write(terminal, answer.encode() + b"\n")
            while part := read_terminal(terminal):
                seen += part
        except TimeoutError:
            raise AssertionError(f"nothing more is said at the terminal:\n{seen}") from None
        finally:
            os.close(terminal)  # first: whoever sits there still, and waits, is hung up on
            _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status), seen


def read_terminal(terminal: int) -> str:
    ready, _, _ = select.select([terminal], [], [], SAFETY_NET)
    if not ready:
        raise TimeoutError
    try:
        return os.read(terminal, 65536).decode("utf-8", "replace")
    except OSError:  # EIO: nobody has the other end any more
        return ""


def make_with_tls(name: str, directory: Path, certificate: Certificate, implicit: bool = False) -> ftpds.FtpServer:
    """The server with TLS of its own and its defaults for session reuse."""
    if name == "vsftpd":
        settings = {
            "ssl_enable": "YES",
            "rsa_cert_file": str(certificate.certificate),
            "rsa_private_key_file": str(certificate.key),
            "force_local_logins_ssl": "YES",
            "force_local_data_ssl": "YES",
            "implicit_ssl": "YES" if implicit else "NO",
            "ssl_ciphers": "HIGH",
        }
        directory.mkdir(parents=True)
        return ftpds.vsftpd(directory, **settings)
    if name == "proftpd":
        extra = f"""LoadModule mod_tls.c
TLSEngine on
TLSRequired on
TLSECCertificateFile {certificate.certificate}
TLSECCertificateKeyFile {certificate.key}
TLSLog {directory}/tls.log
TLSOptions {"UseImplicitSSL" if implicit else "NoEmptyFragments"}
"""
        directory.mkdir(parents=True)
        return ftpds.proftpd(directory, extra=extra)
    if name == "pure-ftpd":
        assert not implicit, "pure-ftpd has no implicit TLS"
        directory.mkdir(parents=True)
        server = ftpds.pure_ftpd(directory)
        at = server.command.index("-Y")
        server.command[at : at + 2] = ["-Y", "2", "-2", f"{certificate.certificate},{certificate.key}"]
        return server
    raise ValueError(name)
