import Foundation

/// `users.messages.modify`, `.batchModify`, `.trash`, `.untrash` and `.delete`.
extension GmailCall {
    private struct ModifyBody: Decodable {
        var ids: [String]?
        var addLabelIds: [String]?
        var removeLabelIds: [String]?
    }
    /// Most ids of one batchModify (discovery document).
    private static let batchIDsMax = 1000

    func modifyMessage() throws(GmailError) -> EmulatorReply {
        let body = try modifyBody()
        return try change(add: body.addLabelIds ?? [], remove: body.removeLabelIds ?? [])
    }

    /// Changes one message and answers with it.
    func change(add: [String], remove: [String]) throws(GmailError) -> EmulatorReply {
        try modify([route.id], add: add, remove: remove)
        let message = try message(route.id)
        return .json(
            MaskedJSON.object(mask) { json in
                json.field("id", HexID.text(message.id))
                json.field("threadId", HexID.text(message.threadID))
                json.fieldUnlessEmpty("labelIds", message.labels)
            })
    }

    func batchModify() throws(GmailError) -> EmulatorReply {
        let body = try modifyBody()
        guard let ids = body.ids, !ids.isEmpty else { throw .invalidArgument("No message ids specified") }
        guard ids.count <= Self.batchIDsMax else { throw .invalidArgument("Too many message ids, limit: 1000") }
        try modify(ids, add: body.addLabelIds ?? [], remove: body.removeLabelIds ?? [])
        return EmulatorReply(status: 204, contentType: "text/plain", body: [])
    }

    func deleteMessage() throws(GmailError) -> EmulatorReply {
        let id = try message(route.id).id
        do throws(EmulatorError) {
            try box.changeOrThrow { mailbox throws(EmulatorError) in try mailbox.delete(id) }
        } catch {
            throw .notFound
        }
        return EmulatorReply(status: 204, contentType: "text/plain", body: [])
    }

    private func modifyBody() throws(GmailError) -> ModifyBody {
        do {
            return try JSONDecoder().decode(ModifyBody.self, from: Data(request.body))
        } catch {
            throw .invalidArgument("Invalid JSON payload received.")
        }
    }

    private func modify(_ ids: [String], add: [String], remove: [String]) throws(GmailError) {
        let messages = try ids.map { id throws(GmailError) in try message(id).id }
        let known = Set(box.read(\.labels).map(\.id))
        for label in add + remove where !known.contains(label) {
            throw .invalidArgument("Invalid label: \(label)")
        }
        do throws(EmulatorError) {
            try box.changeOrThrow { mailbox throws(EmulatorError) in
                for id in messages { _ = try mailbox.modify(id, add: add, remove: remove) }
            }
        } catch {
            throw .notFound
        }
    }
}
