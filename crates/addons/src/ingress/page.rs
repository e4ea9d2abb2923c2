//! The pages that the controller itself answers with.

use base::lit;
use network::HttpResponse;

/// The page for a status code.
pub fn error(status: u16) -> HttpResponse {
    let mut response = HttpResponse::new(status, "");
    let words = match status {
        503 => "Service Temporarily Unavailable",
        _ => response.reason(),
    };
    let title = format!("{status} {words}");
    response.body = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
         <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
    .into();
    response.headers.push((lit!("Content-Type"), lit!("text/html")));
    response
}
