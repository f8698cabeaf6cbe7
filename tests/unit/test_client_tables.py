"""Which tables could hold the clients, and which one is meant."""

from __future__ import annotations

import pytest

from openphone_sync.config.mapping_file import load_built_in
from openphone_sync.doctor.tables import choose_table, find_client_tables
from openphone_sync.postgres.inspecting import RelationInfo

LEAST = ("id", "client_name")


def find(*names: str, columns: tuple[str, ...] = LEAST) -> list[RelationInfo]:
    return [RelationInfo(schema, table, columns) for schema, _, table in (name.partition(".") for name in names)]


def test_tables_without_a_needed_column_are_left_out_and_the_fullest_is_first() -> None:
    relations = [
        *find("public.clients_old"),
        *find("auth.users", columns=("id", "phone", "email")),
        *find("public.Client", columns=(*LEAST, "phone", "county", "password_hash")),
    ]
    tables = find_client_tables(relations, load_built_in())
    assert [(one.name, one.columns, one.others) for one in tables] == [
        ('public."Client"', (*LEAST, "phone", "county"), 1),
        ("public.clients_old", LEAST, 0),
    ]


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        ([], None),
        (["public.people"], "public.people"),
        (["public.clients", "public.clients_old"], "public.clients"),
        (["public.Client", "public.active"], 'public."Client"'),
        (["public.Client", "public.clients"], None),
        (["public.people", "public.persons"], None),
    ],
)
def test_the_usual_name_is_meant_where_there_are_several(names: list[str], chosen: str | None) -> None:
    table = choose_table(find_client_tables(find(*names), load_built_in()))
    assert (table and table.name) == chosen
