-- +goose Up

-- Grows whenever the incident is kept: two who change it at once do not undo each other.
ALTER TABLE incident ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;

-- What customers should do once it is over, Markdown.
ALTER TABLE incident ADD COLUMN after_care TEXT NOT NULL DEFAULT '';

-- 1: a person says that the component has this state, whatever is measured.
ALTER TABLE incident_component ADD COLUMN declared SMALLINT NOT NULL DEFAULT 0;

-- The components and their states at an update, JSON.
ALTER TABLE incident_update ADD COLUMN affected TEXT NOT NULL DEFAULT '[]';

-- When the work began and ended.
ALTER TABLE maintenance ADD COLUMN began BIGINT;
ALTER TABLE maintenance ADD COLUMN finished BIGINT;
ALTER TABLE maintenance RENAME COLUMN sequence TO revision;

-- +goose Down
ALTER TABLE maintenance RENAME COLUMN revision TO sequence;
ALTER TABLE maintenance DROP COLUMN finished;
ALTER TABLE maintenance DROP COLUMN began;
ALTER TABLE incident_update DROP COLUMN affected;
ALTER TABLE incident_component DROP COLUMN declared;
ALTER TABLE incident DROP COLUMN after_care;
ALTER TABLE incident DROP COLUMN revision;
