//! MSG: the trace survives the queue and the outbox.

pub(super) mod subscription;

super::family! {
    msg_01,
    msg_02,
    msg_03,
    msg_04,
    msg_05,
    msg_06,
    msg_07,
    msg_08,
    msg_09,
}
