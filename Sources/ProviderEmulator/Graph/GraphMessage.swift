import Foundation
import MailHeaders
import MailModel

/// Writes a message as Graph's `message` resource.
struct GraphMessage {
    /// Properties that can be selected (metadata, message and its bases).
    static let properties: Set<String> = [
        "id", "changeKey", "categories", "createdDateTime", "lastModifiedDateTime", "bccRecipients", "body",
        "bodyPreview", "ccRecipients", "conversationId", "conversationIndex", "flag", "from", "hasAttachments",
        "importance", "inferenceClassification", "internetMessageHeaders", "internetMessageId",
        "isDeliveryReceiptRequested", "isDraft", "isRead", "isReadReceiptRequested", "parentFolderId",
        "receivedDateTime", "replyTo", "sender", "sentDateTime", "subject", "toRecipients", "uniqueBody", "webLink",
    ]
    /// Longest preview, in characters.
    private static let previewMax = 255

    let message: OutlookMessage
    let salt: UInt64
    let preference: GraphPreference
    /// Nil is all that come by themselves.
    let select: Set<String>?
    private let root: MIMEPart

    init(_ message: OutlookMessage, salt: UInt64, _ preference: GraphPreference, select: Set<String>?) {
        self.message = message
        self.salt = salt
        self.preference = preference
        self.select = select
        root = MIMEPart(RawMessage(message.content.bytes))
    }

    var id: String {
        let kind: ItemID.Kind = preference.usesImmutableIDs ? .immutable : .mutable(generation: message.generation)
        return ItemID(key: message.key, kind: kind).text(salt: salt)
    }

    private var changeKey: String { Self.changeKey(message, salt) }

    static func changeKey(_ message: OutlookMessage, _ salt: UInt64) -> String {
        "CQAAABYAAAD" + ItemID.text(salt, 6) + ItemID.text(message.changedAt, 6)
    }

    /// The type where it is not plain `message`.
    private var subtype: String? {
        root.type == "text/calendar" || root.parts.contains { $0.type == "text/calendar" }
            ? "#microsoft.graph.eventMessageRequest" : nil
    }

    /// One JSON object.
    ///
    /// - Parameter isTyped: writes `@odata.type` also where it is the plain type, as delta does.
    func json(isTyped: Bool, context: String? = nil) -> [UInt8] {
        var json = JSONText(reserving: 1024)
        json.object { json in
            if let context { json.field("@odata.context", context) }
            if let type = subtype ?? (isTyped ? "#microsoft.graph.message" : nil) { json.field("@odata.type", type) }
            json.field("@odata.etag", "W/\"\(changeKey)\"")
            json.field("id", id)
            writeItem(&json)
            writeHeader(&json)
            writeState(&json)
            writeContent(&json)
        }
        return json.bytes
    }

    private func wants(_ name: String) -> Bool {
        select?.contains(name) ?? (name != "internetMessageHeaders" && name != "uniqueBody")
    }

    private func writeItem(_ json: inout JSONText) {
        if wants("createdDateTime") { json.field("createdDateTime", MailDate.second(message.receivedAt)) }
        if wants("lastModifiedDateTime") { json.field("lastModifiedDateTime", MailDate.second(message.modifiedAt)) }
        if wants("changeKey") { json.field("changeKey", changeKey) }
        if wants("categories") { json.field("categories", message.properties.categories) }
        if wants("receivedDateTime") { json.field("receivedDateTime", MailDate.second(message.receivedAt)) }
        if wants("sentDateTime") {
            let sent = root.fields.first("date").flatMap(MailDate.parse) ?? message.receivedAt
            json.field("sentDateTime", MailDate.second(sent))
        }
        if wants("parentFolderId") {
            json.field("parentFolderId", ItemID(key: message.folder, kind: .folder).text(salt: salt))
        }
        if wants("conversationId") { json.field("conversationId", Self.conversationID(message, salt)) }
        if wants("conversationIndex") { json.field("conversationIndex", conversationIndex) }
        if wants("webLink") {
            let item = id.replacing("=", with: "%3D")
            json.field(
                "webLink",
                "https://outlook.office365.com/owa/?ItemID=\(item)&exvsurl=1&viewmodel=ReadMessageItem")
        }
    }

    private func writeHeader(_ json: inout JSONText) {
        if wants("internetMessageId") {
            write(&json, "internetMessageId", message.isDraft ? nil : root.fields.first("message-id"))
        }
        if wants("subject") {
            write(&json, "subject", root.fields.first("subject").map { MailHeaders.HeaderText.decode($0) })
        }
        let from = addresses("from").first
        if wants("from"), let from { writeRecipient(&json, "from", from) }
        if wants("sender"), let sender = addresses("sender").first ?? from { writeRecipient(&json, "sender", sender) }
        for (property, field) in [
            ("toRecipients", "to"), ("ccRecipients", "cc"), ("bccRecipients", "bcc"), ("replyTo", "reply-to"),
        ] where wants(property) {
            json.key(property)
            json.array(addresses(field)) { json, address in Self.writeAddress(&json, address) }
        }
        if wants("internetMessageHeaders"), !message.isOutgoing {
            json.key("internetMessageHeaders")
            json.array(root.fields) { json, field in
                json.object { json in
                    json.field("name", field.name)
                    json.field("value", field.value)
                }
            }
        }
    }

    private func writeState(_ json: inout JSONText) {
        let properties = message.properties
        if wants("importance") { json.field("importance", properties.importance.rawValue) }
        if wants("isRead") { json.field("isRead", properties.isRead) }
        if wants("isDraft") { json.field("isDraft", message.isDraft) }
        if wants("hasAttachments") { json.field("hasAttachments", hasAttachments(root)) }
        if wants("isReadReceiptRequested") {
            json.field("isReadReceiptRequested", root.fields.first("disposition-notification-to") != nil)
        }
        if wants("isDeliveryReceiptRequested") {
            json.key("isDeliveryReceiptRequested")
            json.null()
        }
        if wants("inferenceClassification") {
            json.field("inferenceClassification", message.isFocused ? "focused" : "other")
        }
        if wants("flag") { writeFlag(&json, properties.flag) }
    }

    private func writeFlag(_ json: inout JSONText, _ flag: OutlookProperties.Flag) {
        json.key("flag")
        json.object { json in
            json.field("flagStatus", flag.rawValue)
            guard flag != .notFlagged else { return }
            json.key(flag == .complete ? "completedDateTime" : "startDateTime")
            json.object { json in
                json.field("dateTime", String(MailDate.second(message.modifiedAt).dropLast()) + ".0000000")
                json.field("timeZone", "UTC")
            }
        }
    }

    private func writeContent(_ json: inout JSONText) {
        if wants("bodyPreview") {
            json.field(
                "bodyPreview", Snippet.text(root, charactersMax: Self.previewMax, writesEntities: false))
        }
        for name in ["body", "uniqueBody"] where wants(name) {
            let part = Snippet.best(root)
            let isHTML = part?.type == "text/html" && preference.bodyType != "text"
            json.key(name)
            json.object { json in
                json.field("contentType", isHTML ? "html" : "text")
                json.field("content", part?.text ?? "")
            }
        }
    }

    static func conversationID(_ message: OutlookMessage, _ salt: UInt64) -> String {
        "AAQkAGI2" + ItemID.text(message.conversation, 11) + "AQA" + ItemID.text(salt, 6) + "="
    }

    /// A header block as Outlook makes it: a byte, the time, an id (MS-OXOMSG 2.2.1.3).
    private var conversationIndex: String {
        let words = [UInt64(bitPattern: message.receivedAt) << 24, message.conversation, salt]
        let bytes = words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) } }
        return Data([1] + bytes.prefix(21)).base64EncodedString()
    }

    /// Inline parts do not count.
    private func hasAttachments(_ part: MIMEPart) -> Bool {
        if !part.parts.isEmpty { return part.parts.contains { hasAttachments($0) } }
        let disposition = part.fields.first("content-disposition")?.lowercased() ?? ""
        let isInline = disposition.hasPrefix("inline") || part.fields.first("content-id") != nil
        return part.isAttachment && !isInline && part.type != "text/calendar"
    }

    private func addresses(_ name: String) -> [MailAddress] {
        root.fields.filter { $0.name.isSameName(as: name) }.flatMap { AddressList.parse($0.value) }
    }

    private func writeRecipient(_ json: inout JSONText, _ name: String, _ address: MailAddress) {
        json.key(name)
        Self.writeAddress(&json, address)
    }

    private static func writeAddress(_ json: inout JSONText, _ address: MailAddress) {
        json.object { json in
            json.key("emailAddress")
            json.object { json in
                json.field("name", address.name.isEmpty ? address.address : address.name)
                json.field("address", address.address)
            }
        }
    }

    private func write(_ json: inout JSONText, _ name: String, _ value: String?) {
        json.key(name)
        if let value { json.string(value) } else { json.null() }
    }
}
