import Synchronization
import Testing

@testable import mailsync

@Suite struct TextTests {
    @Test(arguments: [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567"), (-1000, "-1,000")])
    func numbersAreGrouped(number: Int, text: String) { #expect(DemoDisplay.grouped(number) == text) }

    @Test func aPipeGetsPlainLinesNowAndThen() {
        let written = Mutex("")
        let display = DemoDisplay(isTerminal: false) { text in written.withLock { $0 += text } }
        for at in stride(from: Int64(0), through: 4000, by: 100) { display.progress("at \(at)", at: at) }
        display.line("done")
        #expect(written.withLock { $0 } == "at 0\nat 2000\nat 4000\ndone\n")
    }

    @Test func aTerminalHasOneProgressLineThatIsCleared() {
        let written = Mutex("")
        let display = DemoDisplay(isTerminal: true) { text in written.withLock { $0 += text } }
        display.progress("1", at: 0)
        display.progress("2", at: 1)
        display.line("done")
        #expect(written.withLock { $0 } == "\r\u{1b}[K1\r\u{1b}[K2\r\u{1b}[Kdone\n")
    }

    @Test func barsStayInTheirPlaces() {
        #expect(DemoDisplay.bar(0, of: 10, places: 4) == "░░░░")
        #expect(DemoDisplay.bar(5, of: 10, places: 4) == "██░░")
        #expect(DemoDisplay.bar(50, of: 10, places: 4) == "████")
    }

    @Test func faultPlansAreReadOrRefused() {
        #expect(FaultyPublisher.Plan("lost=5,doubled=7").map { [$0.lost, $0.doubled] } == [5, 7])
        #expect(FaultyPublisher.Plan("lost=0") == nil)
        #expect(FaultyPublisher.Plan("stolen=1") == nil)
    }

    @Test func theStatusIsShownForPeople() throws {
        let body = """
            {"version":"0.1.0","uptime_s":3725,"nats":{"connected":false,"stream":"MAIL_EVENTS","trouble":"no server"},
            "accounts":{"active":3,"error":1,"stopped":0},"outbox_depth":12,"oldest_unpublished_s":90,"gaps":2,
            "errors":[{"code":"rate_limited","total":9,"last_hour":4}],
            "worst_accounts":[{"user_id":"u1","provider":"google","inbox_id":"primary","status":"error","reason":"quota"}]}
            """
        let text = try StatusText.render(Array(body.utf8))
        for part in [
            "up 1 h 2 min", "NOT CONNECTED", "no server", "3 active, 1 error", "12 waiting, the oldest for 1 min",
            "rate_limited: 4 in the last hour", "u1  google/primary  error  quota",
        ] {
            #expect(text.contains(part), "\(part)")
        }
        #expect(!text.contains("stopped"))
    }

    @Test func aDocumentThatIsNoStatusIsAnError() {
        #expect(throws: DecodingError.self) { try StatusText.render(Array("{}".utf8)) }
    }
}
