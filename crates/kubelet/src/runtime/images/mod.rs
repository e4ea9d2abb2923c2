//! The images that are known by name: sizes, command lines and what they need.
//!
//! Known deviations:
//! - postgres starts without a password too, as with `POSTGRES_HOST_AUTH_METHOD=trust`.

mod programs;

use base::Str;

pub use programs::{is_userland, server};

use super::image::Image;

/// Every image that is known by name.
pub fn all() -> Vec<Image> {
    let mut out = userland();
    out.extend(web());
    out.extend(stores());
    out.extend(languages());
    out.extend(cluster());
    out
}

fn bare(mut image: Image) -> Image {
    image.shell = false;
    image
}

fn newest(mut image: Image, major: u32, minor: u32) -> Image {
    image.newest = Some((major, minor));
    image
}

fn needs(mut image: Image, variables: &[&str], message: &str) -> Image {
    image.needs = Some((variables.iter().map(|name| Str::from(*name)).collect(), message.into()));
    image
}

fn userland() -> Vec<Image> {
    vec![
        newest(Image::new("busybox", 2, &[], &["sh"]), 1, 39),
        newest(Image::new("alpine", 4, &[], &["/bin/sh"]), 3, 29),
        Image::new("ubuntu", 30, &[], &["/bin/bash"]),
        Image::new("debian", 49, &[], &["bash"]),
        Image::new("centos", 84, &[], &["/bin/bash"]),
        Image::new("fedora", 60, &[], &["/bin/bash"]),
        Image::new("bash", 6, &["bash"], &[]),
        Image::new("curlimages/curl", 10, &["curl"], &[]),
        Image::new("radial/busyboxplus", 5, &[], &["sh"]),
        Image::new("nicolaka/netshoot", 190, &[], &["zsh"]),
        Image::new("appropriate/curl", 3, &["curl"], &[]),
        Image::new("polinux/stress", 4, &[], &["stress"]),
        bare(Image::new("vish/stress", 2, &["/stress"], &[])),
        bare(Image::new("hello-world", 1, &["/hello"], &[])),
        bare(Image::new("pause", 1, &["/pause"], &[])),
    ]
}

fn web() -> Vec<Image> {
    vec![
        newest(
            Image::new("nginx", 72, &["/docker-entrypoint.sh"], &["nginx", "-g", "daemon off;"]),
            1,
            31,
        ),
        Image::new("nginxinc/nginx-unprivileged", 71, &["nginx", "unprivileged"], &[]),
        newest(Image::new("httpd", 59, &[], &["httpd-foreground"]), 2, 4),
        Image::new("caddy", 20, &["caddy", "run"], &[]),
        Image::new("traefik", 47, &["traefik"], &[]),
        Image::new("haproxy", 42, &["haproxy"], &[]),
        Image::new("envoy", 60, &["envoy"], &[]),
        Image::new("envoyproxy/envoy", 60, &["envoy"], &[]),
        bare(Image::new("hashicorp/http-echo", 3, &["/http-echo"], &[])),
        bare(Image::new("traefik/whoami", 3, &["/whoami"], &[])),
        bare(Image::new("containous/whoami", 3, &["/whoami"], &[])),
        Image::new("mendhak/http-https-echo", 50, &["echo-server"], &[]),
        Image::new("ealen/echo-server", 40, &["echo-server"], &[]),
        Image::new("kennethreitz/httpbin", 150, &["httpbin"], &[]),
        bare(Image::new("google-samples/hello-app", 6, &["/hello-app"], &[])),
        bare(Image::new("google-samples/node-hello", 250, &["node-hello"], &[])),
        Image::new("google-samples/gb-frontend", 150, &["gb-frontend"], &[]),
        Image::new("hpa-example", 180, &["apache-php"], &[]),
        Image::new("wordpress", 240, &["docker-entrypoint.sh"], &["apache2-foreground"]),
        Image::new("ghost", 180, &["docker-entrypoint.sh"], &["node", "current/index.js"]),
    ]
}

fn stores() -> Vec<Image> {
    let mysql = "[ERROR] [Entrypoint]: Database is uninitialized and password option is not specified\n    \
                 You need to specify one of the following as an environment variable:\n    \
                 - MYSQL_ROOT_PASSWORD\n    - MYSQL_ALLOW_EMPTY_PASSWORD\n    - MYSQL_RANDOM_ROOT_PASSWORD";
    let mysql_needs =
        ["MYSQL_ROOT_PASSWORD", "MYSQL_ALLOW_EMPTY_PASSWORD", "MYSQL_RANDOM_ROOT_PASSWORD"];
    let maria_needs = [
        "MARIADB_ROOT_PASSWORD",
        "MYSQL_ROOT_PASSWORD",
        "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD",
        "MYSQL_ALLOW_EMPTY_PASSWORD",
    ];
    vec![
        Image::new("redis", 45, &["docker-entrypoint.sh"], &["redis-server"]),
        Image::new("valkey/valkey", 45, &["docker-entrypoint.sh"], &["valkey-server"]),
        Image::new("memcached", 32, &["docker-entrypoint.sh"], &["memcached"]),
        Image::new("postgres", 155, &["docker-entrypoint.sh"], &["postgres"]),
        needs(
            Image::new("mysql", 230, &["docker-entrypoint.sh"], &["mysqld"]),
            &mysql_needs,
            mysql,
        ),
        needs(
            Image::new("mariadb", 115, &["docker-entrypoint.sh"], &["mariadbd"]),
            &maria_needs,
            mysql,
        ),
        Image::new("mongo", 280, &["docker-entrypoint.sh"], &["mongod"]),
        Image::new("cassandra", 150, &["docker-entrypoint.sh"], &["cassandra", "-f"]),
        Image::new("rabbitmq", 100, &["docker-entrypoint.sh"], &["rabbitmq-server"]),
        Image::new("zookeeper", 120, &["/docker-entrypoint.sh"], &["zkServer.sh"]),
        Image::new("elasticsearch", 600, &["docker-entrypoint.sh"], &["eswrapper"]),
        Image::new("minio/minio", 60, &["minio"], &["server", "/data"]),
        Image::new("etcd", 60, &["etcd"], &[]),
    ]
}

fn languages() -> Vec<Image> {
    vec![
        Image::new("perl", 350, &[], &["perl", "-de0"]),
        Image::new("python", 380, &[], &["python3"]),
        Image::new("node", 390, &["docker-entrypoint.sh"], &["node"]),
        Image::new("golang", 300, &[], &["bash"]),
        Image::new("openjdk", 250, &[], &["jshell"]),
        Image::new("ruby", 350, &[], &["irb"]),
        Image::new("php", 170, &["docker-php-entrypoint"], &["php", "-a"]),
    ]
}

fn cluster() -> Vec<Image> {
    vec![
        Image::new("e2e-test-images/agnhost", 55, &["/agnhost"], &["pause"]),
        Image::new("agnhost", 55, &["/agnhost"], &["pause"]),
        Image::new("serve_hostname", 4, &["/agnhost", "serve-hostname"], &[]),
        Image::new("echoserver", 46, &["echoserver"], &[]),
        Image::new("e2e-test-images/echoserver", 46, &["echoserver"], &[]),
        Image::new("liveness", 4, &["/server"], &[]),
        bare(Image::new("coredns/coredns", 20, &["/coredns"], &[])),
        bare(Image::new("coredns", 20, &["/coredns"], &[])),
        bare(Image::new("metrics-server/metrics-server", 20, &["/metrics-server"], &[])),
        bare(Image::new("ingress-nginx/controller", 110, &["/nginx-ingress-controller"], &[])),
        Image::new("kube-proxy", 32, &["kube-proxy"], &[]),
        Image::new("prom/prometheus", 120, &["prometheus"], &[]),
        Image::new("prom/node-exporter", 12, &["node_exporter"], &[]),
        Image::new("grafana/grafana", 190, &["grafana"], &[]),
        Image::new("fluentd", 80, &["fluentd"], &[]),
        Image::new("fluentd-elasticsearch", 110, &["fluentd"], &[]),
        Image::new("fluent/fluentd", 80, &["fluentd"], &[]),
        Image::new("fluent/fluent-bit", 40, &["fluent-bit"], &[]),
    ]
}
