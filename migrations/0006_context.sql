-- Tokens of project context that the router put into a request, as estimated; part of its prompt.
ALTER TABLE requests ADD COLUMN context_tokens INTEGER NOT NULL DEFAULT 0;

-- When requests of a key are given project context if they do not say so themselves: `always`,
-- `never` or `on-header`; NULL: as the configuration says.
ALTER TABLE client_keys ADD COLUMN inject TEXT;
