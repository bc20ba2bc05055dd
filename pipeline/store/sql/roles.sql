-- Database roles and what they are given; pipeline/store/rights.py declares it.

-- name: roles_made
-- Those of the roles that are there.
SELECT rolname::text FROM pg_roles WHERE rolname = ANY(%s::text[])

-- name: may_take_role
-- Whether a connection of this login may take the role.
SELECT pg_has_role(session_user, %s::text, 'MEMBER')

-- name: login_name
SELECT session_user::text

-- name: own_relations
-- Tables, views and sequences of the house; partitions too, for which nobody is given anything of their own.
SELECT c.relname::text FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e')
ORDER BY c.relname

-- name: own_functions
-- Functions of the house. Those of extensions are everybody's, as their operators need them.
SELECT p.proname::text FROM pg_proc p
WHERE p.pronamespace = 'public'::regnamespace
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e')
ORDER BY p.proname
