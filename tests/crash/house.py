# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
"""Where it happens: scratch directories, the programs, and a server."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

from calls import BASE, TOP, TRACED
from courses import RECOVERY_RULES

LIMIT = 60		# seconds for any one program
AGED = 7200		# seconds: older than an unfinished file may get
NOBODY = "65534"	# who has no rights


def scratch():
    """In memory if we may: thousands of trees are made, and each recovery
    syncs."""
    memory = "/dev/shm"
    return tempfile.mkdtemp(prefix="crash.", dir=memory if
                            os.access(memory, os.W_OK | os.X_OK) else None)


# ---- trees -----------------------------------------------------------------

def read_tree(base):
    """{path: bytes, or None for a directory} of what is below base/TOP."""
    tree = {}
    for at, _, files in os.walk(os.path.join(base, TOP)):
        tree[os.path.relpath(at, base)] = None
        for name in files:
            path = os.path.join(at, name)
            with open(path, "rb") as f:
                tree[os.path.relpath(path, base)] = f.read()
    return tree


def write_tree(base, tree, old):
    shutil.rmtree(os.path.join(base, TOP), ignore_errors=True)
    for path in sorted(tree):
        full = os.path.join(base, path)
        if tree[path] is None:
            os.mkdir(full)
            continue
        with open(full, "wb", buffering=0) as f:
            f.write(tree[path])
        if path in old or is_file_of_pickup(path):
            age(full)


def is_file_of_pickup(path):
    """It has been there for longer than a second."""
    words = path.split("/")
    return words[1] == "Pickup" and not words[-1].startswith(".")


def age(path):
    then = time.time() - AGED
    os.utime(path, (then, then))


def inodes(base):
    """The same as Disk wants it: names, data, old; numbers by path."""
    names, data, old = {}, {}, set()
    tree = read_tree(base)
    number = {path: n for n, path in enumerate(sorted(tree), BASE + 1)}
    for path, ino in number.items():
        above, name = os.path.split(path)
        names[ino] = (number.get(above, BASE), name)
        if tree[path] is not None:
            data[ino] = tree[path]
        if os.stat(os.path.join(base, path)).st_mtime < time.time() - 3600:
            old.add(ino)
    return names, data, old


# ---- the server ------------------------------------------------------------

class Server:
    def __init__(self, build, base, rules):
        self.sink = os.path.join(base, "sink")
        os.makedirs(self.sink, exist_ok=True)
        args = [os.path.join(build, "tests/tools/smtpd"), "-l",
                "127.0.0.1:0", "-d", self.sink, "-w", "290"]
        for rule in rules:
            args += ["-r", rule]
        self.process = subprocess.Popen(args, stdout=subprocess.PIPE,
                                        text=True)
        line = self.process.stdout.readline()
        self.port = int(re.search(r":(\d+)$", line)[1])

    def take(self):
        """{name: octets} of what has come, which is then no longer there."""
        found = {}
        for entry in os.scandir(self.sink):
            with open(entry.path, "rb") as f:
                if entry.name.endswith(".msg"):
                    found[entry.name[:-4]] = f.read()
            os.unlink(entry.path)
        return found

    def stop(self):
        self.process.kill()
        self.process.communicate()


def closed_port():
    """One that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# ---- sendmail --------------------------------------------------------------

class House:
    """A directory with a MailRoot, its settings and a server."""

    def __init__(self, build, base, rules=RECOVERY_RULES):
        self.build, self.base = build, base
        os.makedirs(base, exist_ok=True)
        self.server = Server(build, base, rules)
        self.conf = os.path.join(base, "mailroot.conf")
        self.env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"),
                    # Leaks cannot be looked for under strace.
                    "ASAN_OPTIONS": "detect_leaks=0"}

    def configure(self, settings, port=None):
        with open(self.conf, "w", encoding="ascii") as f:
            f.write("\n".join([
                "MailRoot = %s/%s" % (self.base, TOP),
                "FullyQualifiedDomainName = client.test",
                "DefaultDomain = client.test", "LocalDomains = local.test",
                "LogFile = %s/log" % self.base,
                "SmartHost = 127.0.0.1:%d" % (port or self.server.port),
                *settings, ""]))

    def make_root(self, pickup=False):
        shutil.rmtree(os.path.join(self.base, TOP), ignore_errors=True)
        for name in ("", "Queue", "Drop", "Badmail", "State",
                     *(["Pickup"] if pickup else ())):
            os.mkdir(os.path.join(self.base, TOP, name))

    def open_pickup(self):
        """To everybody, the way there and the program too."""
        os.chmod(os.path.join(self.base, TOP, "Pickup"), 0o1733)
        for at in (self.base, os.path.dirname(self.base)):
            os.chmod(at, 0o711)
        shutil.copy(os.path.join(self.build, "sendmail"), self.base)

    def leave(self, name, octets):
        path = os.path.join(self.base, TOP, "Pickup", name)
        with open(path, "wb") as f:
            f.write(octets)
        age(path)

    def sendmail(self, args, text=b"", before=(), where=None):
        """Status and both outputs."""
        done = subprocess.run(
            [*before, os.path.join(where or self.build, "sendmail"), "-C",
             self.conf,
             *args], input=text, stdout=subprocess.PIPE, check=False,
            stderr=subprocess.STDOUT, env=self.env, timeout=LIMIT)
        return done.returncode, done.stdout

    def traced(self, args, text, log, rights=True):
        strace = ["strace", "-f", "-qq", "-xx", "-s", "4000000", "-e",
                  "trace=" + TRACED, "-e", "signal=none", "-o", log]
        if rights:
            return self.sendmail(args, text, strace)
        return self.sendmail(args, text, [
            *strace, "setpriv", "--reuid", NOBODY, "--regid", NOBODY,
            "--clear-groups"], self.base)

    def recover(self, tree, old):
        """Two queue runs over this tree, an hour and more between them:
        ("" or what went wrong, tree, sink)."""
        write_tree(self.base, tree, old)
        for _ in range(2):
            status, said = self.sendmail(["-q", "--flush"])
            if status or said:
                said = "status %d %s" % (status, said.decode()[:300])
                break
            if not self.age_unfinished():
                break
        return said or "", read_tree(self.base), self.server.take()

    def age_unfinished(self):
        """False: there is nothing left for a second run."""
        more = False
        for at, _, files in os.walk(os.path.join(self.base, TOP)):
            for name in files:
                if name.startswith(".tmp-"):
                    age(os.path.join(at, name))
                    more = True
                more |= os.path.basename(at) in ("Queue", "Pickup")
        return more

    def close(self):
        self.server.stop()
        shutil.rmtree(self.base, ignore_errors=True)
