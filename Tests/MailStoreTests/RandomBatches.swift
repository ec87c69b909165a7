import MailModel

/// Draws texts, messages and batches that hit the awkward places.
struct RandomBatches {
    var generator: SeededGenerator
    private var version: UInt64 = 1
    private static let labels = ["INBOX", "UNREAD", "SENT", "TRASH", "Label_1", "Größe", "\u{0}nul"]
    private static let fragments = [
        "a", "B", "é", "e\u{301}", "😀", "\"", "\\", "\n", "\r", "\t", "\u{0}", "\u{1}", "\u{7f}", "\u{feff}", "/", "<",
        "漢",
        "\u{2028}", "__proto__", " ",
    ]

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func number(_ range: Range<Int>) -> Int { Int.random(in: range, using: &generator) }

    mutating func text(_ fragmentsMax: Int = 6) -> String {
        (0..<number(0..<fragmentsMax + 1)).map { _ in Self.fragments[number(0..<Self.fragments.count)] }.joined()
    }

    mutating func texts() -> [String] { (0..<number(0..<4)).map { _ in text() } }

    mutating func id() -> String { "m\(number(0..<12))" }

    mutating func labels() -> [String] { Self.labels.filter { _ in number(0..<3) == 0 }.sorted() }

    private mutating func nextVersion() -> UInt64 {
        version += UInt64(number(0..<3))
        return version - UInt64(number(0..<2))
    }

    mutating func message(_ id: String) -> MessageMeta {
        var names = ["From", "X-\(number(0..<9))", "__proto__", "é"]
        names.removeLast(number(0..<4))
        var headers = MessageHeaders(first: names.map { HeaderField(name: $0, value: text(20)) })
        if number(0..<3) == 0 { headers.repeated = [.init(name: "From", values: [text(), text()])] }
        return MessageMeta(
            id: id, threadID: text(), date: Int64(number(-5..<2_000_000_000)), subject: text(30), sender: text(),
            to: texts(), cc: texts(), bcc: texts(), snippet: text(20), headers: headers, labels: labels(),
            version: nextVersion())
    }

    mutating func change() -> MessageChange {
        switch number(0..<6) {
        case 0: .deleted(id: id())
        case 1, 2: .labels(id: id(), labels: labels(), version: nextVersion())
        case 3: .read(message(id()), inScope: false)
        default: .read(message(id()), inScope: true)
        }
    }

    mutating func batch() -> ChangeBatch {
        ChangeBatch(
            changes: (0..<number(0..<8)).map { _ in change() },
            gaps: (0..<number(0..<2)).map { _ in MessageGap(id: id(), reason: text()) },
            vanished: (0..<number(0..<2)).map { _ in id() },
            labels: number(0..<5) == 0 ? [MailLabel(id: text(), name: text(), type: "user")] : nil,
            origin: [.backfill, .incremental, .repair][number(0..<3)], cursor: Cursor(text()), phase: .live)
    }
}
