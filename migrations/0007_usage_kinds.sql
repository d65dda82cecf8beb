-- The sums by quarter of an hour count the kinds of use that came later (0003) too. What a prompt
-- wrote to a cache for longer than twelve hours counts in its length from here on.
ALTER TABLE usage_quarters ADD COLUMN cache_write_long INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_quarters ADD COLUMN audio_cached INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_quarters ADD COLUMN audio_output INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_quarters ADD COLUMN image_input INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_quarters ADD COLUMN image_output INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_quarters ADD COLUMN web_searches INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_quarters ADD COLUMN server_tools INTEGER NOT NULL DEFAULT 0;

INSERT INTO usage_quarters (quarter, key, project, model, tier, failed, longer_than,
 cache_write_long, audio_cached, audio_output, image_input, image_output, web_searches, server_tools)
SELECT started_at / 900000000, key, COALESCE(project, ''), COALESCE(model, ''), COALESCE(tier, ''),
 error IS NOT NULL AND error <> 'client_gone',
 CASE WHEN input + cache_read + cache_write + cache_write_1h
   <= 100000 THEN 0
  WHEN input + cache_read + cache_write + cache_write_1h
   <= 128000 THEN 100000
  WHEN input + cache_read + cache_write + cache_write_1h
   <= 200000 THEN 128000
  WHEN input + cache_read + cache_write + cache_write_1h
   <= 256000 THEN 200000
  WHEN input + cache_read + cache_write + cache_write_1h
   <= 272000 THEN 256000
  WHEN input + cache_read + cache_write + cache_write_1h
   <= 512000 THEN 272000
  ELSE 512000 END,
 SUM(cache_write_long), SUM(audio_cached), SUM(audio_output), SUM(image_input), SUM(image_output),
 SUM(web_searches), SUM(server_tools)
FROM requests
WHERE cache_write_long + audio_cached + audio_output + image_input + image_output + web_searches
 + server_tools > 0
GROUP BY 1, 2, 3, 4, 5, 6, 7
ON CONFLICT DO UPDATE SET cache_write_long = excluded.cache_write_long,
 audio_cached = excluded.audio_cached, audio_output = excluded.audio_output,
 image_input = excluded.image_input, image_output = excluded.image_output,
 web_searches = excluded.web_searches, server_tools = excluded.server_tools;

DROP TRIGGER requests_are_summed;

CREATE TRIGGER requests_are_summed AFTER INSERT ON requests BEGIN
INSERT INTO usage_quarters (quarter, key, project, model, tier, failed, longer_than, requests,
 estimated, input, cache_read, cache_write, cache_write_1h, output, reasoning, audio_input, cost,
 estimated_cost, dearest, cache_write_long, audio_cached, audio_output, image_input, image_output,
 web_searches, server_tools)
VALUES (NEW.started_at / 900000000, NEW.key, COALESCE(NEW.project, ''), COALESCE(NEW.model, ''),
 COALESCE(NEW.tier, ''), NEW.error IS NOT NULL AND NEW.error <> 'client_gone',
 CASE WHEN NEW.input + NEW.cache_read + NEW.cache_write + NEW.cache_write_1h + NEW.cache_write_long
   <= 100000 THEN 0
  WHEN NEW.input + NEW.cache_read + NEW.cache_write + NEW.cache_write_1h + NEW.cache_write_long
   <= 128000 THEN 100000
  WHEN NEW.input + NEW.cache_read + NEW.cache_write + NEW.cache_write_1h + NEW.cache_write_long
   <= 200000 THEN 128000
  WHEN NEW.input + NEW.cache_read + NEW.cache_write + NEW.cache_write_1h + NEW.cache_write_long
   <= 256000 THEN 200000
  WHEN NEW.input + NEW.cache_read + NEW.cache_write + NEW.cache_write_1h + NEW.cache_write_long
   <= 272000 THEN 256000
  WHEN NEW.input + NEW.cache_read + NEW.cache_write + NEW.cache_write_1h + NEW.cache_write_long
   <= 512000 THEN 272000
  ELSE 512000 END,
 1, NEW.estimated, NEW.input, NEW.cache_read, NEW.cache_write, NEW.cache_write_1h, NEW.output,
 NEW.reasoning, NEW.audio_input, NEW.cost, NEW.estimated * NEW.cost, NEW.cost,
 NEW.cache_write_long, NEW.audio_cached, NEW.audio_output, NEW.image_input, NEW.image_output,
 NEW.web_searches, NEW.server_tools)
ON CONFLICT DO UPDATE SET requests = requests + 1, estimated = estimated + excluded.estimated,
 input = input + excluded.input, cache_read = cache_read + excluded.cache_read,
 cache_write = cache_write + excluded.cache_write,
 cache_write_1h = cache_write_1h + excluded.cache_write_1h, output = output + excluded.output,
 reasoning = reasoning + excluded.reasoning, audio_input = audio_input + excluded.audio_input,
 cost = cost + excluded.cost, estimated_cost = estimated_cost + excluded.estimated_cost,
 dearest = MAX(dearest, excluded.dearest),
 cache_write_long = cache_write_long + excluded.cache_write_long,
 audio_cached = audio_cached + excluded.audio_cached,
 audio_output = audio_output + excluded.audio_output,
 image_input = image_input + excluded.image_input,
 image_output = image_output + excluded.image_output,
 web_searches = web_searches + excluded.web_searches,
 server_tools = server_tools + excluded.server_tools;
END;
