"""A root directory with Debian's files as its packages install them, made of what scripts/fetch-ftpds unpacked, and with what their
maintainer scripts add. Nothing of it belongs to the machine."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from pathlib import Path

from .ftpds import ftpds_directory

INETD_CONF = """\
# /etc/inetd.conf:  see inetd(8) for further informations.
#
# Internet superserver configuration database.
#
#:INTERNAL: Internal services
#discard\t\tstream\ttcp\tnowait\troot\tinternal
#time\t\tstream\ttcp\tnowait\troot\tinternal

#:STANDARD: These are standard services.
{lines}
#:INFO: Info services
"""
FTPD_LINE = "ftp\t\tstream\ttcp\tnowait\troot\t/usr/sbin/tcpd\t/usr/sbin/in.ftpd"
PURE_FTPD_LINE = "ftp stream tcp nowait root /usr/sbin/tcpd /usr/sbin/pure-ftpd-wrapper"
HOSTS = "# /etc/hosts.{name}: who may {verb} the services of this machine.\n# See the manual pages hosts_access(5) and hosts_options(5).\n"


class ScratchRoot:
    def __init__(self, directory: Path, *packages: str):
        """`packages`: those whose FTP server or super-server is to be installed, with their services enabled as after apt-get."""
        self.path = directory
        source = self.source()
        for name in ("etc/services", "etc/protocols", "etc/vsftpd.conf", "etc/pure-ftpd", "etc/init.d/pure-ftpd"):
            self._take(source, name)
        self._take(source, "usr/sbin/tcpd")
        self.write("etc/hosts.allow", HOSTS.format(name="allow", verb="use"))
        self.write("etc/hosts.deny", HOSTS.format(name="deny", verb="not use"))
        for package in packages:
            getattr(self, "_install_" + package.replace("-", "_"))(source)

    @staticmethod
    def source() -> Path:
        """Where the packages lie unpacked."""
        return ftpds_directory() / "root"

    def install_inetd(self) -> None:
        self._install_openbsd_inetd(self.source())

    def _take(self, source: Path, name: str) -> None:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, target, symlinks=True)
        else:
            shutil.copy2(source / name, target, follow_symlinks=False)

    def _enable(self, source: Path, unit: str) -> None:
        self._take(source, f"lib/systemd/system/{unit}")
        self.link(f"etc/systemd/system/multi-user.target.wants/{unit}", f"/lib/systemd/system/{unit}")

    def _install_vsftpd(self, source: Path) -> None:
        self._take(source, "usr/sbin/vsftpd")
        self._enable(source, "vsftpd.service")

    def _install_proftpd(self, source: Path) -> None:
        self._take(source, "usr/sbin/proftpd")
        self._enable(source, "proftpd.service")
        self._take(source, "lib/systemd/system/proftpd.socket")
        self._take(source, "lib/systemd/system/proftpd@.service")
        for name in ("proftpd.conf", "modules.conf"):  # as its postinst
            self.write(f"etc/proftpd/{name}", (source / "usr/share/proftpd/templates" / name).read_text())

    def _install_pure_ftpd(self, source: Path, mode: str = "standalone") -> None:
        self._take(source, "usr/sbin/pure-ftpd")
        self._take(source, "usr/sbin/pure-ftpd-wrapper")
        self.write("etc/default/pure-ftpd-common", f"# Configuration for pure-ftpd\nSTANDALONE_OR_INETD={mode}\nVIRTUALCHROOT=false\n")
        self.link("etc/rc2.d/S01pure-ftpd", "../init.d/pure-ftpd")

    def _install_pure_ftpd_inetd(self, source: Path) -> None:
        self._install_pure_ftpd(source, "inetd")
        self._install_openbsd_inetd(source, PURE_FTPD_LINE)

    def _install_inetutils_ftpd(self, source: Path) -> None:
        self._take(source, "usr/sbin/ftpd")
        self.link("usr/sbin/in.ftpd", "ftpd")
        self._install_openbsd_inetd(source, FTPD_LINE)

    def _install_openbsd_inetd(self, source: Path, *lines: str) -> None:
        self._take(source, "usr/sbin/inetd")
        self._enable(source, "inetd.service")
        self.write("etc/inetd.conf", INETD_CONF.format(lines="".join(line + "\n" for line in lines)))

    def write(self, name: str, text: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def read(self, name: str) -> str:
        return (self.path / name).read_text()

    def link(self, name: str, target: str) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)

    def snapshot(self) -> dict[str, tuple]:
        """Every path with kind, mode, owner and content."""
        found = {}
        for folder, folders, files in os.walk(self.path):
            for name in folders + files:
                path = Path(folder) / name
                status = path.lstat()
                content: str | bytes = b""
                if path.is_symlink():
                    content = os.readlink(path)
                elif path.is_file():
                    content = hashlib.sha256(path.read_bytes()).digest()
                found[str(path.relative_to(self.path))] = (stat.filemode(status.st_mode), status.st_uid, status.st_gid, content)
        return found
