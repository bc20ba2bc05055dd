-- Stored events decided again, in a shadow of the house: a schema that holds a table of the same name for each that follows
-- from events and logic. These run with the shadow before `public` on the search path, so that a bare name is the shadow's
-- table where it has one; what is read of the live house is called by its schema.

-- name: make_shadow
-- Its tables are like the live ones, so that they cannot drift apart. Nobody is told of what is decided here.
DO $$
DECLARE
    path text := current_setting('search_path');
    identifiers text;
    consents text;
BEGIN
    PERFORM set_config('search_path', 'public', true);
    identifiers := pg_get_viewdef('profile_identifier'::regclass);
    consents := pg_get_viewdef('profile_consent'::regclass);
    PERFORM set_config('search_path', path, true);
    CREATE TABLE data_key (LIKE public.data_key INCLUDING ALL);
    CREATE TABLE event_index (LIKE public.event_index INCLUDING ALL);
    CREATE TABLE event (LIKE public.event INCLUDING ALL);
    CREATE TABLE customer_profile (LIKE public.customer_profile INCLUDING ALL);
    CREATE TABLE identity_record (LIKE public.identity_record INCLUDING ALL);
    CREATE TABLE match_key (LIKE public.match_key INCLUDING ALL);
    CREATE TABLE worn_key (LIKE public.worn_key INCLUDING ALL);
    CREATE TABLE shared_identifier (LIKE public.shared_identifier INCLUDING ALL);
    CREATE TABLE record_identifier (LIKE public.record_identifier INCLUDING ALL);
    CREATE TABLE record_product (LIKE public.record_product INCLUDING ALL);
    CREATE TABLE consent (LIKE public.consent INCLUDING ALL);
    CREATE TABLE identity_evidence (LIKE public.identity_evidence INCLUDING ALL);
    CREATE TABLE identity_constraint (LIKE public.identity_constraint INCLUDING ALL);
    CREATE TABLE identity_merge_log (LIKE public.identity_merge_log INCLUDING ALL);
    CREATE TABLE review_queue (LIKE public.review_queue INCLUDING ALL);
    CREATE TABLE outbox (LIKE public.outbox INCLUDING ALL);
    EXECUTE 'CREATE VIEW profile_identifier AS ' || identifiers;
    EXECUTE 'CREATE VIEW profile_consent AS ' || consents;
    IF to_regrole('rb_eraser') IS NOT NULL THEN  -- who is forgotten meanwhile is forgotten here as well
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO rb_eraser', current_schema());
        GRANT SELECT, DELETE ON data_key TO rb_eraser;
        GRANT SELECT ON event_index TO rb_eraser;
    END IF;
END $$;
CREATE FUNCTION discard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER discard BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION discard();
CREATE TABLE replay (                           -- one row: by what logic, and from when on events are normalized anew
    started_at     timestamptz NOT NULL,
    from_time      timestamptz,                 -- null: all of them
    model_version  text NOT NULL,
    policy_version text NOT NULL,
    region         text NOT NULL,
    key_version    integer NOT NULL,
    built_at       timestamptz
);
CREATE TABLE replay_kept (                      -- events that were to be normalized anew and could not be
    event_id  uuid PRIMARY KEY,
    record_id uuid,
    reason    text NOT NULL,
    undecided boolean NOT NULL                  -- nothing opens its record, which so stays where it stands
);
CREATE TABLE replay_atom (                      -- events of one live record that speak of one record here
    live_record    uuid,
    record_id      uuid,
    live_profile   uuid,
    shadow_profile uuid,
    first_seen     timestamptz NOT NULL,
    events         bigint NOT NULL
);
CREATE INDEX replay_atom_by_live ON replay_atom (live_profile);
CREATE INDEX replay_atom_by_shadow ON replay_atom (shadow_profile);
CREATE TABLE replay_heir (                      -- which id a customer here is to have
    shadow_profile uuid PRIMARY KEY,
    profile_id     uuid NOT NULL UNIQUE
);
CREATE TABLE replay_decision (                  -- what leads from the live customers to those here
    merge_log_id uuid PRIMARY KEY,
    kind         text NOT NULL,
    source       uuid NOT NULL,
    target       uuid NOT NULL
);
CREATE TABLE replay_event (LIKE public.event);  -- live events that say something else by now
CREATE VIEW replay_record AS
    SELECT r.record_id, h.profile_id, r.first_seen, r.last_seen, r.sources, r.sealed
    FROM identity_record r JOIN replay_heir h ON h.shadow_profile = r.profile_id;
CREATE VIEW replay_undecided AS
    SELECT DISTINCT k.record_id FROM replay_kept k
    WHERE k.undecided AND NOT EXISTS (SELECT FROM identity_record r WHERE r.record_id = k.record_id)

-- name: shadow_stands
-- Whether there is a schema of that name, and whether a replay made it.
SELECT to_regnamespace(%(name)s) IS NOT NULL, to_regclass(%(name)s || '.replay_kept') IS NOT NULL

-- name: begin_replay
INSERT INTO replay (started_at, from_time, model_version, policy_version, region, key_version)
VALUES (%(now)s, %(from_time)s, %(model)s, %(policy)s, %(region)s, %(key_version)s)

-- name: copy_constraints
-- Stewards' words, before the first event: most records will be called as they are.
INSERT INTO identity_constraint SELECT * FROM public.identity_constraint

-- name: read_replay
-- The replay as it was begun, locked: one process at a time goes on with it.
SELECT from_time, model_version, policy_version, region, key_version, built_at FROM replay FOR UPDATE

-- name: mark_built
UPDATE replay SET built_at = coalesce(built_at, %s)

-- name: replay_total
SELECT (SELECT count(*) FROM public.event_index WHERE erased_by IS NULL), (SELECT count(*) FROM event_index)

-- name: replay_reached
-- The last event of the fixed order that is decided here.
SELECT accepted_at, event_id FROM event ORDER BY accepted_at DESC, event_id DESC LIMIT 1

-- name: replay_next
-- The next events behind one, in a fixed order.
SELECT accepted_at, event_id FROM public.event
WHERE (accepted_at, event_id) > (%(at)s, %(event)s) ORDER BY accepted_at, event_id LIMIT %(limit)s

-- name: replay_missing
-- Live events that are not here yet.
SELECT l.accepted_at, l.event_id FROM public.event_index l
WHERE l.erased_by IS NULL AND NOT EXISTS (SELECT FROM event_index s WHERE s.event_id = l.event_id)
ORDER BY l.accepted_at, l.event_id

-- name: replay_events
-- Live events, what opens the raw event of each that is to be normalized anew, and why nothing can be decided of it, if so.
SELECT i.event_id, e.raw_id, i.record_id, i.accepted_at, e.occurred_at, e.source, e.event_type, e.channel, e.store,
       e.order_amount, e.currency, e.items, e.reasons, e.source_record_id, e.request_id, e.correlation_id,
       w.topic, w.partition, w."offset", w.sealed, k.wrapped, k.key_version,
       CASE WHEN e.event_id IS NULL THEN 'raw_event_missing'
            WHEN i.record_id IS NOT NULL AND NOT EXISTS (SELECT FROM public.data_key r WHERE r.owner_id = i.record_id)
                THEN 'data_key_missing' END
FROM unnest(%(events)s::uuid[]) n(event_id)
JOIN public.event_index i USING (event_id)
LEFT JOIN public.event e ON e.accepted_at = i.accepted_at AND e.event_id = i.event_id
-- normalized events tell milliseconds
LEFT JOIN public.customer_raw_event w ON w.raw_id = e.raw_id
    AND w.accepted_at > e.accepted_at - interval '1 millisecond' AND w.accepted_at < e.accepted_at + interval '1 millisecond'
    AND (%(from_time)s::timestamptz IS NULL OR e.accepted_at >= %(from_time)s)
LEFT JOIN public.data_key k ON k.owner_id = w.raw_id
ORDER BY i.accepted_at, i.event_id

-- name: replay_records
-- Live records as they stand, sealed.
SELECT r.record_id, r.sealed, k.wrapped, k.key_version
FROM public.identity_record r JOIN public.data_key k ON k.owner_id = r.record_id WHERE r.record_id = ANY(%s::uuid[])

-- name: keep_events
INSERT INTO replay_kept (event_id, record_id, reason, undecided)
SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::bool[]) ON CONFLICT DO NOTHING

-- name: kept_events
-- How many events were kept as they stand, by reason.
SELECT reason, count(*) FROM replay_kept GROUP BY reason ORDER BY reason

-- name: kept_before
-- How many events were kept since they came before the time from which on events are normalized anew.
SELECT count(*) FROM event WHERE accepted_at < (SELECT from_time FROM replay)

-- name: replay_forgotten
-- How many people of whom this shadow knows were forgotten since, or their events taken out.
SELECT (SELECT count(*) FROM event_index s
        WHERE NOT EXISTS (SELECT FROM public.event_index l WHERE l.event_id = s.event_id AND l.erased_by IS NULL))
     + (SELECT count(*) FROM event s JOIN public.event_index l USING (event_id)
        WHERE l.record_id IS NOT NULL AND NOT EXISTS (SELECT FROM public.data_key k WHERE k.owner_id = l.record_id))

-- ── what stewards said ────────────────────────────────────────────────────────────────────────────────────────────────

-- name: live_constraints
SELECT constraint_id, kind, left_records, right_records, revoked_at FROM public.identity_constraint ORDER BY constraint_id

-- name: shadow_constraints
SELECT constraint_id, left_records, right_records, revoked_at FROM identity_constraint

-- name: replay_became
-- What became of live records: those that their events speak of here, and whether they stand in the live house.
SELECT n.record_id, array_agg(DISTINCT s.record_id) FILTER (WHERE s.record_id IS NOT NULL),
       EXISTS (SELECT FROM public.identity_record r WHERE r.record_id = n.record_id)
FROM unnest(%s::uuid[]) n(record_id)
LEFT JOIN public.event e ON e.record_id = n.record_id
LEFT JOIN event_index s ON s.event_id = e.event_id
GROUP BY n.record_id

-- name: put_constraints
INSERT INTO identity_constraint (constraint_id, kind, left_records, right_records, actor, reason, created_at, revoked_at,
    revoked_by, revoke_reason, review_id)
SELECT l.constraint_id, l.kind, ARRAY(SELECT jsonb_array_elements_text(n.sides -> 0)::uuid),
       ARRAY(SELECT jsonb_array_elements_text(n.sides -> 1)::uuid), l.actor, l.reason, l.created_at, l.revoked_at,
       l.revoked_by, l.revoke_reason, l.review_id
FROM unnest(%s::uuid[], %s::text[]::jsonb[]) n(constraint_id, sides) JOIN public.identity_constraint l USING (constraint_id)
ON CONFLICT (constraint_id) DO UPDATE
SET left_records = excluded.left_records, right_records = excluded.right_records, revoked_at = excluded.revoked_at,
    revoked_by = excluded.revoked_by, revoke_reason = excluded.revoke_reason

-- name: live_held
-- The records of each live customer that is held together until a steward answers.
SELECT array_agg(r.record_id) FROM public.customer_profile p JOIN public.identity_record r USING (profile_id)
WHERE p.held GROUP BY p.profile_id

-- name: tie_for_now
INSERT INTO identity_constraint (constraint_id, kind, left_records, right_records, actor, reason, created_at)
SELECT n.constraint_id, 'must_link', ARRAY(SELECT jsonb_array_elements_text(n.records)::uuid), '{}', 'replay', 'held', n.now
FROM (SELECT *, %s::timestamptz AS now FROM unnest(%s::uuid[], %s::text[]::jsonb[]) t(constraint_id, records)) n

-- name: untie
DELETE FROM identity_constraint s WHERE NOT EXISTS (
    SELECT FROM public.identity_constraint l WHERE l.constraint_id = s.constraint_id)

-- name: homes_of
-- The profiles that records stand in.
SELECT DISTINCT profile_id FROM identity_record WHERE record_id = ANY(%s::uuid[])

-- ── the difference ────────────────────────────────────────────────────────────────────────────────────────────────────

-- name: clear_difference
TRUNCATE replay_atom, replay_heir, replay_decision, replay_event

-- name: fill_atoms
INSERT INTO replay_atom
SELECT l.record_id, s.record_id, lr.profile_id, sr.profile_id, min(s.occurred_at), count(*)
FROM event s JOIN public.event_index l USING (event_id)
LEFT JOIN public.identity_record lr ON lr.record_id = l.record_id
LEFT JOIN identity_record sr ON sr.record_id = s.record_id
WHERE l.record_id IS NOT NULL OR s.record_id IS NOT NULL
GROUP BY l.record_id, s.record_id, lr.profile_id, sr.profile_id

-- name: look_at_atoms
ANALYZE replay_atom

-- name: replay_parts
-- What live customers and customers here have in common, by their oldest record in common, and how many events that is.
SELECT live_profile, shadow_profile, first_seen, events
FROM (
    SELECT live_profile, shadow_profile, first_seen, live_record, record_id,
           sum(events) OVER pair AS events,
           row_number() OVER (pair ORDER BY first_seen, live_record, record_id) AS nth
    FROM replay_atom WINDOW pair AS (PARTITION BY live_profile, shadow_profile)
) atom
WHERE nth = 1 ORDER BY first_seen, live_record, record_id

-- name: replay_created
-- When live profiles came about.
SELECT profile_id, created_at FROM public.customer_profile WHERE profile_id = ANY(%s::uuid[])

-- name: replay_withheld
-- Those of the live profiles that hold records nobody can open.
SELECT DISTINCT r.profile_id FROM replay_undecided u JOIN public.identity_record r USING (record_id)
WHERE r.profile_id = ANY(%s::uuid[])

-- name: copy_heirs
COPY replay_heir (shadow_profile, profile_id) FROM STDIN (FORMAT binary)

-- name: copy_replay_decisions
COPY replay_decision (merge_log_id, kind, source, target) FROM STDIN (FORMAT binary)

-- name: replay_moved
-- The records that each decision moves.
SELECT d.merge_log_id, array_agg(DISTINCT a.record_id ORDER BY a.record_id)
FROM replay_decision d
JOIN replay_atom a ON a.live_profile = d.source
JOIN replay_heir h ON h.shadow_profile = a.shadow_profile AND h.profile_id = d.target
GROUP BY d.merge_log_id

-- name: replay_changed
-- Customers that differ from the live one of their id: in their records, in their golden values, in what they consent to; new ones
-- differ in all.
WITH said AS (
    SELECT profile_id, jsonb_agg(jsonb_build_array(purpose, state, at, source) ORDER BY purpose) AS consent
    FROM profile_consent GROUP BY profile_id
), live_said AS (
    SELECT profile_id, jsonb_agg(jsonb_build_array(purpose, state, at, source) ORDER BY purpose) AS consent
    FROM public.profile_consent GROUP BY profile_id
)
SELECT h.profile_id, l.profile_id IS NULL
FROM replay_heir h
JOIN customer_profile s ON s.profile_id = h.shadow_profile
JOIN (SELECT profile_id, array_agg(record_id ORDER BY record_id) AS records FROM identity_record GROUP BY profile_id) mine
    ON mine.profile_id = h.shadow_profile
LEFT JOIN public.customer_profile l ON l.profile_id = h.profile_id
LEFT JOIN (SELECT profile_id, array_agg(record_id ORDER BY record_id) AS records FROM public.identity_record r
           WHERE NOT EXISTS (SELECT FROM replay_undecided u WHERE u.record_id = r.record_id) GROUP BY profile_id) theirs
    ON theirs.profile_id = h.profile_id
LEFT JOIN said ON said.profile_id = h.shadow_profile
LEFT JOIN live_said ON live_said.profile_id = h.profile_id
WHERE l.profile_id IS NULL OR mine.records IS DISTINCT FROM theirs.records OR s.golden IS DISTINCT FROM l.golden
   OR said.consent IS DISTINCT FROM live_said.consent
ORDER BY h.profile_id

-- name: replay_counts
-- Customers in the live house; events that come to another customer, that come to name somebody, and that name nobody any more.
SELECT (SELECT count(DISTINCT profile_id) FROM public.identity_record),
       (SELECT count(*) FROM replay_heir),
       coalesce(sum(a.events) FILTER (WHERE a.live_profile <> h.profile_id), 0)::bigint,
       coalesce(sum(a.events) FILTER (WHERE a.live_profile IS NULL), 0)::bigint,
       coalesce(sum(a.events) FILTER (WHERE a.shadow_profile IS NULL), 0)::bigint
FROM replay_atom a LEFT JOIN replay_heir h USING (shadow_profile)

-- name: replay_golden_live
-- How many events each of these live profiles has, and its golden record: what each attribute is won by, sealed.
SELECT p.profile_id, (SELECT sum(events)::bigint FROM replay_atom a WHERE a.live_profile = p.profile_id),
       g.attribute, r.record_id, r.sealed, k.wrapped, k.key_version
FROM public.customer_profile p
LEFT JOIN LATERAL jsonb_each_text(p.golden) g(attribute, record) ON true
LEFT JOIN public.identity_record r ON r.record_id = g.record::uuid
LEFT JOIN public.data_key k ON k.owner_id = r.record_id
WHERE p.profile_id = ANY(%s::uuid[])

-- name: replay_golden_shadow
-- The same of the customers here, by the ids they are to have.
SELECT h.profile_id, (SELECT sum(events)::bigint FROM replay_atom a WHERE a.shadow_profile = p.profile_id),
       g.attribute, r.record_id, r.sealed, k.wrapped, k.key_version
FROM replay_heir h
JOIN customer_profile p ON p.profile_id = h.shadow_profile
LEFT JOIN LATERAL jsonb_each_text(p.golden) g(attribute, record) ON true
LEFT JOIN identity_record r ON r.record_id = g.record::uuid
LEFT JOIN data_key k ON k.owner_id = r.record_id
WHERE h.profile_id = ANY(%s::uuid[])
