"""A sealed process, where the system can: no network, and every folder read-only but one. Linux's `unshare` does both.

Nothing need be installed and nobody need be root: the process gets a view of its own on network and files (namespaces).
"""

import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

# $1 is the folder that stays writable, $2 where to start; the rest is the command. A mount keeps the options that it
# may not lose. The inner `unshare` takes away the right to undo this.
_SCRIPT = """
mount --bind "$1" "$1" || exit 97
while read -r _ place _ options _; do
  keep=ro
  for option in nosuid nodev noexec noatime nodiratime relatime; do
    case ",$options," in *",$option,"*) keep="$keep,$option" ;; esac
  done
  case "$place" in
    "$1" | /proc | /proc/* | /sys | /sys/* | /dev | /dev/pts) ;;
    *) mount -o "remount,bind,$keep" "$place" 2>/dev/null ;;
  esac
done < /proc/self/mounts
cd "$2" || exit 98
shift 2
exec unshare --user --map-current-user -- "$@"
"""
_PROBE = """
import os, socket, sys
open("here", "w").close()
try:
    open(os.path.join(sys.argv[1], "there"), "w").close()
except OSError:
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[2])), 5)
    except OSError:
        sys.exit(0)
sys.exit(1)
"""


def sealed(writable: Path, start: Path) -> list[str]:
    """What to put before a command, so that it writes in the folder `writable` alone and starts in `start`.

    Empty where this system has no such thing, or forbids it: see `can_seal`.
    """
    return _prefix(writable, start) if can_seal() else []


def _prefix(writable: Path, start: Path) -> list[str]:
    command = ["unshare", "--user", "--map-root-user", "--net", "--mount", "--", "sh", "-c"]
    return [*command, _SCRIPT, "sealed", str(writable), str(start)]


@cache
def can_seal() -> bool:
    """Whether it works here, by trying: a file outside of the folder, and a connection."""
    if shutil.which("unshare") is None or shutil.which("mount") is None:
        return False
    import socket

    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as server:
        inside, outside = Path(name).resolve() / "inside", Path(name).resolve() / "outside"
        inside.mkdir()
        outside.mkdir()
        probe = [sys.executable, "-c", _PROBE, str(outside), str(server.getsockname()[1])]
        try:
            tried = subprocess.run([*_prefix(inside, inside), *probe], capture_output=True, timeout=30)
        except (OSError, subprocess.TimeoutExpired):
            return False
        return tried.returncode == 0 and (inside / "here").exists() and not (outside / "there").exists()
