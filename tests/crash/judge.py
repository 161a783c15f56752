# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the mailroot authors
"""The judge over one power cut.  It reads files, by its own knowledge of their
form and nobody else's code, and knows four rules:

1 What was promised when the power went is accounted for: each recipient has
  the message (a server said 250 before or after, or it stands in Drop), or it
  waits in Queue, or a report about him exists, or it is in Badmail.  And a
  refusal is one: after a status other than 0 nothing is ever delivered.
2 Nothing torn counts: no torn file under a name that is read, and what was
  delivered is the message octet for octet.
3 Twice only where a server had said 250 and the course had not gone on: its
  file neither renamed nor unlinked, its process alive.  Two different reports
  about one recipient, never; the same again, under the same id, only while
  no mark says that it stands.
4 Recovery ends, with status 0 and in silence, and leaves no unfinished file
  and no mail: the server is a good one.
"""

import re
from dataclasses import dataclass, field

FOLDERS = ("Queue", "Drop", "Badmail", "Pickup")


# ---- files -----------------------------------------------------------------

@dataclass
class Letter:
    """One message wherever it stands."""
    where: str			# for people
    folder: str			# Queue, Drop, Badmail, sink
    rcpts: list			# (state, address); state "" where there is none
    text: bytes
    name: str = ""		# of a message the server had before the cut
    token: str = ""
    report: object = None


FIRST = re.compile(rb"x-mailroot: 1 envelope=(\d{8}) message=(\d{12})\r\n")
RCPT = re.compile(rb"^(x-.{8}): <([^>]*)>", re.M)
RECEIVED = re.compile(rb"\AReceived: [^\r]*\r\n(?:\t[^\r]*\r\n)*")


def queue_letter(where, folder, data):
    """A file of Queue or Badmail; None: torn."""
    m = FIRST.match(data)
    if not m or int(m[1]) + int(m[2]) != len(data):
        return None
    envelope = data[:int(m[1])]
    lines = envelope.split(b"\r\n")
    if lines[-1] or not lines[1].startswith(b"x-created: ") or \
            not lines[2].startswith(b"x-sender: <"):
        return None
    rcpts = []
    for line, status in zip(lines[3:-1:2], lines[4:-1:2]):
        m = RCPT.match(line)
        if not m or not status.startswith(b"x-status: "):
            return None
        rcpts.append((m[1].decode("latin-1"), m[2].decode()))
    return Letter(where, folder, rcpts, data[len(envelope):])


def pickup_file(where, folder, data, originals):
    """One that another program left, or what an envelope of ours is around
    because it cannot be used: then nobody waits for it."""
    state = ""
    m = FIRST.match(data)
    if m and b"ENVID=mailroot-pickup" in data[:int(m[1])]:
        if int(m[1]) + int(m[2]) != len(data) or \
                b"\r\nx-returned: " not in data[:int(m[1])]:
            return None
        data, state = data[int(m[1]):], "x-returned"
    m = re.search(rb"(?m)^X-Crash: (\w+)$", data)
    token = m[1].decode() if m else ""
    if data != originals.get("file " + token):
        return None
    rcpts = [(state, a.decode()) for a in
             re.findall(rb"(?m)^x-receiver: (.*)$", data)]
    return Letter(where, folder, rcpts, b"", token=token)


def drop_letter(where, data):
    lines = re.match(rb"x-sender: [^\r]+\r\n((?:x-receiver: [^\r]+\r\n)+)"
                     rb"Return-Path: <[^>]*>\r\n", data)
    if not lines:
        return None
    rcpts = [("", a.decode()) for a in
             re.findall(rb"x-receiver: ([^\r]+)", lines[1])]
    return Letter(where, "Drop", rcpts, data[lines.end():])


def sink_letter(where, data, name):
    head, _, text = data.partition(b"\n\n")
    rcpts = [("", a.decode()) for a in
             re.findall(rb"(?m)^rcpt: <([^>]*)>", head)]
    return Letter(where, "sink", rcpts, text, name)


# ---- texts -----------------------------------------------------------------

def token_of(text):
    """Which of our messages this is, "" for none."""
    m = re.search(rb"(?m)^X-Crash: (\w+)\r$", text.partition(b"\r\n\r\n")[0])
    return m[1].decode() if m else ""


def without_received(text):
    """As it came: whoever takes it from Pickup adds a line of his own."""
    return RECEIVED.sub(b"", text)


@dataclass
class Report:
    id: str
    token: str
    failed: list
    whole: bool


def report_of(text, originals):
    """None: it is no report."""
    head = text.partition(b"\r\n\r\n")[0]
    boundary = re.search(rb'boundary="([^"]+)"', head)
    if b"multipart/report" not in head or not boundary:
        return None
    m = re.search(rb"(?m)^Message-ID: (\S+)\r$", head)
    inner = re.search(rb"(?m)^X-Crash: (\w+)\r$", text)
    token = inner[1].decode() if inner else ""
    original = originals.get(token, b"")
    if b"Content-Type: text/rfc822-headers" in text:
        original = original.partition(b"\r\n\r\n")[0]
    failed = re.findall(rb"Final-Recipient: rfc822; (\S+)\r\nAction: failed\r",
                        re.sub(rb"\r\n ", b" ", text))
    return Report(m[1].decode() if m else "", token,
                  [a.decode() for a in failed],
                  bool(m and original) and original in text and
                  text.endswith(b"\r\n--%s--\r\n" % boundary[1]))


@dataclass
class Scene:
    """All that stands somewhere at one moment."""
    letters: list = field(default_factory=list)
    torn: list = field(default_factory=list)
    unfinished: list = field(default_factory=list)

    def add(self, where, letter, originals):
        if letter:
            report = report_of(letter.text, originals)
            token = letter.token or token_of(letter.text)
            if report and report.whole or token and (
                    letter.token or originals.get(token) in (
                        letter.text, without_received(letter.text))):
                letter.report, letter.token = report, token
                self.letters.append(letter)
                return
        self.torn.append(where)


def scene_of(tree, originals):
    """tree: {path below the watched directory: bytes or None}."""
    scene = Scene()
    for path in sorted(tree):
        words = path.split("/")
        if len(words) != 3 or words[1] not in FOLDERS or tree[path] is None:
            continue
        where = "/".join(words[1:])
        if words[2].startswith(".tmp-"):
            scene.unfinished.append(where)
        elif words[1] == "Drop":
            scene.add(where, drop_letter(where, tree[path]), originals)
        else:
            scene.add(where, pickup_file(where, words[1], tree[path],
                                         originals) or
                      queue_letter(where, words[1], tree[path]), originals)
    return scene


def add_sink(scene, sink, originals, before):
    for name in sorted(sink):
        where = "the server's %s (%s)" % (
            name, "before the cut" if before else "after it")
        scene.add(where, sink_letter(where, sink[name],
                                     name if before else ""), originals)


# ---- what the cut could know -----------------------------------------------

@dataclass(frozen=True)
class Moment:
    """What the calls before the cut had said to the world."""
    promised: frozenset		# tokens
    refused: frozenset
    taken: tuple		# (sink's file, the course had gone on)


def has_gone_on(ops, at, inodes):
    """Since the server's reply, the call number at."""
    for op in ops[at:]:
        if op.kind in ("unlink", "move") and op.ino in inodes or \
                op.kind == "exit" and op.pid == ops[at].pid:
            return True
    return False


def moment_before(course):
    """When the course begins."""
    return Moment(frozenset(m.token for m in course.queued()), frozenset(),
                  ())


def moment_of(before, submitted, ops, inodes_of, sink_token):
    """before: the Moment the calls began at; ops: those before the cut;
    submitted: the token that the first process is to promise, "" for a run;
    inodes_of: {token: inodes}."""
    promised, refused = set(before.promised), set(before.refused)
    taken = list(before.taken)
    for op in ops:
        if op.kind == "exit" and op.pid == ops[0].pid and submitted:
            (refused if op.status else promised).add(submitted)
    for at, op in enumerate(ops):
        if op.kind == "said":
            inodes = inodes_of.get(sink_token.get(op.how), ())
            taken.append((op.how, has_gone_on(ops, at, inodes)))
    return Moment(frozenset(promised), frozenset(refused), tuple(taken))


# ---- the verdict -----------------------------------------------------------

def copies(letters, token, addr, folders):
    return [m for m in letters if m.folder in folders and m.token == token
            for state, a in m.rcpts if a == addr]


def reports(letters, token, addr):
    """One in Queue counts while it waits: who took it has it in the sink."""
    return [m for m in letters if m.report and m.report.token == token and
            addr in m.report.failed and
            (m.folder != "Queue" or waiting(m))]


def waiting(letter, addr=None):
    return any(state not in ("x-received", "x-returned") and
               addr in (None, a) for state, a in letter.rcpts)


def accounted(after, token, addr):
    if copies(after.letters, token, addr, ("sink", "Drop")) or \
            reports(after.letters, token, addr):
        return True
    return any(m.token == token and
               m.folder in ("Queue", "Badmail", "Pickup") and
               (m.folder == "Badmail" or waiting(m, addr)) and
               any(a == addr for _, a in m.rcpts) for m in after.letters)


def lost_mail(course, moment, after):
    for message in course.messages():
        token = message.token
        for addr in message.to:
            if token in moment.promised and \
                    not accounted(after, token, addr):
                yield "rule 1: %s to %s is lost" % (token, addr)
            if token in moment.refused and (
                    copies(after.letters, token, addr, (*FOLDERS, "sink")) or
                    reports(after.letters, token, addr)):
                yield "rule 1: %s to %s was refused, and yet stands " \
                    "somewhere" % (token, addr)


def torn_mail(before, after):
    for where in sorted({*before.torn, *after.torn}):
        yield "rule 2: torn or unknown: " + where


def twice(course, moment, before, after):
    gone_on = dict(moment.taken)
    order = [name for name, _ in moment.taken]
    for message in course.messages():
        for addr in message.to:
            token = message.token
            sent = copies(after.letters, token, addr, ("sink",))
            sent.sort(key=lambda m: order.index(m.name) if m.name else
                      len(order))
            # A copy after which the course had gone on is the last one; and
            # recovery is not cut.
            both = both_stood(before, token)
            if any(gone_on.get(m.name, True) for m in sent[:-1]) and not (
                    both and not sent[0].name):
                yield "rule 3: %s to %s twice: %s" % (
                    token, addr, ", ".join(m.where for m in sent))
            if not both and \
                    len(copies(after.letters, token, addr, ("Drop",))) > 1:
                yield "rule 3: %s to %s twice in Drop" % (token, addr)
            ids = {m.report.id for m in reports(after.letters, token, addr)}
            if len(ids) > 1:
                yield "rule 3: two reports about %s to %s: %s" % (
                    token, addr, " ".join(sorted(ids)))
            yield from report_twice(before, after, token, addr)


def both_stood(before, token):
    """A file in Pickup and its copy, which nobody had tried.  The copy's name
    follows from the file's inode, and then there are not two; but here the
    tree is made anew (e2e/pickup-files kills a run to see it)."""
    folders = {m.folder for m in before.letters if m.token == token and
               all(state in ("", "x-receiver") for state, _ in m.rcpts)}
    return {"Queue", "Pickup"} <= folders


def report_twice(before, after, token, addr):
    """The same report again, under the same id, only where its recipient or
    the report itself was still waiting."""
    sent = reports(after.letters, token, addr)
    settled = not any(m.folder == "Queue" and (
        m.token == token and waiting(m, addr) or
        m.report and m.report.token == token and waiting(m))
        for m in before.letters)
    if len(sent) > 1 and settled:
        yield "rule 3: the report about %s to %s twice: %s" % (
            token, addr, ", ".join(m.where for m in sent))


def second_copies(after):
    """Some were delivered twice: rule 3 has been asked."""
    seen = set()
    for m in after.letters:
        for _, addr in m.rcpts if m.folder == "sink" else ():
            key = (m.token, m.report and m.report.id, addr)
            if key in seen:
                return True
            seen.add(key)
    return False


def recovered(wrong, after):
    if wrong:
        yield "rule 4: recovery ended with " + wrong
    for where in after.unfinished:
        yield "rule 4: recovery leaves %s for ever" % where
    for m in after.letters:
        if m.folder in ("Queue", "Pickup"):
            yield "rule 4: after two runs with a good server it is still " \
                "there: " + m.where


def verdict(course, moment, before, result, originals, old_sink):
    """What is wrong, as lines of text (nothing: all is well), and whether
    anything came twice.  before: the scene the cut left; result: what
    House.recover says."""
    wrong, tree, sink = result
    after = scene_of(tree, originals)
    known = dict(moment.taken)
    add_sink(after, {n: d for n, d in old_sink.items() if n in known},
             originals, True)
    add_sink(after, sink, originals, False)
    return [*lost_mail(course, moment, after), *torn_mail(before, after),
            *twice(course, moment, before, after),
            *recovered(wrong, after)], second_copies(after)
