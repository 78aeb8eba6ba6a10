-- A role for each host that shares a store, in place of one for all: none of them can then touch what the store keeps of the audit logs of the
-- others, or take back what it keeps of its own, so that `notp audit verify --host` on another host finds what even root has written anew.
-- Enrolments are shared, and each host can change them: see SECURITY.md. No role can lock a table for the others, but for "sealed",
-- "approved" and "granted", from which notp deletes: with those a host could keep the others waiting, as it can with the rows of the enrolments. It can put
-- reports of outages in under the name of another, and change or delete none.
--
-- After `notp store migrate` (as the role "notp", which owns the tables), as the administrator of the database, once for each host and again
-- after an update of notp that migrates the tables:
--   createuser --pwprompt web1
--   psql -d notp -v host=web1 -f postgres-roles.sql
-- and on that host in /etc/notp/notp.toml:
--   [store]
--   url = "postgres://web1@db.example.org/notp"
--   host = "web1"              # the same name
-- Where the host had another name in the store before ("old"), hand its log over to this role, once:
--   psql -d notp -v old=old -v host=web1 -f postgres-roles.sql
-- `notp store migrate` and `notp store copy` go on as the owner.
\set ON_ERROR_STOP 1
BEGIN;

-- What an earlier version of this file has granted.
REVOKE ALL ON ALL TABLES IN SCHEMA notp FROM :"host";
GRANT USAGE ON SCHEMA notp TO :"host";
GRANT SELECT ON notp.version TO :"host";
GRANT SELECT, INSERT, DELETE ON notp.sealed, notp.approved, notp.granted, notp.rules TO :"host";
-- Added to, never changed.
GRANT SELECT, INSERT ON notp.host, notp.mark, notp.outage TO :"host";
-- Changed by columns: whoever may update a whole table may lock it, too.
GRANT SELECT, INSERT ON notp.chain, notp.backlog, notp.former_chain_key, notp.refusals, notp.acceptances,
  notp.enrolment, notp.imported, notp.connection, notp.peer, notp.counter, notp.member TO :"host";
GRANT UPDATE (seq, hash, lacking, mac) ON notp.chain TO :"host";
GRANT UPDATE (seq, part, text) ON notp.backlog TO :"host";
GRANT UPDATE (mac) ON notp.former_chain_key TO :"host";
GRANT UPDATE (tokens, as_of_ms, count, since_ms, ref, shared, until_ms, mac) ON notp.refusals, notp.acceptances TO :"host";
GRANT UPDATE (id, pending_id, status, last_step, tokens, as_of_ms, spent, pending_tokens, pending_spent, last_accepted_ms,
  pending_inherits, pending_last_step, pending_period_seconds, digest, pending_digest, period_seconds, uid, tries, mac) ON notp.enrolment TO :"host";
GRANT UPDATE (key, last_step, codes, spent, mac) ON notp.imported TO :"host";
GRANT UPDATE (id, pid, start_ticks, boot_id, turn, mac) ON notp.connection TO :"host";
GRANT UPDATE (id, digest, accepted_ms, mac) ON notp.peer TO :"host";
GRANT UPDATE (next) ON notp.counter TO :"host";
GRANT UPDATE (until_ms, seen_ms, revoked_ms) ON notp.member TO :"host";
GRANT UPDATE (text) ON notp.sealed TO :"host";
GRANT UPDATE (as_of_ms, mac) ON notp.approved TO :"host";
GRANT UPDATE (mac) ON notp.granted TO :"host";
GRANT UPDATE (as_of_ms, text, mac) ON notp.rules TO :"host";

-- Each log belongs to the host that began it.
\if :{?old}
UPDATE notp.chain SET host = :'host' WHERE host = :'old';
\endif

ALTER TABLE notp.host ENABLE ROW LEVEL SECURITY;
ALTER TABLE notp.chain ENABLE ROW LEVEL SECURITY;
ALTER TABLE notp.backlog ENABLE ROW LEVEL SECURITY;
ALTER TABLE notp.mark ENABLE ROW LEVEL SECURITY;
ALTER TABLE notp.former_chain_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE notp.refusals ENABLE ROW LEVEL SECURITY;
ALTER TABLE notp.acceptances ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS seen ON notp.host;
DROP POLICY IF EXISTS own ON notp.host;
DROP POLICY IF EXISTS seen ON notp.chain;
DROP POLICY IF EXISTS own ON notp.chain;
DROP POLICY IF EXISTS seen ON notp.backlog;
DROP POLICY IF EXISTS own ON notp.backlog;
DROP POLICY IF EXISTS seen ON notp.mark;
DROP POLICY IF EXISTS own ON notp.mark;
DROP POLICY IF EXISTS seen ON notp.former_chain_key;
DROP POLICY IF EXISTS own ON notp.former_chain_key;
DROP POLICY IF EXISTS seen ON notp.refusals;
DROP POLICY IF EXISTS own ON notp.refusals;
DROP POLICY IF EXISTS seen ON notp.acceptances;
DROP POLICY IF EXISTS own ON notp.acceptances;
CREATE POLICY seen ON notp.host FOR SELECT USING (true);
CREATE POLICY seen ON notp.chain FOR SELECT USING (true);
CREATE POLICY seen ON notp.backlog FOR SELECT USING (true);
CREATE POLICY seen ON notp.mark FOR SELECT USING (true);
CREATE POLICY seen ON notp.former_chain_key FOR SELECT USING (true);
CREATE POLICY seen ON notp.refusals FOR SELECT USING (true);
CREATE POLICY seen ON notp.acceptances FOR SELECT USING (true);
CREATE POLICY own ON notp.host FOR INSERT WITH CHECK (name = current_user);
CREATE POLICY own ON notp.chain USING (host = current_user) WITH CHECK (host = current_user);
CREATE POLICY own ON notp.backlog USING (
  EXISTS (SELECT FROM notp.chain WHERE chain.log = backlog.log AND chain.host = current_user));
CREATE POLICY own ON notp.mark FOR INSERT WITH CHECK (
  EXISTS (SELECT FROM notp.chain WHERE chain.log = mark.log AND chain.host = current_user));
CREATE POLICY own ON notp.former_chain_key USING (
  EXISTS (SELECT FROM notp.chain WHERE chain.log = former_chain_key.log AND chain.host = current_user));
CREATE POLICY own ON notp.refusals USING (
  EXISTS (SELECT FROM notp.chain WHERE chain.log = refusals.log AND chain.host = current_user));
CREATE POLICY own ON notp.acceptances USING (
  EXISTS (SELECT FROM notp.chain WHERE chain.log = acceptances.log AND chain.host = current_user));

COMMIT;
