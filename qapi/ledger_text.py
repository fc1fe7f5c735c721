# SPDX-License-Identifier: LGPL-2.1-or-later
"""The text of a ledger: facts about a protocol, one thing per line, with what each QEMU release changed about it.

    ledger qmp
    release 7.2 7.2.22
    release 10.0 10.0.2

    object BlockJobInfo block_job_info @7.2
    	member type type str @7.2 @10.0 next=type_2
    	member error error str @7.2 optional

A line is a kind, its fixed words, and a history. `@RELEASE` begins what changed in that release: `fact` sets it,
`!fact` takes it back, `fact=value` gives a value, `fact=` takes that away. The first release of a line is the one its
thing appeared in; `gone` says that it is not there any more.

A ledger only grows, so that nothing a program was compiled against moves: lines are added at the end of their block,
blocks at the end of the file, changes at the end of their line. So the ledger of an earlier release is still in there:
`cut()` takes it out again, and `check_growth()` compares with it.

Fixed words, after the kind:
    enum       NAME STEM              STEM: the middle of its function names
    value      NAME CNAME NUMBER      below an enum; the number of its constant
    object     NAME STEM              a struct or a union
    member     NAME CNAME TYPE        below an object, and below a command or an event whose arguments are its own
    flag       CNAME MEMBER           a field added later: `has_x` or `omit_x` of the scalar whose C name is MEMBER
    union      TAG CNAME              where the field of the branches is; TAG is the C name of the member that chooses
    branch     NAME CNAME TYPE        below an object with a union, or below an alternate
    alternate  NAME STEM
    command    NAME STEM
    event      NAME STEM
The order of member, flag and union lines is the order of the fields in C. TYPE is the name of a built-in type or of a
type in this ledger; in brackets it is a list.

Facts:
    gone          not in this release
    if=           condition of the build, as one word: NAME, all(A,B), any(A,B), not(A)
    features=     names with commas; one with a condition of its own is written name[CONDITION]
    name=         a type that QEMU renamed; its name in C stays
    optional      the member may be absent
    has           the scalar has a flag `has_x` right before it from the beginning
    wire=         QEMU's type, where it changed to one whose values the recorded type can hold
    next=         C name of a second form, appended because the recorded type cannot hold what QEMU's type became
    args=         the arguments of a command or the data of an event are this object
    returns=      the result of a command
    oob, preconfig, no-reply, open     flags of a command; open: members beyond the declared ones are allowed
"""

import itertools
import re
from dataclasses import dataclass, field

WORDS = {"enum": 2, "value": 3, "object": 2, "member": 3, "flag": 2, "union": 2, "branch": 3, "alternate": 2,
         "command": 2, "event": 2}
BLOCKS = ("enum", "object", "alternate", "command", "event")
BELOW = {"enum": {"value"}, "object": {"member", "flag", "union", "branch"}, "alternate": {"branch"},
         "command": {"member", "flag", "union", "branch"}, "event": {"member", "flag", "union", "branch"}}
SWITCHES = frozenset({"gone", "optional", "has", "oob", "preconfig", "no-reply", "open"})
SETTINGS = frozenset({"if", "features", "name", "wire", "next", "args", "returns"})


class LedgerError(Exception):
    """Something a ledger must not say, with its place and what to do about it."""

    def __init__(self, place, message, advice=None):
        super().__init__(f"{place}: {message}" + (f"\n  {advice}" if advice else ""))


def release_key(name):
    """Releases in the order of their numbers."""
    return [int(part) for part in name.split(".")]


@dataclass
class Line:
    kind: str
    words: list
    history: list = field(default_factory=list)  # (release, {fact: value}); True and False are switches
    lines: list = field(default_factory=list)  # those below
    place: str = ""

    @property
    def name(self):
        return self.words[0]

    @property
    def since(self):
        return self.history[0][0]

    def state(self, release=None):
        """The facts that hold in a release; without one, in the newest."""
        facts = {}
        for at, changes in self.history:
            if release is None or release_key(at) <= release_key(release):
                facts |= changes
        return {fact: value for fact, value in facts.items() if value not in (False, "")}

    def change(self, release, wanted):
        """From this release on exactly the wanted facts hold; `has` is about the layout in C, and stays. Once a release."""
        now = self.state()
        kept = {fact: now[fact] for fact in ("has",) if fact in now}
        wanted = {fact: value for fact, value in (kept | wanted).items() if value not in (False, "")}
        changes = {fact: value for fact, value in wanted.items() if now.get(fact) != value}
        changes |= {fact: False if now[fact] is True else "" for fact in now if fact not in wanted}
        if changes or not self.history:
            self.history.append((release, changes))

    def text(self):
        words = [self.kind, *self.words]
        for release, changes in self.history:
            words.append("@" + release)
            words += [fact_text(fact, value) for fact, value in changes.items()]
        return " ".join(words)


def fact_text(fact, value):
    if fact in SWITCHES:
        return fact if value else "!" + fact
    return f"{fact}={value}"


@dataclass
class Text:
    """A ledger as lines."""
    protocol: str
    comments: list = field(default_factory=list)
    releases: dict = field(default_factory=dict)  # release: the exact version it was read from
    blocks: list = field(default_factory=list)

    def format(self):
        out = [*self.comments, f"ledger {self.protocol}"]
        out += [f"release {name} {version}" for name, version in self.releases.items()]
        for block in self.blocks:
            out += ["", block.text(), *("\t" + line.text() for line in block.lines)]
        return "\n".join(out) + "\n"


def parse(text, name):
    """The lines of a ledger; name is for messages."""
    result = None
    comments = []
    for number, line in enumerate(text.split("\n"), 1):
        place = f"{name}:{number}"
        if line.startswith("#"):
            comments.append(line)
        elif line.startswith("ledger ") and not result:
            result = Text(line.split()[1], comments)
        elif line and not result:
            raise LedgerError(place, "a ledger begins with `ledger NAME`")
        elif line.startswith("release "):
            add_release(result, line.split(), place)
        elif line.startswith("\t"):
            add_below(result, parse_line(line, result, place))
        elif line:
            add_block(result, parse_line(line, result, place))
    if not result:
        raise LedgerError(f"{name}:1", "a ledger begins with `ledger NAME`")
    return result


def add_release(result, words, place):
    if len(words) != 3 or not re.fullmatch(r"[0-9]+(\.[0-9]+)*", words[1]):
        raise LedgerError(place, "a release has a number and a version", "For example: release 10.0 10.0.2")
    if result.releases and release_key(words[1]) <= release_key(list(result.releases)[-1]):
        raise LedgerError(place, f"release {words[1]} is not newer than the one before")
    result.releases[words[1]] = words[2]


def parse_line(text, result, place):
    tokens = text.split()
    kind = tokens[0]
    if kind not in WORDS:
        raise LedgerError(place, f"unknown kind of line '{kind}'", f"Known are {', '.join(WORDS)}.")
    head = tokens[1:]
    marks = [at for at, token in enumerate(head) if token.startswith("@")]
    if not marks or marks[0] != WORDS[kind]:
        raise LedgerError(place, f"'{kind}' has {WORDS[kind]} words and then @RELEASE", f"Found: {' '.join(tokens)}")
    line = Line(kind, head[:marks[0]], place=place)
    for begin, end in zip(marks, marks[1:] + [len(head)]):
        release = head[begin][1:]
        if release not in result.releases:
            raise LedgerError(place, f"release {release} is not in this ledger",
                              "Releases are listed at its beginning.")
        if line.history and release_key(release) <= release_key(line.history[-1][0]):
            raise LedgerError(place, f"@{release} stands behind @{line.history[-1][0]}")
        line.history.append((release, dict(parse_fact(token, place) for token in head[begin + 1:end])))
    return line


def parse_fact(token, place):
    if token.lstrip("!") in SWITCHES:
        return token.lstrip("!"), not token.startswith("!")
    fact, mark, value = token.partition("=")
    if not mark or fact not in SETTINGS:
        raise LedgerError(place, f"unknown fact '{token}'", f"Known are {', '.join(sorted(SWITCHES | SETTINGS))}.")
    return fact, value


def add_block(result, line):
    if line.kind not in BLOCKS:
        raise LedgerError(line.place, f"'{line.kind}' belongs below another line", "Begin it with a tab.")
    result.blocks.append(line)


def add_below(result, line):
    if not result.blocks or line.kind not in BELOW[result.blocks[-1].kind]:
        raise LedgerError(line.place, f"'{line.kind}' does not belong here")
    result.blocks[-1].lines.append(line)


def cut(text, release, keeps):
    """The ledger as it was when `release` was the newest one; before that, if `keeps` is false."""
    def known(at):
        return release_key(at) < release_key(release) or (keeps and at == release)

    def lines(old):
        for line in old:
            history = [(at, changes) for at, changes in line.history if known(at)]
            if history:
                yield Line(line.kind, line.words, history, list(lines(line.lines)), line.place)

    releases = {at: version for at, version in text.releases.items() if known(at)}
    return Text(text.protocol, text.comments, releases, list(lines(text.blocks)))


def check_growth(old, new):
    """Raises unless all that the old ledger says is still in the new one, in its place."""
    newest = list(old.releases)[-1]
    before, after = old.format().split("\n"), cut(new, newest, True).format().split("\n")
    for number, (line, other) in enumerate(itertools.zip_longest(before, after, fillvalue=""), 1):
        if line != other:
            raise LedgerError(f"{old.protocol}.ledger:{number}", f"recorded as `{line.strip()}`, now `{other.strip()}`",
                              "A ledger only grows: restore the line, and say with @RELEASE at its end what changed.")
