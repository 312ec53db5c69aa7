//! Instants as the log holds them: UTC, whole milliseconds, the years 0 to 9999 that RFC 3339 can write.

use chrono::{DateTime, SecondsFormat, Utc};

use super::Refusal;

/// 9999-12-31T23:59:59.999Z in milliseconds since 1970.
const LAST_MS: i64 = 253_402_300_799_999;
/// 0000-01-01T00:00:00.000Z in milliseconds since 1970.
const FIRST_MS: i64 = -62_167_219_200_000;

fn from_ms(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms.clamp(FIRST_MS, LAST_MS)).expect("chrono has the years 0 to 9999")
}

/// The instant without what is below a millisecond.
pub(crate) fn whole(at: DateTime<Utc>) -> DateTime<Utc> {
    from_ms(at.timestamp_millis())
}

/// The instant `ms` milliseconds after `at`, at most the end of the year 9999.
pub(crate) fn after(at: DateTime<Utc>, ms: u64) -> DateTime<Utc> {
    from_ms(at.timestamp_millis().saturating_add(i64::try_from(ms).unwrap_or(i64::MAX)))
}

/// Milliseconds from `from` to `to`; 0 when `to` is not later.
pub(crate) fn left_ms(from: DateTime<Utc>, to: DateTime<Utc>) -> u64 {
    u64::try_from(to.timestamp_millis().saturating_sub(from.timestamp_millis())).unwrap_or(0)
}

/// An instant given by a client, in whole milliseconds.
///
/// # Errors
/// [`Refusal::Guard`] on `field` when it is not in the years 0 to 9999.
pub(crate) fn given(
    field: &'static str,
    at: Option<DateTime<Utc>>,
) -> Result<Option<DateTime<Utc>>, Refusal> {
    match at {
        Some(at) if !(FIRST_MS..=LAST_MS).contains(&at.timestamp_millis()) => {
            Err(Refusal::Guard { field, reason: "must lie in the years 0 to 9999".to_owned() })
        }
        at => Ok(at.map(whole)),
    }
}

/// The instant as people and programs read it.
pub(crate) fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_end_with_the_last_year_that_can_be_written() {
        assert_eq!(text(after(DateTime::UNIX_EPOCH, 1_500)), "1970-01-01T00:00:01.500Z");
        assert_eq!(text(after(DateTime::UNIX_EPOCH, u64::MAX)), "9999-12-31T23:59:59.999Z");
        assert_eq!(text(after(DateTime::<Utc>::MAX_UTC, 1)), "9999-12-31T23:59:59.999Z");
        assert_eq!(text(whole(DateTime::<Utc>::MIN_UTC)), "0000-01-01T00:00:00.000Z");
        assert_eq!(left_ms(DateTime::<Utc>::MAX_UTC, DateTime::<Utc>::MIN_UTC), 0);
        assert!(left_ms(DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC) > 0);
    }

    #[test]
    fn a_client_gives_instants_of_four_digit_years() {
        let odd: DateTime<Utc> = "2026-01-02T03:04:05.678901Z".parse().unwrap();
        assert_eq!(given("/runAt", Some(odd)).unwrap().map(text).unwrap(), "2026-01-02T03:04:05.678Z");
        assert_eq!(given("/runAt", None), Ok(None));
        assert!(given("/runAt", Some(DateTime::<Utc>::MAX_UTC)).is_err());
    }
}
