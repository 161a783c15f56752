# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
"""What the tests of -bs share: one session with the real program, the replies
it gave, and the messages it left in Queue."""

import glob
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import time

WAIT = 20.0                     # for a reply; it takes a few milliseconds


class Failure(Exception):
    pass


class Session:
    """The program with a MailRoot of its own.  way: "pipe", or "packet": what
    one send gave is what one read gets."""

    def __init__(self, sendmail, conf, root, way="pipe", args=()):
        shutil.rmtree(root, ignore_errors=True)
        self.root = root
        if way == "packet":
            ours, theirs = socket.socketpair(socket.AF_UNIX,
                                             socket.SOCK_SEQPACKET)
            self.socket = ours
            stdin = theirs.fileno()
        else:
            self.socket = None
            stdin = subprocess.PIPE
        env = {"PATH": os.environ["PATH"]}
        if "ASAN_OPTIONS" in os.environ:
            env["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS"]
        self.process = subprocess.Popen(
            [sendmail, "-C", conf, "-bs", "-odq", "-O", "MailRoot=" + root,
             *args], stdin=stdin, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=env)
        if way == "packet":
            theirs.close()
        self.got = b""

    def send(self, octets):
        try:
            if self.socket:
                for at in range(len(octets)):
                    self.socket.send(octets[at:at + 1])
            else:
                self.process.stdin.write(octets)
                self.process.stdin.flush()
        except (BrokenPipeError, ConnectionResetError):
            pass

    def read(self, limit):
        """What has come within so many seconds; b"" is the end."""
        fd = self.process.stdout.fileno()
        if not select.select([fd], [], [], limit)[0]:
            return None
        return os.read(fd, 65536)

    def line(self):
        """The next line of a reply, or None at the end."""
        until = time.monotonic() + WAIT
        while b"\n" not in self.got:
            more = self.read(until - time.monotonic())
            if more is None:
                raise Failure("no reply for %d s" % WAIT)
            if more == b"":
                if self.got:
                    raise Failure("half a reply: %r" % self.got)
                return None
            self.got += more
        line, self.got = self.got.split(b"\n", 1)
        if not line.endswith(b"\r") or re.search(rb"[^ -~]", line[:-1]):
            raise Failure("not a line of SMTP: %r" % line)
        return line[:-1].decode()

    def close(self):
        if self.socket:
            self.socket.close()
        else:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass

    def signal(self, name):
        self.process.send_signal(getattr(signal, "SIG" + name))

    def finish(self):
        """Closes our end; the lines not read yet.  The status must be 0 and
        standard error empty."""
        self.close()
        lines = []
        while (line := self.line()) is not None:
            lines.append(line)
        status = self.process.wait(WAIT)
        error = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        if status or error:
            raise Failure("status %d, standard error %r" % (status, error))
        return lines

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Message:
    """A file in Queue: sender and receivers as its lines have them, without
    BODY; head and body of its text."""

    def __init__(self, path):
        with open(path, "rb") as f:
            octets = f.read()
        sizes = re.match(rb"x-mailroot: 1 envelope=(\d+) message=(\d+)\r\n",
                         octets)
        at, size = int(sizes[1]), int(sizes[2])
        if len(octets) != at + size:
            raise Failure("%s is torn" % path)
        envelope = octets[:at].decode()
        text = octets[at:]
        if re.search(rb"\r(?!\n)|(?<!\r)\n|\0", text):
            raise Failure("%s: a bare CR or LF, or NUL" % path)
        self.id = re.search(r"-([0-9a-z]+)\.eml$", path)[1]
        self.receivers = []
        for line in envelope.split("\r\n"):
            key, _, value = line.partition(": ")
            value = re.sub(r" BODY=\S+ *", " ", value).strip()
            if key == "x-sender":
                self.sender = value
            elif key == "x-receiver":
                self.receivers.append(value)
        self.eight_bit = "BODY=8BITMIME" in envelope
        head, _, self.body = text.partition(b"\r\n\r\n")
        self.head = head + b"\r\n"

    def __str__(self):
        return " | ".join([self.sender, *self.receivers])


def stored(root):
    """id to Message, of all in Queue.  There is nothing else in there."""
    found = {}
    for path in glob.glob(root + "/Queue/*") + glob.glob(root + "/Queue/.*"):
        if not path.endswith(".eml") or "/.tmp" in path:
            raise Failure("%s was left" % path)
        message = Message(path)
        found[message.id] = message
    return found


def queued(lines):
    """The ids that were promised, in order."""
    return [m[1] for line in lines
            if (m := re.search(r"^250 .*queued as (\w+)$", line))]
