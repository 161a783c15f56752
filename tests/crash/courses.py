# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
"""The courses that are cut, and the faults that the judge must see.

A course is one run of sendmail over a MailRoot with something in it.  During
it the server obeys rules of its own; at the recovery afterwards the same
server stands for all: nobody@ is refused for good, later@ for now, all else
is taken.
"""

import os
import time
from dataclasses import dataclass, field

SENDER = "alice@client.test"
LOCAL_SENDER = "alice@local.test"
# With SENDER this many letters put the next recipient's mark across a sector:
# octets 505 to 515, where "x-receiver" torn is no word.
PADDED = "carol-%s@far.test" % ("x" * 30)

RECOVERY_RULES = ["RCPT/nobody@ reply 550 5.1.1 no such user",
                  "RCPT/later@ reply 451 4.2.1 not now"]
GREY = ["RCPT/grey@ reply 451 4.7.1 greylisted", *RECOVERY_RULES]


@dataclass
class Message:
    token: str
    to: list
    sender: str = SENDER
    lines: int = 60
    pickup: bool = False	# left there as a file, by another program
    bad: bytes = b""		# what makes of it one that cannot be used

    def text(self):
        """Sectors that differ from each other, and dots that begin lines."""
        body = "".join("%04d %s %s\n" % (n, self.token, "abcdefghij" * 6)
                       for n in range(self.lines))
        return ("Subject: crash\nX-Crash: %s\nTo: undisclosed:;\n\n"
                "%s.\n..\nthe end of %s\n" % (self.token, body, self.token)
                ).encode()

    def file(self):
        """As IIS wants it in Pickup; with a header that is complete, so that
        it is the same whenever it is taken."""
        lines = ["x-sender: " + self.sender,
                 *("x-receiver: " + addr for addr in self.to),
                 "From: " + self.sender,
                 "Date: Sun, 22 Nov 2026 01:00:00 +0000",
                 "Message-ID: <%s@client.test>" % self.token, ""]
        return "\n".join(lines).encode() + self.text() + self.bad

    def args(self):
        return ["-i", "-f", self.sender or "<>", *self.to]


@dataclass
class Course:
    name: str
    message: Message
    mode: str = ""		# of the submission; "": a queue run is cut
    more: list = field(default_factory=list)	# messages queued before
    rules: list = field(default_factory=lambda: list(RECOVERY_RULES))
    settings: list = field(default_factory=list)
    recovery: list = field(default_factory=list)	# settings then
    down: bool = False		# the server, during the course
    fresh: bool = False		# no MailRoot yet
    rights: bool = True		# of the submitter; without, Pickup is his way
    prepare: object = None	# called with the MailRoot
    status: int = 0
    never: tuple = ()		# kinds of calls that must not be there
    # what there is at the end of the uncut course
    left: dict = field(default_factory=dict)
    faults: tuple = ()		# names of FAULTS this course must show

    def queued(self):
        return [] if self.mode else [self.message, *self.more]

    def messages(self):
        return [self.message, *self.more]

    def pickup(self):
        return not self.rights or any(m.pickup for m in self.messages())


def orphans(root):
    """Two unfinished files: one of an hour ago and one of now."""
    for name, age in ((".tmp-0000000000000000000a", 7200),
                      (".tmp-0000000000000000000b", 0)):
        path = os.path.join(root, "Queue", name)
        with open(path, "wb") as f:
            f.write(b"x-mailroot: 1 envelope=00000000 message=0000")
        os.utime(path, (time.time() - age, time.time() - age))


def no_badmail(root):
    os.rmdir(os.path.join(root, "Badmail"))


def left(queue=0, drop=0, badmail=0, sink=0, pickup=0):
    return dict(Queue=queue, Drop=drop, Badmail=badmail, sink=sink,
                Pickup=pickup)


GIVE_UP = "SmtpRemoteNDRExpireMinutes = 0"
SMALL_DROP = "DropDirectoryQuota = 1"

COURSES = [
    # ---- adding
    Course("add", Message("add", ["bob@far.test", "carl@far.test"]), "-odq",
           left=left(queue=1), faults=("no-fsync", "no-dir-fsync",
                                       "rename-first")),
    Course("add-first-use", Message("first", ["bob@far.test"], lines=5),
           "-odq", fresh=True, left=left(queue=1)),
    Course("add-large", Message("large", ["bob@far.test"], lines=1800),
           "-odq", left=left(queue=1), faults=("no-fsync",)),
    Course("now", Message("now", ["bob@far.test", "carl@far.test"]), "-odi",
           never=("sync", "move"), left=left(sink=1)),
    Course("now-first-use", Message("nowfirst", ["bob@far.test"]), "-odi",
           fresh=True, left=left(sink=1)),
    Course("now-host-down", Message("down", ["bob@far.test"]), "-odi",
           down=True, left=left(queue=1), faults=("no-fsync", "no-dir-fsync",
                                                  "rename-first")),
    Course("now-one-refused", Message("part", [PADDED, "nobody@far.test"]),
           "-odi", left=left(queue=1, sink=1),
           faults=("no-fsync", "no-dir-fsync", "forget-first")),
    Course("now-one-refused-one-waits",
           Message("parts", ["bob@far.test", "nobody@far.test",
                             "grey@far.test"], LOCAL_SENDER), "-odi",
           rules=GREY, left=left(queue=1, drop=1, sink=1),
           faults=("no-fsync", "no-dir-fsync")),
    Course("now-all-refused", Message("none", ["nobody@far.test"]), "-odi",
           status=67, never=("sync", "move"), left=left()),
    Course("now-all-refused-by-mail",
           Message("mail", ["nobody@far.test"], LOCAL_SENDER), "-odi",
           settings=["ErrorMode = mail"], left=left(drop=1),
           faults=("no-fsync", "no-dir-fsync", "forget-first")),
    Course("now-local", Message("local", ["dora@local.test"]), "-odi",
           left=left(drop=1), faults=("no-fsync", "no-dir-fsync",
                                      "rename-first")),
    Course("now-local-drop-full", Message("full", ["dora@local.test"]),
           "-odi", settings=[SMALL_DROP], left=left(queue=1),
           faults=("no-fsync", "no-dir-fsync")),
    Course("now-local-and-remote",
           Message("both", ["dora@local.test", "bob@far.test"]), "-odi",
           left=left(drop=1, sink=1), faults=("no-data-sync",)),
    Course("now-unanswered", Message("slow", ["bob@far.test"]), "-odi",
           rules=["END/bob@ delay 1300"], settings=["ImmediateTimeout = 1"],
           left=left(sink=1), faults=("no-fsync", "no-dir-fsync",
                                      "no-data-sync")),
    Course("background", Message("back", ["bob@far.test"]), "-odb",
           left=left(sink=1), faults=("no-fsync", "no-data-sync")),
    # ---- telling what became of it
    Course("run-delivered", Message("run", ["bob@far.test",
                                            "carl@far.test"]),
           left=left(sink=1), faults=("no-data-sync",)),
    Course("run-two", Message("one", ["bob@far.test"]),
           more=[Message("two", ["carl@far.test"], lines=5)],
           left=left(sink=2), faults=("no-data-sync",)),
    Course("run-one-of-three",
           Message("three", ["bob@far.test", "grey@far.test",
                             "greyer-grey@far.test"]), rules=GREY,
           left=left(queue=1, sink=1), faults=("no-data-sync",)),
    Course("run-reschedule", Message("again", ["grey@far.test"]), rules=GREY,
           left=left(queue=1)),
    Course("run-local", Message("toDrop", ["dora@local.test"]),
           left=left(drop=1), faults=("no-fsync", "no-dir-fsync")),
    Course("run-local-drop-full", Message("wait", ["dora@local.test",
                                                   "bob@far.test"]),
           settings=[SMALL_DROP], left=left(queue=1, sink=1),
           faults=("no-data-sync",)),
    # ---- giving up
    Course("run-refused-local-sender",
           Message("back1", ["bob@far.test", "nobody@far.test"],
                   LOCAL_SENDER), left=left(drop=1, sink=1),
           faults=("no-fsync", "no-dir-fsync", "rename-first",
                   "forget-first")),
    Course("run-refused-remote-sender",
           Message("back2", [PADDED, "nobody@far.test"]),
           left=left(queue=1, sink=1),
           faults=("no-fsync", "no-dir-fsync", "rename-first",
                   "forget-first", "no-data-sync")),
    Course("run-refused-drop-full",
           Message("back3", ["nobody@far.test"], LOCAL_SENDER),
           settings=[SMALL_DROP], left=left(queue=1),
           faults=("no-fsync", "no-dir-fsync", "forget-first")),
    # No fault of these can be seen: a message in Queue whose recipients are all
    # returned is moved to Badmail by the next run, and one that waits again
    # fails again.
    Course("run-refused-null-sender", Message("lost", ["nobody@far.test"], ""),
           left=left(badmail=1)),
    Course("run-expired", Message("old", ["later@far.test"]),
           settings=[GIVE_UP], recovery=[GIVE_UP],
           left=left(queue=1, badmail=1)),
    Course("run-expired-local-sender",
           Message("old1", ["bob@far.test", "later@far.test"], LOCAL_SENDER),
           settings=[GIVE_UP], recovery=[GIVE_UP],
           left=left(drop=1, badmail=1, sink=1), faults=("no-fsync",)),
    Course("run-expired-null-sender", Message("old2", ["later@far.test"], ""),
           settings=[GIVE_UP], recovery=[GIVE_UP], left=left(badmail=1)),
    Course("run-expired-first-badmail",
           Message("old3", ["later@far.test"], ""), settings=[GIVE_UP],
           recovery=[GIVE_UP], left=left(badmail=1),
           prepare=no_badmail),
    # ---- Pickup: a run takes files, and who has no rights leaves one
    Course("pickup", Message("pick", ["bob@far.test", "carl@far.test"],
                             pickup=True), left=left(sink=1),
           faults=("no-fsync", "no-dir-fsync", "rename-first",
                   "pickup-first")),
    Course("pickup-host-down", Message("picked", ["bob@far.test"],
                                       pickup=True), down=True,
           left=left(queue=1), faults=("no-fsync", "no-dir-fsync",
                                       "pickup-first")),
    Course("pickup-and-queue", Message("file", ["dora@local.test"],
                                       pickup=True),
           more=[Message("files", ["bob@far.test"], pickup=True, lines=5),
                 Message("queued", ["carl@far.test"], lines=5)],
           left=left(drop=1, sink=2), faults=("no-fsync", "no-dir-fsync")),
    Course("pickup-refused", Message("nul", ["bob@far.test"], lines=5,
                                     pickup=True, bad=b"\0\n"),
           left=left(badmail=1), faults=("no-fsync", "pickup-first")),
    Course("without-rights", Message("poor", ["bob@far.test",
                                              "carl@far.test"]), "-odi",
           rights=False, left=left(pickup=1),
           faults=("no-fsync", "no-dir-fsync", "rename-first")),
    # ---- recovery
    Course("run-orphan", Message("orphan", ["bob@far.test"]), prepare=orphans,
           left=left(sink=1)),
]


# ---- faults: the same calls, made wrong ------------------------------------

def no_fsync(ops):
    """No file is synced before its name counts."""
    return [op for op in ops if not (
        op.kind == "sync" and op.how == "fsync" and not op.isdir)]


def no_dir_fsync(ops):
    return [op for op in ops if not (op.kind == "sync" and op.isdir)]


def no_data_sync(ops):
    return [op for op in ops if op.how != "fdatasync"]


def rename_first(ops):
    """Every rename stands before the fsync of its file."""
    ops = list(ops)
    for move in [op for op in ops if op.kind == "move"]:
        at = ops.index(move)
        syncs = [n for n in range(at) if ops[n].kind == "sync" and
                 ops[n].ino == move.ino]
        if syncs:
            ops.insert(syncs[-1], ops.pop(at))
    return ops


def forget_first(ops):
    """The last message that is unlinked goes before the last commit begins:
    the old is forgotten before the new is durable."""
    ops = list(ops)
    # State holds advice and no message.
    messages = [op for op in ops if "State/" not in op.text]
    forget = [op for op in messages if op.kind == "unlink"][-1]
    commit = [op for op in messages if op.kind == "move" and
              op.ino != forget.ino][-1]
    gone = [op for op in ops if op is forget or op.kind == "exit"]
    for op in gone:
        ops.remove(op)
    at = ops.index(commit)
    return ops[:at] + gone + ops[at:]


def pickup_first(ops):
    """The file in Pickup goes before its copy has a name that counts."""
    ops = list(ops)
    forget = next(op for op in ops if op.kind == "unlink" and
                  op.text.startswith("unlink Pickup/"))
    ops.remove(forget)
    at = next(n for n, op in enumerate(ops) if op.kind == "move")
    return [*ops[:at], forget, *ops[at:]]


FAULTS = {"no-fsync": no_fsync, "no-dir-fsync": no_dir_fsync,
          "no-data-sync": no_data_sync, "rename-first": rename_first,
          "forget-first": forget_first, "pickup-first": pickup_first}
