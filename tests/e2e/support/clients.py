"""Client libraries from Debian's packages, unpacked below the build folder and never installed, and how each is run with one list
of operations (tests/e2e/clients)."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

PROGRAMS = Path(__file__).parents[1] / "clients"
ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ["php8.2-cli", "php8.2-common", "ruby3.1", "libruby3.1", "libio-socket-ssl-perl", "libnet-ssleay-perl"]
PACKAGES += ["libcommons-net-java", "golang-1.19-go", "golang-1.19-src"]
PACKAGES += [f"golang-github-{name}-dev" for name in ("jlaffaye-ftp", "hashicorp-go-multierror", "hashicorp-errwrap")]


def unpacked() -> Path:
    """Where they are. scripts/check fetches them before the tests; whoever runs one test waits for it here."""
    place = Path(os.environ.get("SAFETP_CLIENTS", ROOT / "build" / "clients"))
    place.mkdir(parents=True, exist_ok=True)
    with open(place / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run([ROOT / "scripts" / "fetch-ftpds", place, *PACKAGES], check=True)
        program = place / "operations"
        if not program.exists() or program.stat().st_mtime < (PROGRAMS / "operations.go").stat().st_mtime:
            build_go(place)
    return place / "root"


def build_go(place: Path) -> None:
    toolchain = place / "root/usr/lib/go-1.19"
    environment = os.environ | {"GOROOT": str(toolchain), "GOPATH": str(place / "root/usr/share/gocode"), "GO111MODULE": "off"}
    environment |= {"GOCACHE": str(place / "go-cache"), "CGO_ENABLED": "0"}
    result = place / "operations"
    subprocess.run(
        [toolchain / "bin/go", "build", "-o", result.with_suffix(".new"), PROGRAMS / "operations.go"], env=environment, check=True
    )
    result.with_suffix(".new").rename(result)


def limited_tls(directory: Path, version: str) -> dict[str, str]:
    """Environment that holds programs with OpenSSL, and those of PROGRAMS, to one version."""
    config = directory / "openssl.cnf"
    config.write_text(
        "openssl_conf = here\n[here]\nssl_conf = ssl\n[ssl]\nsystem_default = limits\n[limits]\n"
        f"MinProtocol = TLSv{version}\nMaxProtocol = TLSv{version}\n"
    )
    return {"OPENSSL_CONF": str(config), "TLS_VERSION": version}


def command_of(name: str, version: str = "") -> tuple[list, dict[str, str]]:
    """A command that takes HOST PORT USER PASSWORD DIRECTORY CA, and what it needs in its environment."""
    root = unpacked()
    libraries = {"LD_LIBRARY_PATH": ":".join(str(path) for path in root.glob("usr/lib/*-linux-gnu"))}
    if name == "php":
        (extension,) = root.glob("usr/lib/php/*/ftp.so")
        return [root / "usr/bin/php8.2", "-n", "-d", f"extension={extension}", PROGRAMS / "operations.php"], libraries
    if name == "perl":
        places = [*root.glob("usr/lib/*/perl5/*"), root / "usr/share/perl5"]
        return ["perl", PROGRAMS / "operations.pl"], libraries | {"PERL5LIB": ":".join(map(str, places))}
    if name == "ruby":
        patterns = ("usr/lib/ruby/*", "usr/lib/*/ruby/*", "usr/lib/ruby/gems/*/gems/*/lib")
        places = [path for pattern in patterns for path in root.glob(pattern)]
        return (
            [root / "usr/bin/ruby3.1", "--disable-gems", PROGRAMS / "operations.rb"],
            libraries | {"RUBYLIB": ":".join(map(str, places))},
        )
    if name == "python":
        return ["/usr/bin/python3", PROGRAMS / "operations.py"], {}
    if name == "go":
        return [root.parent / "operations"], {}
    assert shutil.which("java"), "java is not installed: scripts/check does it"
    options = ["--add-opens=java.base/sun.security.ssl=ALL-UNNAMED", "--add-opens=java.base/sun.security.util=ALL-UNNAMED"]
    options += ["-Djdk.tls.useExtendedMasterSecret=false"]  # or Java resumes no session of TLS 1.2 under another port
    options += [f"-Djdk.tls.client.protocols=TLSv{version}"] if version else []
    return ["java", *options, "-cp", root / "usr/share/java/commons-net.jar", PROGRAMS / "Operations.java"], {}


if __name__ == "__main__":
    unpacked()
