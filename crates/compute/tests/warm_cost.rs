//! What a warm invocation costs the server in CPU time. Run it in release mode:
//! `cargo test --release -p portcullis-compute --test warm_cost -- --ignored --nocapture`.

#[cfg(test)]
mod common;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use compute::Launch;
    use tokio::runtime::Builder;

    use crate::common::{Scene, provided, python};

    const INVOCATIONS: u32 = 20_000;

    /// A client that sends what AWS's do: two requests for each invocation.
    const PLAIN: &str = r#"
import os, socket
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
api = socket.create_connection((host, int(port)))
api.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
def call(request):
    api.sendall(request)
    data = api.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    return head, body
while True:
    head, body = call(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n")
    request = head.split(b"lambda-runtime-aws-request-id: ")[1].split(b"\r\n")[0]
    call(b"POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (request, len(body), body))
"#;

    #[test]
    #[ignore = "is a measurement"]
    fn of_one_warm_invocation() {
        for (threads, mut builder) in
            [("one thread", Builder::new_current_thread()), ("two threads", Builder::new_multi_thread())]
        {
            for (client, launch) in [
                ("our client", python("def handler(event, context):\n    return event\n")),
                ("a plain client", provided(PLAIN)),
            ] {
                let runtime = builder.worker_threads(2).enable_all().build().unwrap();
                let measured = runtime.spawn(measure(Arc::new(launch)));
                let (cpu, wall) = runtime.block_on(measured).unwrap();
                println!(
                    "{threads}, {client}: {cpu} us of the server's CPU and {wall} us of time for each of {INVOCATIONS}"
                );
            }
        }
    }

    /// Microseconds of CPU and of time for one invocation.
    async fn measure(launch: Arc<Launch>) -> (u64, u128) {
        let scene = Scene::new();
        let payload = r#"{"city":"Vienna","days":3}"#;
        for _ in 0..2000 {
            scene.run(&launch, payload).await;
        }
        let (cpu, wall) = (cpu_microseconds(), Instant::now());
        for _ in 0..INVOCATIONS {
            scene.run(&launch, payload).await;
        }
        let cpu = (cpu_microseconds() - cpu) / u64::from(INVOCATIONS);
        (cpu, (wall.elapsed() / INVOCATIONS).as_micros())
    }

    /// The CPU time of this process, user and system, at 10 ms.
    fn cpu_microseconds() -> u64 {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let ticks: u64 = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
        ticks * 10_000
    }
}
