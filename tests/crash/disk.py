# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
"""The model of a disk: what may stand on it after the power was cut.

Taken for certain is only what was asked for: fsync or fdatasync of a file
keeps the bytes and the size it had, and not its name; fsync of a directory
keeps the names made, changed and removed in it; syncfs keeps all that was
done.  A name operation happens
whole or not at all, and a file has one name at a time.  Everything else is
pending, and of what is pending

- all may be kept: what a kill without a power cut leaves, so the kill after
  every call is among the states,
- all may be lost,
- any one operation may be lost, or be the only one kept,
- any one write may be torn at a multiple of 512 octets, either side kept,
- all bytes of a file may be lost with its names kept: an empty file, one of
  zeros, one cut short at a multiple of 512 or 4096; or the other way round,
- each may have a fate of its own, kept, lost or torn: some mixtures by lot,
  the same lot each time.
"""

import hashlib
import random

from calls import BASE, BYTES, NAMES, TOP

SECTOR, PAGE = 512, 4096
CUTS = 5	# places to tear one write or file at, at most
STATES = 90	# states after one call, at most, and ...
MIXED = 14	# ... mixtures besides


class Disk:
    """names: {inode: (directory, name)}; data: {inode: bytes}, files only;
    old: inodes last written two hours ago."""

    def __init__(self, names=None, data=None, old=()):
        self.names = dict(names or {})
        self.data = dict(data or {})
        self.old = frozenset(old)

    def copy(self):
        return Disk(self.names, self.data, self.old)

    def apply(self, op):
        if op.kind in ("create", "move"):
            where = (op.dir, op.name)
            for ino, other in list(self.names.items()):
                if other == where:
                    del self.names[ino]
            self.names.pop(op.ino, None)
            self.names[op.ino] = where
            if op.kind == "create" and not op.isdir:
                self.data.setdefault(op.ino, b"")
        elif op.kind == "unlink":
            self.names.pop(op.ino, None)
        elif op.kind == "write":
            old = self.data.get(op.ino, b"")
            if op.data:
                old = old.ljust(op.off, b"\0")
                self.data[op.ino] = (old[:op.off] + op.data +
                                     old[op.off + len(op.data):])
        elif op.kind == "truncate":
            self.data[op.ino] = self.data.get(op.ino, b"")[:op.off].ljust(
                op.off, b"\0")

    def path(self, ino):
        words = []
        while ino != BASE:
            if ino not in self.names:
                return None		# in a directory that is not there
            ino, name = self.names[ino]
            words.append(name)
        return "/".join(reversed(words))

    def tree(self):
        """{path: bytes, or None for a directory}, and the old paths."""
        tree, old = {}, set()
        for ino in self.names:
            path = self.path(ino)
            if path is not None:
                tree[path] = self.data.get(ino)
                if ino in self.old:
                    old.add(path)
        return tree, old


def tree_key(tree, old):
    h = hashlib.sha256()
    for path in sorted(tree):
        data = tree[path]
        h.update(b"%s\0%d\0%d\0" % (path.encode(), path in old,
                                   -1 if data is None else len(data)))
        h.update(data or b"")
    return h.hexdigest()


# ---- the course of the calls -----------------------------------------------

def absorb(durable, pending, sync):
    """The operations that this sync makes certain leave pending."""
    rest, done = [], []
    for op in pending:
        file = op.kind in BYTES and op.ino == sync.ino
        name = op.kind in NAMES and op.dir == sync.ino
        every = sync.how == "syncfs"
        (done if file or name or every else rest).append(op)
    for op in done:
        durable.apply(op)
    # What was done to a name before is overtaken by it.
    last = {op.ino: op for op in done if op.kind in NAMES}
    order = {id(op): n for n, op in enumerate(pending)}
    return [op for op in rest if not (
        op.kind in NAMES and op.ino in last and
        order[id(op)] < order[id(last[op.ino])])]


def cuts(start, ops):
    """For each number of calls done: (number, certain Disk, pending ops)."""
    durable, pending = start.copy(), []
    yield 0, durable, pending
    for n, op in enumerate(ops, 1):
        if op.kind in NAMES + BYTES:
            pending = [*pending, op]
        elif op.kind == "sync":
            durable = durable.copy()
            pending = absorb(durable, pending, op)
        yield n, durable, pending


def final(start, ops):
    disk = start.copy()
    for op in ops:
        disk.apply(op)
    return disk


# ---- what one cut may leave ------------------------------------------------

def places(begin, end):
    """Where something between these offsets can tear: the ends, the pages,
    and some between, always the same."""
    first = (begin // SECTOR + 1) * SECTOR
    every = list(range(first, end, SECTOR))
    if len(every) <= CUTS:
        return every
    pages = [p for p in every if p % PAGE == 0]
    some = {every[0], every[-1], every[len(every) // 2]}
    if pages:
        some |= {pages[0], pages[-1]}
    return sorted(some)


class Piece:
    """A part of a write, in the place of the whole."""

    def __init__(self, op, begin, end):
        self.kind, self.ino, self.off = "write", op.ino, begin
        self.data = op.data[begin - op.off:end - op.off]


def build(durable, ops):
    disk = durable.copy()
    for op in ops:
        disk.apply(op)
    return disk


def singles(durable, pending):
    for n, op in enumerate(pending):
        yield "lost: " + op.text, \
            build(durable, pending[:n] + pending[n + 1:])
        yield "of what was unsynced only kept: " + op.text, \
            build(durable, [op])


def torn_writes(durable, pending):
    for n, op in enumerate(pending):
        if op.kind != "write":
            continue
        for at in places(op.off, op.off + len(op.data)):
            for side, piece in (
                    ("first", Piece(op, op.off, at)),
                    ("last", Piece(op, at, op.off + len(op.data)))):
                yield "torn at %d, the %s part kept: %s" % (
                    at, side, op.text), \
                    build(durable, [*pending[:n], piece, *pending[n + 1:]])


def lost_bytes(durable, pending):
    whole = build(durable, pending)
    for ino in sorted({op.ino for op in pending if op.kind in BYTES}):
        who = (whole.path(ino) or "a file without a name") + ": "
        who = who.removeprefix(TOP + "/")
        old, new = durable.data.get(ino, b""), whole.data.get(ino, b"")
        forms = [("its new bytes lost", old),
                 ("its new bytes lost, its size kept",
                  old[:len(new)].ljust(len(new), b"\0"))]
        forms += [("cut short at %d" % at, new[:at])
                  for at in places(len(old), len(new))]
        for text, data in forms:
            disk = whole.copy()
            disk.data[ino] = data
            yield who + text, disk
    yield "unsynced names kept, unsynced bytes lost", \
        build(durable, [op for op in pending if op.kind in NAMES])
    yield "unsynced bytes kept, unsynced names lost", \
        build(durable, [op for op in pending if op.kind in BYTES])


def mixed(durable, pending, lot):
    """Each operation has its own fate."""
    text, ops = [], []
    for n, op in enumerate(pending):
        cuts_ = places(op.off, op.off + len(op.data)) \
            if op.kind == "write" else []
        fate = lot.choice("klt" if cuts_ else "kl")
        if fate == "t":
            at = lot.choice(cuts_)
            ops.append(Piece(op, op.off, at) if lot.random() < 0.5 else
                       Piece(op, at, op.off + len(op.data)))
        elif fate == "k":
            ops.append(op)
        text.append("%s%d" % (fate, len(pending) - n))
    return "of the last unsynced calls kept (k), lost (l), torn (t): " + \
        " ".join(text), build(durable, ops)


def states(durable, pending, seed):
    """(text, Disk), the same ones each time."""
    yield "everything kept (a kill, no power cut)", build(durable, pending)
    if not pending:
        return
    yield "everything unsynced lost", durable
    some = [*lost_bytes(durable, pending), *singles(durable, pending),
            *torn_writes(durable, pending)]
    if len(some) > STATES:
        pick = random.Random(seed).sample(range(len(some)), STATES)
        some = [some[n] for n in sorted(pick)]
    yield from some
    lot = random.Random(seed)
    for _ in range(MIXED if len(pending) > 2 else 0):
        yield mixed(durable, pending, lot)
