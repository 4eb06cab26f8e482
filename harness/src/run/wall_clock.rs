//! Whether somebody set the machine's clock while a scenario ran. Times of services, backends and our own come from that clock, and
//! rules compare them; what was captured on both sides of such a jump says nothing.

use std::time::{Duration, Instant, SystemTime};

/// A clock that is only slewed (NTP: at most 0.5 ms a second) stays far below this.
const JUMP_MIN: Duration = Duration::from_millis(500);

/// The wall clock beside one that nobody can set.
#[derive(Clone, Copy, Debug)]
pub(super) struct WallClock {
    wall: SystemTime,
    steady: Instant,
}

impl WallClock {
    pub(super) fn read() -> Self {
        WallClock { wall: SystemTime::now(), steady: Instant::now() }
    }

    /// By how many milliseconds it was set until `later`, negative for back; `None` if it was not.
    pub(super) fn jump_ms(self, later: WallClock) -> Option<i64> {
        let steady = later.steady.saturating_duration_since(self.steady);
        let expected = self.wall.checked_add(steady)?;
        let (back, by) = match later.wall.duration_since(expected) {
            Ok(ahead) => (1, ahead),
            Err(behind) => (-1, behind.duration()),
        };
        (by >= JUMP_MIN).then(|| back * i64::try_from(by.as_millis()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn jump(wall: impl FnOnce(SystemTime) -> SystemTime) -> Option<i64> {
        let began = WallClock::read();
        began.jump_ms(WallClock { wall: wall(began.wall), steady: began.steady + SECOND })
    }

    #[test]
    fn a_clock_that_goes_on_or_is_slewed_did_not_jump() {
        assert_eq!(jump(|wall| wall + SECOND), None);
        assert_eq!(jump(|wall| wall + SECOND - Duration::from_millis(499)), None);
        assert_eq!(jump(|wall| wall + SECOND + Duration::from_millis(499)), None);
    }

    #[test]
    fn a_clock_that_is_set_back_or_ahead_jumped() {
        assert_eq!(jump(|wall| wall + SECOND - Duration::from_millis(500)), Some(-500));
        assert_eq!(jump(|wall| wall - 9 * SECOND), Some(-10_000));
        assert_eq!(jump(|wall| wall + 3 * SECOND), Some(2_000));
        assert_eq!(jump(|_| SystemTime::UNIX_EPOCH).map(i64::signum), Some(-1));
    }
}
