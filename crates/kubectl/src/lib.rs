//! Command line to API requests to text, for the page's terminal.
