/// `users.messages.get` and the message resource.
extension GmailCall {
    enum Format: String {
        case full, metadata, minimal, raw
    }

    func getMessage() throws(GmailError) -> EmulatorReply {
        let name = request.parameter("format") ?? "full"
        guard let format = Format(rawValue: name.lowercased()) else {
            throw .invalidArgument("Invalid value at 'format' (type.googleapis.com/Format), \"\(name)\"")
        }
        if scopes.contains(GmailScope.metadata), format == .full || format == .raw {
            var error = GmailError.metadataScopeFull
            error.message = "Metadata scope doesn't allow format \(format.rawValue.uppercased())"
            throw error
        }
        return .json(render(try message(route.id), format))
    }

    /// - Throws: 400 for what cannot be an id, 404 for a message that is not there.
    func message(_ id: String) throws(GmailError) -> StoredMessage {
        guard let number = HexID.parse(id) else { throw .invalidArgument("Invalid id value") }
        guard let message = box.read({ $0.messages[number] }) else { throw .notFound }
        return message
    }

    func render(_ message: StoredMessage, _ format: Format) -> [UInt8] {
        let raw = RawMessage(message.content.bytes)
        return MaskedJSON.object(mask) { json in
            json.field("id", HexID.text(message.id))
            json.field("threadId", HexID.text(message.threadID))
            json.fieldUnlessEmpty("labelIds", message.labels)
            let root = MIMEPart(raw)
            json.field("snippet", Snippet.text(root))
            switch format {
            case .minimal: break
            case .raw: json.field("raw", Base64URL.padded(raw.bytes))
            case .metadata: json.object("payload") { writeMetadata(&$0, root) }
            case .full: json.object("payload") { writePart(&$0, root, partID: "") }
            }
            json.field("sizeEstimate", message.content.sizeBytes(of: raw.bytes))
            json.field64("historyId", message.historyID)
            json.field("internalDate", String(message.internalDate * 1000))
        }
    }

    private func writeMetadata(_ json: inout MaskedJSON, _ root: MIMEPart) {
        json.field("mimeType", root.type)
        let wanted = request.parameters("metadataHeaders").map { $0.lowercased() }
        let fields =
            wanted.isEmpty
            ? root.fields : root.fields.filter { field in wanted.contains { field.name.isSameName(as: $0) } }
        json.arrayUnlessEmpty("headers", fields) { json, field in
            json.field("name", field.name)
            json.field("value", field.value)
        }
    }

    private func writePart(_ json: inout MaskedJSON, _ part: MIMEPart, partID: String) {
        json.field("partId", partID)
        json.field("mimeType", part.type)
        json.field("filename", part.filename)
        json.arrayUnlessEmpty("headers", part.fields) { json, field in
            json.field("name", field.name)
            json.field("value", field.value)
        }
        let content = part.parts.isEmpty ? part.content : []
        json.object("body") { json in
            if part.isAttachment { json.field("attachmentId", attachmentID(partID)) }
            json.field("size", content.count)
            if !part.isAttachment, !content.isEmpty { json.field("data", Base64URL.padded(content)) }
        }
        let prefix = partID.isEmpty ? "" : partID + "."
        let numbered = part.parts.enumerated().map { (id: prefix + String($0.offset), part: $0.element) }
        json.arrayUnlessEmpty("parts", numbered) { json, child in writePart(&json, child.part, partID: child.id) }
    }

    /// Long, and another one at every call: it is no key.
    private func attachmentID(_ partID: String) -> String {
        "ANGjdJ" + SeededRandom.attachmentToken(230) + partID
    }
}

extension SeededRandom {
    /// Differs from call to call: the one thing here that must not follow from the seed.
    static func attachmentToken(_ length: Int) -> String {
        var random = SeededRandom(seed: UInt64.random(in: 0...UInt64.max))
        return random.token(length)
    }
}
