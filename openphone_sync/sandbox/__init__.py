"""An OpenPhone for trying things, an embedded Postgres, and sample rows for both.

    with EmbeddedPostgres() as postgres, SandboxServer(SandboxOptions(contacts=50)) as sandbox:
        load_samples(postgres.dsn(), 1_000)
        ...  # OPENPHONE_BASE_URL is sandbox.base_url, OPENPHONE_API_KEY is sandbox.options.key

The sandbox follows the live API's habits where they differ from the vendor document, and is never kinder than either.
It stands beside the product: nothing in here knows anything of the rest of the package.
"""

from openphone_sync.sandbox.contacts import Workspace
from openphone_sync.sandbox.control import Request
from openphone_sync.sandbox.errors import SandboxError
from openphone_sync.sandbox.options import (
    CUSTOM_FIELDS,
    SANDBOX_KEY,
    CustomField,
    SandboxOptions,
    Variants,
    make_variants,
)
from openphone_sync.sandbox.postgres import EmbeddedPostgres
from openphone_sync.sandbox.samples import load_samples, sample_clients, sample_contacts, sample_conversations
from openphone_sync.sandbox.server import SandboxServer

__all__ = [
    "CUSTOM_FIELDS",
    "SANDBOX_KEY",
    "CustomField",
    "EmbeddedPostgres",
    "Request",
    "SandboxError",
    "SandboxOptions",
    "SandboxServer",
    "Variants",
    "Workspace",
    "load_samples",
    "make_variants",
    "sample_clients",
    "sample_contacts",
    "sample_conversations",
]
