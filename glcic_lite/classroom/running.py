"""The process that runs one student's answers to one lesson: python -m glcic_lite.classroom.running JOB RESULTS

JOB is a JSON file; RESULTS gets a line of JSON before and after each answer, so that whoever waits knows which one
hangs or crashes. Files may be written in the working folder alone, no program started and no connection made. This
holds off accidents and plain mischief, but it is no prison: code that runs in Python's own process can get around it.
"""

import json
import os
import sys
from pathlib import Path

# Audit events by which files come, go or change: which arguments are paths, and which is a folder's descriptor.
_CHANGES = {
    "os.chmod": ((0,), 2),
    "os.chown": ((0,), 3),
    "os.link": ((0, 1), 2),
    "os.mkdir": ((0,), 2),
    "os.remove": ((0,), 1),
    "os.rename": ((0, 1), 2),
    "os.rmdir": ((0,), 1),
    "os.symlink": ((1,), 2),
    "os.truncate": ((0,), None),
    "os.utime": ((0,), 3),
    "os.setxattr": ((0,), None),
    "os.removexattr": ((0,), None),
}
_REFUSED = {  # programs, other processes, connections, and the ways around all this
    "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile", "os.kill",
    "os.killpg", "subprocess.Popen", "pty.spawn", "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg",
    "socket.getaddrinfo", "socket.gethostbyname", "ctypes.dlopen", "ctypes.dlsym", "ctypes.dlsym/handle",
    "signal.pthread_kill", "sqlite3.connect", "winreg.SetValue", "winreg.DeleteKey", "winreg.CreateKey",
}  # fmt: skip
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def limit_resources(memory: int, seconds: int) -> None:
    """Limit memory, time and the size of files, and dump no crash, where the system has such limits.

    Args:
        memory: bytes beyond what the libraries take; the parent watches it, too.
        seconds: of processor time; the parent, while there is one, watches the clock.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    import psutil

    most = psutil.Process().memory_info().vms + memory
    limits = {
        resource.RLIMIT_AS: most,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: 50_000_000,
        resource.RLIMIT_CORE: 0,
    }
    for what, value in limits.items():
        try:
            resource.setrlimit(what, (value, value))
        except (ValueError, OverflowError, OSError):
            continue


def confine(folder: str) -> None:
    """From here on this process writes in `folder` alone, starts no program and opens no connection."""
    home = os.path.realpath(folder)
    realpath, join, commonpath, fsdecode, readlink = (
        os.path.realpath,
        os.path.join,
        os.path.commonpath,
        os.fsdecode,
        os.readlink,
    )

    def inside(path, folder_descriptor=-1) -> bool:
        if isinstance(path, int):  # a file that is open already
            return True
        path = fsdecode(path)
        if isinstance(folder_descriptor, int) and folder_descriptor >= 0 and not path.startswith("/"):
            path = join(readlink(f"/proc/self/fd/{folder_descriptor}"), path)
        parent, _, name = realpath(path).rpartition(os.sep)
        try:
            return commonpath([home, join(parent, name)]) == home or path == os.devnull
        except ValueError:  # another drive
            return False

    def watch(event: str, arguments: tuple) -> None:
        if event in _REFUSED:
            raise PermissionError(f"answers may not do this here: {event}")
        if event == "open":
            path, _, flags = arguments
            if path is not None and isinstance(flags, int) and flags & _WRITES and not inside(path):
                raise PermissionError(f"answers may not write here: {path!r}")
        elif event in _CHANGES:
            positions, descriptor = _CHANGES[event]
            at = arguments[descriptor] if descriptor is not None else -1
            for position in positions:
                if not inside(arguments[position], at):
                    raise PermissionError(f"answers may not change files here: {event} {arguments[position]!r}")

    sys.addaudithook(watch)


def run(answer: dict, checks) -> tuple[str, str]:
    """The state and the message of one answer's check."""
    space: dict = {"__name__": "__main__", "display": print}
    try:
        exec(compile(answer["code"], "answer", "exec"), space)
        given, named = eval(f"(lambda *given, **named: (given, named))({answer['arguments']})", space)
        verdict = getattr(checks, answer["check"])(*given, **named)
        return verdict.state, verdict.message
    except BaseException as error:  # the student's code may raise anything, and end the program
        return "not yet", f"Stopped with {type(error).__name__}: {' '.join(str(error).split())[:200]}"


def main(job_file: str, results_file: str) -> None:
    job = json.loads(Path(job_file).read_text(encoding="utf-8"))
    space: dict = {}
    exec(job["import"], space)  # a line of the course's own lesson
    with open(results_file, "a", encoding="utf-8", buffering=1) as results:
        limit_resources(job["memory"], job["seconds"])
        confine(os.getcwd())
        for answer in job["answers"]:
            print(json.dumps({"exercise": answer["exercise"], "begun": True}), file=results)
            state, message = run(answer, space["checks"])
            line = {"exercise": answer["exercise"], "state": state, "message": message}
            print(json.dumps(line), file=results)


if __name__ == "__main__":
    main(*sys.argv[1:])
    os._exit(0)  # not waiting for threads that an answer may have left
