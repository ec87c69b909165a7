import MailModel

/// Writes JSON, leaving out what the request's `fields` did not select.
struct MaskedJSON {
    private var json: JSONText
    private var mask: FieldMask

    /// The bytes of one object.
    static func object(_ mask: FieldMask, _ body: (inout MaskedJSON) -> Void) -> [UInt8] {
        var writer = MaskedJSON(json: JSONText(), mask: mask)
        writer.element(body)
        return writer.json.bytes
    }

    mutating func field(_ name: String, _ value: String) {
        if mask.child(name) != nil { json.field(name, value) }
    }

    mutating func field(_ name: String, _ value: Int) {
        if mask.child(name) != nil { json.field(name, Int64(value)) }
    }

    /// 64-bit integers travel as strings.
    mutating func field64(_ name: String, _ value: UInt64) { field(name, String(value)) }

    /// Left out when empty.
    mutating func fieldUnlessEmpty(_ name: String, _ values: [String]) {
        if !values.isEmpty, mask.child(name) != nil { json.field(name, values) }
    }

    mutating func object(_ name: String, _ body: (inout MaskedJSON) -> Void) {
        below(name) { $0.element(body) }
    }

    /// Left out when empty.
    mutating func arrayUnlessEmpty<Element>(
        _ name: String, _ elements: [Element], _ body: (inout MaskedJSON, Element) -> Void
    ) {
        guard !elements.isEmpty else { return }
        below(name) { writer in
            let mask = writer.mask
            writer.json.array(elements) { text, element in
                Self.nested(&text, mask) { $0.element { body(&$0, element) } }
            }
        }
    }

    private mutating func below(_ name: String, _ body: (inout MaskedJSON) -> Void) {
        guard let child = mask.child(name) else { return }
        json.key(name)
        let outer = mask
        mask = child
        body(&self)
        mask = outer
    }

    private mutating func element(_ body: (inout MaskedJSON) -> Void) {
        let mask = self.mask
        json.object { text in Self.nested(&text, mask, body) }
    }

    /// Hands the text over and back: a copy would double every buffer.
    private static func nested(_ text: inout JSONText, _ mask: FieldMask, _ body: (inout MaskedJSON) -> Void) {
        var writer = MaskedJSON(json: JSONText(reserving: 0), mask: mask)
        swap(&writer.json, &text)
        body(&writer)
        swap(&writer.json, &text)
    }
}
