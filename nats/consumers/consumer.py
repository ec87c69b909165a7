"""Reads mailsync's events: each takes effect once, each user's in order.

pip install nats-py
NATS_URL=nats://consumer:password@localhost:4222 python consumer.py
"""

import asyncio
import json
import os
import sqlite3

import nats
from nats.errors import TimeoutError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy


def apply(db: sqlite3.Connection, event: dict) -> None:
    """What the event means to you. Write with the same `db`: it commits together with the memory of the event."""
    print(event["user_id"], event["seq"], event.get("subject", ""))


def apply_once(db: sqlite3.Connection, event: dict) -> None:
    """An event may be delivered again (a lost acknowledgement, a restart): its event_id tells."""
    with db:
        seen = db.execute("INSERT OR IGNORE INTO seen(event_id) VALUES (?)", (event["event_id"],))
        if seen.rowcount == 1:
            apply(db, event)


async def main() -> None:
    db = sqlite3.connect("consumer.db")
    db.execute("CREATE TABLE IF NOT EXISTS seen(event_id TEXT PRIMARY KEY) WITHOUT ROWID")
    client = await nats.connect(os.environ.get("NATS_URL", "nats://127.0.0.1:4222"), max_reconnect_attempts=-1)
    stream = client.jetstream()
    # max_ack_pending=1 keeps the order also when a message has to be delivered again: the next one of the stream
    # comes after this one's acknowledgement. For more speed run several consumers, each for other users' subjects.
    config = ConsumerConfig(
        durable_name="crm",
        filter_subject="user.>",
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=30,
        max_ack_pending=1,
    )
    events = await stream.pull_subscribe("user.>", durable="crm", stream="MAIL_EVENTS", config=config)
    while True:
        try:
            messages = await events.fetch(1, timeout=30)
        except TimeoutError:
            continue
        for message in messages:
            apply_once(db, json.loads(message.data))
            # Only now. An exception above leaves the message unacknowledged: it comes again after ack_wait.
            await message.ack_sync()


if __name__ == "__main__":
    asyncio.run(main())
