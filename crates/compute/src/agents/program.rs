//! What is executed for an entry point.
//!
//! `["main.py"]` is a script of the package, which its language's interpreter runs. `["opentelemetry-instrument",
//! "main.py"]` is a program with a script: the program is looked for in the package's `bin/` (where `pip install --target`
//! puts it; its first line names an interpreter of the machine on which it was installed, so ours runs it), then beside
//! the interpreter, then in the system's folders; and it gets the interpreter before the script, because scripts of a
//! package are not executable by themselves. AWS's guide has both forms.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use super::{AgentSpec, Inner, Language, StartError};

/// Where programs are looked for besides the package and the interpreter's folder.
pub(super) const SYSTEM_FOLDERS: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];

/// What is executed.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) executable: PathBuf,
    pub(super) arguments: Vec<OsString>,
    /// The interpreter of the agent's language.
    pub(super) interpreter: PathBuf,
}

impl Program {
    /// Finds it. `code` is the package, unpacked.
    pub(super) async fn find(inner: &Inner, spec: &AgentSpec, code: &Path) -> Result<Self, StartError> {
        let runtime = spec.runtime.as_str();
        let interpreter = match spec.language {
            Language::Python(minor) => inner.interpreters.python(runtime, minor).await?,
            Language::Node(major) => inner.interpreters.node(runtime, major).await?,
        };
        let heap = match spec.language {
            Language::Python(_) => None,
            // So that garbage is collected before the session is found to use too much.
            Language::Node(_) => {
                Some(OsString::from(format!("--max-old-space-size={}", spec.limits.memory_mib / 10 * 9)))
            }
        };
        let (words, code) = (spec.entry_point.clone(), code.to_owned());
        let finding = tokio::task::spawn_blocking(move || Self::resolve(&words, &code, interpreter, heap));
        finding.await.map_err(|error| StartError::EntryPoint(error.to_string()))?
    }

    fn resolve(
        words: &[String],
        code: &Path,
        interpreter: PathBuf,
        heap: Option<OsString>,
    ) -> Result<Self, StartError> {
        let (first, rest) =
            words.split_first().ok_or_else(|| StartError::EntryPoint("it has no words".to_owned()))?;
        let run_by_interpreter = |script: &Path, rest: Vec<OsString>| {
            let arguments = heap.iter().cloned().chain([script.into()]).chain(rest).collect();
            Self { executable: interpreter.clone(), arguments, interpreter: interpreter.clone() }
        };
        if is_script(first) {
            require(code, first)?;
            return Ok(run_by_interpreter(Path::new(first), rest.iter().map(OsString::from).collect()));
        }
        let mut arguments: Vec<OsString> = Vec::new();
        for word in rest {
            if is_script(word) && arguments.is_empty() {
                require(code, word)?;
                arguments.push(interpreter.clone().into());
            }
            arguments.push(word.into());
        }
        let program = locate(first, code, &interpreter)?;
        if program == interpreter {
            let arguments = rest.iter().map(OsString::from);
            let arguments = heap.into_iter().chain(arguments).collect();
            return Ok(Self { executable: interpreter.clone(), arguments, interpreter });
        }
        if program.starts_with(code) && begins_with_shebang(&program) {
            return Ok(run_by_interpreter(&program, arguments));
        }
        Ok(Self { executable: program, arguments, interpreter })
    }
}

/// Whether a word names a script of a language that we run.
fn is_script(word: &str) -> bool {
    let extension = Path::new(word).extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("py" | "js" | "mjs" | "cjs"))
}

/// That the script is in the package: a path that leads nowhere else.
fn require(code: &Path, script: &str) -> Result<(), StartError> {
    let inside = Path::new(script)
        .components()
        .all(|component| matches!(component, Component::Normal(_) | Component::CurDir));
    if inside && code.join(script).is_file() {
        return Ok(());
    }
    Err(StartError::EntryPoint(format!("the package has no file `{script}`")))
}

/// A program by its name, which is no path.
fn locate(name: &str, code: &Path, interpreter: &Path) -> Result<PathBuf, StartError> {
    if name.is_empty() || name.contains('/') {
        return Err(StartError::EntryPoint(format!(
            "`{name}` is neither a script (.py, .js, .mjs, .cjs) nor the name of a program"
        )));
    }
    if matches!(name, "python" | "python3" | "node") {
        return Ok(interpreter.to_owned());
    }
    let own = [code.join("bin"), code.join("node_modules/.bin")];
    let folders = own
        .into_iter()
        .chain(interpreter.parent().map(Path::to_owned))
        .chain(SYSTEM_FOLDERS.map(PathBuf::from));
    let mut candidates = folders.map(|folder| folder.join(name));
    candidates.find(|candidate| candidate.is_file()).ok_or_else(|| {
        StartError::EntryPoint(format!(
            "there is no program `{name}`, neither in the package's bin/ nor here"
        ))
    })
}

fn begins_with_shebang(program: &Path) -> bool {
    let mut start = [0; 2];
    std::fs::File::open(program).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == *b"#!"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(words: &[&str], code: &Path) -> Result<Vec<String>, StartError> {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        let program = Program::resolve(&words, code, PathBuf::from("/opt/python/bin/python3.12"), None)?;
        let mut all = vec![program.executable.into_os_string()];
        all.extend(program.arguments);
        Ok(all.into_iter().map(|word| word.into_string().unwrap()).collect())
    }

    #[test]
    fn both_forms_of_the_guide_are_understood() {
        let code = tempfile::tempdir().unwrap();
        std::fs::write(code.path().join("main.py"), "").unwrap();
        std::fs::create_dir(code.path().join("bin")).unwrap();
        let wrapper = code.path().join("bin/opentelemetry-instrument");
        std::fs::write(&wrapper, "#!/elsewhere/python\n").unwrap();
        let python = "/opt/python/bin/python3.12";
        assert_eq!(resolve(&["main.py"], code.path()).unwrap(), [python, "main.py"]);
        assert_eq!(resolve(&["python", "main.py"], code.path()).unwrap(), [python, "main.py"]);
        assert_eq!(
            resolve(&["opentelemetry-instrument", "main.py"], code.path()).unwrap(),
            [python, wrapper.to_str().unwrap(), python, "main.py"]
        );
        assert_eq!(resolve(&["env", "main.py"], code.path()).unwrap()[1..], [python, "main.py"]);
    }

    #[test]
    fn what_is_not_in_the_package_is_refused() {
        let code = tempfile::tempdir().unwrap();
        for wrong in [
            &["main.py"][..],
            &["../main.py"],
            &["/etc/main.py"],
            &["/bin/sh"],
            &["no-such-program-here"],
            &[""],
            &[],
        ] {
            assert!(matches!(resolve(wrong, code.path()), Err(StartError::EntryPoint(_))), "{wrong:?}");
        }
    }
}
