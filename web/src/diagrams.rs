//! The register of diagrams: what each is called and how its items read.
//!
//! A further diagram is a [`View`], a layout, a row here and a module of the `view` crate.

use protocol::View;

/// What the stage says about a diagram.
pub struct Diagram {
    /// The words of its tab.
    pub title: &'static str,
    /// One sentence for a reader who cannot see it and for one who can.
    pub about: &'static str,
    /// What moves.
    pub legend: &'static [(&'static str, &'static str)],
}

/// The row of a view.
pub fn diagram(view: View) -> &'static Diagram {
    match view {
        View::Architecture => &ARCHITECTURE,
        View::Deployment => &DEPLOYMENT,
        View::Service => &SERVICE,
    }
}

static ARCHITECTURE: Diagram = Diagram {
    title: "Cluster",
    about: "The control plane above, the nodes with their pods below. Every line leads to the API server.",
    legend: &[
        ("tone-write", "a write travels"),
        ("tone-watch", "news of a change"),
        ("tone-failed", "lost or refused"),
    ],
};
static DEPLOYMENT: Diagram = Diagram {
    title: "Deployment",
    about: "A Deployment, its ReplicaSets with the newest on top, and the pods of each.",
    legend: &[("tone-write", "created by its owner")],
};
static SERVICE: Diagram = Diagram {
    title: "Service",
    about: "Clients, the virtual address of the Service, its endpoints and their pods, from left to right.",
    legend: &[("tone-request", "a request"), ("tone-failed", "a request without an answer")],
};
