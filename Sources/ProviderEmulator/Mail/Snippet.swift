/// The preview of a message: its text on one line, cut; Gmail writes the characters special to HTML as entities.
enum Snippet {
    /// Longest preview in Gmail.
    private static let charactersMax = 200
    /// So much of the body is looked at.
    private static let scalarsReadMax = 4000

    static func text(
        _ root: MIMEPart, charactersMax: Int = Snippet.charactersMax, writesEntities: Bool = true
    ) -> String {
        guard let part = best(root) else { return "" }
        let scalars = part.text.unicodeScalars.prefix(scalarsReadMax)
        return part.type == "text/html"
            ? oneLine(withoutTags(scalars).unicodeScalars, charactersMax, writesEntities)
            : oneLine(scalars, charactersMax, writesEntities)
    }

    /// The first plain text, else the first HTML.
    static func best(_ root: MIMEPart) -> MIMEPart? { first(root, "text/plain") ?? first(root, "text/html") }

    private static func first(_ part: MIMEPart, _ type: String) -> MIMEPart? {
        if part.parts.isEmpty { return part.type == type && !part.isAttachment ? part : nil }
        return part.parts.lazy.compactMap { first($0, type) }.first
    }

    /// Runs of white space and control characters become one space.
    private static func oneLine(
        _ scalars: some Sequence<Unicode.Scalar>, _ charactersMax: Int, _ writesEntities: Bool
    ) -> String {
        var out = ""
        var count = 0
        var needsSpace = false
        for scalar in scalars {
            if isSpace(scalar) {
                needsSpace = count > 0
                continue
            }
            count += needsSpace ? 2 : 1
            guard count <= charactersMax else { break }
            if needsSpace { out.append(" ") }
            needsSpace = false
            if writesEntities { append(scalar, to: &out) } else { out.unicodeScalars.append(scalar) }
        }
        return out
    }

    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        // The properties of a scalar are slow to ask for, and most mail is ASCII.
        scalar.value < 0x80 ? scalar.value <= 0x20 || scalar.value == 0x7f : scalar.properties.isWhitespace
    }

    private static func append(_ scalar: Unicode.Scalar, to out: inout String) {
        switch scalar {
        case "&": out += "&amp;"
        case "<": out += "&lt;"
        case ">": out += "&gt;"
        case "\"": out += "&quot;"
        case "'": out += "&#39;"
        default: out.unicodeScalars.append(scalar)
        }
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
        guard text.utf8.contains(UInt8(ascii: "&")) else { return text }
        for (entity, character) in entities { text = text.replacing(entity, with: character) }
        return text
    }

    private static let entities = [
        ("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&"),
    ]
}
