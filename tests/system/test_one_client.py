"""`sync --client` and `--phone`: an intake that must show by name now."""

from __future__ import annotations

import threading
import time

from openphone_sync.ops.lock import run_lock
from tests.office import JAMES, JAMES_ALONE, Office
from tests.receiver import Receiver

ANN = {"client_name": "Ann Lee", "phone": "213-555-0155"}


def test_only_the_chosen_clients_are_written_and_nobody_is_removed(office: Office) -> None:
    office.make_clients(JAMES)
    office.sync()
    ann, bea = office.add_client(ANN), office.add_client({"client_name": "Bea Ray", "phone": "213-555-0156"})
    report = office.sync("--client", ann)
    assert (report["contacts"]["created"], report["clients"]["removed"], report["mode"]) == (1, 0, "incremental")
    assert office.contact(f"client_{ann}")["defaultFields"]["firstName"] == "Ann Lee"
    assert office.sandbox.workspace.find(f"client_{bea}") == []
    assert office.sync("--phone", "(213) 555-0156")["contacts"]["created"] == 1
    assert office.sync()["contacts"]["unchanged"] == 4


def test_ids_are_completed_only_for_uuids(office: Office) -> None:
    [client_id] = office.make_clients(JAMES_ALONE)
    assert office.sync("--client", client_id[:6])["contacts"]["created"] == 1
    assert office.run("sync", "--client", client_id[:5]).code == 2
    ran = office.run("sync", "--client", "nobody")
    assert (ran.code, "no client has the id nobody" in ran.err) == (2, True)
    assert office.run("sync", "--client", client_id, "--limit", "1").code == 2


def test_such_a_run_counts_for_no_monitor(office: Office) -> None:
    [client_id] = office.make_clients(JAMES_ALONE)
    with Receiver() as receiver:
        settings = {"OPENPHONE_HEALTHCHECK_URL": f"http://{receiver.host}/x"}
        for arguments in (["--client", client_id], ["--limit", "1"], ["--client-type", "criminal"]):
            assert office.run("sync", "-q", *arguments, **settings).code == 0
        assert receiver.got == []
    assert office.run("status", "--max-age", "26h").code == 1


def test_it_waits_for_a_running_sync(office: Office) -> None:
    [client_id] = office.make_clients(JAMES_ALONE)
    with run_lock(office.state_dir):
        began = time.monotonic()
        assert office.run("sync", "--client", client_id, "--wait", "1s").code == 5
        assert time.monotonic() - began >= 1
    locked, release = threading.Event(), threading.Event()

    def hold() -> None:
        with run_lock(office.state_dir):
            locked.set()
            release.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    locked.wait(30)
    timer = threading.Timer(0.5, release.set)
    timer.start()
    assert office.sync("--client", client_id)["contacts"]["created"] == 1
    holder.join()


def test_every_command_completes_ids_alike(office: Office) -> None:
    [client_id] = office.make_clients(JAMES)
    office.sync()
    for typed in (client_id, f"client_{client_id}", client_id[:6], client_id[:6].upper(), f"client_{client_id[:6]}"):
        assert office.run("explain", typed, "--json").json["clientId"] == client_id
        assert office.run("archive", "fetch", "conversations", "--client", typed, "--json").json["exitCode"] == 0
        assert office.sync("--client", typed)["contacts"]["unchanged"] == 2
    for command in (["explain"], ["archive", "fetch", "conversations", "--client"], ["sync", "--client"]):
        ran = office.run(*command, client_id[:5])
        assert (ran.code, f"no client has the id {client_id[:5]}" in ran.err) == (2, True)
    office.add_client(ANN)
    office.sql("DELETE FROM clients WHERE id::text = %s", client_id)
    office.sync()
    done = office.run("problems", "--acknowledge", client_id[:6], "--json").json["acknowledged"]
    assert done == [f"client_{client_id}", f"client_{client_id}_alt_1"]
