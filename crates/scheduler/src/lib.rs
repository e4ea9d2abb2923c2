//! kube-scheduler: queue, cycle, one module per plugin, preemption.
