//! Secrets in files, as orchestrators hand them out: wherever a text may stand, `{ file = "/run/secrets/…" }` may stand, and what is
//! in that file is meant.

use std::io::Read;
use std::path::{Path, PathBuf};

use figment::providers::Serialized;
use figment::value::{Dict, Value};
use figment::{Figment, Provider};

use super::ConfigError;

/// Keys and certificates are a few thousand bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;
/// The key under which a file is named.
const FILE: &str = "file";

/// The configuration with the content of each file in the place of its name; a relative name is relative to the file that has it.
pub(super) fn read_in(figment: Figment) -> Result<Figment, ConfigError> {
    let data = figment.data().map_err(|error| ConfigError::Unreadable(super::in_one_line(&error)))?;
    let profile = figment.profile().clone();
    let mut read = Vec::new();
    for (key, value) in data.into_iter().filter(|(of, _)| *of == profile).flat_map(|(_, keys)| keys) {
        Reader { figment: &figment, read: &mut read }.find(key, value)?;
    }
    Ok(read.into_iter().fold(figment, |figment, (key, value)| figment.merge(Serialized::default(&key, value))))
}

/// Refuses a text that the environment holds itself and names a file for.
pub(super) fn check(set: &[(String, String)]) -> Result<(), ConfigError> {
    let twice = set.iter().find(|(key, _)| set.iter().any(|(other, _)| other.strip_suffix(".file") == Some(key)));
    twice.map_or(Ok(()), |(key, _)| {
        Err(ConfigError::Unreadable(format!(
            "{key}: the environment holds it and names a file for it: take one of them out"
        )))
    })
}

struct Reader<'a> {
    figment: &'a Figment,
    /// What stands in files, by key.
    read: &'a mut Vec<(String, Value)>,
}

impl Reader<'_> {
    fn find(&mut self, key: String, value: Value) -> Result<(), ConfigError> {
        if let Some(content) = self.content(&key, &value)? {
            self.read.push((key, content));
            return Ok(());
        }
        match value {
            Value::Dict(_, keys) => {
                keys.into_iter().try_for_each(|(of, value)| self.find(format!("{key}.{of}"), value))
            }
            // A list is one value: the whole of it takes the place of what it was.
            Value::Array(tag, values) => {
                let whole = values.iter().map(|value| self.within(&key, value)).collect::<Result<Vec<_>, _>>()?;
                if whole != values {
                    self.read.push((key, Value::Array(tag, whole)));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A value of a list, with all that it names.
    fn within(&self, key: &str, value: &Value) -> Result<Value, ConfigError> {
        if let Some(content) = self.content(key, value)? {
            return Ok(content);
        }
        let Value::Dict(tag, keys) = value else { return Ok(value.clone()) };
        let keys = keys.iter().map(|(of, value)| Ok((of.clone(), self.within(&format!("{key}.{of}"), value)?)));
        Ok(Value::Dict(*tag, keys.collect::<Result<Dict, ConfigError>>()?))
    }

    /// What is in the file, where this names one.
    fn content(&self, key: &str, value: &Value) -> Result<Option<Value>, ConfigError> {
        let Some(keys) = value.as_dict().filter(|keys| keys.len() == 1) else { return Ok(None) };
        let Some(name) = keys.get(FILE) else { return Ok(None) };
        let text = name.as_str().filter(|name| !name.is_empty());
        let text =
            text.ok_or_else(|| ConfigError::Unreadable(format!("{key}.{FILE}: this is not the name of a file")))?;
        let source = self.figment.get_metadata(name.tag()).and_then(|of| of.source.as_ref()?.file_path());
        let path = source.and_then(Path::parent).map_or_else(|| PathBuf::from(text), |folder| folder.join(text));
        let content =
            whole(&path).map_err(|what| ConfigError::Unreadable(format!("{key}: {}: {what}", path.display())))?;
        Ok(Some(Value::from(content)))
    }
}

/// The text of a file, without the line break that editors end it with.
fn whole(path: &Path) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("it is larger than {FILE_BYTES_MAX} bytes, as no secret is"));
    }
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use figment::providers::{Format, Toml};

    use super::*;

    fn read(folder: &Path, toml: &str) -> Result<Value, String> {
        let path = folder.join("houbu.toml");
        std::fs::write(&path, toml).unwrap();
        let read = read_in(Figment::from(Toml::file_exact(path))).map_err(|error| error.to_string())?;
        Ok(read.extract::<Value>().unwrap())
    }

    #[test]
    fn a_secret_stands_in_a_file_wherever_a_text_may_stand() {
        let folder = tempfile::tempdir().unwrap();
        let absolute = folder.path().join("key");
        std::fs::write(&absolute, "it's \"0017\"\r\n").unwrap();
        let toml = format!(
            "[his]\nsign_key = {{ file = \"{}\" }}\nuser_id = \"H\"\n[keys]\nsealing_older = [\"a\", {{ file = \"key\" }}]\n\
             [[api_keys]]\nname = \"kiosk\"\nkey = {{ file = \"key\" }}\n",
            absolute.display()
        );
        let read = read(folder.path(), &toml).unwrap();
        let text = |key: &str| read.find_ref(key).unwrap().as_str().unwrap().to_owned();
        assert_eq!((text("his.sign_key"), text("his.user_id")), ("it's \"0017\"".to_owned(), "H".to_owned()));
        let list = |key: &str| read.find_ref(key).unwrap().as_array().unwrap().to_vec();
        assert_eq!(list("keys.sealing_older")[1].as_str(), Some("it's \"0017\""));
        let key = list("api_keys")[0].clone();
        assert_eq!(key.find_ref("key").and_then(Value::as_str), Some("it's \"0017\""));
        assert_eq!(key.find_ref("name").and_then(Value::as_str), Some("kiosk"));
    }

    #[test]
    fn a_secret_that_is_set_and_named_a_file_for_is_refused() {
        let set = |keys: &[&str]| keys.iter().map(|key| ((*key).to_owned(), "x".to_owned())).collect::<Vec<_>>();
        check(&set(&["his.sign_key.file", "his.sign_keys", "his.user_id"])).unwrap();
        let error = check(&set(&["his.sign_key", "his.user_id", "his.sign_key.file"])).unwrap_err().to_string();
        assert!(error.contains("his.sign_key:"), "{error}");
    }

    #[test]
    fn a_file_that_is_no_secret_is_named_with_its_key() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("empty"), "\n").unwrap();
        std::fs::write(folder.path().join("large"), "x".repeat(70_000)).unwrap();
        for (name, said) in
            [("\"absent\"", "No such file"), ("\"empty\"", "empty"), ("\"large\"", "larger"), ("17", "name")]
        {
            let error = read(folder.path(), &format!("[sms]\nkey = {{ file = {name} }}")).unwrap_err();
            assert!(error.contains("sms.key") && error.contains(said), "{error}");
        }
    }
}
