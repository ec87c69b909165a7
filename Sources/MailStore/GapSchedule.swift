import MailModel

/// When a message that could not be read is tried again.
public enum GapSchedule {
    /// Seconds after the first failure.
    public static let firstDelaySeconds: Int64 = 60
    /// The longest delay, in seconds: six hours.
    public static let delaySecondsMax: Int64 = 6 * 3600

    /// Seconds to wait after so many failed attempts: one minute, doubling, up to six hours.
    public static func delaySeconds(afterAttempts attempts: Int) -> Int64 {
        let doublings = min(max(attempts - 1, 0), 16)
        return min(firstDelaySeconds << Int64(doublings), delaySecondsMax)
    }
}
