"""Conversations of the sandbox: the live API's habits that an archive has to live with."""

import urllib.error
import urllib.request
from collections import Counter
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.fault_injection import Fault, FaultKind
from tests.unit.sandbox_support import Caller, Reply, calling, vary
from tests.unit.test_sandbox_app import control

ANN, BOB = "+12135550111", "+12135550112"


def ask(api: Caller, path: str, **query: object) -> Reply:
    return api.ask("GET", f"/v1/{path}?{urlencode(query, doseq=True)}")


def walk(api: Caller, path: str, **query: object) -> list[Any]:
    found: list[Any] = []
    token: dict[str, str] = {}
    while True:
        reply = ask(api, path, **query, **token).json
        found += reply["data"]
        if not reply["nextPageToken"]:
            return found
        token = {"pageToken": reply["nextPageToken"]}


def whom(conversation: Any) -> dict[str, Any]:
    return {"phoneNumberId": conversation["phoneNumberId"], "participants": conversation["participants"]}


def start(api: Caller, *participants: str) -> Any:
    talk = api.server.conversations
    talk.start(*participants)
    return ask(api, "conversations").data[0]


def fetch_media(url: str) -> bytes:
    with urllib.request.urlopen(url) as response:
        return bytes(response.read())


def test_an_office_has_texts_groups_and_calls_with_what_belongs_to_them() -> None:
    with calling(conversations=60) as api:
        conversations = walk(api, "conversations", maxResults=50)
        assert len(conversations) == 60
        times = [one["lastActivityAt"] for one in conversations if one["lastActivityAt"]]
        assert times == sorted(times, reverse=True)
        assert {len(one["participants"]) for one in conversations} >= {1, 2}
        pairs = Counter((one["phoneNumberId"], *one["participants"]) for one in conversations)
        assert max(pairs.values()) == 2
        calls = [
            call
            for one in conversations
            if len(one["participants"]) == 1
            for call in walk(api, "calls", **whom(one), maxResults=100)
        ]
        parts = {
            path: Counter(ask(api, f"{path}/{call['id']}").status for call in calls)
            for path in ("call-recordings", "call-voicemails", "call-transcripts", "call-summaries")
        }
    assert set(parts.pop("call-recordings")) == {200}  # none is an empty list
    assert all(set(statuses) == {200, 404} for statuses in parts.values())


def test_the_same_seed_is_the_same_office() -> None:
    with calling(conversations=20) as one, calling(conversations=20) as other:
        assert ask(one, "conversations", maxResults=20).data == ask(other, "conversations", maxResults=20).data


def test_a_plus_must_be_percent_encoded() -> None:
    with calling() as api:
        conversation = start(api, ANN)
        raw = f"/v1/messages?phoneNumberId={conversation['phoneNumberId']}&participants={ANN}"
        assert api.ask("GET", raw).status == 400
        assert api.ask("GET", raw.replace("+", "%2B")).status == 200


def test_calls_are_for_one_participant_and_messages_for_up_to_ten() -> None:
    with calling() as api:
        group = start(api, ANN, BOB)
        api.server.conversations.add_message(group["id"], "Hello both")
        refused = ask(api, "calls", **whom(group))
        assert (refused.status, refused.json["title"]) == (400, "Too Many Participants")
        assert len(ask(api, "messages", **whom(group)).data) == 1
        assert not ask(api, "messages", phoneNumberId=group["phoneNumberId"], participants=ANN).data
        many = [f"+1213555{number:04}" for number in range(11)]
        assert ask(api, "messages", phoneNumberId=group["phoneNumberId"], participants=many).status == 400
        assert ask(api, "messages", phoneNumberId=group["phoneNumberId"]).status == 400


def test_since_acts_as_created_before() -> None:
    with calling() as api:
        conversation = start(api, ANN)
        for at in (1_000.0, 2_000.0, 3_000.0):
            api.server.conversations.add_message(conversation["id"], str(at), at=at)
        moment = "1970-01-01T00:33:20Z"  # 2,000 s
        found = {
            name: [one["text"] for one in ask(api, "messages", **whom(conversation), **{name: moment}).data]
            for name in ("since", "createdBefore", "createdAfter")
        }
    assert found == {"since": ["1000.0"], "createdBefore": ["1000.0"], "createdAfter": ["3000.0"]}


def test_a_message_that_arrives_moves_items_to_the_next_page() -> None:
    with calling(faults=(Fault(FaultKind.ARRIVAL, path="/v1/messages?*pageToken=*"),)) as api:
        conversation = start(api, ANN)
        for number in range(4):
            api.server.conversations.add_message(conversation["id"], str(number), at=1_000.0 + number)
        texts = [one["text"] for one in walk(api, "messages", **whom(conversation), maxResults=2)]
    assert texts == ["3", "2", "2", "1", "0"]


def test_parts_of_a_call_come_seconds_after_it() -> None:
    with calling(parts_lag_s=0.3) as api:
        conversation = start(api, ANN)
        rung = api.server.conversations.add_call(conversation["id"], "voicemail")["id"]
        talked = api.server.conversations.add_call(conversation["id"], "answered")["id"]
        api.server.conversations.set_parts(talked, transcript={"status": "completed", "dialogue": []})
        early = ask(api, f"call-voicemails/{rung}"), ask(api, f"call-transcripts/{talked}")
        api.server.stopping.wait(0.35)
        late = ask(api, f"call-voicemails/{rung}"), ask(api, f"call-transcripts/{talked}")
    assert (early[0].status, early[1].data["status"]) == (404, "in-progress")
    assert (late[0].status, late[1].data["status"]) == (200, "completed")


def test_a_plan_without_transcripts_answers_403() -> None:
    with calling(vary(plan="starter"), conversations=3) as api:
        assert ask(api, "call-transcripts/AC1").status == 403
        assert ask(api, "call-summaries/AC1").json["code"] == "0500403"


def test_system_users_are_no_users() -> None:
    with calling() as api:
        users = ask(api, "users").data
        assert ask(api, f"users/{users[0]['id']}").data == users[0]
        assert ask(api, "users/SYU123abc").status == 400
        assert ask(api, "users/US123abc").status == 404


def test_media_lie_elsewhere_behind_addresses_that_expire() -> None:
    with calling(link_life_s=0.3) as api:
        conversation = start(api, ANN)
        api.server.conversations.add_message(conversation["id"], "", media=["a.png"])
        call = api.server.conversations.add_call(conversation["id"], "voicemail")
        url = ask(api, "messages", **whom(conversation)).data[0]["media"][0]["url"]
        sound = ask(api, f"call-voicemails/{call['id']}").data["recordingUrl"]
        assert not url.startswith(api.server.base_url)
        assert fetch_media(url).startswith(b"\x89PNG")
        assert fetch_media(sound).startswith(b"RIFF")  # after a redirect
        api.server.stopping.wait(0.35)
        with pytest.raises(urllib.error.HTTPError) as expired:
            fetch_media(url)
        expired.value.close()
        assert expired.value.code == 403
        again = ask(api, "messages", **whom(conversation)).data[0]["media"][0]["url"]
        assert fetch_media(again)


def test_people_talk_over_the_socket_too() -> None:
    with calling() as api:
        made = control(api, "POST", "conversations", {"participants": [ANN]})["id"]
        control(api, "POST", "messages", {"conversationId": made, "text": "Hi"})
        control(api, "POST", "calls", {"conversationId": made, "outcome": "missed"})
        assert [len(api.server.conversations.items(made)), api.server.conversations.count()] == [2, (1, 2)]
