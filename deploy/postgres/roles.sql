-- Three roles: who owns and migrates, who runs, who prunes. What was recorded cannot be altered by the one that runs.
--
-- Run it in the monitor's database as a superuser (or as a role that may create roles and owns the database): once before
-- the first `monitor db upgrade`, and again after each one. It is safe to run at any time.
--
--   psql --set ON_ERROR_STOP=1 --dbname monitor --file deploy/postgres/roles.sql
--
-- Passwords are not set here: give each role one, or let it in by a certificate or by its cloud identity:
--   ALTER ROLE monitor_run PASSWORD '…';
-- monitor/store/grants.py says the same; a test holds the two together.

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['monitor_owner', 'monitor_run', 'monitor_prune'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
      EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE', name);
    END IF;
  END LOOP;
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO monitor_owner, monitor_run, monitor_prune', current_database());
END
$$;

-- Only the owner makes tables: migrations are run as monitor_owner.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO monitor_owner;
GRANT USAGE ON SCHEMA public TO monitor_run, monitor_prune;

-- A table that a later migration makes is append-only until it is named below.
ALTER DEFAULT PRIVILEGES FOR ROLE monitor_owner IN SCHEMA public GRANT SELECT, INSERT ON TABLES TO monitor_run;
ALTER DEFAULT PRIVILEGES FOR ROLE monitor_owner IN SCHEMA public GRANT SELECT ON TABLES TO monitor_prune;

DO $$
DECLARE
  name text;
BEGIN
  -- Append-only: what a sweep has recorded.
  FOREACH name IN ARRAY ARRAY[
    'sweep', 'scope_coverage', 'finding_sighting', 'token_exchange', 'remembered', 'retained_part', 'acknowledgement'
  ] LOOP
    IF to_regclass('public.' || name) IS NOT NULL THEN
      EXECUTE format('REVOKE ALL ON %I FROM monitor_run', name);
      EXECUTE format('GRANT SELECT, INSERT ON %I TO monitor_run', name);
    END IF;
  END LOOP;
  -- Living rows: where findings, marks, slots and messages stand, and log objects that are read again.
  FOREACH name IN ARRAY ARRAY['finding', 'mark', 'log_object', 'slot', 'outbox', 'thread'] LOOP
    IF to_regclass('public.' || name) IS NOT NULL THEN
      EXECUTE format('REVOKE ALL ON %I FROM monitor_run', name);
      EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO monitor_run', name);
    END IF;
  END LOOP;
  -- Pruning removes what is past its term, and nothing else.
  IF to_regclass('public.sweep') IS NOT NULL THEN
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO monitor_prune;
  END IF;
  FOREACH name IN ARRAY ARRAY['log_object', 'token_exchange', 'remembered', 'outbox'] LOOP
    IF to_regclass('public.' || name) IS NOT NULL THEN
      EXECUTE format('GRANT DELETE ON %I TO monitor_prune', name);
    END IF;
  END LOOP;
  -- Which schema this is, everybody may know; only a migration may change it.
  IF to_regclass('public.alembic_version') IS NOT NULL THEN
    REVOKE ALL ON alembic_version FROM monitor_run, monitor_prune;
    GRANT SELECT ON alembic_version TO monitor_run, monitor_prune;
  END IF;
END
$$;
