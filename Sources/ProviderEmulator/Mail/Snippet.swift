/// The preview of a message: its text on one line, cut, with the characters special to HTML written as entities.
enum Snippet {
    private static let charactersMax = 200
    /// So much of the body is looked at.
    private static let scalarsReadMax = 4000

    static func text(_ root: MIMEPart) -> String {
        guard let part = best(root) else { return "" }
        let scalars = part.text.unicodeScalars.prefix(scalarsReadMax)
        let plain = part.type == "text/html" ? withoutTags(scalars) : String(String.UnicodeScalarView(scalars))
        return escaped(oneLine(plain))
    }

    /// The first plain text, else the first HTML.
    private static func best(_ root: MIMEPart) -> MIMEPart? { first(root, "text/plain") ?? first(root, "text/html") }

    private static func first(_ part: MIMEPart, _ type: String) -> MIMEPart? {
        if part.parts.isEmpty { return part.type == type && !part.isAttachment ? part : nil }
        return part.parts.lazy.compactMap { first($0, type) }.first
    }

    private static func oneLine(_ text: String) -> String {
        var out = ""
        var count = 0
        var needsSpace = false
        for scalar in text.unicodeScalars {
            if scalar.properties.isWhitespace || scalar.value < 0x20 || scalar.value == 0x7f {
                needsSpace = count > 0
                continue
            }
            count += needsSpace ? 2 : 1
            guard count <= charactersMax else { break }
            if needsSpace { out.append(" ") }
            needsSpace = false
            out.unicodeScalars.append(scalar)
        }
        return out
    }

    private static func withoutTags(_ scalars: some Sequence<Unicode.Scalar>) -> String {
        var out = String.UnicodeScalarView()
        var isInTag = false
        for scalar in scalars {
            if scalar == "<" { isInTag = true }
            if !isInTag { out.append(scalar) }
            if scalar == ">" {
                isInTag = false
                out.append(" ")
            }
        }
        var text = String(out)
        for (entity, character) in entities { text = text.replacing(entity, with: character) }
        return text
    }

    private static let entities = [
        ("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&"),
    ]

    private static func escaped(_ text: String) -> String {
        var out = ""
        for character in text.unicodeScalars {
            switch character {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\"": out += "&quot;"
            case "'": out += "&#39;"
            default: out.unicodeScalars.append(character)
            }
        }
        return out
    }
}
