-- Sums of `requests` and `charges` by quarter of an hour (of UTC, so that a day of any time zone is
-- made of whole ones), kept in step by the triggers below in the transaction that writes the rows:
-- a report over ten million requests reads some thousand rows. '' stands for NULL.
CREATE TABLE usage_quarters (
    -- microseconds / 900000000
    quarter        INTEGER NOT NULL,
    key            TEXT    NOT NULL,
    project        TEXT    NOT NULL,
    -- of the answer, or of the call that cost money
    model          TEXT    NOT NULL,
    tier           TEXT    NOT NULL,
    -- 1: ended with an error; a client that hung up is none
    failed         INTEGER NOT NULL,
    -- prompts longer than so many tokens: some prices depend on it
    longer_than    INTEGER NOT NULL,
    requests       INTEGER NOT NULL DEFAULT 0,
    estimated      INTEGER NOT NULL DEFAULT 0,
    input          INTEGER NOT NULL DEFAULT 0,
    cache_read     INTEGER NOT NULL DEFAULT 0,
    cache_write    INTEGER NOT NULL DEFAULT 0,
    cache_write_1h INTEGER NOT NULL DEFAULT 0,
    output         INTEGER NOT NULL DEFAULT 0,
    reasoning      INTEGER NOT NULL DEFAULT 0,
    audio_input    INTEGER NOT NULL DEFAULT 0,
    -- nano-USD that the answers cost, as their requests say
    cost           INTEGER NOT NULL DEFAULT 0,
    estimated_cost INTEGER NOT NULL DEFAULT 0,
    -- the dearest single request of these
    dearest        INTEGER NOT NULL DEFAULT 0,
    -- nano-USD of all charges: what the budget counts (tier '', failed 0, longer_than 0)
    charged        INTEGER NOT NULL DEFAULT 0,
    unconfirmed       INTEGER NOT NULL DEFAULT 0,
    unconfirmed_count INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (quarter, key, project, model, tier, failed, longer_than)
) STRICT, WITHOUT ROWID;

INSERT INTO usage_quarters (quarter, key, project, model, tier, failed, longer_than, requests,
 estimated, input, cache_read, cache_write, cache_write_1h, output, reasoning, audio_input, cost,
 estimated_cost, dearest)
SELECT started_at / 900000000, key, COALESCE(project, ''), COALESCE(model, ''), COALESCE(tier, ''),
 error IS NOT NULL AND error <> 'client_gone',
 CASE WHEN input + cache_read + cache_write + cache_write_1h <= 100000 THEN 0
  WHEN input + cache_read + cache_write + cache_write_1h <= 128000 THEN 100000
  WHEN input + cache_read + cache_write + cache_write_1h <= 200000 THEN 128000
  WHEN input + cache_read + cache_write + cache_write_1h <= 256000 THEN 200000
  WHEN input + cache_read + cache_write + cache_write_1h <= 272000 THEN 256000
  WHEN input + cache_read + cache_write + cache_write_1h <= 512000 THEN 272000
  ELSE 512000 END,
 COUNT(*), SUM(estimated), SUM(input), SUM(cache_read), SUM(cache_write), SUM(cache_write_1h),
 SUM(output), SUM(reasoning), SUM(audio_input), SUM(cost), SUM(estimated * cost), MAX(cost)
FROM requests GROUP BY 1, 2, 3, 4, 5, 6, 7;

INSERT INTO usage_quarters (quarter, key, project, model, tier, failed, longer_than, charged,
 unconfirmed, unconfirmed_count)
SELECT reserved_at / 900000000, key, COALESCE(project, ''), model, '', 0, 0, SUM(cost),
 SUM(unconfirmed * cost), SUM(unconfirmed)
FROM charges WHERE true GROUP BY 1, 2, 3, 4
ON CONFLICT DO UPDATE SET charged = excluded.charged, unconfirmed = excluded.unconfirmed,
 unconfirmed_count = excluded.unconfirmed_count;

CREATE TRIGGER requests_are_summed AFTER INSERT ON requests BEGIN
INSERT INTO usage_quarters (quarter, key, project, model, tier, failed, longer_than, requests,
 estimated, input, cache_read, cache_write, cache_write_1h, output, reasoning, audio_input, cost,
 estimated_cost, dearest)
VALUES (NEW.started_at / 900000000, NEW.key, COALESCE(NEW.project, ''), COALESCE(NEW.model, ''),
 COALESCE(NEW.tier, ''), NEW.error IS NOT NULL AND NEW.error <> 'client_gone',
 CASE WHEN NEW.input + NEW.cache_read + NEW.cache_write + NEW.cache_write_1h <= 100000 THEN 0
  WHEN NEW.input + NEW.cache_read + NEW.cache_write + NEW.cache_write_1h <= 128000 THEN 100000
  WHEN NEW.input + NEW.cache_read + NEW.cache_write + NEW.cache_write_1h <= 200000 THEN 128000
  WHEN NEW.input + NEW.cache_read + NEW.cache_write + NEW.cache_write_1h <= 256000 THEN 200000
  WHEN NEW.input + NEW.cache_read + NEW.cache_write + NEW.cache_write_1h <= 272000 THEN 256000
  WHEN NEW.input + NEW.cache_read + NEW.cache_write + NEW.cache_write_1h <= 512000 THEN 272000
  ELSE 512000 END,
 1, NEW.estimated, NEW.input, NEW.cache_read, NEW.cache_write, NEW.cache_write_1h, NEW.output,
 NEW.reasoning, NEW.audio_input, NEW.cost, NEW.estimated * NEW.cost, NEW.cost)
ON CONFLICT DO UPDATE SET requests = requests + 1, estimated = estimated + excluded.estimated,
 input = input + excluded.input, cache_read = cache_read + excluded.cache_read,
 cache_write = cache_write + excluded.cache_write,
 cache_write_1h = cache_write_1h + excluded.cache_write_1h, output = output + excluded.output,
 reasoning = reasoning + excluded.reasoning, audio_input = audio_input + excluded.audio_input,
 cost = cost + excluded.cost, estimated_cost = estimated_cost + excluded.estimated_cost,
 dearest = MAX(dearest, excluded.dearest);
END;

CREATE TRIGGER charges_are_summed AFTER INSERT ON charges BEGIN
INSERT INTO usage_quarters (quarter, key, project, model, tier, failed, longer_than, charged,
 unconfirmed, unconfirmed_count)
VALUES (NEW.reserved_at / 900000000, NEW.key, COALESCE(NEW.project, ''), NEW.model, '', 0, 0,
 NEW.cost, NEW.unconfirmed * NEW.cost, NEW.unconfirmed)
ON CONFLICT DO UPDATE SET charged = charged + excluded.charged,
 unconfirmed = unconfirmed + excluded.unconfirmed,
 unconfirmed_count = unconfirmed_count + excluded.unconfirmed_count;
END;
