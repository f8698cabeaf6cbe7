"""Whatever the database password holds, and however it was pasted: no piece of it leaves the program."""

from __future__ import annotations

import string
import traceback
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo

from openphone_sync.config import Settings, load_settings
from openphone_sync.errors import ConfigurationError, RunError, UnreachableError
from openphone_sync.ops.redaction import make_redactor
from openphone_sync.postgres import connect
from tests.office import Office
from tests.receiver import Receiver

PIECES = ("zqxj", "WVKQ", "jxQz", "Kzvx", "xqwk")
"""Letters that no message, id or time holds: what is found in an output comes from the password."""
FORMS = (
    "postgresql://office:{}@127.0.0.1:1/law",
    "postgres://office:{}@127.0.0.1:1/law?connect_timeout=2",
    "postgresql://office:{}@127.0.0.1:1",
    "host=127.0.0.1 port=1 user=office password={} dbname=law",
    "host=127.0.0.1 port=1 user=office dbname=law password={}",
)

_between = st.text(st.sampled_from(string.punctuation + string.whitespace + "a1" + "@/:?#%[] "), max_size=3)
passwords = st.builds(
    lambda pairs, end: "".join(before + piece for before, piece in pairs) + end,
    st.lists(st.tuples(_between, st.sampled_from(PIECES)), min_size=1, max_size=4),
    _between,
)


def find_pieces(text: str) -> set[str]:
    """Runs of three letters of the password that the text holds."""
    return {piece[at : at + 3] for piece in PIECES for at in (0, 1) if piece[at : at + 3] in text}


def connect_with(url: str) -> None:
    connect(load_settings({"DATABASE_URL": url, "HOME": "/nonexistent"}, folder=Path("/nonexistent")).database_url)


@given(st.sampled_from(FORMS), passwords)
@example(FORMS[0], "ab@zqxj")
@example(FORMS[0], "12/zqxj")
@example(FORMS[0], "ab@zqxj/WVKQ")
@example(FORMS[0], "12/zqxj?user=x")
@example(FORMS[0], "ab@zqxj?sslmode=WVKQ")
@example(FORMS[0], "%zqxj")
@example(FORMS[0], "@[zqxj")
@example(FORMS[3], "zqxj WVKQ=jxQz")
@example(FORMS[3], "'zqxj")
@settings(max_examples=300, deadline=None)
def test_no_error_quotes_a_piece_of_the_password(form: str, password: str) -> None:
    with pytest.raises(RunError) as caught:
        connect_with(form.format(password))
    assert isinstance(caught.value, ConfigurationError | UnreachableError)
    assert find_pieces("".join(traceback.format_exception(caught.value))) == set()


@given(passwords)
@settings(max_examples=200)
def test_every_way_to_write_a_password_is_redacted(password: str) -> None:
    for url in (
        f"postgresql://office:{password}@127.0.0.1/law",
        f"postgresql://office:{quote(password, safe='')}@127.0.0.1/law",
        f"postgresql:///law?host=127.0.0.1&password={quote(password, safe='')}&user=office",
        make_conninfo(host="127.0.0.1", password=password, user="office"),
    ):
        redactor = make_redactor(Settings(Path(), database_url=url))
        for text in (password, quote(password, safe=""), url):
            assert find_pieces(redactor.hide_secrets(f"the server says: {text}")) == set()


@given(st.sampled_from(FORMS), passwords)
@example(FORMS[0], "ab@zqxj")
@example(FORMS[0], "12/zqxj")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_output_or_file_holds_a_piece_of_the_password(office: Office, form: str, password: str) -> None:
    with Receiver() as receiver:
        ran = office.run(
            "sync", "--json", "-v", DATABASE_URL=form.format(password), OPENPHONE_HEALTHCHECK_URL=f"http://{receiver.host}/p"
        )  # fmt: skip
        told = "".join(got.path + got.body for got in receiver.take())
    assert ran.code in {2, 3}
    kept = b"".join(path.read_bytes() for path in office.folder.rglob("*") if path.is_file()).decode("latin-1")
    assert find_pieces(ran.out + ran.err + told + kept) == set()
