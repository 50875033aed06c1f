-- +goose Up

-- Times are milliseconds since 1970 UTC. States are the impacts of the report
-- protocol by rank, 0 operational ... 5 major outage.

CREATE TABLE node (
	id         INTEGER NOT NULL PRIMARY KEY,
	key        TEXT NOT NULL UNIQUE, -- node.id of the report protocol
	name       TEXT NOT NULL,
	site       TEXT NOT NULL,
	version    TEXT NOT NULL,
	first_seen BIGINT NOT NULL,
	body       BLOB NOT NULL,      -- the latest report that said something new, gzip
	body_at    BIGINT NOT NULL
);

-- What every report changes, kept apart as it is small.
CREATE TABLE presence (
	node_id    BIGINT NOT NULL PRIMARY KEY REFERENCES node (id) ON DELETE CASCADE,
	boot       TEXT NOT NULL,
	started    BIGINT NOT NULL,      -- nanoseconds: equal means the same run
	seq        BIGINT NOT NULL,
	sent       BIGINT NOT NULL,
	arrived    BIGINT NOT NULL,
	interval_s BIGINT NOT NULL,
	ttl_s      BIGINT NOT NULL,
	final      TEXT,                 -- why the agent stopped; null: it runs
	digest     TEXT NOT NULL,        -- of what the latest report said
	answered   TEXT NOT NULL,        -- the latest idempotency keys and their answers, JSON
	silent     BIGINT                -- since when it is recorded as silent; null: it is not
);

-- Whatever has a state: a component of a node, a check, a pushed component.
CREATE TABLE signal (
	id      INTEGER NOT NULL PRIMARY KEY,
	kind    TEXT NOT NULL,           -- node, push, alert, check, declared
	owner   TEXT NOT NULL,           -- of kind node: the node's key; else empty
	name    TEXT NOT NULL,           -- component or check
	node_id BIGINT REFERENCES node (id) ON DELETE CASCADE,
	summary TEXT NOT NULL,           -- of the latest state, for operators
	expires BIGINT,                  -- then the state is unknown unless it is renewed; null: never
	UNIQUE (kind, owner, name)
);
CREATE INDEX signal_node ON signal (node_id);

CREATE TABLE reason (
	id   INTEGER NOT NULL PRIMARY KEY,
	text TEXT NOT NULL UNIQUE
);

-- A state lasts until the next change of the same signal.
CREATE TABLE state_change (
	signal_id  BIGINT NOT NULL REFERENCES signal (id) ON DELETE CASCADE,
	at         BIGINT NOT NULL,
	state      SMALLINT NOT NULL,
	reason_id  BIGINT REFERENCES reason (id),
	backfilled SMALLINT NOT NULL,
	PRIMARY KEY (signal_id, at)
) WITHOUT ROWID;

CREATE TABLE transition (
	node_id     BIGINT NOT NULL REFERENCES node (id) ON DELETE CASCADE,
	id          TEXT NOT NULL,
	at          BIGINT NOT NULL,
	received    BIGINT NOT NULL,
	rule        TEXT NOT NULL,
	subject     TEXT NOT NULL,
	component   TEXT NOT NULL,
	from_level  TEXT NOT NULL,
	to_level    TEXT NOT NULL,
	impact      SMALLINT NOT NULL,
	impact_from SMALLINT,
	summary     TEXT NOT NULL,
	PRIMARY KEY (node_id, id)
) WITHOUT ROWID;
CREATE INDEX transition_at ON transition (node_id, at);

CREATE TABLE token (
	id         INTEGER NOT NULL PRIMARY KEY,
	kind       TEXT NOT NULL,        -- node, join, push, alertmanager, api
	hash       BLOB NOT NULL UNIQUE, -- SHA-256
	subject    TEXT NOT NULL,        -- node: its key; join: a pattern of keys; push: the component; api: the role
	label      TEXT NOT NULL,
	created    BIGINT NOT NULL,
	created_by TEXT NOT NULL,
	expires    BIGINT,
	revoked    BIGINT,
	used       BIGINT                -- about when it was used last
);
CREATE INDEX token_subject ON token (kind, subject);

-- Firing alerts of Alertmanager.
CREATE TABLE alert (
	fingerprint TEXT NOT NULL PRIMARY KEY,
	component   TEXT NOT NULL,
	impact      SMALLINT NOT NULL,
	name        TEXT NOT NULL,
	starts      BIGINT NOT NULL
);
CREATE INDEX alert_component ON alert (component);

CREATE TABLE incident (
	id        INTEGER NOT NULL PRIMARY KEY,
	ref       TEXT NOT NULL UNIQUE,  -- of its permanent address
	title     TEXT NOT NULL,
	impact    SMALLINT NOT NULL,
	status    TEXT NOT NULL,         -- investigating, identified, monitoring, resolved
	opened_by TEXT NOT NULL,         -- what the machine opened it for, such as a component; empty: a person did
	owner     TEXT NOT NULL,         -- who took it over; empty: the machine updates it
	started   BIGINT NOT NULL,
	resolved  BIGINT,
	created   BIGINT NOT NULL,
	updated   BIGINT NOT NULL,
	published BIGINT                 -- null: a draft, for operators only
);
CREATE INDEX incident_started ON incident (started);
CREATE INDEX incident_open ON incident (opened_by, resolved);

CREATE TABLE incident_update (
	id          INTEGER NOT NULL PRIMARY KEY,
	incident_id BIGINT NOT NULL REFERENCES incident (id) ON DELETE CASCADE,
	status      TEXT NOT NULL,
	body        TEXT NOT NULL,       -- Markdown
	at          BIGINT NOT NULL,
	created     BIGINT NOT NULL,
	edited      BIGINT,
	author      TEXT NOT NULL        -- empty: the machine
);
CREATE INDEX incident_update_incident ON incident_update (incident_id, at);

CREATE TABLE incident_component (
	incident_id BIGINT NOT NULL REFERENCES incident (id) ON DELETE CASCADE,
	component   TEXT NOT NULL,       -- a public component
	impact      SMALLINT NOT NULL,
	PRIMARY KEY (incident_id, component)
) WITHOUT ROWID;

CREATE TABLE postmortem (
	incident_id BIGINT NOT NULL PRIMARY KEY REFERENCES incident (id) ON DELETE CASCADE,
	body        TEXT NOT NULL,       -- Markdown
	author      TEXT NOT NULL,
	created     BIGINT NOT NULL,
	updated     BIGINT NOT NULL,
	published   BIGINT
);

CREATE TABLE maintenance (
	id        INTEGER NOT NULL PRIMARY KEY,
	ref       TEXT NOT NULL UNIQUE,
	title     TEXT NOT NULL,
	status    TEXT NOT NULL,         -- scheduled, in_progress, verifying, completed, cancelled
	impacting SMALLINT NOT NULL,     -- 1: it excludes its time from uptime
	starts    BIGINT NOT NULL,
	ends      BIGINT NOT NULL,
	node      TEXT NOT NULL,         -- the node that announced it; empty: a person did
	sequence  BIGINT NOT NULL,       -- of changes, for calendars
	created   BIGINT NOT NULL,
	updated   BIGINT NOT NULL,
	published BIGINT
);
CREATE INDEX maintenance_starts ON maintenance (starts);

CREATE TABLE maintenance_update (
	id             INTEGER NOT NULL PRIMARY KEY,
	maintenance_id BIGINT NOT NULL REFERENCES maintenance (id) ON DELETE CASCADE,
	status         TEXT NOT NULL,
	body           TEXT NOT NULL,
	at             BIGINT NOT NULL,
	created        BIGINT NOT NULL,
	edited         BIGINT,
	author         TEXT NOT NULL
);
CREATE INDEX maintenance_update_maintenance ON maintenance_update (maintenance_id, at);

CREATE TABLE maintenance_component (
	maintenance_id BIGINT NOT NULL REFERENCES maintenance (id) ON DELETE CASCADE,
	component      TEXT NOT NULL,
	PRIMARY KEY (maintenance_id, component)
) WITHOUT ROWID;

CREATE TABLE operator (
	id       INTEGER NOT NULL PRIMARY KEY,
	name     TEXT NOT NULL UNIQUE,
	role     TEXT NOT NULL,          -- viewer, operator, admin
	password TEXT NOT NULL,          -- argon2id, PHC format
	created  BIGINT NOT NULL,
	disabled BIGINT
);

CREATE TABLE session (
	hash        BLOB NOT NULL PRIMARY KEY, -- SHA-256 of the cookie
	operator_id BIGINT NOT NULL REFERENCES operator (id) ON DELETE CASCADE,
	created     BIGINT NOT NULL,
	expires     BIGINT NOT NULL
);
CREATE INDEX session_operator ON session (operator_id);

CREATE TABLE audit (
	id      INTEGER NOT NULL PRIMARY KEY,
	at      BIGINT NOT NULL,
	who     TEXT NOT NULL,
	action  TEXT NOT NULL,
	subject TEXT NOT NULL,
	detail  TEXT NOT NULL
);
CREATE INDEX audit_at ON audit (at);

-- When some hub was running: from the beat before the gap to the first one after it.
CREATE TABLE hub (
	id      TEXT NOT NULL PRIMARY KEY,
	started BIGINT NOT NULL,
	beat    BIGINT NOT NULL
);
CREATE TABLE hub_gap (
	begins BIGINT NOT NULL PRIMARY KEY,
	ends   BIGINT NOT NULL
);

-- Who does the periodic work.
CREATE TABLE lease (
	name    TEXT NOT NULL PRIMARY KEY,
	holder  TEXT NOT NULL,
	epoch   BIGINT NOT NULL,
	expires BIGINT NOT NULL
);

-- +goose Down
DROP TABLE lease;
DROP TABLE hub_gap;
DROP TABLE hub;
DROP TABLE audit;
DROP TABLE session;
DROP TABLE operator;
DROP TABLE maintenance_component;
DROP TABLE maintenance_update;
DROP TABLE maintenance;
DROP TABLE postmortem;
DROP TABLE incident_component;
DROP TABLE incident_update;
DROP TABLE incident;
DROP TABLE alert;
DROP TABLE token;
DROP TABLE transition;
DROP TABLE state_change;
DROP TABLE reason;
DROP TABLE signal;
DROP TABLE presence;
DROP TABLE node;
