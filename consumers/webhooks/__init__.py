"""Webhooks delivered: each webhook by a reader of its own, in lanes, so that none waits for another.

reader (a thread) ─▶ lanes: one message at a time each, a profile always in the same ─▶ POST ─▶ Postgres
                                                                    outcome and position in one transaction
"""
