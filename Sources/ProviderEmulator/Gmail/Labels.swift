/// `users.labels.list` and `.get`.
extension GmailCall {
    func listLabels() -> EmulatorReply {
        let labels = box.read(\.labels)
        return .json(
            MaskedJSON.object(mask) { json in
                json.arrayUnlessEmpty("labels", labels) { json, label in Self.write(&json, label) }
            })
    }

    func getLabel() throws(GmailError) -> EmulatorReply {
        let id = route.id
        let found = box.read { mailbox -> (MailboxLabel, [StoredMessage])? in
            guard let label = mailbox.labels.first(where: { $0.id == id }) else { return nil }
            return (label, mailbox.messages.values.filter { $0.labels.contains(id) })
        }
        guard let (label, messages) = found else { throw .notFound }
        let unread = messages.filter { $0.labels.contains("UNREAD") }
        return .json(
            MaskedJSON.object(mask) { json in
                Self.write(&json, label)
                json.field("messagesTotal", messages.count)
                json.field("messagesUnread", unread.count)
                json.field("threadsTotal", Set(messages.map(\.threadID)).count)
                json.field("threadsUnread", Set(unread.map(\.threadID)).count)
            })
    }

    private static func write(_ json: inout MaskedJSON, _ label: MailboxLabel) {
        json.field("id", label.id)
        json.field("name", label.name)
        if !label.isSystem || label.id == "CHAT" {
            json.field("messageListVisibility", label.isSystem ? "hide" : "show")
            json.field("labelListVisibility", label.isSystem ? "labelHide" : "labelShow")
        }
        json.field("type", label.isSystem ? "system" : "user")
    }
}
