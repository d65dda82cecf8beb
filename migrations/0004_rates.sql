-- What each kind of token of the answer cost, as it was computed then: prices change, an old line
-- must stay explainable. JSON `{"lines":[["input",tokens,nano_usd_per_mtok],..],"reported":nano_usd}`;
-- NULL for what cost nothing and for rows older than this column.
ALTER TABLE requests ADD COLUMN rates TEXT;
