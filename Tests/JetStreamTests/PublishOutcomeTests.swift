import MailModel
import Testing

@testable import JetStream

@Suite struct PublishOutcomeTests {
    private func outcome(_ json: String) -> PublishOutcome {
        PublishOutcome(.reply(Array(json.utf8)), stream: "S")
    }

    @Test func acknowledgements() {
        #expect(outcome(#"{"stream":"S","seq":7}"#) == .stored(streamSequence: 7, duplicate: false))
        #expect(outcome(#"{"stream":"S","seq":7,"duplicate":true}"#) == .stored(streamSequence: 7, duplicate: true))
        #expect(outcome(#"{"stream":"S","domain":"hub","seq":9}"#) == .stored(streamSequence: 9, duplicate: false))
    }

    enum Kind { case unknown, look, rejected, trouble, forbidden }

    private func kind(_ outcome: PublishOutcome) -> Kind? {
        switch outcome {
        case .stored: nil
        case .unknown: .unknown
        case .look: .look
        case .rejected: .rejected
        case .streamTrouble: .trouble
        case .forbidden: .forbidden
        }
    }

    @Test(arguments: [
        (10158, Kind.unknown), (10164, .unknown), (10008, .unknown), (99999, .unknown), (10071, .look), (10201, .look),
        (10070, .look), (10054, .rejected), (10097, .rejected), (10023, .trouble), (10077, .trouble),
        (10047, .trouble), (10060, .trouble),
    ])
    func errorsOfTheServer(code: Int, expected: Kind) {
        let outcome = outcome(
            #"{"error":{"code":400,"err_code":\#(code),"description":"said so"},"stream":"S","seq":0}"#)
        #expect(kind(outcome) == expected)
    }

    @Test(arguments: [
        (Answer.noResponders, Kind.unknown), (.timedOut, .unknown), (.disconnected, .unknown),
        (.notConnected, .unknown), (.closed, .unknown), (.notPermitted("x"), .forbidden), (.tooLarge("x"), .rejected),
    ])
    func endsWithoutAnswer(answer: Answer, expected: Kind) {
        #expect(kind(PublishOutcome(answer, stream: "S")) == expected)
    }

    @Test(arguments: ["", "{", "[]", #"{"seq":0,"stream":"S"}"#, #"{"seq":-1,"stream":"S"}"#, #"{"seq":3}"#, "+OK"])
    func garbageIsUnknown(answer: String) { #expect(kind(outcome(answer)) == .unknown) }

    @Test func anotherStreamIsTrouble() { #expect(kind(outcome(#"{"stream":"OTHER","seq":1}"#)) == .trouble) }
}
