//! Provider models (machines, load balancers, disks) and the cloud controllers.
