import Foundation

/// Writes one made-up message.
struct GeneratedMessage {
    let bytes: [UInt8]

    init(generator: MailboxGenerator, index: Int, random: inout SeededRandom) {
        var text = ""
        text.reserveCapacity(2048)
        let date = generator.date(at: index)
        let host = "mx\(random.below(40)).example.net"
        Self.trace(&text, generator.address, host, date, &random)
        text += "From: \(Self.mailbox(&random))\r\n"
        Self.recipients(&text, generator.address, &random)
        Self.subject(&text, isReply: generator.parent(of: index) != nil, &random)
        text += "Date: \(MailDate.text(date))\r\nMessage-ID: \(generator.messageID(at: index))\r\n"
        Self.thread(&text, generator, index)
        Self.extras(&text, &random)
        text += "MIME-Version: 1.0\r\n"
        Self.body(&text, &random)
        bytes = Array(text.utf8)
    }

    private static func trace(
        _ text: inout String, _ address: String, _ host: String, _ date: Int64, _ random: inout SeededRandom
    ) {
        let stamp = MailDate.text(date)
        text += "Delivered-To: \(address)\r\n"
        text += "Received: by \(host) with SMTP id \(random.token(14));\r\n        \(stamp)\r\n"
        text += "Received: from \(random.token(6)).example.org (\(random.token(5)).example.org. [192.0.2.7])\r\n"
        text +=
            "        by \(host) with ESMTPS id \(random.token(16))\r\n        for <\(address)>;\r\n        \(stamp)\r\n"
    }

    private static func mailbox(_ random: inout SeededRandom) -> String {
        let first = random.pick(firstNames)
        let last = random.pick(lastNames)
        let address = "\(random.token(3)).\(random.below(900))@\(random.pick(domains))"
        switch random.below(10) {
        case 0: return address
        case 1: return "<\(address)>"
        case 2: return "\"\(last), \(first)\" <\(address)>"
        case 3: return "\(encoded("\(random.pick(accentedNames)) \(last)", &random)) <\(address)>"
        case 4: return "\(address) (\(first) \(last))"
        case 5: return "\"\(first) \\\"\(random.token(4))\\\" \(last)\" <\(address)>"
        default: return "\(first) \(last) <\(address)>"
        }
    }

    private static func recipients(_ text: inout String, _ address: String, _ random: inout SeededRandom) {
        switch random.below(20) {
        case 0: text += "To: undisclosed-recipients:;\r\n"
        case 1: text += "To: Team \(random.pick(lastNames)): \(mailbox(&random)), \(mailbox(&random));, \(address)\r\n"
        case 2:
            let many = (0..<(20 + random.below(60))).map { _ in mailbox(&random) }
            text += "To: \(address),\r\n \(many.joined(separator: ",\r\n "))\r\n"
        default: text += "To: \(random.chance(0.5) ? address : "Me <\(address)>")\r\n"
        }
        if random.chance(0.25) { text += "Cc: \(mailbox(&random)),\r\n\t\(mailbox(&random))\r\n" }
        if random.chance(0.02) { text += "Bcc: \(mailbox(&random))\r\n" }
        if random.chance(0.15) { text += "Reply-To: \(mailbox(&random))\r\n" }
    }

    private static func subject(_ text: inout String, isReply: Bool, _ random: inout SeededRandom) {
        var words = (0..<(2 + random.below(7))).map { _ in random.pick(subjectWords) }.joined(separator: " ")
        let prefix = isReply ? random.pick(["Re: ", "RE: ", "AW: ", "Fwd: "]) : ""
        switch random.below(12) {
        case 0, 1:
            words += " " + random.pick(accentedNames)
            text += "Subject: \(prefix)\(encoded(words, &random))\r\n"
        case 2: text += "Subject: \(prefix)\(words)\r\n \(random.pick(subjectWords)) \(random.token(30))\r\n"
        case 3 where random.chance(0.2): break
        default: text += "Subject: \(prefix)\(words)\r\n"
        }
    }

    private static func thread(_ text: inout String, _ generator: MailboxGenerator, _ index: Int) {
        guard let parent = generator.parent(of: index) else { return }
        text += "In-Reply-To: \(generator.messageID(at: parent))\r\nReferences:"
        var chain = [parent]
        while chain.count < 6, let next = generator.parent(of: chain[chain.count - 1]) { chain.append(next) }
        for ancestor in chain.reversed() { text += " \(generator.messageID(at: ancestor))\r\n" }
    }

    private static func extras(_ text: inout String, _ random: inout SeededRandom) {
        if random.chance(0.3) {
            let list = random.pick(lastNames).lowercased()
            text += "List-Id: \(list) announcements <\(list).lists.example>\r\n"
            text +=
                "List-Unsubscribe: <mailto:leave@lists.example>,\r\n <https://lists.example/u/\(random.token(40))>\r\n"
            text += "Precedence: bulk\r\n"
        }
        if random.chance(0.03) { text += "Auto-Submitted: auto-generated\r\n" }
        text += "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=k1;\r\n"
        text += "        bh=\(random.token(43))=;\r\n        b=\(random.token(64))\r\n         \(random.token(64))\r\n"
        if random.chance(0.01) {
            text += "X-Long: " + (0..<60).map { _ in random.token(60) }.joined(separator: "\r\n ") + "\r\n"
        }
    }

    private static func body(_ text: inout String, _ random: inout SeededRandom) {
        let words = (0..<(8 + random.below(40))).map { _ in random.pick(bodyWords) }.joined(separator: " ")
        switch random.below(6) {
        case 0:
            text += "Content-Type: text/html; charset=utf-8\r\n\r\n"
            text += "<html><body><p>\(words)</p><p>Tom &amp; \(random.pick(accentedNames))</p></body></html>\r\n"
        case 1:
            text += "Content-Type: text/plain; charset=\"utf-8\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            text += Data("\(words) \(random.pick(accentedNames))".utf8).base64EncodedString() + "\r\n"
        case 2:
            let boundary = random.token(24)
            text += "Content-Type: multipart/alternative; boundary=\"\(boundary)\"\r\n\r\n--\(boundary)\r\n"
            text += "Content-Type: text/plain; charset=us-ascii\r\n\r\n\(words)\r\n--\(boundary)\r\n"
            text += "Content-Type: text/html\r\n\r\n<p>\(words)</p>\r\n--\(boundary)--\r\n"
        default: text += "Content-Type: text/plain; charset=us-ascii\r\n\r\n\(words) <\(random.token(5))> & more\r\n"
        }
    }

    /// Encoded words (RFC 2047) of at most 45 bytes of text each, cut between characters.
    private static func encoded(_ text: String, _ random: inout SeededRandom) -> String {
        let useBase64 = random.chance(0.5)
        var words: [String] = []
        var piece = ""
        for character in text {
            if piece.utf8.count + character.utf8.count > (useBase64 ? 42 : 20) {
                words.append(encodedWord(piece, useBase64))
                piece = ""
            }
            piece.append(character)
        }
        return (words + [encodedWord(piece, useBase64)]).joined(separator: "\r\n ")
    }

    private static func encodedWord(_ text: String, _ useBase64: Bool) -> String {
        if useBase64 { return "=?UTF-8?B?\(Data(text.utf8).base64EncodedString())?=" }
        let hex = Array("0123456789ABCDEF")
        let quoted = text.utf8.map { byte in
            switch byte {
            case 0x20: return "_"
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"):
                return String(Unicode.Scalar(byte))
            default: return "=\(hex[Int(byte >> 4)])\(hex[Int(byte & 15)])"
            }
        }
        return "=?utf-8?Q?\(quoted.joined())?="
    }

    private static let firstNames = ["Ada", "Ben", "Chris", "Dora", "Emil", "Fay", "Gus", "Ines", "Jon", "Kim"]
    private static let lastNames = ["Adler", "Brook", "Castro", "Dunne", "Ek", "Frost", "Gray", "Holm", "Ito", "Jung"]
    private static let accentedNames = ["Zoë", "José", "Jürgen", "Łukasz", "Ольга", "李雷", "Σοφία", "さくら", "📬 Post"]
    private static let domains = ["example.org", "example.com", "mail.example", "firma.example", "list.example"]
    private static let subjectWords = [
        "Invoice", "meeting", "Friday", "report", "[team]", "update", "holiday", "plans", "lunch?", "contract", "Q3",
        "reminder:", "photos", "tickets", "security", "alert", "welcome", "your", "order", "shipped",
    ]
    private static let bodyWords = [
        "hello", "please", "find", "the", "numbers", "attached", "we", "should", "talk", "tomorrow", "about", "it",
        "thanks", "again", "for", "your", "help", "it's", "urgent", "and", "see", "you", "soon", "regards",
    ]
}
