"""The typed client of the gateway's API.

    from client import RetailBrain, ask

    with RetailBrain(url, api_key) as brain:
        sent = brain.ask(ask.send_event(event, wait_s=5))
        profile = brain.ask(ask.profile(sent.profile_id))

        for change in brain.changes(Reading(["profile.*"])):
            ...

`client.ask` says what can be asked, and what comes of it; `RetailBrain` and `AsyncRetailBrain` ask it. They wait out
429, 503 and lost connections, and raise RequestRefused where the gateway says no.
"""

from client.aio import AsyncRetailBrain
from client.feed import Reading
from client.sync import RetailBrain

__all__ = ["AsyncRetailBrain", "Reading", "RetailBrain"]
