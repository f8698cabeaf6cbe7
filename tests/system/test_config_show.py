"""``config show``: what is in force, from where, and never a secret."""

from __future__ import annotations

from typing import Any

from tests.office import Office

KEY, PASSWORD = "abcdefghij0123456789klmnopqrstuv", "s3cret-p4ssw0rd"


def show(office: Office, **settings: str) -> dict[str, dict[str, Any]]:
    document = office.run("config", "show", "--json", **settings).json
    return {one["name"]: one for one in document["settings"]}


def test_each_setting_says_where_it_comes_from(office: Office) -> None:
    (office.folder / ".env").write_text("OPENPHONE_SOURCE=from-env\nOPENPHONE_DEFAULT_REGION=CA\n")
    (office.folder / ".env.local").write_text("OPENPHONE_SOURCE=from-local\n")
    given = office.folder / "given.env"
    given.write_text("OPENPHONE_NAME_THRESHOLD=0.95\n")
    shown = show(office, OPENPHONE_DEFAULT_REGION="GB")
    assert (shown["OPENPHONE_SOURCE"]["value"], shown["OPENPHONE_SOURCE"]["origin"]) == ("from-local", ".env.local")
    assert shown["OPENPHONE_DEFAULT_REGION"] == {
        "name": "OPENPHONE_DEFAULT_REGION",
        "value": "GB",
        "origin": "environment",
    }
    assert shown["OPENPHONE_ON_CONFLICT"] == {"name": "OPENPHONE_ON_CONFLICT", "value": "source", "origin": "default"}
    ran = office.run("config", "show", "--env-file", str(given))
    assert "0.95" in ran.out
    assert "given.env" in ran.out


def test_no_secret_is_shown(office: Office) -> None:
    url = f"postgresql://u:{PASSWORD}@127.0.0.1/d"
    ran = office.run("config", "show", OPENPHONE_API_KEY=KEY, DATABASE_URL=url)
    assert ran.code == 0
    assert PASSWORD not in ran.out + ran.err
    assert KEY not in ran.out
    assert KEY[:6] not in ran.out
    assert show(office, SUPABASE_DB_URL=url)["DATABASE_URL"]["value"] == "(set)"


def test_misspelt_names_and_values_that_are_not_accepted_are_shown(office: Office) -> None:
    (office.folder / ".env").write_text("OPENPHONE_SOURC=x\nOPENPHONE_NAME_THRESHOLD=often\n")
    ran = office.run("config", "show")
    assert ran.code == 0
    assert "unknown setting OPENPHONE_SOURC in an env file; write OPENPHONE_SOURCE, if that is meant" in ran.out
    assert "often" in ran.out
