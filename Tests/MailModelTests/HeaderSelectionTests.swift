import MailModel
import Testing

@Suite struct HeaderSelectionTests {
    private func fields(_ pairs: KeyValuePairs<String, String>) -> [HeaderField] {
        pairs.map { HeaderField(name: $0.key, value: $0.value) }
    }

    @Test func namesMatchWhateverTheirCase() {
        let headers = HeaderSelection.named(["Subject", "From"]).select(
            fields(["FROM": "a", "x-other": "b", "subject": "c"]))
        #expect(headers == MessageHeaders(first: fields(["Subject": "c", "From": "a"])))
    }

    @Test func furtherValuesOfANameAreRepeated() {
        let headers = HeaderSelection.named(["To", "Received"]).select(
            fields(["received": "1", "To": "x", "Received": "2", "RECEIVED": "3"]))
        #expect(
            headers
                == MessageHeaders(
                    first: fields(["To": "x", "Received": "1"]),
                    repeated: [.init(name: "Received", values: ["2", "3"])]))
    }

    @Test func allKeepsEveryHeaderUnderItsFirstSpelling() {
        let headers = HeaderSelection.all.select(fields(["X-B": "1", "x-a": "2", "x-b": "3"]))
        #expect(
            headers
                == MessageHeaders(
                    first: fields(["X-B": "1", "x-a": "2"]), repeated: [.init(name: "X-B", values: ["3"])]))
    }

    @Test func noNameIsSpecial() {
        let awkward = fields(["__proto__": "1", "constructor": "2", "": "3", "__PROTO__": "4"])
        let headers = HeaderSelection.all.select(awkward)
        #expect(headers.first == Array(awkward.prefix(3)))
        #expect(headers.repeated == [.init(name: "__proto__", values: ["4"])])
        #expect(HeaderSelection.named(["__proto__"]).select(awkward).first == [awkward[0]])
    }

    @Test func aNameThatIsSelectedTwiceCountsOnce() {
        let headers = HeaderSelection.named(["From", "FROM"]).select(fields(["from": "a"]))
        #expect(headers == MessageHeaders(first: fields(["From": "a"])))
    }

    @Test func theStandardSelectionLeavesTheRestOut() {
        let headers = HeaderSelection.standard.select(
            fields(["DKIM-Signature": "x", "List-ID": "l", "delivered-to": "d", "from": "f"]))
        #expect(headers.first.map(\.name) == ["From", "List-Id", "Delivered-To"])
    }
}
