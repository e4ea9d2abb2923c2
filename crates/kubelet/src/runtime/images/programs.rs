//! The servers that images hold, by their command line.

use base::{Duration, Str};
use network::Protocol;

use crate::runtime::server::{Says, Server, Term};
use crate::runtime::shell::vm::Env;

const NGINX: &str = "<!DOCTYPE html>\n<html>\n<head>\n<title>Welcome to nginx!</title>\n</head>\n<body>\n\
    <h1>Welcome to nginx!</h1>\n<p>The web server runs and answers.</p>\n</body>\n</html>\n";
const APACHE: &str = "<html><body><h1>It works!</h1></body></html>\n";

/// A program that ends at the signal after some milliseconds.
fn ends(code: i32, millis: i64) -> Term {
    Term::Ends(code, Duration::millis(millis))
}

/// The server that a command line starts, if it is one.
pub fn server(words: &[String], env: &Env, hostname: &str) -> Option<Server> {
    let name = words.first()?.rsplit('/').next()?;
    let args: Vec<&str> = words[1..].iter().map(String::as_str).collect();
    if matches!(args.first(), Some(&("-s" | "-t" | "-v" | "-V" | "--version" | "--help"))) {
        return None;
    }
    web(name, &args)
        .or_else(|| stress(name, &args))
        .or_else(|| stores(name, &args))
        .or_else(|| samples(name, &args, env, hostname))
        .or_else(|| languages(name, &args))
        .or_else(|| others(name))
}

/// A file server with nginx's habits.
fn nginx(ports: &[u16]) -> Server {
    let root = base::lit!("/usr/share/nginx/html");
    let says = Says::Files(root, NGINX.into(), base::lit!("nginx/1.29.3"));
    Server::new(ports, says).greets(&[
        "/docker-entrypoint.sh: Configuration complete; ready for start up",
        "[notice] 1#1: using the \"epoll\" event method",
        "[notice] 1#1: start worker processes",
    ])
}

fn apache(root: &'static str) -> Server {
    let says = Says::Files(root.into(), APACHE.into(), base::lit!("Apache/2.4.66 (Unix)"));
    Server::new(&[80], says).greets(&[
        "[mpm_event:notice] [pid 1:tid 1] AH00489: Apache/2.4.66 (Unix) configured -- resuming normal operations",
        "[core:notice] [pid 1:tid 1] AH00094: Command line: 'httpd -D FOREGROUND'",
    ])
}

fn web(name: &str, args: &[&str]) -> Option<Server> {
    Some(match name {
        "nginx" if args.first() == Some(&"unprivileged") => nginx(&[8080]),
        "nginx" | "nginx-debug" => nginx(&[80]),
        "httpd-foreground" | "httpd" | "apachectl" => apache("/usr/local/apache2/htdocs"),
        "apache-php" => {
            let mut server = Server::new(&[80], Says::Text(base::lit!("OK!"))).starts(300);
            // A million square roots.
            server.cost = Duration::millis(45);
            server.work = (Duration::millis(45), Duration::millis(60));
            server
        }
        "apache2-foreground" => apache("/var/www/html").starts(300),
        "caddy" => Server::new(&[80, 443], Says::Fine),
        "traefik" => Server::new(&[80, 8080], Says::Fine),
        "haproxy" => Server::new(&[80], Says::Fine),
        "envoy" => Server::new(&[10000, 15001, 9901], Says::Fine).starts(150),
        "gb-frontend" => Server::new(&[80], Says::Text(base::lit!("<title>Guestbook</title>\n"))),
        "httpbin" | "gunicorn" => Server::new(&[80], Says::Echo).starts(700),
        _ => return None,
    })
}

fn stores(name: &str, args: &[&str]) -> Option<Server> {
    let port = |default: u16| {
        let at = args.iter().position(|arg| matches!(*arg, "--port" | "-p"));
        at.and_then(|at| args.get(at + 1)?.parse().ok()).unwrap_or(default)
    };
    Some(match name {
        "redis-server" | "valkey-server" => Server::new(&[port(6379)], Says::Redis).greets(&[
            "1:C * oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo",
            "1:M * Server initialized",
            "1:M * Ready to accept connections tcp",
        ]),
        "memcached" => Server::new(&[11211], Says::Connects),
        "postgres" => Server::new(&[5432], Says::Connects)
            .starts(2_500)
            .on_term(ends(0, 150))
            .greets(&[
                "PostgreSQL init process complete; ready for start up.",
                "LOG:  listening on IPv4 address \"0.0.0.0\", port 5432",
                "LOG:  database system is ready to accept connections",
            ]),
        "mysqld" | "mariadbd" => Server::new(&[3306, 33060], Says::Connects)
            .starts(6_000)
            .on_term(ends(0, 900))
            .greets(&["[System] [MY-010931] [Server] /usr/sbin/mysqld: ready for connections. port: 3306"]),
        "mongod" => Server::new(&[27017], Says::Connects)
            .starts(1_500)
            .on_term(ends(0, 200))
            .greets(&["{\"s\":\"I\",\"c\":\"NETWORK\",\"msg\":\"Waiting for connections\",\"attr\":{\"port\":27017}}"]),
        "cassandra" => Server::new(&[9042, 7000, 7199], Says::Connects).starts(25_000).on_term(ends(143, 500)),
        "rabbitmq-server" => Server::new(&[5672, 15672], Says::Connects).starts(8_000),
        "zkServer.sh" => Server::new(&[2181, 2888, 3888], Says::Connects).starts(1_500).on_term(ends(143, 200)),
        "eswrapper" => Server::new(&[9200, 9300], Says::Fine).starts(20_000).on_term(ends(143, 800)),
        "minio" => Server::new(&[9000, 9001], Says::Fine),
        "etcd" => Server::new(&[2379, 2380], Says::Fine),
        _ => return None,
    })
}

fn samples(name: &str, args: &[&str], env: &Env, hostname: &str) -> Option<Server> {
    let option = |flag: &str| {
        let joined = format!("{flag}=");
        let at = args.iter().position(|arg| *arg == flag || arg.starts_with(&joined))?;
        args[at].strip_prefix(&joined).or_else(|| args.get(at + 1).copied())
    };
    let port = |flag: &str, default: u16| {
        let text = option(flag).map(|text| text.trim_start_matches(':'));
        text.and_then(|text| text.rsplit(':').next()?.parse().ok()).unwrap_or(default)
    };
    Some(match name {
        "http-echo" => {
            let text = option("-text").or_else(|| option("--text"));
            let text = text
                .map(Str::from)
                .or_else(|| env.get("ECHO_TEXT").cloned())
                .unwrap_or("hello-world".into());
            let listen = port("-listen", port("--listen", 5678));
            let greeting = format!("[INFO] server is listening on :{listen}");
            Server::new(&[listen], Says::Text(format!("{text}\n").into())).greets(&[&greeting])
        }
        "whoami" => Server::new(&[port("--port", port("-port", 80))], Says::Echo)
            .on_term(ends(2, 5))
            .greets(&["Starting up on port 80"]),
        "hello-app" => {
            let greeting = "Server listening on port 8080";
            Server::new(&[8080], Says::HelloApp(base::lit!("1.0.0")))
                .on_term(ends(2, 5))
                .greets(&[greeting])
        }
        "node-hello" => {
            Server::new(&[8080], Says::Text(base::lit!("Hello Kubernetes!"))).on_term(Term::Ignores)
        }
        "echo-server" => Server::new(&[8080, 80], Says::Echo),
        "echoserver" => Server::new(&[8080], Says::Echo).on_term(ends(0, 50)),
        "server" => Server::new(&[8080], Says::Liveness(Duration::secs(10))).on_term(ends(2, 5)),
        "agnhost" => agnhost(args, port("--http-port", port("--port", 0)), hostname),
        _ => return None,
    })
}

fn agnhost(args: &[&str], port: u16, hostname: &str) -> Server {
    let or = |default: u16| if port == 0 { default } else { port };
    match args.first().copied().unwrap_or("pause") {
        "netexec" => {
            let mut server = Server::new(&[or(8080)], Says::Agnhost(true)).on_term(ends(0, 20));
            server.ports.push((8081, Protocol::Udp));
            server.greets(&[
                &format!("Started HTTP server on port {}", or(8080)),
                "Started UDP server on port  8081",
            ])
        }
        "serve-hostname" => Server::new(&[or(9376)], Says::Agnhost(false))
            .on_term(ends(0, 20))
            .greets(&[&format!("Serving on port 9376: {hostname}")]),
        "liveness" => Server::new(&[8080], Says::Liveness(Duration::secs(10))).on_term(ends(2, 5)),
        "grpc-health-checking" => Server::new(&[or(5000), 8080], Says::Grpc).on_term(ends(2, 5)),
        "test-webserver" => Server::new(&[or(80)], Says::Fine).on_term(ends(2, 5)),
        "porter" | "entrypoint-tester" | "inclusterclient" => {
            Server::new(&[or(80)], Says::Fine).on_term(ends(2, 5))
        }
        _ => Server::new(&[], Says::Connects).on_term(ends(0, 5)).greets(&["Paused"]),
    }
}

/// Programs that only use memory and processors.
fn stress(name: &str, args: &[&str]) -> Option<Server> {
    if !matches!(name, "stress" | "stress-ng") {
        return None;
    }
    let value = |flags: &[&str]| -> Option<&str> {
        let at = args.iter().position(|arg| flags.contains(arg))?;
        args.get(at + 1).copied()
    };
    let bytes = |text: &str| -> Option<i64> {
        let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let shift = match text[at..].chars().next() {
            Some('k' | 'K') => 10,
            Some('m' | 'M') => 20,
            Some('g' | 'G') => 30,
            _ => 0,
        };
        Some(text[..at].parse::<i64>().ok()? << shift)
    };
    let mut server = Server::new(&[], Says::Connects).on_term(ends(143, 10));
    server.memory = value(&["--vm-bytes", "-mem-total", "-mem-alloc-size"]).and_then(bytes);
    let cores = value(&["--cpu", "-c", "-cpus"]).and_then(|n| n.parse::<i64>().ok());
    server.load = cores.unwrap_or(0) * 1_000;
    Some(server)
}

fn languages(name: &str, args: &[&str]) -> Option<Server> {
    let python = name.starts_with("python");
    match args {
        ["-m", "http.server", rest @ ..] if python => {
            let port = rest.iter().find_map(|arg| arg.parse().ok()).unwrap_or(8000);
            let greeting =
                format!("Serving HTTP on 0.0.0.0 port {port} (http://0.0.0.0:{port}/) ...");
            let says = Says::Files(
                "".into(),
                "<title>Directory listing for /</title>\n".into(),
                "SimpleHTTP/0.6".into(),
            );
            Some(Server::new(&[port], says).on_term(Term::Ignores).greets(&[&greeting]))
        }
        [file, ..]
            if (python || matches!(name, "node" | "ruby" | "java")) && !file.starts_with('-') =>
        {
            let ports: &[u16] = if name == "node" { &[3000, 8080] } else { &[8080, 5000, 8000] };
            Some(Server::new(ports, Says::Fine).on_term(Term::Ignores))
        }
        _ => None,
    }
}

fn others(name: &str) -> Option<Server> {
    Some(match name {
        "pause" => Server::new(&[], Says::Connects).starts(0).on_term(ends(0, 5)),
        "coredns" => {
            let mut server = Server::new(&[53, 8080, 8181, 9153], Says::Fine);
            server.ports.push((53, Protocol::Udp));
            server.greets(&[".:53", "CoreDNS-1.14.2"])
        }
        "metrics-server" => Server::new(&[10250, 4443], Says::Fine).starts(1_200),
        "nginx-ingress-controller" => {
            Server::new(&[80, 443, 8443, 10254], Says::Fine).starts(2_000)
        }
        "kube-proxy" => Server::new(&[10249, 10256], Says::Fine),
        "prometheus" => Server::new(&[9090], Says::Fine).starts(900),
        "node_exporter" => Server::new(&[9100], Says::Fine),
        "grafana" => Server::new(&[3000], Says::Fine).starts(3_000),
        "fluentd" => Server::new(&[24224], Says::Connects).starts(1_000),
        "fluent-bit" => Server::new(&[2020], Says::Fine),
        _ => return None,
    })
}

/// Whether a command belongs to the small userland that images with a shell have.
pub fn is_userland(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "sh", "bash", "ash", "dash", "zsh", "true", "false", "sleep", "echo", "printf", "date",
        "hostname", "env", "printenv", "cat", "ls", "touch", "mkdir", "rm", "cp", "mv", "tee",
        "tail", "head", "wc", "grep", "cut", "tr", "sort", "uniq", "sed", "awk", "seq", "expr",
        "test", "[", "id", "whoami", "uname", "nproc", "pwd", "wget", "curl", "nc", "netcat",
        "telnet", "nslookup", "dig", "getent", "host", "ping", "dd", "stress", "yes", "top",
        "watch", "timeout", "kill", "chmod", "chown", "ln", "basename", "dirname", "apk",
        "apt-get", "apt", "nohup", "usleep", "sync", "rmdir", "sysctl",
    ];
    NAMES.contains(&name)
}
