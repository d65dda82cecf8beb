use super::*;
#[test]
fn dump() {
    use std::io::Write;
    let mut out = std::fs::File::create("/tmp/feats.jsonl").unwrap();
    for name in ["train-1", "train-2", "train-3", "train-4", "train-5", "real-dev"] {
        for line in std::fs::read_to_string(format!("/work/shared/data/tiers/{name}.jsonl"))
            .unwrap()
            .lines()
        {
            let r: serde_json::Value = serde_json::from_str(line).unwrap();
            let f = features(r["prompt"].as_str().unwrap());
            writeln!(out, "{}", serde_json::json!({"file": name, "tier": r["tier"], "tier_b": r["tier_b"], "source": r["source"], "f": f.to_vec()})).unwrap();
        }
    }
}
