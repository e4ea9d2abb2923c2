//! What a session needs from its host.

use base::Str;

/// The answer to one HTTP request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The status code; 0 where the server cannot be reached.
    pub code: u16,
    /// Header names and values; `Warning` is read.
    pub headers: Vec<(Str, Str)>,
    /// The body.
    pub body: Vec<u8>,
}

/// The world outside the terminal: the API server's HTTP edge, the cluster's network, and named texts.
pub trait Server {
    /// Answers one request. `body` is its content type and bytes.
    fn http(
        &mut self,
        method: &str,
        path_and_query: &str,
        body: Option<(&str, &[u8])>,
        accept: &str,
    ) -> Response;

    /// Opens a watch; the query holds `watch=true`. The number names it in the calls below.
    fn watch(&mut self, path_and_query: &str, accept: &str) -> Result<u64, Response>;

    /// The events since the last call, each one line of JSON.
    fn poll_watch(&mut self, id: u64) -> Vec<Vec<u8>>;

    /// Ends a watch.
    fn close_watch(&mut self, id: u64);

    /// Asks for `url` over the cluster's network; `from` is `namespace/pod`, or empty for outside.
    fn curl(&mut self, from: &str, url: &str) -> String;

    /// Runs a command in a container and gives its output and exit code, or why it cannot be run.
    fn exec(
        &mut self,
        _namespace: &str,
        _pod: &str,
        _container: &str,
        command: &[String],
    ) -> Result<(String, i32), String> {
        let name = command.first().map_or("", String::as_str);
        Err(format!("containers are modelled, not run: there is no {name:?} to start"))
    }

    /// The text of a file that a command names.
    fn file(&mut self, _path: &str) -> Option<String> {
        None
    }
}
