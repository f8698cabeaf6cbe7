"""Invented conversations of an office, the same for the same seed and day: texts, groups, calls and what belongs to calls.

Most are with the sample clients (`samples.sample_clients`), the others with people whom no table knows.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from openphone_sync.sandbox import rules, samples
from openphone_sync.sandbox.rules import Json

DONE_FOR = timedelta(days=36_500)
"""The app marks a conversation as done by snoozing it for a hundred years (seen live, in 19 of 20)."""
HISTORY = timedelta(days=400)
LONG_THREAD = 230  # messages: three pages
TEXTS = (
    "Hi, is my hearing still on Tuesday?",
    "Yes: 9:30, Department 12. Please be there at 9.",
    "Thank you!",
    "I'm running late, traffic on the 405 🚗",
    "Can you call me when you have a minute?",
    "Please bring the signed declaration and a photo ID.",
    "Línea 1\nLínea 2: ¿mañana a las 3?",
    "Got it 👍",
    "The DA offered 30 days. We should talk before you decide.",
    'He said "no comment" & left <b>angry</b>',
    "<script>alert('hello')</script>",
    "=SUM(A1)",
    "My new address is 1200 S. Main St., Apt. 4.",
    "السلام عليكم، هل الموعد غدا؟",
    "",
)
SPOKEN = (
    "Law office, how can I help you?",
    "Hi, this is about my hearing next week.",
    "Let me look that up for you.",
    "Do I have to bring anything?",
    "Your photo ID and the letter we sent you.",
    "All right, thank you very much.",
)
VOICEMAIL = "Hi, please call me back about the papers you sent. Thanks, bye."
SHARED_PICTURE = "letterhead.png"  # the same bytes in many messages
PICTURES = ("png", "png", "gif", "pdf")


@dataclass(frozen=True, slots=True)
class Parts:
    """What belongs to a call: recordings, voicemail, summary, transcript. URLs are names of media, signed when answered."""

    recordings: tuple[Json, ...] = ()
    voicemail: Json | None = None
    summary: Json | None = None
    transcript: Json | None = None


@dataclass(slots=True)
class Thread:
    """A conversation, its messages and calls (oldest first), and the parts of the calls by call id."""

    conversation: Json
    messages: list[Json] = field(default_factory=list)
    calls: list[Json] = field(default_factory=list)
    parts: dict[str, Parts] = field(default_factory=dict)


def sample_threads(count: int, seed: int, lines: Sequence[Json], now: float) -> list[Thread]:
    """Return so many conversations on the office's lines, the last of them active within the last days.

    One in twenty is a group, one in fifty has a second conversation with the same people, a few have nobody in them.
    """
    midnight = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    dice = random.Random(f"threads:{seed}")
    people = _find_people(count, seed)
    made: list[Thread] = []
    for index in range(count):
        again = made[-1].conversation if made and index % 50 == 49 else None
        participants = again["participants"] if again else _choose_participants(dice, people, index)
        line = next(each for each in lines if each["id"] == again["phoneNumberId"]) if again else dice.choice(lines)
        ended = midnight - timedelta(minutes=dice.randrange(60, 60 * 24 * (3 if index < 5 else 380)))
        made.append(make_thread(dice, line, participants, ended, _choose_length(dice, index)))
    return made


def make_thread(dice: random.Random, line: Json, participants: list[str], ended: datetime, length: int) -> Thread:
    """Return a conversation whose last activity was at `ended`; with nobody in it, it has no activity either."""
    created = ended - timedelta(hours=length * 7 + 1)
    thread = Thread(_make_conversation(dice, line, participants, created, ended))
    items = length if participants else 0
    for number in range(items):
        at = ended - timedelta(
            hours=7 * (items - 1 - number), seconds=dice.randrange(3_000) if number < items - 1 else 0
        )
        if len(participants) == 1 and dice.random() < 0.25:
            call, parts = make_call(dice, line, participants[0], at)
            thread.calls.append(call)
            thread.parts[call["id"]] = parts
        else:
            thread.messages.append(make_message(dice, line, thread.conversation, at))
    if items:
        last = max((*thread.messages, *thread.calls), key=lambda item: item["createdAt"])
        thread.conversation |= {"lastActivityId": last["id"], "lastActivityAt": last["createdAt"]}
    return thread


def make_message(
    dice: random.Random,
    line: Json,
    conversation: Json,
    at: datetime,
    *,
    text: str | None = None,
    is_incoming: bool | None = None,
    media: Sequence[str] | None = None,
) -> Json:
    """Return a message of a conversation; what is not given is drawn."""
    incoming = dice.random() < 0.5 if is_incoming is None else is_incoming
    sender = dice.choice(conversation["participants"])
    if incoming and len(conversation["participants"]) == 1 and dice.random() < 0.01:
        sender = sender.removeprefix("+1")  # not every sender comes in E.164
    pictures = tuple(_draw_media(dice)) if media is None else tuple(media)
    status = "received" if incoming else dice.choices(("delivered", "sent", "undelivered"), (94, 4, 2))[0]
    return {
        "id": make_id(dice, "AC"),
        "to": [line["number"]] if incoming else list(conversation["participants"]),
        "from": sender if incoming else line["number"],
        "text": dice.choice(TEXTS) if text is None else text,
        "phoneNumberId": line["id"],
        "conversationId": conversation["id"],
        "direction": "incoming" if incoming else "outgoing",
        "userId": dice.choice(line["users"])["id"],
        "status": status,
        "media": [{"url": name, "type": _find_type(name)} for name in pictures],
        "createdAt": rules.format_time(at),
        "updatedAt": rules.format_time(at + timedelta(seconds=2)),
    }


def make_call(dice: random.Random, line: Json, number: str, at: datetime, outcome: str = "") -> tuple[Json, Parts]:
    """Return a call and its parts; `outcome` is answered, called, voicemail, missed or unanswered, else drawn."""
    known = ("answered", "called", "voicemail", "missed", "unanswered")
    chosen = outcome or dice.choices(known, (45, 25, 12, 10, 8))[0]
    talked, incoming = chosen in ("answered", "called"), chosen in ("answered", "voicemail", "missed")
    seconds = dice.randrange(15, 1_200) if talked else 0
    user = dice.choice(line["users"])["id"]
    status = {"voicemail": "missed", "missed": "missed", "unanswered": "no-answer"}.get(chosen, "completed")
    call = {
        "answeredAt": rules.format_time(at + timedelta(seconds=8)) if talked else None,
        "answeredBy": user if chosen == "answered" else None,
        "initiatedBy": None if incoming else user,
        "direction": "incoming" if incoming else "outgoing",
        "status": status,
        "completedAt": rules.format_time(at + timedelta(seconds=8 + seconds)),
        "createdAt": rules.format_time(at),
        "callRoute": dice.choice(("direct", "phone-menu")) if incoming else None,
        "duration": seconds,
        "forwardedFrom": None,
        "forwardedTo": None,
        "aiHandled": None,
        "id": make_id(dice, "AC"),
        "phoneNumberId": line["id"],
        "participants": dice.choices(([number], [line["number"], number], []), (90, 7, 3))[0],
        "updatedAt": rules.format_time(at + timedelta(seconds=9 + seconds)),
        "userId": user,
    }
    return call, _make_parts(dice, call, number, has_voicemail=chosen == "voicemail")


def make_id(dice: random.Random, prefix: str) -> str:
    """Return an id as the API has them."""
    return f"{prefix}{dice.getrandbits(96):024x}"


def _make_conversation(
    dice: random.Random, line: Json, participants: list[str], created: datetime, ended: datetime
) -> Json:
    """Calls and texts look the same here, and nothing of what was said is in it (seen live)."""
    assigned = dice.choices((None, dice.choice(line["users"])["id"], make_id(dice, "SYU")), (70, 25, 5))[0]
    return {
        "assignedTo": assigned,
        "createdAt": rules.format_time(created),
        "deletedAt": rules.format_time(ended) if dice.random() < 0.02 else None,
        "id": make_id(dice, "CN"),
        "lastActivityAt": None,
        "lastActivityId": None,
        "mutedUntil": None,
        "name": "Family of the client" if len(participants) > 1 and dice.random() < 0.5 else None,
        "participants": participants,
        "phoneNumberId": line["id"],
        "snoozedUntil": rules.format_time(ended + DONE_FOR) if dice.random() < 0.95 else None,
        "updatedAt": rules.format_time(ended),
    }


def _make_parts(dice: random.Random, call: Json, number: str, *, has_voicemail: bool) -> Parts:
    if has_voicemail:
        return Parts(voicemail=_make_voicemail(dice))
    if not call["duration"] or dice.random() < 0.25:  # 60 to 85 % of calls have a recording (seen live)
        return Parts()
    recording = {
        "duration": call["duration"],
        "id": make_id(dice, "CR"),
        "startTime": call["answeredAt"],
        "status": "completed",
        "type": "audio/wav",
        "url": f"{make_id(dice, 'rec')}.wav",
    }
    status = dice.choices(("completed", "absent", "failed"), (90, 7, 3))[0]
    if status != "completed":
        return Parts((recording,), None, _make_summary(call, status), _make_transcript(call, number, status))
    return Parts((recording,), None, _make_summary(call, status), _make_transcript(call, number, status))


def _make_voicemail(dice: random.Random) -> Json:
    return {
        "duration": dice.randrange(4, 60),
        "id": make_id(dice, "VM"),
        "transcript": VOICEMAIL,
        "recordingUrl": f"{make_id(dice, 'vm')}.wav",
        "status": "completed",
    }


def _make_summary(call: Json, status: str) -> Json:
    whole = status == "completed"
    return {
        "callId": call["id"],
        "nextSteps": ["Bring photo ID."] if whole else None,
        "status": status,
        "summary": ["The client asked about the hearing."] if whole else None,
    }


def _make_transcript(call: Json, number: str, status: str) -> Json:
    pace = call["duration"] / len(SPOKEN)
    dialogue = [
        {
            "content": words,
            "start": round(place * pace, 6),
            "end": round((place + 1) * pace, 6),
            "identifier": None if place % 2 == 0 else number,
            "userId": call["userId"] if place % 2 == 0 else None,
        }
        for place, words in enumerate(SPOKEN)
    ]
    return {
        "callId": call["id"],
        "createdAt": call["completedAt"],
        "dialogue": dialogue if status == "completed" else None,
        "duration": call["duration"],
        "status": status,
    }


def _draw_media(dice: random.Random) -> Iterator[str]:
    if dice.random() < 0.06:
        yield SHARED_PICTURE if dice.random() < 0.3 else f"{make_id(dice, 'mms')}.{dice.choice(PICTURES)}"


def _find_type(name: str) -> str:
    kinds = {"png": "image/png", "gif": "image/gif", "pdf": "application/pdf", "wav": "audio/wav"}
    return str(kinds.get(name.rpartition(".")[2], "application/octet-stream"))


def _choose_length(dice: random.Random, index: int) -> int:
    """Return how many items a conversation has: mostly a few, about twenty on average, now and then some pages of them."""
    return LONG_THREAD if index % 97 == 5 else 1 + min(120, int(dice.expovariate(1 / 17)))


def _choose_participants(dice: random.Random, people: list[str], index: int) -> list[str]:
    if index % 200 == 123:
        return []
    if index % 20 == 7:
        return [people[index], *dice.sample([each for each in people if each != people[index]], dice.randrange(1, 3))]
    return [people[index]]


def _find_people(count: int, seed: int) -> list[str]:
    """Return numbers, none twice: those of sample clients where they are usable, for one in six of somebody unknown."""
    dice = random.Random(f"callers:{seed}")
    unknown = samples.make_unknown_phones(dice)
    clients = (rules.normalise_phone(row["phone"]) for row in samples.sample_clients(count, seed))
    known = [phone if rules.is_phone(phone) and dice.random() > 1 / 6 else f"+1{next(unknown)}" for phone in clients]
    return [*known, *(f"+1{next(unknown)}" for _ in range(max(0, 4 - count)))]
