# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
"""From a log of system calls to the few operations a power cut can take back.

strace writes one line a call; here the calls on files below the watched
directory become Op records, in their order, and what was said on sockets and
how processes ended stands between them.  A call that changes files and is not
known here is an error, never passed over; and when the log has been read,
replaying it must give exactly the tree that stands on the disk (see run).
"""

import os
import re
from dataclasses import dataclass

TRACED = ("open,openat,creat,close,dup,dup2,dup3,fcntl,lseek,write,writev,"
          "pwrite64,pwritev,pwritev2,fsync,fdatasync,syncfs,sync_file_range,"
          "ftruncate,truncate,fallocate,sendfile,copy_file_range,rename,"
          "renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,"
          "mkdir,mkdirat,rmdir,fork,vfork,clone,clone3,exit_group,socket,"
          "sendto,sendmsg,recvfrom,recvmsg,read")
BASE = 0	# the inode of the watched directory itself
TOP = "root"	# the one name in it that matters

NAMES = ("create", "move", "unlink")
BYTES = ("write", "truncate")


class Unknown(Exception):
    """A call this model does not know: it would be blind to it."""


@dataclass
class Op:
    """kind: one of NAMES, BYTES, "sync", "sent", "said", "exit"."""
    kind: str
    pid: int
    text: str = ""		# for people
    ino: int = -1
    dir: int = -1		# create, move: the new name; unlink: the old one
    name: str = ""
    isdir: bool = False
    off: int = 0		# write: where; truncate: the new size
    data: bytes = b""
    how: str = ""		# sync: fsync, fdatasync or syncfs, which is of all
				# there is; said: the sink's file
    status: int = 0		# exit


@dataclass
class Opened:
    ino: int
    append: bool = False
    pos: int = 0


# ---- lines to calls --------------------------------------------------------

LINE = re.compile(r"(\d+)\s+(\w+)\((.*)\)\s+= (\?|-?\d+|0x[0-9a-f]+)(.*)$",
                  re.S)
CUT = re.compile(r"(\d+)\s+(\w+\(.*?)\s*<unfinished \.\.\.>$", re.S)
REST = re.compile(r"(\d+)\s+<\.\.\. \w+ resumed>(.*)$", re.S)


def text_of(word):
    """A string as -xx prints it."""
    return bytes.fromhex(word.strip('"').replace("\\x", ""))


def calls(lines):
    """(pid, name, arguments, result) of every call that succeeded."""
    begun = {}
    for line in lines:
        line = line.rstrip("\n")
        cut, rest = CUT.match(line), REST.match(line)
        if cut:
            begun[cut[1]] = cut[2]
            continue
        if rest:
            line = "%s %s%s" % (rest[1], begun.pop(rest[1]), rest[2])
        m = LINE.match(line)
        if not m or m[4].startswith("-"):
            continue
        result = 0 if m[4] == "?" else int(m[4], 0)
        yield int(m[1]), m[2], m[3].split(", "), result


# ---- calls to operations ---------------------------------------------------

class Reader:
    """Follows descriptors and names, as the kernel had them."""

    def __init__(self, base, names, data):
        self.base = base
        self.tree = dict((where, ino) for ino, where in names.items())
        self.paths = dict(names)
        self.size = dict((ino, len(d)) for ino, d in data.items())
        self.dirs = {BASE, *(ino for ino in names if ino not in data)}
        self.last = max([BASE, *names]) + 1
        self.fds = {}		# pid: {fd: Opened}
        self.sockets = {}	# pid: {fd}
        self.sent = {}		# fd: its last "sent" operation
        self.ops = []

    def path(self, ino):
        if ino == BASE:
            return "."
        where = self.paths.get(ino)
        if not where:
            return "(unlinked)"
        if where[0] == BASE:
            return where[1]
        above = "" if self.path(where[0]) == TOP else \
            self.path(where[0]) + "/"
        return above + where[1]

    def add(self, kind, pid, text, **more):
        self.ops.append(Op(kind, pid, text, **more))

    def table(self, pid):
        return self.fds.setdefault(pid, {})

    def find(self, pid, dirfd, path):
        """(directory, last name, inode or None); None: not below TOP."""
        path = os.fsdecode(text_of(path))
        if path.startswith("/"):
            if path == self.base:
                return BASE, ".", BASE
            if not path.startswith(self.base + "/" + TOP):
                return None
            at, words = BASE, path[len(self.base) + 1:].split("/")
        else:
            opened = None if dirfd == "AT_FDCWD" else \
                self.table(pid).get(int(dirfd))
            if not opened:
                return None
            at, words = opened.ino, path.split("/")
        words = [w for w in words if w not in ("", ".")]
        if not words:
            return at, ".", at
        for word in words[:-1]:
            at = self.tree.get((at, word))
            if at is None:
                return None
        return at, words[-1], self.tree.get((at, words[-1]))

    # -- names

    def place(self, ino, where):
        old = self.paths.pop(ino, None)
        if old:
            del self.tree[old]
        if where:
            self.tree[where] = ino
            self.paths[ino] = where

    def create(self, pid, at, name, isdir):
        ino, self.last = self.last, self.last + 1
        self.place(ino, (at, name))
        if isdir:
            self.dirs.add(ino)
        else:
            self.size[ino] = 0
        self.add("create", pid, "%s %s" % ("mkdir" if isdir else "create",
                 self.path(ino)), ino=ino, dir=at, name=name, isdir=isdir)
        return ino

    def do_open(self, pid, args, fd):
        self.table(pid).pop(fd, None)
        self.sockets.setdefault(pid, set()).discard(fd)
        found = self.find(pid, args[0], args[1])
        if not found:
            return
        at, name, ino = found
        if ino is None:
            if "O_CREAT" not in args[2]:
                raise Unknown("opened, but not in the model: %s" % args)
            ino = self.create(pid, at, name, False)
        elif "O_TRUNC" in args[2] and self.size.get(ino):
            self.shrink(pid, ino, 0)
        self.table(pid)[fd] = Opened(ino, "O_APPEND" in args[2])

    def do_mkdir(self, pid, args, _):
        found = self.find(pid, args[0], args[1])
        if found:
            self.create(pid, found[0], found[1], True)

    def do_rename(self, pid, args, _):
        old = self.find(pid, args[0], args[1])
        new = self.find(pid, args[2], args[3])
        if not old and not new:
            return
        if not old or not new or old[2] is None:
            raise Unknown("rename over the border: %s" % args)
        was = self.path(old[2])
        if new[2] is not None:
            self.place(new[2], None)
        self.place(old[2], new[:2])
        self.add("move", pid, "rename %s %s" % (was, self.path(old[2])),
                 ino=old[2], dir=new[0], name=new[1])

    def do_unlink(self, pid, args, _):
        found = self.find(pid, args[0], args[1])
        if found:
            text = "unlink " + self.path(found[2])
            self.place(found[2], None)
            self.add("unlink", pid, text, ino=found[2], dir=found[0])

    # -- bytes

    def put(self, pid, opened, data, off):
        self.add("write", pid, "write %s, %d at %d" % (
            self.path(opened.ino), len(data), off), ino=opened.ino, off=off,
            data=data)
        self.size[opened.ino] = max(self.size[opened.ino], off + len(data))

    def do_write(self, pid, args, n):
        fd = int(args[0])
        opened = self.table(pid).get(fd)
        if opened:
            off = self.size[opened.ino] if opened.append else opened.pos
            self.put(pid, opened, text_of(args[1])[:n], off)
            opened.pos = off + n
        elif fd in self.sockets.get(pid, ()):
            self.do_send(pid, args, n)

    def do_pwrite(self, pid, args, n):
        opened = self.table(pid).get(int(args[0]))
        if opened:
            self.put(pid, opened, text_of(args[1])[:n], int(args[3]))

    def shrink(self, pid, ino, size):
        self.add("truncate", pid, "truncate %s %d" % (self.path(ino), size),
                 ino=ino, off=size)
        self.size[ino] = size

    def do_truncate(self, pid, args, _):
        opened = self.table(pid).get(int(args[0]))
        if opened:
            self.shrink(pid, opened.ino, int(args[1]))

    def do_sync(self, pid, args, _, how):
        opened = self.table(pid).get(int(args[0]))
        if opened:
            self.add("sync", pid, "%s %s" % (how, self.path(opened.ino)),
                     ino=opened.ino, how=how,
                     isdir=how == "syncfs" or opened.ino in self.dirs)

    # -- descriptors and processes

    def do_dup(self, pid, fd, new):
        table, sockets = self.table(pid), self.sockets.setdefault(pid, set())
        table.pop(new, None)
        sockets.discard(new)
        if fd in table:
            table[new] = table[fd]
        if fd in sockets:
            sockets.add(new)

    def do_close(self, pid, args, _):
        self.table(pid).pop(int(args[0]), None)
        self.sockets.setdefault(pid, set()).discard(int(args[0]))

    def do_fork(self, pid, child):
        self.fds[child] = dict(self.table(pid))
        self.sockets[child] = set(self.sockets.get(pid, ()))

    def do_exit(self, pid, args, _):
        self.add("exit", pid, "exit %s" % args[0], status=int(args[0]))

    def do_send(self, pid, args, n):
        self.add("sent", pid, "send %d octets" % n)
        self.sent[args[0]] = self.ops[-1]

    def do_receive(self, pid, args, _):
        """The sink's name of a message stands in the reply that takes it."""
        if int(args[0]) not in self.sockets.get(pid, ()):
            return
        for name in re.findall(rb"(?m)^250 2\.0\.0 queued as (\d+)\r$",
                               text_of(args[1])):
            name = name.decode()
            self.add("said", pid, "the server said 250: " + name, how=name)
            if args[0] in self.sent:
                self.sent[args[0]].how = name

    def take(self, pid, name, args, result):
        plain = {"openat": self.do_open, "mkdirat": self.do_mkdir,
                 "renameat": self.do_rename, "renameat2": self.do_rename,
                 "unlinkat": self.do_unlink, "write": self.do_write,
                 "pwrite64": self.do_pwrite, "ftruncate": self.do_truncate,
                 "close": self.do_close, "exit_group": self.do_exit,
                 "sendto": self.do_send, "recvfrom": self.do_receive,
                 "read": self.do_receive}
        here = "AT_FDCWD"
        if name in plain:
            plain[name](pid, args, result)
        elif name == "open":
            self.do_open(pid, [here, *args], result)
        elif name == "mkdir":
            self.do_mkdir(pid, [here, *args], result)
        elif name == "rename":
            self.do_rename(pid, [here, args[0], here, args[1]], result)
        elif name in ("unlink", "rmdir"):
            self.do_unlink(pid, [here, *args], result)
        elif name in ("fsync", "fdatasync", "syncfs"):
            self.do_sync(pid, args, result, name)
        elif name in ("dup", "dup2", "dup3"):
            self.do_dup(pid, int(args[0]), result)
        elif name == "fcntl":
            if args[1].startswith("F_DUPFD"):
                self.do_dup(pid, int(args[0]), result)
        elif name in ("fork", "vfork", "clone", "clone3"):
            self.do_fork(pid, result)
        elif name == "socket":
            self.do_close(pid, [result], 0)
            self.sockets[pid].add(result)
        elif name == "lseek":
            if int(args[0]) in self.table(pid):
                self.table(pid)[int(args[0])].pos = result
        else:
            self.strange(pid, name, args)

    def strange(self, pid, name, args):
        """Any other call may not touch what is watched."""
        for word in args:
            if word.isdigit() and int(word) in self.table(pid) or \
                    word.startswith('"') and \
                    self.find(pid, here_or(args, word), word):
                raise Unknown("%s(%s)" % (name, ", ".join(args)))


def here_or(args, word):
    """The directory descriptor a path argument belongs to."""
    before = args[args.index(word) - 1] if args.index(word) else ""
    return before if before.isdigit() else "AT_FDCWD"


def read_log(path, base, names, data):
    """The operations in the strace log, for a tree that began as given: names
    is {inode: (directory's inode, name)}, data {inode: bytes of a file}."""
    reader = Reader(base, names, data)
    with open(path, encoding="ascii", errors="replace") as log:
        for pid, name, args, result in calls(log):
            reader.take(pid, name, args, result)
    return reader.ops
