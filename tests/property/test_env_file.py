"""The text of an env file that `init` writes: read back as it was meant, and nothing else in it changes."""

from __future__ import annotations

import io
import subprocess

from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from openphone_sync.config import fill_in_password, has_placeholder
from openphone_sync.config.env_file import make_env_text, quote_value

VALUES = st.text(st.characters(exclude_categories=("C", "Z")) | st.sampled_from(" #'\"$\\"), min_size=1).filter(
    lambda text: text == text.strip() and not text.endswith("\\")
)


def read(text: str) -> dict[str, str | None]:
    return dict(dotenv_values(stream=io.StringIO(text), interpolate=False))


@given(st.dictionaries(st.sampled_from(["OPENPHONE_API_KEY", "DATABASE_URL", "X"]), VALUES))
def test_values_are_read_back_as_they_were(values: dict[str, str]) -> None:
    assert read(make_env_text("", values)) == values


@given(VALUES.filter(lambda text: "'" not in text and "\\" not in text))
def test_a_shell_reads_the_same_value(value: str) -> None:
    shown = subprocess.run(
        ["sh", "-c", f'X={quote_value(value)}; printf %s "$X"'], capture_output=True, check=True
    ).stdout
    assert shown.decode() == value


def test_settings_are_replaced_where_they_stand_and_the_rest_stays() -> None:
    old = (
        "# ours\n\nexport OPENPHONE_API_KEY=old # the key\nOPENPHONE_SOURCE='law office'\nnot a setting\n"
        "DATABASE_URL=x\nDATABASE_URL=y"
    )
    new = make_env_text(old, {"DATABASE_URL": "postgresql://u:a%40b@h/d", "OPENPHONE_API_KEY": "k e'y", "ADDED": "1"})
    assert new == (
        "# ours\n\nOPENPHONE_API_KEY='k e\\'y'\nOPENPHONE_SOURCE='law office'\nnot a setting\n"
        "DATABASE_URL=postgresql://u:a%40b@h/d\nADDED=1\n"
    )


def test_a_last_line_without_an_end_is_ended() -> None:
    assert make_env_text("A=1", {"B": "2"}) == "A=1\nB=2\n"


def test_the_password_takes_the_place_of_its_placeholder() -> None:
    url = "postgresql://postgres.abc:[YOUR-PASSWORD]@pooler.supabase.com:5432/postgres"
    assert has_placeholder(url)
    assert fill_in_password(url, r"p@s/s:\1 é") == (
        "postgresql://postgres.abc:p%40s%2Fs%3A%5C1%20%C3%A9@pooler.supabase.com:5432/postgres"
    )
    assert fill_in_password("host=h password=%5Byour-password%5D", r"it's \x") == r"host=h password='it\'s \\x'"
    assert not has_placeholder("postgresql://u:secret@h/d")
