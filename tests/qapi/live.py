# SPDX-License-Identifier: LGPL-2.1-or-later
"""A QEMU without a machine, and a guest agent that is only asked what it can do. Every wait has a deadline."""

import json
import pathlib
import socket
import subprocess
import tempfile
import time

DEADLINE = 20  # seconds for one answer: a loaded machine, valgrind


class Peer:
    """A child with a socket. Ends it, and waits for its end, on leaving a `with`."""

    child = socket = None
    ends_alone = False

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        if self.socket:
            self.socket.close()
        if not self.child:
            return
        try:
            self.child.wait(DEADLINE if self.ends_alone else 0)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def talk_over(self, connection):
        self.socket = connection
        self.socket.settimeout(DEADLINE)
        self.lines = self.socket.makefile("rw", encoding="utf-8", newline="\n")

    def receive(self):
        line = self.lines.readline()
        if not line:
            raise EOFError(f"{self.child.args[0]} closed the connection")
        return json.loads(line)

    def ask(self, name, arguments=None):
        """The whole answer."""
        self.lines.write(json.dumps({"execute": name, "arguments": arguments or {}}) + "\n")
        self.lines.flush()
        answer = self.receive()
        while "event" in answer:
            answer = self.receive()
        return answer

    def execute(self, name, arguments=None):
        answer = self.ask(name, arguments)
        if "return" not in answer:
            raise RuntimeError(f"{name}: {answer}")
        return answer["return"]


class Monitor(Peer):
    """`release` is that of the QEMU, as ledgers write it."""

    def __init__(self, program):
        self.program = program

    def start(self):
        mine, its = socket.socketpair()
        with its:
            self.socket = mine
            self.child = subprocess.Popen(
                [self.program, "-M", "none", "-nodefaults", "-display", "none", "-S",
                 "-chardev", f"socket,id=monitor,fd={its.fileno()}", "-mon", "chardev=monitor,mode=control"],
                pass_fds=[its.fileno()], stdin=subprocess.DEVNULL)
        self.talk_over(mine)
        version = self.receive()["QMP"]["version"]["qemu"]
        self.release = f"{version['major']}.{version['minor']}"
        self.execute("qmp_capabilities")
        self.ends_alone = True

    def __exit__(self, *error):
        try:
            self.ask("quit")
        except (OSError, EOFError):
            pass  # Its end may overtake the answer.
        self.end()


class Agent(Peer):
    """`info` is its answer to `guest-info`. Nothing else is asked: it runs on this machine, and would act on it."""

    def __init__(self, program):
        self.program = program
        self.directory = tempfile.TemporaryDirectory()

    def start(self):
        path = pathlib.Path(self.directory.name, "agent")
        self.child = subprocess.Popen(
            [self.program, "--method", "unix-listen", "--path", path, "--statedir", self.directory.name,
             "--pidfile", path.with_suffix(".pid"), "--logfile", path.with_suffix(".log")], stdin=subprocess.DEVNULL)
        self.socket = socket.socket(socket.AF_UNIX)
        self.connect(str(path))
        self.talk_over(self.socket)
        self.info = self.execute("guest-info")
        self.release = ".".join(self.info["version"].split(".")[:2])

    def connect(self, path):
        end = time.monotonic() + DEADLINE
        while True:
            try:
                return self.socket.connect(path)
            except OSError:
                if time.monotonic() > end or self.child.poll() is not None:
                    raise
                time.sleep(0.02)

    def end(self):
        if self.child:
            self.child.terminate()
        super().end()
        self.directory.cleanup()
