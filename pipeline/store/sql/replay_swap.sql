-- What a replay came to, put in the place of what stands: rows that differ, and no others. Run as those of replay.sql are, in
-- one transaction in which nobody else decides. Records that nobody can open stay where they stand.

-- name: begin_repeatable
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ

-- name: live_first
-- From here on a bare name is the live house's table, where it has one.
SELECT set_config('search_path', 'public,' || %s::text, true)

-- name: log_replay_decisions
-- The merge log, before anything is changed. Both profiles as they stood, by the records that their events speak of now, so
-- that a merge can be undone; a record of both is the target's.
INSERT INTO public.identity_merge_log (merge_log_id, kind, source_profile, target_profile, records, source_snapshot,
    target_snapshot, confidence_score, scoring_details, model_version, policy_version, actor, reason, decided_at)
SELECT d.merge_log_id, d.kind, d.source, d.target, m.records,
       source.snapshot || jsonb_build_object('records', CASE d.kind WHEN 'merged'
           THEN coalesce((SELECT jsonb_agg(r ORDER BY r) FROM jsonb_array_elements(source.snapshot -> 'records') r
                          WHERE NOT target.snapshot -> 'records' @> r), '[]')
           ELSE source.snapshot -> 'records' END),
       target.snapshot,
       CASE d.kind WHEN 'merged' THEN e.confidence END,
       jsonb_build_object('evidence', coalesce(e.evidence, '[]'), 'why', %(why)s::text),
       %(model)s, %(policy)s, %(actor)s, %(reason)s, %(now)s
FROM replay_decision d
JOIN (SELECT * FROM unnest(%(ids)s::uuid[], %(moved)s::text[]) n(merge_log_id, moved),
      LATERAL (SELECT array_agg(r::uuid) AS records FROM jsonb_array_elements_text(n.moved::jsonb) r) of) m USING (merge_log_id)
CROSS JOIN LATERAL replay_snapshot(d.source) source(snapshot)
CROSS JOIN LATERAL replay_snapshot(d.target) target(snapshot)
LEFT JOIN LATERAL (
    SELECT max(best.confidence) FILTER (WHERE nth = 1) AS confidence,
           jsonb_agg(jsonb_build_object('low', best.low, 'high', best.high, 'weight', round(best.weight::numeric, 3),
               'confidence', round(best.confidence::numeric, 6), 'veto', best.veto, 'levels', best.levels) ORDER BY nth) AS evidence
    FROM (
        SELECT v.*, row_number() OVER (ORDER BY v.weight DESC, v.low, v.high) AS nth
        FROM (SELECT x.*, x.high AS other FROM identity_evidence x WHERE x.low = ANY(m.records)
              UNION ALL
              SELECT x.*, x.low FROM identity_evidence x WHERE x.high = ANY(m.records)) v
        JOIN replay_record o ON o.record_id = v.other
        WHERE o.profile_id IN (d.source, d.target) AND v.other <> ALL(m.records)
        ORDER BY nth LIMIT 5
    ) best
) e ON true
RETURNING merge_log_id, confidence_score, scoring_details::text

-- name: make_snapshots
-- A profile as the merge log keeps it; one that is new did not stand.
CREATE FUNCTION replay_snapshot(profile uuid) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce((
        SELECT jsonb_build_object(
            'profile_id', p.profile_id, 'version', p.version, 'created_at', p.created_at, 'is_merged', p.is_merged,
            'records', ARRAY(SELECT DISTINCT a.record_id FROM replay_atom a
                             WHERE a.live_profile = p.profile_id AND a.record_id IS NOT NULL ORDER BY a.record_id),
            'golden', p.golden,
            'identifiers', ARRAY(SELECT jsonb_build_array(i.type, encode(i.value_hash, 'hex'))
                                 FROM public.profile_identifier i WHERE i.profile_id = p.profile_id
                                 ORDER BY i.type, i.value_hash))
        FROM public.customer_profile p WHERE p.profile_id = profile
    ), jsonb_build_object('profile_id', profile, 'version', 0, 'records', '[]'::jsonb))
$$

-- name: swap_new_profiles
INSERT INTO public.customer_profile (profile_id, version, created_at, updated_at, golden, contested, held)
SELECT h.profile_id, 1, %(now)s, %(now)s, s.golden, s.contested, s.held
FROM replay_heir h JOIN customer_profile s ON s.profile_id = h.shadow_profile
WHERE NOT EXISTS (SELECT FROM public.customer_profile l WHERE l.profile_id = h.profile_id)

-- name: swap_changed_profiles
UPDATE public.customer_profile l
SET version = l.version + 1, updated_at = %(now)s, golden = s.golden, contested = s.contested, held = s.held
FROM replay_heir h JOIN customer_profile s ON s.profile_id = h.shadow_profile
WHERE l.profile_id = h.profile_id AND h.profile_id = ANY(%(profiles)s::uuid[])

-- name: swap_quiet_profiles
-- Whether records contest each other, and whether a split is proposed, nobody outside sees: it is no new version.
UPDATE public.customer_profile l SET contested = s.contested, held = s.held
FROM replay_heir h JOIN customer_profile s ON s.profile_id = h.shadow_profile
WHERE l.profile_id = h.profile_id AND (l.contested, l.held) IS DISTINCT FROM (s.contested, s.held)

-- name: swap_merged_profiles
UPDATE public.customer_profile l
SET version = l.version + 1, updated_at = %(now)s, golden = '{}', contested = false, held = false, is_merged = true,
    merged_into = d.target
FROM replay_decision d WHERE d.kind = 'merged' AND l.profile_id = d.source

-- name: swap_emptied_profiles
-- Profiles that keep nothing but records nobody can open.
UPDATE public.customer_profile l
SET version = l.version + 1, updated_at = %(now)s, golden = '{}', contested = false, held = false
WHERE l.profile_id = ANY(%(profiles)s::uuid[])

-- name: swap_gone_profiles
-- Profiles that nothing speaks of any more, and those that were merged into them.
WITH RECURSIVE gone(profile_id) AS (
    SELECT unnest(%s::uuid[])
    UNION
    SELECT p.profile_id FROM gone JOIN public.customer_profile p ON p.merged_into = gone.profile_id
)
DELETE FROM public.customer_profile l USING gone WHERE l.profile_id = gone.profile_id RETURNING l.profile_id

-- name: swap_lost_records
WITH lost AS (
    DELETE FROM public.identity_record l
    WHERE NOT EXISTS (SELECT FROM identity_record s WHERE s.record_id = l.record_id)
      AND NOT EXISTS (SELECT FROM replay_undecided u WHERE u.record_id = l.record_id)
    RETURNING l.record_id
)
DELETE FROM public.data_key k USING lost WHERE k.owner_id = lost.record_id

-- name: swap_moved_records
UPDATE public.identity_record l
SET profile_id = s.profile_id, first_seen = s.first_seen, last_seen = s.last_seen, sources = s.sources
FROM replay_record s
WHERE s.record_id = l.record_id
  AND (l.profile_id, l.first_seen, l.last_seen, l.sources) IS DISTINCT FROM (s.profile_id, s.first_seen, s.last_seen, s.sources)

-- name: swap_new_records
WITH new AS (
    INSERT INTO public.identity_record (record_id, profile_id, first_seen, last_seen, sources, sealed)
    SELECT s.record_id, s.profile_id, s.first_seen, s.last_seen, s.sources, s.sealed
    FROM replay_record s WHERE NOT EXISTS (SELECT FROM public.identity_record l WHERE l.record_id = s.record_id)
    RETURNING record_id
)
INSERT INTO public.data_key (owner_id, wrapped, key_version)
SELECT k.owner_id, k.wrapped, k.key_version FROM data_key k JOIN new ON new.record_id = k.owner_id
ON CONFLICT (owner_id) DO UPDATE SET wrapped = excluded.wrapped, key_version = excluded.key_version

-- name: swap_undecided_records
-- Where their profile went, they go.
UPDATE public.identity_record l SET profile_id = d.target
FROM replay_undecided u, replay_decision d
WHERE l.record_id = u.record_id AND d.kind = 'merged' AND l.profile_id = d.source

-- name: swap_lost_match_keys
DELETE FROM public.match_key l
WHERE NOT EXISTS (SELECT FROM match_key s WHERE s.key = l.key AND s.record_id = l.record_id
                  AND s.record_kinds = l.record_kinds AND s.person = l.person AND s.likeness = l.likeness)
  AND NOT EXISTS (SELECT FROM replay_undecided u WHERE u.record_id = l.record_id)

-- name: swap_new_match_keys
INSERT INTO public.match_key (key, record_kinds, record_id, person, likeness)
SELECT s.key, s.record_kinds, s.record_id, s.person, s.likeness FROM match_key s
WHERE NOT EXISTS (SELECT FROM public.match_key l WHERE l.key = s.key AND l.record_id = s.record_id)

-- name: swap_lost_worn_keys
DELETE FROM public.worn_key l WHERE NOT EXISTS (SELECT FROM worn_key s WHERE s.key = l.key)

-- name: swap_worn_keys
INSERT INTO public.worn_key (key, kind, step, lost, people, reason, since)
SELECT s.key, s.kind, s.step, s.lost, s.people, s.reason, s.since FROM worn_key s
WHERE NOT EXISTS (SELECT FROM public.worn_key l WHERE l.key = s.key AND (l.kind, l.step, l.lost) = (s.kind, s.step, s.lost))
ON CONFLICT (key) DO UPDATE
SET kind = excluded.kind, step = excluded.step, lost = excluded.lost, people = excluded.people, reason = excluded.reason,
    since = excluded.since

-- name: swap_lost_shared_identifiers
DELETE FROM public.shared_identifier l
WHERE NOT EXISTS (SELECT FROM shared_identifier s WHERE s.record_id = l.record_id AND s.key = l.key)

-- name: swap_new_shared_identifiers
INSERT INTO public.shared_identifier (record_id, key) SELECT s.record_id, s.key FROM shared_identifier s ON CONFLICT DO NOTHING

-- name: swap_lost_record_identifiers
DELETE FROM public.record_identifier l
WHERE NOT EXISTS (SELECT FROM record_identifier s WHERE s.value_hash = l.value_hash AND s.type = l.type AND s.record_id = l.record_id)
  AND NOT EXISTS (SELECT FROM replay_undecided u WHERE u.record_id = l.record_id)

-- name: swap_new_record_identifiers
INSERT INTO public.record_identifier (record_id, type, value_hash, hash_key_version)
SELECT s.record_id, s.type, s.value_hash, s.hash_key_version FROM record_identifier s ON CONFLICT DO NOTHING

-- name: swap_lost_record_products
DELETE FROM public.record_product l
WHERE NOT EXISTS (SELECT FROM record_product s WHERE s.record_id = l.record_id AND s.product = l.product)
  AND NOT EXISTS (SELECT FROM replay_undecided u WHERE u.record_id = l.record_id)

-- name: swap_new_record_products
INSERT INTO public.record_product (record_id, product) SELECT s.record_id, s.product FROM record_product s ON CONFLICT DO NOTHING

-- name: swap_lost_evidence
DELETE FROM public.identity_evidence l
WHERE NOT EXISTS (SELECT FROM identity_evidence s WHERE s.low = l.low AND s.high = l.high)
  AND NOT EXISTS (SELECT FROM replay_undecided u WHERE u.record_id IN (l.low, l.high))

-- name: swap_evidence
INSERT INTO public.identity_evidence (low, high, weight, confidence, levels, veto, via, model_version, policy_version)
SELECT s.low, s.high, s.weight, s.confidence, s.levels, s.veto, s.via, s.model_version, s.policy_version
FROM identity_evidence s LEFT JOIN public.identity_evidence l USING (low, high)
WHERE l.low IS NULL
   OR (l.weight, l.confidence, l.levels, l.veto, l.via, l.model_version, l.policy_version)
      IS DISTINCT FROM (s.weight, s.confidence, s.levels, s.veto, s.via, s.model_version, s.policy_version)
ON CONFLICT (low, high) DO UPDATE
SET weight = excluded.weight, confidence = excluded.confidence, levels = excluded.levels, veto = excluded.veto,
    via = excluded.via, model_version = excluded.model_version, policy_version = excluded.policy_version

-- name: swap_event_index
UPDATE public.event_index l SET record_id = s.record_id
FROM event_index s WHERE s.event_id = l.event_id AND s.record_id IS DISTINCT FROM l.record_id

-- name: swap_consent
-- What was said goes with its events.
UPDATE public.consent l SET record_id = s.record_id
FROM event_index s WHERE s.event_id = l.event_id AND s.record_id IS DISTINCT FROM l.record_id

-- name: swap_new_consent
-- Of purposes that were declared since.
INSERT INTO public.consent (record_id, event_id, purpose, state, at, source)
SELECT s.record_id, s.event_id, s.purpose, s.state, s.at, s.source FROM consent s ON CONFLICT DO NOTHING

-- name: find_swapped_events
-- Events that say something else by now. When they were linked stays as it was.
INSERT INTO replay_event (event_id, raw_id, record_id, occurred_at, accepted_at, committed_at, source, event_type, channel,
    store, order_amount, currency, items, decision, reasons, source_record_id, request_id, correlation_id)
SELECT s.event_id, l.raw_id, s.record_id, s.occurred_at, s.accepted_at, l.committed_at, s.source, s.event_type, s.channel,
       s.store, s.order_amount, s.currency, s.items, s.decision, s.reasons || %s::text, s.source_record_id, s.request_id,
       s.correlation_id
FROM event s JOIN public.event l USING (accepted_at, event_id)
WHERE (s.record_id, s.occurred_at, s.source, s.event_type, s.channel, s.store, s.order_amount, s.currency, s.items,
       s.source_record_id, ARRAY(SELECT r FROM unnest(s.reasons) r WHERE r LIKE '%%:%%'))
      IS DISTINCT FROM
      (l.record_id, l.occurred_at, l.source, l.event_type, l.channel, l.store, l.order_amount, l.currency, l.items,
       l.source_record_id, ARRAY(SELECT r FROM unnest(l.reasons) r WHERE r LIKE '%%:%%'))

-- name: swapped_links
-- Those of them that speak of another record than before, with the customer that this makes them be of.
SELECT e.event_id, r.profile_id, p.version, e.record_id, e.decision, e.source, e.event_type, e.occurred_at, e.accepted_at,
       e.committed_at, e.request_id, e.correlation_id, e.reasons, e.channel, e.store, e.order_amount, e.currency, e.items
FROM replay_event e JOIN public.event l USING (accepted_at, event_id)
JOIN public.identity_record r ON r.record_id = e.record_id
JOIN public.customer_profile p ON p.profile_id = r.profile_id
WHERE e.record_id IS DISTINCT FROM l.record_id
ORDER BY e.accepted_at, e.event_id

-- name: swap_due_embeddings
-- Whose events say something else by now, or did: customers who stay as they were are not told of, and may have bought other things.
INSERT INTO public.embedding_due
SELECT DISTINCT r.profile_id FROM replay_event e JOIN public.event l USING (accepted_at, event_id)
JOIN public.identity_record r ON r.record_id IN (e.record_id, l.record_id)

-- name: remove_swapped_events
-- An event is never changed: it goes, and the other comes.
DELETE FROM public.event l USING replay_event s WHERE l.accepted_at = s.accepted_at AND l.event_id = s.event_id

-- name: insert_swapped_events
INSERT INTO public.event (event_id, raw_id, record_id, occurred_at, accepted_at, committed_at, source, event_type, channel,
    store, order_amount, currency, items, decision, reasons, source_record_id, request_id, correlation_id)
SELECT event_id, raw_id, record_id, occurred_at, accepted_at, committed_at, source, event_type, channel,
    store, order_amount, currency, items, decision, reasons, source_record_id, request_id, correlation_id FROM replay_event

-- name: swap_constraints
UPDATE public.identity_constraint l SET left_records = s.left_records, right_records = s.right_records
FROM identity_constraint s
WHERE s.constraint_id = l.constraint_id
  AND (l.left_records, l.right_records) IS DISTINCT FROM (s.left_records, s.right_records)

-- name: replay_reviews
-- What waits for a steward here, by the ids that customers are to have.
SELECT q.kind, low.profile_id, high.profile_id, q.low_record, q.high_record, q.reason, q.confidence_score, q.scoring_details
FROM review_queue q
JOIN replay_heir low ON low.shadow_profile = q.low_profile
JOIN replay_heir high ON high.shadow_profile = q.high_profile
WHERE q.status = 'pending'

-- name: live_reviewed
-- Profiles that wait for a steward in the live house, and their versions.
SELECT DISTINCT p.profile_id, p.version
FROM public.review_queue q JOIN public.customer_profile p ON p.profile_id IN (q.low_profile, q.high_profile)
WHERE q.status = 'pending'

-- name: profiles_swapped
-- Profiles as they stand now.
SELECT p.profile_id, p.version, p.created_at, p.golden, p.contested, p.merged_into,
       ARRAY(SELECT r.record_id FROM public.identity_record r WHERE r.profile_id = p.profile_id
             AND EXISTS (SELECT FROM public.data_key k WHERE k.owner_id = r.record_id) ORDER BY r.record_id)
FROM public.customer_profile p WHERE p.profile_id = ANY(%s::uuid[]) ORDER BY p.profile_id

-- name: note_activation
INSERT INTO activation (at, actor, reason, plan, model_version, policy_version, counts)
VALUES (%(now)s, %(actor)s, %(reason)s, %(plan)s, %(model)s, %(policy)s, %(counts)s)
