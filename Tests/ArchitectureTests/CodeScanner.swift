/// Cuts Swift text into lines of code (strings emptied, comments left out) and lines of comments.
///
/// Knows nested block comments, strings of all kinds with interpolation, and nothing else: regular expression literals
/// with quotes in them would confuse it.
func splitCodeAndComments(_ text: String) -> (code: [String], comments: [String]) {
    var scanner = CodeScanner(Array(text.utf8))
    scanner.run()
    return (scanner.code.map(asText), scanner.comments.map(asText))
}

private func asText(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

private struct CodeScanner {
    private enum Mode {
        /// `depth` counts the open parentheses inside an interpolation; nil outside of strings.
        case code(depth: Int?)
        case string(quotes: Int, hashes: Int)
        case lineComment
        case blockComment(depth: Int)
    }

    private let bytes: [UInt8]
    private var position = 0
    private var modes: [Mode] = [.code(depth: nil)]
    private(set) var code: [[UInt8]] = [[]]
    private(set) var comments: [[UInt8]] = [[]]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func run() {
        while position < bytes.count {
            switch modes[modes.count - 1] {
            case .code(let depth): scanCode(depth)
            case .string(let quotes, let hashes): scanString(quotes, hashes)
            case .lineComment: scanLineComment()
            case .blockComment(let depth): scanBlockComment(depth)
            }
        }
    }

    private mutating func scanCode(_ depth: Int?) {
        if follows("//") {
            modes.append(.lineComment)
        } else if follows("/*") {
            takeComment(2)
            modes.append(.blockComment(depth: 1))
        } else if let opening = openingOfString() {
            takeCode(opening.hashes + opening.quotes)
            modes.append(.string(quotes: opening.quotes, hashes: opening.hashes))
        } else {
            if let depth, follows("(") { modes[modes.count - 1] = .code(depth: depth + 1) }
            if let depth, follows(")") {
                if depth == 1 { modes.removeLast() } else { modes[modes.count - 1] = .code(depth: depth - 1) }
            }
            takeCode(1)
        }
    }

    private mutating func scanString(_ quotes: Int, _ hashes: Int) {
        if count(of: UInt8(ascii: "\""), from: position) >= quotes,
            count(of: UInt8(ascii: "#"), from: position + quotes) >= hashes
        {
            takeCode(quotes + hashes)
            modes.removeLast()
        } else if follows("\\"), count(of: UInt8(ascii: "#"), from: position + 1) >= hashes {
            let escaped = position + 1 + hashes
            let isInterpolation = escaped < bytes.count && bytes[escaped] == UInt8(ascii: "(")
            if isInterpolation { modes.append(.code(depth: 1)) }
            skip(hashes + 2)
        } else if follows("\n"), quotes == 1 {
            // A string of one line ends with it, whatever is wrong with it.
            modes.removeLast()
        } else {
            skip(1)
        }
    }

    private mutating func scanLineComment() {
        if follows("\n") { modes.removeLast() } else { takeComment(1) }
    }

    private mutating func scanBlockComment(_ depth: Int) {
        if follows("*/") {
            takeComment(2)
            if depth == 1 { modes.removeLast() } else { modes[modes.count - 1] = .blockComment(depth: depth - 1) }
        } else if follows("/*") {
            takeComment(2)
            modes[modes.count - 1] = .blockComment(depth: depth + 1)
        } else {
            takeComment(1)
        }
    }

    /// `"`, `"""`, `#"` and so on at the position.
    private func openingOfString() -> (quotes: Int, hashes: Int)? {
        let hashes = count(of: UInt8(ascii: "#"), from: position)
        let quotes = count(of: UInt8(ascii: "\""), from: position + hashes)
        guard quotes > 0 else { return nil }
        return (quotes >= 3 ? 3 : 1, hashes)
    }

    private func follows(_ text: String) -> Bool { bytes[position...].starts(with: text.utf8) }

    private func count(of byte: UInt8, from start: Int) -> Int {
        var end = start
        while end < bytes.count, bytes[end] == byte { end += 1 }
        return end - start
    }

    private mutating func takeCode(_ count: Int) { advance(count) { $0.code[$0.code.count - 1].append($1) } }
    private mutating func takeComment(_ count: Int) { advance(count) { $0.comments[$0.comments.count - 1].append($1) } }
    private mutating func skip(_ count: Int) { advance(count) { _, _ in } }

    private mutating func advance(_ count: Int, _ take: (inout CodeScanner, UInt8) -> Void) {
        for _ in 0..<count where position < bytes.count {
            if bytes[position] == UInt8(ascii: "\n") {
                code.append([])
                comments.append([])
            } else {
                take(&self, bytes[position])
            }
            position += 1
        }
    }
}
