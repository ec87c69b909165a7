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
            let body = try body(request)
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
        guard let name = try body(request).name else { throw Refusal.badRequest("name is missing") }
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
        case "grant": return try grant(request, address)
        case "command": return try command(request, address)
        case "live": return try live(try body(request), address)
        case "revoke": google.revokeGrant(of: address)
        case "expire-tokens": google.expireAccessTokens(of: address)
        case "expire-history": try google.expireHistory(of: address)
        case "expire-pages": try google.expirePageTokens(of: address)
        default: throw Refusal.notFound
        }
        return .done
    }

    private func grant(_ request: EmulatorRequest, _ address: String) throws -> EmulatorReply {
        let grant = try google.grant(address, scopes: try body(request).scopes ?? [GmailScope.readonly])
        return .object { json in
            json.field("access_token", grant.accessToken)
            json.field("refresh_token", grant.refreshToken)
            json.field("expires_in", Int64(grant.expiresIn))
            json.field("scope", grant.scopes.joined(separator: " "))
        }
    }

    private func command(_ request: EmulatorRequest, _ address: String) throws -> EmulatorReply {
        let command: EmulatorCommand
        do throws(EmulatorCommand.Invalid) {
            command = try EmulatorCommand.parse(String(decoding: request.body, as: UTF8.self))
        } catch {
            throw Refusal.badRequest(error.description)
        }
        return .text(try command.apply(to: google, mailbox: address) + "\n")
    }

    private func live(_ body: AdminBody, _ address: String) throws -> EmulatorReply {
        guard let steps = body.steps, (1...100_000).contains(steps), let seed = body.seed else {
            throw Refusal.badRequest("steps (1 to 100000) and seed are needed")
        }
        var activity = MailboxActivity(address: address, seed: seed)
        var lines = ""
        for _ in 0..<steps { lines += try activity.step(google).description + "\n" }
        return .text(lines)
    }

    private func truth(_ address: String) throws -> EmulatorReply {
        var lines: [UInt8] = []
        for message in try google.snapshot(address).values.sorted(by: { $0.id < $1.id }) {
            var json = JSONText(reserving: 256)
            json.object { json in
                json.field("id", message.id)
                json.field("thread_id", message.threadID)
                json.field("labels", message.labels)
                json.field("internal_date", message.internalDate)
                json.field("history_id", String(message.historyID))
                json.field("sha256", message.rawSHA256)
            }
            lines += json.bytes + [0x0a]
        }
        return EmulatorReply(status: 200, contentType: "application/jsonl", body: lines)
    }
}
