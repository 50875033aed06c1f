-- +goose Up

-- Requests to the API that have changed something, so that one that is sent again
-- changes nothing.
CREATE TABLE api_request (
	token_id BIGINT NOT NULL REFERENCES token (id) ON DELETE CASCADE,
	key      TEXT NOT NULL,  -- the Idempotency-Key
	digest   BYTEA NOT NULL,  -- SHA-256 of the request
	at       BIGINT NOT NULL,
	shows    TEXT NOT NULL,  -- the path of what it made or changed
	PRIMARY KEY (token_id, key)
);
CREATE INDEX api_request_at ON api_request (token_id, at);

-- +goose Down
DROP TABLE api_request;
