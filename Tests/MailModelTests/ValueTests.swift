import MailModel
import Testing

@Suite struct ValueTests {
    @Test func secretsNeverPrint() {
        let secret = Secret("ya29.token")
        var dumped = ""
        dump(secret, to: &dumped)
        for text in ["\(secret)", String(reflecting: secret), "\([secret])", dumped] {
            #expect(!text.contains("ya29"))
        }
        #expect(secret.revealed == "ya29.token")
    }

    @Test func durationsInMillisecondsSaturate() {
        #expect(Duration.milliseconds(1500).milliseconds == 1500)
        #expect(Duration.microseconds(1999).milliseconds == 1)
        #expect(Duration.seconds(Int64.max).milliseconds == .max)
        #expect(Duration.seconds(Int64.min).milliseconds == .min)
        let edge = Duration(secondsComponent: Int64.max / 1000, attosecondsComponent: 999_000_000_000_000_000)
        #expect(edge.milliseconds == .max)
        #expect(Duration.milliseconds(1500).inSeconds == 1.5)
    }

    @Test func failuresPrintTheirCodeFirst() {
        let failure = SyncFailure(.retry(after: .seconds(3), scope: .project), code: "rate_limited", "slow down")
        #expect("\(failure)" == "rate_limited: slow down")
    }
}
