import HTTPTransport
import Testing

@Suite("Retry-After")
struct RetryAfterTests {
    /// Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110 §5.6.7.
    private static let example: Int64 = 784_111_777

    @Test(
        "seconds",
        arguments: [
            ("0", 0), ("120", 120), (" 7\t", 7), ("007", 7), ("2592001", 2_592_000),
            (String(repeating: "9", count: 40), 2_592_000),
        ])
    func seconds(text: String, expected: Int) {
        #expect(RetryAfter.parse(text, now: Self.example) == .seconds(expected))
    }

    @Test(
        "the three forms of a date",
        arguments: [
            "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
            " Sun, 06 Nov 1994 08:49:37 GMT ",
        ])
    func dates(text: String) {
        #expect(RetryAfter.parse(text, now: Self.example - 90) == .seconds(90))
        #expect(RetryAfter.parse(text, now: Self.example) == .zero)
        #expect(RetryAfter.parse(text, now: Self.example + 1) == .zero)
    }

    @Test(
        "days of the calendar",
        arguments: [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("Tue, 29 Feb 2000 23:59:59 GMT", 951_868_799),
            ("Wed, 01 Mar 2000 00:00:00 GMT", 951_868_800), ("Fri, 31 Dec 2100 00:00:00 GMT", 4_133_894_400),
            ("Sat, 31 Dec 2016 23:59:60 GMT", 1_483_228_800),
        ])
    func calendar(text: String, expected: Int64) {
        #expect(RetryAfter.parse(text, now: expected - 5) == .seconds(5))
    }

    @Test("a two-digit year more than 50 years ahead is of the last century")
    func centuries() {
        let now: Int64 = 1_767_225_600  // 2026-01-01
        #expect(RetryAfter.parse("Thursday, 01-Jan-26 00:01:00 GMT", now: now) == .seconds(60))
        #expect(RetryAfter.parse("Wednesday, 01-Jan-76 00:00:00 GMT", now: now) == .seconds(RetryAfter.secondsMax))
        #expect(RetryAfter.parse("Saturday, 01-Jan-77 00:00:00 GMT", now: now) == .zero)
    }

    @Test("a date far ahead is taken as the maximum, whatever the clock says")
    func extremes() {
        #expect(RetryAfter.parse("Fri, 31 Dec 9999 23:59:59 GMT", now: 0) == .seconds(RetryAfter.secondsMax))
        #expect(RetryAfter.parse("Fri, 31 Dec 9999 23:59:59 GMT", now: .min) == .seconds(RetryAfter.secondsMax))
        #expect(RetryAfter.parse("Fri, 31 Dec 9999 23:59:59 GMT", now: .max) == .zero)
    }

    @Test(
        "anything else is nil",
        arguments: [
            "", " ", "-1", "1.5", "+1", "1 2", "soon", "٣", "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 31 Feb 1994 08:49:37 GMT", "Tue, 29 Feb 1900 00:00:00 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nuv 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49 GMT", "Sun, 06 Nov 1994 8:49:37 GMT",
            "Sunday, 06-Nov-1994 08:49:37 GMT", "Sunday, 06-Nov 08:49:37 GMT", "1994-11-06T08:49:37Z",
        ])
    func nonsense(text: String) { #expect(RetryAfter.parse(text, now: Self.example) == nil) }
}
