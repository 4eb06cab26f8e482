//! PRIVATE: nothing secret leaves.

mod leaks;
mod places;
pub(crate) mod search;

super::family! {
    private_01,
    private_02,
    private_03,
}
