"""A client table of any size, made by the database itself: 2.6 contacts for each client, all with phones of their own."""

import psycopg

from openphone_sync.sandbox.samples import CLIENTS_DDL

ROWS = """
INSERT INTO clients (client_name, client_type, phone, county, contact_1, relationship_1, contact_1_phone,
                     contact_2, relationship_2, contact_2_phone)
SELECT 'Person ' || n, CASE mod(n, 2) WHEN 0 THEN 'civil' ELSE 'criminal' END,
       '+1213' || lpad((2000000 + n)::text, 7, '0'), 'Kern',
       'Bob ' || n, 'Brother', '+1310' || lpad((2000000 + n)::text, 7, '0'),
       CASE WHEN mod(n, 5) < 3 THEN 'Ann ' || n END, CASE WHEN mod(n, 5) < 3 THEN 'Mother' END,
       CASE WHEN mod(n, 5) < 3 THEN '+1415' || lpad((2000000 + n)::text, 7, '0') END
FROM generate_series(1, %s) AS n
"""


def fill_clients(dsn: str, count: int) -> None:
    """Make the table with ``count`` rows."""
    with psycopg.connect(dsn) as connection:
        connection.execute(CLIENTS_DDL)
        connection.execute(ROWS, (count,))
