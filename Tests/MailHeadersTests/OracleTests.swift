import Foundation
import MailHeaders
import MailTestSupport
import Testing

/// Agreement with a reference parser on real mail.
@Suite struct OracleTests {
    /// How often a field was compared and agreed.
    struct Agreement {
        var compared = 0
        var differing: [String] = []
        var share: Double { compared == 0 ? 1 : Double(compared - differing.count) / Double(compared) }

        mutating func note(_ same: Bool, _ detail: @autoclosure () -> String) {
            compared += 1
            if !same { differing.append(detail()) }
        }
    }

    @Test(.enabled(if: SharedMaterial.corpus != nil))
    func realMailIsReadLikeTheReferenceReadsIt() throws {
        let directory = try #require(SharedMaterial.corpus)
        let agreement = compare(try Corpus.real(in: directory))
        report("real-5k", agreement)
        for (field, result) in agreement {
            #expect(result.compared > 0 || field == "bcc", "\(field) was never compared")
            #expect(result.share > 0.995, "\(field): \(result.differing.prefix(10).joined(separator: "\n"))")
        }
    }

    @Test(.enabled(if: SharedMaterial.corpus != nil))
    func uglyMailIsReadMostlyLikeTheReferenceReadsIt() throws {
        let directory = try #require(SharedMaterial.corpus)
        let agreement = compare(try Corpus.nasty(in: directory))
        report("nasty", agreement)
        for (field, result) in agreement {
            #expect(result.share > 0.95, "\(field): \(result.differing.prefix(10).joined(separator: "\n"))")
        }
    }

    private func report(_ corpus: String, _ agreement: [String: Agreement]) {
        for (field, result) in agreement.sorted(by: { $0.key < $1.key }) {
            let percent = String(format: "%.2f", result.share * 100)
            print("\(corpus) \(field): \(percent) % of \(result.compared) agree")
            if ProcessInfo.processInfo.environment["MAIL_SHOW_DIFFERENCES"] != nil {
                result.differing.forEach { print("  \($0)") }
            }
        }
    }

    private func compare(_ entries: [CorpusEntry]) -> [String: Agreement] {
        var agreement: [String: Agreement] = [:]
        for entry in entries where !entry.expected.suspect {
            compareTexts(entry, &agreement)
            compareAddresses(entry, &agreement)
            compareDates(entry, &agreement)
        }
        return agreement
    }

    private func trusted(_ entry: CorpusEntry, _ field: String) -> Bool {
        !(entry.expected.disagree ?? []).contains(field)
    }

    private func compareTexts(_ entry: CorpusEntry, _ agreement: inout [String: Agreement]) {
        let texts = [
            ("subject", "subject", entry.expected.subject), ("message_id", "message-id", entry.expected.message_id),
            ("in_reply_to", "in-reply-to", entry.expected.in_reply_to),
        ]
        for (field, header, expected) in texts where trusted(entry, field) {
            guard let raw = entry.first(header) else { continue }
            let ours = HeaderText.decode(raw: raw)
            let theirs = (expected ?? "").trimmingCharacters(in: CharacterSet(charactersIn: " \t"))
            agreement[field, default: .init()].note(ours == theirs, "\(entry.name) ours [\(ours)] theirs [\(theirs)]")
        }
    }

    private func compareAddresses(_ entry: CorpusEntry, _ agreement: inout [String: Agreement]) {
        let lists = [
            ("from", entry.expected.from), ("to", entry.expected.to), ("cc", entry.expected.cc),
            ("bcc", entry.expected.bcc),
        ]
        for (field, expected) in lists where trusted(entry, field) {
            guard let raw = entry.first(field), let expected else { continue }
            let ours = AddressList.parse(raw: raw)
            let detail = "\(entry.name) ours \(ours.map(\.address)) theirs \(expected.map(\.addr))"
            agreement[field, default: .init()].note(ours.map(\.address) == expected.map(\.addr), detail)
            compareNames(entry, field, ours, expected, &agreement)
        }
    }

    /// Names, where the reference has one: it does not read the comment beside a bare address as a name.
    private func compareNames(
        _ entry: CorpusEntry, _ field: String, _ ours: [MailAddress], _ expected: [Expected.Address],
        _ agreement: inout [String: Agreement]
    ) {
        guard ours.count == expected.count else { return }
        for (mine, theirs) in zip(ours, expected) where !theirs.name.isEmpty {
            let detail = "\(entry.name) ours [\(mine.name)] theirs [\(theirs.name)]"
            agreement["\(field)_names", default: .init()].note(collapsed(mine.name) == collapsed(theirs.name), detail)
        }
    }

    private func collapsed(_ name: String) -> String {
        name.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    /// The reference takes two- and three-digit years literally (`odd-year`), against RFC 5322 §4.3.
    private func compareDates(_ entry: CorpusEntry, _ agreement: inout [String: Agreement]) {
        guard trusted(entry, "date"), let raw = entry.first("date"), let expected = entry.expected.date,
            !(entry.expected.odd ?? []).contains("odd-year")
        else { return }
        let text = HeaderText.decode(raw: raw)
        let ours = MailDate.parse(text)
        agreement["date", default: .init()].note(ours == expected, "\(entry.name) [\(text)] \(ours ?? -1) \(expected)")
    }
}
