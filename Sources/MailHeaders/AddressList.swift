/// An address of a header field.
public struct MailAddress: Sendable, Hashable {
    /// The decoded display name, or the comment beside a bare address (RFC 822's way of naming); empty when none.
    public var name: String
    /// `local@domain`; without `@` where the sender gave only a local name.
    public var address: String

    public init(name: String = "", address: String) {
        self.name = name
        self.address = address
    }
}

/// Reads address lists: `From`, `To`, `Cc`, `Bcc`, `Reply-To` (RFC 5322 §3.4, obsolete forms included).
///
/// Tolerant: a comma inside quotes, comments and encoded words separates nothing; groups give their members (an
/// empty group such as `undisclosed-recipients:;` none); source routes are dropped; `;` separates like `,`; a missing
/// `>` or a missing comma between two addresses loses neither. What names no address gives none. Total.
public struct AddressList {
    private var addresses: [MailAddress] = []
    /// Tokens since the last separator, outside angle brackets.
    private var run: [AddressToken] = []
    /// The run follows an address in angle brackets.
    private var afterAngle = false

    private init() {}

    /// The addresses of a field's value, in order. The value may be folded and have encoded words.
    public static func parse(_ value: String) -> [MailAddress] {
        parse(utf8: Array(value.utf8), decodesWhole: true)
    }

    /// The same for a value as it stood in the message, in bytes.
    public static func parse(raw bytes: [UInt8]) -> [MailAddress] { parse(HeaderText.text(ofRaw: bytes)) }

    private static func parse(utf8: [UInt8], decodesWhole: Bool) -> [MailAddress] {
        var list = AddressList()
        list.read(AddressTokens.tokens(of: utf8), decodesWhole: decodesWhole)
        return list.addresses
    }

    private mutating func read(_ tokens: [AddressToken], decodesWhole: Bool) {
        var position = 0
        while position < tokens.count {
            let token = tokens[position]
            position += 1
            switch token.kind {
            case .special(UInt8(ascii: ",")), .special(UInt8(ascii: ";")): separate(decodesWhole)
            case .special(UInt8(ascii: ":")):
                // What stood before is a group's name. With an `@` in it, it is a broken address instead.
                if !run.contains(where: { $0.isSpecial("@") }) { run = [] }
            case .special(UInt8(ascii: "<")):
                let content = Self.angle(tokens, &position)
                bracketed(content)
            case .special(UInt8(ascii: ">")): break
            case .atom, .quoted, .comment, .literal, .special: run.append(token)
            }
        }
        separate(decodesWhole)
    }

    /// The tokens up to the closing bracket; or up to a comma or another `<` when the closing one is missing.
    private static func angle(_ tokens: [AddressToken], _ position: inout Int) -> [AddressToken] {
        var content: [AddressToken] = []
        while position < tokens.count {
            let token = tokens[position]
            if token.isSpecial(">") {
                position += 1
                break
            }
            let isRoute = content.first?.isSpecial("@") ?? false
            if token.isSpecial(","), !isRoute { break }
            if token.isSpecial("<") {
                if !content.isEmpty { break }
            } else if token.isSpecial(":"), isRoute {
                content = []
            } else if token.kind != .comment {
                content.append(token)
            }
            position += 1
        }
        return content
    }

    private mutating func bracketed(_ content: [AddressToken]) {
        let address = Self.joined(content)
        add(address, name: Self.phrase(run))
        run = []
        afterAngle = true
    }

    private mutating func add(_ address: String, name: String) {
        // An encoded word may hold nothing.
        if !address.isEmpty { addresses.append(MailAddress(name: name, address: address)) }
    }

    /// Ends the current address.
    private mutating func separate(_ decodesWhole: Bool) {
        defer {
            run = []
            afterAngle = false
        }
        if afterAngle { return }
        while let at = run.firstIndex(where: { $0.isSpecial("@") }) {
            takeBare(at)
        }
        guard !run.isEmpty else { return }
        takeWithoutAt(decodesWhole)
    }

    /// Takes `name local@domain (comment)` off the front of the run; `at` is where its `@` stands.
    private mutating func takeBare(_ at: Int) {
        var start = at
        while start > 0, run[start - 1].isWord, start == at || Self.belongTogether(run[start - 1], run[start]) {
            start -= 1
        }
        var end = at + 1
        while end < run.count, run[end].isWord || run[end].kind == .literal,
            end == at + 1 || Self.belongTogether(run[end - 1], run[end])
        {
            end += 1
        }
        let comment = run[end...].prefix { $0.kind == .comment }
        let words = run[..<start].filter { $0.kind != .comment }
        if start < at || end > at + 1 {
            let name = words.isEmpty ? Self.phrase(run[..<start] + comment, comments: true) : Self.phrase(words)
            add(Self.joined(run[start..<end]), name: name)
        }
        run = Array(run[(end + comment.count)...])
    }

    /// A run without `@`: a single word is a local name; an encoded or quoted address is read once more, decoded.
    private mutating func takeWithoutAt(_ decodesWhole: Bool) {
        let words = run.filter { $0.kind != .comment }
        let text = Self.phrase(words)
        if text.utf8.contains(UInt8(ascii: "@")) {
            if decodesWhole { addresses += Self.parse(utf8: Array(text.utf8), decodesWhole: false) }
            return
        }
        guard words.count == 1, words[0].kind == .atom,
            !text.lowercased().hasPrefix("undisclosed"), !text.utf8.contains(Ascii.equals)
        else { return }
        add(text, name: Self.phrase(run.filter { $0.kind == .comment }, comments: true))
    }

    /// Two tokens of one local part or domain: nothing between them, or the obsolete spaces around a dot.
    private static func belongTogether(_ left: AddressToken, _ right: AddressToken) -> Bool {
        let dot = UInt8(ascii: ".")
        return !right.spaced || right.bytes.first == dot || left.bytes == [dot]
    }

    /// An address out of its tokens; a quoted local part keeps its quotes where it needs them.
    private static func joined(_ tokens: some Collection<AddressToken>) -> String {
        var out: [UInt8] = []
        var previous: AddressToken?
        for token in tokens {
            if let previous, previous.isWord, token.isWord, !belongTogether(previous, token) { out.append(32) }
            if token.kind == .quoted, needsQuotes(token.bytes) {
                out.append(Ascii.quote)
                for byte in token.bytes {
                    if byte == Ascii.quote || byte == Ascii.backslash { out.append(Ascii.backslash) }
                    out.append(byte)
                }
                out.append(Ascii.quote)
            } else {
                out += token.bytes
            }
            previous = token
        }
        return HeaderText.decode(utf8: out)
    }

    private static func needsQuotes(_ local: [UInt8]) -> Bool {
        let plain = Set("!#$%&'*+-/=?^_`{|}~.".utf8)
        return local.isEmpty
            || !local.allSatisfy { $0 >= 0x80 || Ascii.isLetter($0) || Ascii.isDigit($0) || plain.contains($0) }
    }

    /// A display name out of its tokens.
    private static func phrase(_ tokens: some Collection<AddressToken>, comments: Bool = false) -> String {
        var out: [UInt8] = []
        for token in tokens where comments || token.kind != .comment {
            if token.spaced, !out.isEmpty { out.append(32) }
            out += token.bytes
        }
        return HeaderText.decode(utf8: out)
    }
}
