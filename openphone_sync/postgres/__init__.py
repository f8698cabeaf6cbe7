"""The database: clients and conversations, read only. All SQL of the project is here.

Works through a transaction pooler (PgBouncer, Supabase's port 6543): no prepared statements, no session state, one
transaction for each use. Rows come as the JSON that Postgres itself makes of them, so that no column type is special.
"""

from openphone_sync.postgres.clients import PostgresClients
from openphone_sync.postgres.connecting import connect
from openphone_sync.postgres.conversations import PostgresConversations

__all__ = ["PostgresClients", "PostgresConversations", "connect"]
