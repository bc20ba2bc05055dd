-- The items of an event were stored as JSON text within JSON: they are the list they were meant to be.
-- depends: 0008_activations

ALTER TABLE event DISABLE TRIGGER event_immutable;
UPDATE event SET items = (items #>> '{}')::jsonb WHERE jsonb_typeof(items) = 'string';
ALTER TABLE event ENABLE TRIGGER event_immutable;
