# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
"""Alpine on a terminal of its own writes a message and sends it."""
import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

url = "mailto:bob@far.test?subject=the%20dots"
pid, fd = pty.fork()
if pid == 0:
    os.execvp("alpine", ["alpine", "-url", url])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
screen = b""


def shows(text, seconds=8):
    """Whether it shows that, before it ends or the time is over."""
    global screen
    screen = b""
    end = time.monotonic() + seconds
    while text not in screen and time.monotonic() < end:
        if select.select([fd], [], [], 0.1)[0]:
            try:
                screen += os.read(fd, 65536)
            except OSError:     # it is gone, and its terminal with it
                break
    return text in screen


def keys(what, octets, then):
    """Types, and waits for what it should show."""
    os.write(fd, octets)
    if not shows(then):
        os.kill(pid, 9)
        sys.exit("%s: %r" % (what, screen[-900:]))


keys("start", b"", b"To Spell")
keys("write", b"\x0e" * 6 + b"first line\r.\r", b".")
# With -url it ends when the message is sent, and only then.
keys("send", b"\x18", b"Alpine finished")
shows(b"nothing more", 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
