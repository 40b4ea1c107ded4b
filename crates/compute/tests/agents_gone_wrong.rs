//! Agents that crash, hang, leak, fork, fill the disk, ignore signals or outlive their server: the others never notice, and
//! nothing of them is left.

#[cfg(test)]
mod common;

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use compute::agents::{AgentSpec, Agents, Ending, StartError};
    use serde_json::{Value, json};

    use crate::common::agents::{OBEDIENT, Stage, agent, post, settings};
    use crate::common::{count, eventually, is_alive};

    /// A session that is asked something all the time, and must never fail or be slow.
    struct Neighbour {
        asked: Arc<AtomicUsize>,
        over: Arc<AtomicBool>,
        asking: tokio::task::JoinHandle<Duration>,
    }

    impl Neighbour {
        async fn of(stage: &Stage) -> Self {
            let mut spec = agent(OBEDIENT);
            spec.version = "99".to_owned();
            let spec = Arc::new(spec);
            let lease = stage.session(&spec, "neighbour").await;
            let (asked, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
            let (counting, stopped) = (Arc::clone(&asked), Arc::clone(&over));
            let asking = tokio::spawn(async move {
                let mut longest = Duration::ZERO;
                while !stopped.load(Ordering::SeqCst) {
                    let began = Instant::now();
                    let number = counting.fetch_add(1, Ordering::SeqCst);
                    let deed =
                        format!("memory.setdefault('count', []).append({number}) or len(memory['count'])");
                    let answer = post(lease.addr(), "/invocations", &deed).await.unwrap();
                    assert_eq!(answer, (number + 1).to_string(), "it has forgotten nothing");
                    longest = longest.max(began.elapsed());
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                longest
            });
            Self { asked, over, asking }
        }

        async fn ends_well(self) {
            self.over.store(true, Ordering::SeqCst);
            let longest = self.asking.await.unwrap();
            assert!(self.asked.load(Ordering::SeqCst) > 10);
            assert!(longest < Duration::from_secs(20), "{longest:?}");
        }
    }

    /// Tells an agent to do something and waits for how that ends its session.
    async fn undone_by(stage: &Stage, spec: &Arc<AgentSpec>, name: &str, deed: &str) -> Ending {
        let lease = stage.session(spec, name).await;
        let (ending, _) = tokio::join!(lease.ended(), post(lease.addr(), "/invocations", deed));
        ending
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn crashes_and_hangs_are_their_own_affair() {
        let stage = Stage::with(|settings| settings.start_limit = Duration::from_secs(20));
        let neighbour = Neighbour::of(&stage).await;
        let spec = Arc::new(agent(OBEDIENT));
        for (deed, how) in [
            ("os._exit(3)", "exit status 3"),
            ("os._exit(0)", "exit status 0"),
            ("os.kill(os.getpid(), 11)", "signal: segmentation fault"),
        ] {
            let ending = undone_by(&stage, &spec, "crash", deed).await;
            assert_eq!(ending, Ending::Exited(how.to_owned()));
        }
        assert_eq!(stage.tell(&spec, "crash", "memory").await, json!({}), "the next has a new process");

        // One that hangs in a request, with SIGTERM ignored, is killed.
        let lease = stage.session(&spec, "hang").await;
        let pid = json!(lease.pid().unwrap());
        let deed = "[signal.pthread_sigmask(signal.SIG_BLOCK, [15]), time.sleep(1000)]";
        let hanging = tokio::spawn(post(lease.addr(), "/invocations", deed));
        tokio::time::sleep(Duration::from_millis(300)).await;
        let began = Instant::now();
        assert!(stage.agents.stop(&spec.runtime, "hang").await);
        assert!(began.elapsed() < Duration::from_secs(20));
        assert!(hanging.await.unwrap().is_err());
        assert!(!is_alive(&pid));

        // One that closes what it writes to goes on.
        let closing = "[os.close(1), os.close(2), os.getpid()][2]";
        let pid = stage.tell(&spec, "silent", closing).await;
        assert_eq!(stage.tell(&spec, "silent", "os.getpid()").await, pid);
        // One that writes without end is read, and only its last lines are kept.
        stage.tell(&spec, "loud", "[print('x' * 100) for _ in range(20000)] and 1").await;
        assert!(stage.agents.logs(&spec.runtime).len() <= 2000);
        neighbour.ends_well().await;
        stage.agents.shutdown(Duration::from_secs(5)).await;
        assert_eq!(count(&stage.folders()), 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_start_that_fails_or_hangs_is_told_to_all_who_wait() {
        let stage = Stage::with(|settings| settings.start_limit = Duration::from_secs(2));
        let hanging = Arc::new(agent("import time\nprint('thinking')\ntime.sleep(1000)\n"));
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let (agents, spec) = (Arc::clone(&stage.agents), Arc::clone(&hanging));
                tokio::spawn(async move { agents.session(&spec, "one").await.unwrap_err() })
            })
            .collect();
        for waited in waiting {
            let StartError::NotReady { found, log, .. } = waited.await.unwrap() else {
                panic!("another error")
            };
            assert_eq!(found, "nothing listens on its port");
            assert_eq!(log, "thinking\n");
        }
        let mut crashing = agent("print('no such luck')\nraise SystemExit(4)\n");
        crashing.version = "2".to_owned();
        let crashing = Arc::new(crashing);
        let refused = stage.agents.session(&crashing, "two").await.unwrap_err();
        let StartError::Exited { how, log } = refused else { panic!("{refused}") };
        assert_eq!((how.as_str(), log.as_str()), ("exit status 4", "no such luck\n"));
        // One that is stopped while it starts.
        let (agents, spec) = (Arc::clone(&stage.agents), Arc::clone(&hanging));
        let starting = tokio::spawn(async move { agents.session(&spec, "three").await.unwrap_err() });
        eventually("it starts", || stage.agents.counts().starting > 0).await;
        assert!(stage.agents.stop(&hanging.runtime, "three").await);
        assert!(matches!(starting.await.unwrap(), StartError::Stopped));
        eventually("nothing is left", || stage.agents.counts().sessions == 0).await;
        assert_eq!(count(&stage.folders()), 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_takes_too_much_is_killed() {
        let stage = Stage::new();
        let neighbour = Neighbour::of(&stage).await;
        let mut spec = agent(OBEDIENT);
        spec.limits.memory_mib = 128;
        spec.limits.processes = 16;
        spec.limits.disk_bytes = 8 << 20;
        spec.limits.disk_entries = 500;
        spec.limits.largest_file = 4 << 20;
        let spec = Arc::new(spec);
        for (name, deed, words) in [
            (
                "leak",
                "[bytearray(b'x') * (1 << 20) for _ in range(400) if not time.sleep(0.005)]",
                "of memory",
            ),
            (
                "fork",
                "[subprocess.Popen(['sleep', '1000']) for _ in range(30)] and time.sleep(1000)",
                "processes, and it may have 16",
            ),
            (
                "daemons",
                "[daemon() for _ in range(30)] and time.sleep(1000)",
                "processes, and it may have 16",
            ),
            (
                "disk",
                "[open('f%d' % n, 'wb').write(b'x' * (1 << 20)) for n in range(20)] and time.sleep(1000)",
                "MiB of disk, and it may use 8",
            ),
            (
                "files",
                "[open(os.environ['TMPDIR'] + '/f%d' % n, 'wb').close() for n in range(900)] and time.sleep(1000)",
                "more than 500 files and folders",
            ),
        ] {
            let ending = undone_by(&stage, &spec, name, deed).await;
            let Ending::Excess(what) = &ending else { panic!("{name}: {ending:?}") };
            assert!(what.contains(words), "{name}: {what}");
            eventually("it is in the log", || {
                stage
                    .log(&spec)
                    .contains(&format!("[{name}] the session has ended: it used more than it may"))
            })
            .await;
        }
        // A file that is too large is no reason to kill: writing it fails.
        let large = "try:\n    open('large', 'wb').write(b'x' * (6 << 20))\nexcept OSError as error:\n    memory['error'] = error.strerror\n";
        stage.tell(&spec, "large", large).await;
        assert_eq!(stage.tell(&spec, "large", "memory['error']").await, "File too large");
        neighbour.ends_well().await;
        stage.agents.shutdown(Duration::from_secs(5)).await;
        assert_eq!(count(&stage.folders()), 0);
        assert_eq!(survivors(&stage.folders()), 0);
    }

    /// How many processes of sessions below this folder there still are.
    fn survivors(folders: &Path) -> usize {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let environments = entries.filter_map(|entry| std::fs::read(entry.path().join("environ")).ok());
        let mark = format!("PORTCULLIS_AGENT={}/", folders.display());
        environments.filter(|environment| String::from_utf8_lossy(environment).contains(&mark)).count()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_left_the_group_ends_with_the_session() {
        let stage = Stage::new();
        let spec = Arc::new(agent(OBEDIENT));
        // It has so much to give back that it is a while between its last signal and its end.
        let daemon = stage.tell(&spec, "one", "daemon(mib=200)").await;
        let child = stage.tell(&spec, "one", "subprocess.Popen(['sleep', '1000']).pid").await;
        let other = stage.tell(&spec, "two", "daemon()").await;
        assert!([&daemon, &child, &other].into_iter().all(is_alive));
        assert!(stage.agents.stop(&spec.runtime, "one").await);
        assert!(!is_alive(&daemon) && !is_alive(&child));
        assert!(is_alive(&other), "another session's is left alone");
        stage.agents.shutdown(Duration::from_secs(5)).await;
        assert!(!is_alive(&other));
        let refused = stage.agents.session(&spec, "three").await.unwrap_err();
        assert!(matches!(refused, StartError::ShuttingDown));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_folder_that_was_closed_is_removed() {
        let stage = Stage::new();
        let spec = Arc::new(agent(OBEDIENT));
        let deed =
            "[os.makedirs('a/b'), open('a/b/c', 'w').close(), os.chmod('a/b', 0), os.chmod('a', 0)] and 1";
        stage.tell(&spec, "one", deed).await;
        assert!(stage.agents.stop(&spec.runtime, "one").await);
        assert_eq!(count(&stage.folders()), 0);
    }

    /// Not a test of its own: a server that is killed while its agents work. See the next test.
    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "is run by another test, in a process of its own"]
    async fn a_server_that_will_be_killed() {
        let Some(folder) = std::env::args().find_map(|word| word.strip_prefix("folder=").map(str::to_owned))
        else {
            return;
        };
        let agents = Agents::new(settings(folder.into(), |_| {})).unwrap();
        let spec = Arc::new(agent(OBEDIENT));
        let lease = agents.session(&spec, "one").await.unwrap();
        let daemon = post(lease.addr(), "/invocations", "daemon()").await.unwrap();
        println!("ORPHANS {} {daemon}", lease.pid().unwrap());
        std::future::pending::<()>().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn agents_do_not_outlive_a_killed_server() {
        use std::io::{BufRead, BufReader};
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path().join("work");
        let mut server = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--nocapture", "a_server_that_will_be_killed"])
            .arg(format!("folder={}", work.display()))
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(server.stdout.take().unwrap());
        let pids: Vec<Value> = output
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, pids) = line.split_once("ORPHANS ")?;
                Some(pids.split(' ').map(|pid| serde_json::from_str(pid).unwrap()).collect())
            })
            .unwrap();
        let [leader, daemon] = &pids[..] else { panic!("{pids:?}") };
        assert!(is_alive(leader) && is_alive(daemon));
        assert!(Agents::new(settings(work.clone(), |_| {})).is_err(), "the folder is in use");
        server.kill().unwrap();
        server.wait().unwrap();
        eventually("its group is gone", || !is_alive(leader)).await;
        let next = Agents::new(settings(work.clone(), |_| {})).unwrap();
        assert!(!is_alive(daemon), "what left the group is found at the next start");
        assert_eq!(count(&work.join("sessions")), 0);
        drop(next);
    }
}
