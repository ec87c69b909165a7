import MailModel

/// The part of the admin API that is about one mailbox.
extension AdminAPI {
    func mailbox(_ request: EmulatorRequest, address: String, _ path: [String]) throws -> EmulatorReply {
        switch (request.method, path[0], path.count) {
        case ("GET", "truth", 1): return try truth(address)
        case ("POST", "messages", 1):
            let labels = request.parameter("labels")?.split(separator: ",").map(String.init)
            let id = try google.deliver(request.body, to: address, labels: labels ?? ["INBOX", "UNREAD"])
            return .object { $0.field("id", id) }
        case (_, "messages", 2...): return try message(request, address, Array(path.dropFirst()))
        case (_, "labels", _): return try label(request, address, Array(path.dropFirst()))
        case ("POST", _, 1): return try action(request, address, path[0])
        default: throw Refusal.notFound
        }
    }

    private func message(_ request: EmulatorRequest, _ address: String, _ path: [String]) throws -> EmulatorReply {
        let id = path[0]
        switch (request.method, path.count > 1 ? path[1] : "") {
        case ("GET", ""):
            return EmulatorReply(
                status: 200, contentType: "message/rfc822", body: try google.rawMessage(id, in: address))
        case ("DELETE", ""): try google.delete(id, in: address)
        case ("POST", "modify"):
            let body = try AdminBody(request)
            try google.modify(id, in: address, add: body.add ?? [], remove: body.remove ?? [])
        case ("POST", "trash"): try google.trash(id, in: address)
        case ("POST", "untrash"): try google.untrash(id, in: address)
        default: throw Refusal.notFound
        }
        return .done
    }

    private func label(_ request: EmulatorRequest, _ address: String, _ path: [String]) throws -> EmulatorReply {
        if request.method == "DELETE", let id = path.first {
            try google.deleteLabel(id, in: address)
            return .done
        }
        guard let name = try AdminBody(request).name else { throw Refusal.badRequest("name is missing") }
        switch (request.method, path.first) {
        case ("POST", nil):
            let id = try google.createLabel(name, in: address)
            return .object { $0.field("id", id) }
        case ("PATCH", let id?):
            try google.renameLabel(id, to: name, in: address)
            return .object { $0.field("id", id) }
        default: throw Refusal.notFound
        }
    }

    private func action(_ request: EmulatorRequest, _ address: String, _ name: String) throws -> EmulatorReply {
        switch name {
        case "grant":
            let scopes = try AdminBody(request).scopes ?? [GmailScope.readonly]
            return .grant(try google.grant(address, scopes: scopes))
        case "command":
            return try .command(request) { command throws(EmulatorError) in
                try command.apply(to: google, mailbox: address)
            }
        case "live":
            return try .live(try AdminBody(request), address) { activity throws(EmulatorError) in
                try activity.step(google)
            }
        case "revoke": google.revokeGrant(of: address)
        case "expire-tokens": google.expireAccessTokens(of: address)
        case "expire-history": try google.expireHistory(of: address)
        case "expire-pages": try google.expirePageTokens(of: address)
        default: throw Refusal.notFound
        }
        return .done
    }

    private func truth(_ address: String) throws -> EmulatorReply {
        .lines(try google.snapshot(address).values.sorted { $0.id < $1.id }) { json, message in
            json.field("id", message.id)
            json.field("thread_id", message.threadID)
            json.field("labels", message.labels)
            json.field("internal_date", message.internalDate)
            json.field("history_id", String(message.historyID))
            json.field("sha256", message.rawSHA256)
        }
    }
}
