-- +goose Up

-- Why the node is recorded as silent; empty: it is not.
ALTER TABLE presence ADD COLUMN silence TEXT NOT NULL DEFAULT '';

-- The run that saw a transition, in nanoseconds as presence.started, and its number in it.
ALTER TABLE transition ADD COLUMN run BIGINT NOT NULL DEFAULT 0;
ALTER TABLE transition ADD COLUMN n BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE transition DROP COLUMN n;
ALTER TABLE transition DROP COLUMN run;
ALTER TABLE presence DROP COLUMN silence;
