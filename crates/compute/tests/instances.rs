//! Instances: when they are reused, started, waited for, and ended.

#[cfg(test)]
mod common;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use compute::{InvokeError, Launch, Provider, SetupError, Supervisor};
    use domain::{Clock, FixedClock, Timestamp};
    use serde_json::{Value, json};
    use tokio::runtime::Runtime;

    use crate::common::{Scene, count, credentials, event, eventually, is_alive, json as answer_of, python};

    /// Answers with its process, after as many seconds as the event says.
    const PID: &str =
        "import os, time\ndef handler(event, context):\n    time.sleep(event or 0)\n    return os.getpid()\n";
    /// Answers with its process when the file that the event names is there.
    const GATE: &str = "import os, time\ndef handler(event, context):\n    while not os.path.exists(event):\n        time.sleep(0.01)\n    return os.getpid()\n";

    /// The same function in a state of `second`.
    fn later(second: i64, source: &str) -> Launch {
        let mut launch = python(source);
        launch.revision_id = format!("revision {second}");
        launch.updated_at = Timestamp::from_seconds(second);
        launch
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_warm_instance_is_used_again() {
        let scene = Scene::new();
        let tool = Arc::new(python(PID));
        let first = scene.run(&tool, "0").await;
        assert!(first.init_duration.is_some());
        for _ in 0..20 {
            let next = scene.run(&tool, "0").await;
            assert_eq!(next.payload, first.payload);
            assert_eq!(next.init_duration, None);
        }
        // Another value of the same state, made anew, means the same instances.
        assert_eq!(scene.run(&Arc::new(python(PID)), "0").await.payload, first.payload);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn two_at_once_need_two_instances() {
        let scene = Scene::new();
        let tool = Arc::new(python(GATE));
        let gate = scene.folder.path().join("open");
        let payload = json!(gate).to_string();
        let release = async {
            eventually("two instances work", || scene.log(&tool).matches("START").count() == 2).await;
            std::fs::write(&gate, "").unwrap();
        };
        let (one, two, ()) = tokio::join!(scene.ask(&tool, &payload), scene.ask(&tool, &payload), release);
        assert_ne!(one, two);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn beyond_the_limit_callers_queue_up() {
        let scene = Scene::with(|settings| {
            settings.max_instances_per_function = 1;
            settings.max_waiting_per_function = 3;
        });
        let tool = Arc::new(python(GATE));
        let gate = scene.folder.path().join("open");
        let payload = json!(gate).to_string();
        let first = scene.ask(&tool, &payload);
        let rest = async {
            eventually("the first works", || scene.log(&tool).contains("START")).await;
            let queued = async {
                tokio::join!(
                    scene.ask(&tool, &payload),
                    scene.ask(&tool, &payload),
                    scene.ask(&tool, &payload)
                )
            };
            let beyond = async {
                let refused = scene.invoke(&tool, &payload).await;
                assert!(matches!(refused, Err(InvokeError::TooManyRequests)));
                std::fs::write(&gate, "").unwrap();
            };
            tokio::join!(biased; queued, beyond).0
        };
        let (first, (second, third, fourth)) = tokio::join!(first, rest);
        assert_eq!([&second, &third, &fourth], [&first; 3], "one instance did it all");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn patience_ends() {
        let scene = Scene::with(|settings| {
            settings.max_instances = 1;
            settings.max_wait = Duration::from_millis(200);
        });
        let tool = Arc::new(python(GATE));
        let gate = scene.folder.path().join("open");
        let payload = json!(gate).to_string();
        let waiting = async {
            eventually("the first works", || scene.log(&tool).contains("START")).await;
            let mut other = python(PID);
            other.function =
                domain::Arn::parse("arn:aws:lambda:us-west-2:123456789012:function:other").unwrap();
            for wanted in [Arc::clone(&tool), Arc::new(other)] {
                let refused = scene.invoke(&wanted, "0").await;
                assert!(matches!(refused, Err(InvokeError::TooManyRequests)));
            }
            std::fs::write(&gate, "").unwrap();
        };
        tokio::join!(scene.ask(&tool, &payload), waiting);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_idle_function_makes_room_for_another() {
        let scene = Scene::with(|settings| settings.max_instances = 1);
        let one = Arc::new(python(PID));
        let mut other = python(PID);
        other.function = domain::Arn::parse("arn:aws:lambda:us-west-2:123456789012:function:other").unwrap();
        let other = Arc::new(other);
        let first = scene.ask(&one, "0").await;
        let second = scene.ask(&other, "0").await;
        assert_ne!(first, second);
        eventually("the first has made room", || !is_alive(&first)).await;
        let third = scene.ask(&one, "0").await;
        assert_ne!(third, first);
        // Callers who wait while another function's instance works are served when it becomes idle.
        let (_, fourth) = tokio::join!(scene.ask(&one, "0.3"), scene.ask(&other, "0"));
        assert_ne!(fourth, third);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn idleness_ends_an_instance() {
        let scene = Scene::with(|settings| settings.idle_timeout = Duration::from_millis(100));
        let tool = Arc::new(python(PID));
        let pid = scene.ask(&tool, "0").await;
        eventually("the idle instance is gone", || !is_alive(&pid)).await;
        let scratch = scene.folder.path().join("work/scratch");
        eventually("its folder is gone", || count(&scratch) == 0).await;
        assert_ne!(scene.ask(&tool, "0").await, pid);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_new_state_supersedes_the_old_ones_instances() {
        let scene = Scene::new();
        let old = Arc::new(later(1, PID));
        let new = Arc::new(later(2, "import os\ndef handler(event, context):\n    return [os.getpid()]\n"));
        let before = scene.ask(&old, "0").await;
        let slow = tokio::spawn({
            let supervisor = scene.supervisor.invoke(&old, event("1"));
            // The old state still works on something when the new one comes.
            let answer = supervisor.await.unwrap();
            async move { answer_of(&answer) }
        });
        let after = scene.ask(&new, "0").await;
        assert!(after.is_array(), "{after}");
        assert_eq!(slow.await.unwrap(), before);
        eventually("the old instance is gone", || !is_alive(&before)).await;
        // Who still holds the old state gets it, in instances that are not kept, and disturbs nobody.
        let late = scene.ask(&old, "0").await;
        assert!(late.is_u64(), "{late}");
        eventually("the late one is gone", || !is_alive(&late)).await;
        assert_eq!(scene.ask(&new, "0").await, after);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_retired_function_begins_anew() {
        let scene = Scene::new();
        let tool = Arc::new(python(GATE));
        let open = scene.folder.path().join("open");
        let closed = scene.folder.path().join("closed");
        std::fs::write(&open, "").unwrap();
        let idle = scene.ask(&tool, &json!(open).to_string()).await;
        scene.supervisor.retire(&tool.function);
        eventually("the idle instance is gone", || !is_alive(&idle)).await;

        let payload = json!(closed).to_string();
        let retire = async {
            eventually("the next works", || scene.log(&tool).matches("START").count() == 2).await;
            scene.supervisor.retire(&tool.function);
            std::fs::write(&closed, "").unwrap();
        };
        let (busy, ()) = tokio::join!(scene.ask(&tool, &payload), retire);
        eventually("the busy instance has ended its work and is gone", || !is_alive(&busy)).await;
        let kept = scene.ask(&tool, &payload).await;
        assert_eq!(scene.ask(&tool, &payload).await, kept, "after that, instances are kept again");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn old_credentials_end_an_instance() {
        let clock = Arc::new(FixedClock::at(Timestamp::from_seconds(1_800_000_000)));
        let scene = Scene::with(|settings| settings.clock = Arc::clone(&clock) as Arc<dyn Clock>);
        let asked = Arc::new(AtomicUsize::new(0));
        let mut tool = python(
            "import os\ndef handler(event, context):\n    return [os.getpid(), os.environ['AWS_ACCESS_KEY_ID']]\n",
        );
        tool.credentials = Provider::new({
            let (asked, clock) = (Arc::clone(&asked), Arc::clone(&clock));
            move || {
                let mut given = credentials(Some(clock.now().plus(Duration::from_secs(3600))));
                given.access_key_id = format!("ASIA{}", asked.fetch_add(1, Ordering::SeqCst));
                async move { Ok(given) }
            }
        });
        let tool = Arc::new(tool);
        let first = scene.ask(&tool, "0").await;
        assert_eq!(first[1], "ASIA0");
        // Three minutes and the timeout (60 s) before the end is still good enough, a little later is not.
        clock.advance(Duration::from_secs(3600 - 240 - 1));
        assert_eq!(scene.ask(&tool, "0").await, first);
        clock.advance(Duration::from_secs(1));
        let second = scene.ask(&tool, "0").await;
        assert_eq!(second[1], "ASIA1");
        eventually("the first instance is gone", || !is_alive(&first[0])).await;
        clock.advance(Duration::from_secs(7200));
        eventually("an idle instance ends with its credentials", || !is_alive(&second[0])).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn short_credentials_are_good_for_one_invocation() {
        let scene = Scene::new();
        let mut tool = python(PID);
        let end = scene_now().plus(Duration::from_secs(10));
        tool.credentials = Provider::fixed(credentials(Some(end)));
        let tool = Arc::new(tool);
        let first = scene.ask(&tool, "0").await;
        assert_ne!(scene.ask(&tool, "0").await, first);
    }

    fn scene_now() -> Timestamp {
        domain::SystemClock.now()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_caller_who_leaves_leaves_nothing_behind() {
        let scene = Scene::with(|settings| settings.max_instances_per_function = 1);
        let tool = Arc::new(python(PID));
        let pid = scene.ask(&tool, "0").await;
        // One goes while the instance works for it, one while it waits.
        for _ in 0..2 {
            let leaving = tokio::time::timeout(Duration::from_millis(50), async {
                tokio::join!(scene.ask(&tool, "0.2"), scene.ask(&tool, "0.2"))
            });
            assert!(leaving.await.is_err());
        }
        assert_eq!(scene.ask(&tool, "0").await, pid, "the instance went on and is free again");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_instance_that_died_idle_is_replaced_unnoticed() {
        let scene = Scene::new();
        let tool = Arc::new(python(
            "import os, threading\ndef handler(event, context):\n    if event:\n        threading.Timer(0.05, os._exit, [1]).start()\n    return os.getpid()\n",
        ));
        let doomed = scene.ask(&tool, "1").await;
        eventually("it has died", || !is_alive(&doomed)).await;
        assert_ne!(scene.ask(&tool, "0").await, doomed);
    }

    #[test]
    fn callers_may_live_on_other_runtimes() {
        let home = Runtime::new().unwrap();
        let scene = home.block_on(async { Scene::new() });
        let tool = Arc::new(python(PID));
        let pids: Vec<Value> = std::thread::scope(|threads| {
            let callers: Vec<_> = (0..3)
                .map(|_| {
                    threads.spawn(|| {
                        let away = tokio::runtime::Builder::new_current_thread().build().unwrap();
                        away.block_on(scene.ask(&tool, "0"))
                    })
                })
                .collect();
            callers.into_iter().map(|caller| caller.join().unwrap()).collect()
        });
        home.block_on(scene.supervisor.shutdown(Duration::ZERO));
        assert!(pids.iter().all(|pid| !is_alive(pid)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_shutdown_lets_work_end_and_leaves_no_process() {
        let scene = Scene::new();
        let tool = Arc::new(python(PID));
        let idle = scene.ask(&tool, "0").await;
        let child = Arc::new(later_named(
            "parent",
            "import os, subprocess, time\ndef handler(event, context):\n    child = subprocess.Popen(['sleep', '1000'])\n    daemon = subprocess.Popen(['sleep', '1000'], start_new_session=True)\n    return [os.getpid(), child.pid, daemon.pid]\n",
        ));
        let family = scene.ask(&child, "0").await;
        let slow = Arc::new(later_named("slow", PID));
        let ending = async {
            eventually("the slow one works", || scene.log(&slow).contains("START")).await;
            scene.supervisor.shutdown(Duration::from_secs(60)).await;
        };
        let (slow_pid, ()) = tokio::join!(scene.ask(&slow, "1"), ending);
        for pid in [&idle, &slow_pid, &family[0], &family[1], &family[2]] {
            assert!(!is_alive(pid), "{pid}");
        }
        let refused = scene.invoke(&tool, "0").await;
        assert!(matches!(refused, Err(InvokeError::ShuttingDown)));
        assert_eq!(count(&scene.folder.path().join("work/scratch")), 0);
    }

    fn later_named(name: &str, source: &str) -> Launch {
        let mut launch = python(source);
        launch.name = name.to_owned();
        launch.function =
            domain::Arn::parse(&format!("arn:aws:lambda:us-west-2:123456789012:function:{name}")).unwrap();
        launch
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_shutdown_kills_what_does_not_end() {
        let scene = Scene::new();
        let tool = Arc::new(python(
            "import os, time\nprint('pid', os.getpid())\ndef handler(event, context):\n    time.sleep(1000)\n",
        ));
        let ending = async {
            eventually("it works", || scene.log(&tool).contains("START")).await;
            scene.supervisor.shutdown(Duration::from_millis(100)).await;
        };
        let began = Instant::now();
        let ((error, _), ()) = tokio::join!(scene.fail(&tool, "0"), ending);
        assert!(began.elapsed() < Duration::from_secs(60));
        assert_eq!(error["errorType"], "Runtime.ExitError");
        let log = scene.log(&tool);
        let pid = log.lines().find_map(|line| line.strip_prefix("pid ")).unwrap();
        assert!(!is_alive(&serde_json::from_str(pid).unwrap()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_dropped_supervisor_takes_its_processes_along() {
        let scene = Scene::new();
        let tool = Arc::new(python(PID));
        let pid = scene.ask(&tool, "0").await;
        drop(scene);
        eventually("the instance is gone", || !is_alive(&pid)).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_folder_has_one_supervisor_who_cleans_it() {
        let scene = Scene::new();
        let work = scene.folder.path().join("work");
        let settings = |work: &std::path::Path| {
            compute::Settings::new(
                work.to_owned(),
                tokio::runtime::Handle::current(),
                Arc::new(domain::SystemClock),
                Arc::new(domain::SystemRandom),
            )
        };
        assert!(matches!(Supervisor::new(settings(&work)), Err(SetupError::InUse(path)) if path == work));
        scene.supervisor.shutdown(Duration::ZERO).await;
        let Scene { supervisor, folder } = scene;
        drop(supervisor);
        std::fs::create_dir_all(work.join("scratch/7/left")).unwrap();
        let mut taken = Supervisor::new(settings(&work));
        for _ in 0..100 {
            if taken.is_ok() {
                break;
            }
            // The watching thread may still hold the former one for a moment.
            tokio::time::sleep(Duration::from_millis(50)).await;
            taken = Supervisor::new(settings(&work));
        }
        assert!(taken.is_ok());
        assert_eq!(count(&work.join("scratch")), 0);
        drop(folder);
    }
}
