"""Keys of KMS, and the database below a server: what only time does there, such as the end of a key, is done at once."""

import contextlib
import sqlite3
import urllib.parse

from portcullis import ACCOUNT, REGION, Server

KMS = f"arn:aws:kms:{REGION}:{ACCOUNT}"
NO_KEY = "11111111-2222-4333-8444-555555555555"


def customer_managed(arn: str) -> dict:
    return {"keyType": "CustomerManagedKey", "kmsKeyArn": arn}


SERVICE_MANAGED = {"keyType": "ServiceManagedKey"}


def connect(server: Server):
    if not server.database.url:
        return contextlib.closing(sqlite3.connect(server.data_dir / "portcullis.db", timeout=20))
    import pg8000.dbapi

    parts = urllib.parse.urlsplit(server.database.url)
    return contextlib.closing(
        pg8000.dbapi.connect(
            user=urllib.parse.unquote(parts.username or "postgres"),
            password=urllib.parse.unquote(parts.password) if parts.password else None,
            host=parts.hostname or "127.0.0.1",
            port=parts.port or 5432,
            database=parts.path.lstrip("/"),
        )
    )


def lose(server: Server, arn: str):
    """Takes a key away, as the end of its waiting period does."""
    with connect(server) as database:
        key = arn.rpartition("/")[2]
        assert key.replace("-", "").isalnum()
        database.cursor().execute(f"DELETE FROM kms_keys WHERE id = '{key}'")
        database.commit()


def rows(server: Server, statement: str) -> list:
    with connect(server) as database:
        cursor = database.cursor()
        cursor.execute(statement)
        return [tuple(row) for row in cursor.fetchall()]
