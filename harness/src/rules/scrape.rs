//! SCRAPE: the scraper's side of the truth.

mod targets;
#[cfg(test)]
pub(super) mod testing;

super::family! {
    scrape_01,
    scrape_02,
    scrape_03,
    scrape_04,
    scrape_05,
}
