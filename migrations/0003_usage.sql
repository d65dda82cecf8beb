-- Further kinds of use with prices of their own, and the class of service of the answer.
ALTER TABLE requests ADD COLUMN cache_write_long INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN audio_cached INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN audio_output INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN image_input INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN image_output INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN web_searches INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN server_tools INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN service TEXT;
ALTER TABLE requests ADD COLUMN regional INTEGER NOT NULL DEFAULT 0;
